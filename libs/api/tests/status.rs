//! What a caller is told, for every way in which a call fails.

use std::time::Duration;

use seva_api::status::{DOMAIN, Error, REASONS, Violation, complete, complete_response};
use seva_domain::values::RequestId;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

fn every_error() -> Vec<Error> {
    vec![
        Error::BacklogFull,
        Error::CatchingUp { message: "the read models are still being folded".to_owned() },
        Error::Internal("row 7 does not parse".into()),
        Error::LogUnavailable,
        Error::Malformed(vec![
            Violation::new("text", "is missing"),
            Violation::new("case_id", "is not an id"),
        ]),
        Error::MessageTooLarge { limit_bytes: 10 },
        Error::NotFound { what: "case", id: "cas_1".to_owned() },
        Error::OutcomeUnknown { request: RequestId::from_bytes([1; 16]) },
        Error::PolicyInvalid(vec![Violation::new("routing.tables[0]", "has no rows")]),
        Error::PositionNotReached,
        Error::QueueFull,
        Error::Refused {
            reason: "CASE_CLOSED",
            message: "the case is closed".to_owned(),
            metadata: vec![("rev", "3".to_owned())],
        },
        Error::RequestIdReused,
        Error::Stale { current_rev: 9 },
        Error::TooOften { retry_after: Duration::from_millis(40) },
    ]
}

#[test]
fn every_reason_is_listed_once_and_in_order() {
    assert!(REASONS.is_sorted_by(|a, b| a < b));
    for error in every_error() {
        assert!(REASONS.contains(&error.reason()), "{}", error.reason());
    }
}

#[test]
fn every_status_carries_its_reason_and_retry_where_it_helps() {
    let expected = [
        (Code::ResourceExhausted, true),
        (Code::Unavailable, true),
        (Code::Internal, false),
        (Code::Unavailable, true),
        (Code::InvalidArgument, false),
        (Code::InvalidArgument, false),
        (Code::NotFound, false),
        (Code::Unavailable, true),
        (Code::FailedPrecondition, false),
        (Code::Unavailable, true),
        (Code::ResourceExhausted, true),
        (Code::FailedPrecondition, false),
        (Code::AlreadyExists, false),
        (Code::Aborted, false),
        (Code::ResourceExhausted, true),
    ];
    for (error, (code, retry)) in every_error().into_iter().zip(expected) {
        let reason = error.reason();
        let status = Status::from(error);
        let details = status.get_error_details();
        assert_eq!(status.code(), code, "{reason}");
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, DOMAIN));
        assert_eq!(details.retry_info().is_some(), retry, "{reason}");
    }
}

#[test]
fn the_details_say_what_to_mend() {
    let all = every_error();
    let find = |reason: &str| all.iter().position(|error| error.reason() == reason).unwrap();
    let of = |reason: &str| Status::from(every_error().swap_remove(find(reason))).get_error_details();
    let violations = of("MALFORMED").bad_request().unwrap().field_violations.clone();
    assert_eq!(violations.iter().map(|v| v.field.as_str()).collect::<Vec<_>>(), ["text", "case_id"]);
    assert_eq!(of("NOT_FOUND").resource_info().unwrap().resource_name, "cas_1");
    assert_eq!(
        of("POLICY_INVALID").precondition_failure().unwrap().violations[0].subject,
        "routing.tables[0]"
    );
    assert_eq!(of("CASE_CLOSED").error_info().unwrap().metadata["rev"], "3");
    assert_eq!(of("STALE_REV").error_info().unwrap().metadata["current_rev"], "9");
}

#[test]
fn whatever_is_wrong_a_status_fits_into_the_headers_that_clients_take() {
    let long = "x".repeat(100_000);
    let violations = || (0..1_000).map(|n| Violation::new(format!("{n}{long}"), &*long)).collect::<Vec<_>>();
    for error in [
        Error::Malformed(violations()),
        Error::NotFound { what: "read model", id: long.clone() },
        Error::PolicyInvalid(violations()),
        Error::Refused {
            reason: "CASE_CLOSED",
            message: long.clone(),
            metadata: vec![("word", long.clone())],
        },
    ] {
        let status = Status::from(error);
        let mut headers = tonic::codegen::http::HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
        assert!(bytes < 16 * 1024, "{bytes}");
    }
    let few = Status::from(Error::Malformed(
        (0..40).map(|n| Violation::new(format!("f{n}"), "is missing")).collect(),
    ));
    let told = few.get_error_details().bad_request().unwrap().field_violations.clone();
    assert_eq!((told.len(), told[20].description.as_str()), (21, "has 20 more mistakes"));
}

#[test]
fn what_is_internal_stays_inside() {
    let status = Status::from(Error::Internal("row 7 does not parse".into()));
    let id = status.get_error_details().error_info().unwrap().metadata["error_id"].clone();
    assert!(status.message().contains(&id));
    assert!(!status.message().contains("row 7"));
}

#[test]
fn a_status_made_elsewhere_gets_its_details() {
    let reason = |code, message: &str| {
        let status = complete(Status::new(code, message));
        (status.code(), status.get_error_details().error_info().unwrap().reason.clone())
    };
    assert_eq!(reason(Code::Unimplemented, ""), (Code::Unimplemented, "UNIMPLEMENTED".to_owned()));
    assert_eq!(reason(Code::DeadlineExceeded, ""), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".to_owned()));
    assert_eq!(
        reason(Code::Internal, "Missing request message."),
        (Code::InvalidArgument, "MALFORMED".to_owned())
    );
    assert_eq!(
        reason(Code::OutOfRange, "too large"),
        (Code::InvalidArgument, "MESSAGE_TOO_LARGE".to_owned())
    );

    let made_here = Status::from(Error::Stale { current_rev: 2 });
    assert_eq!(complete(made_here.clone()).details(), made_here.details());
}

#[test]
fn a_response_that_is_only_a_status_gets_its_details() {
    let response = complete_response(Status::new(Code::Unimplemented, "no such method").into_http());
    let status = Status::from_header_map(response.headers()).unwrap();
    assert_eq!(status.code(), Code::Unimplemented);
    assert_eq!(status.get_error_details().error_info().unwrap().reason, "UNIMPLEMENTED");
}

#[test]
fn every_reason_of_the_business_rules_is_one_that_callers_are_told_of() {
    let of_the_rules = include_str!("../../domain/contracts/reasons.txt");
    for reason in of_the_rules.lines() {
        assert!(REASONS.contains(&reason), "{reason}");
    }
}
