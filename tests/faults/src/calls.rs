//! One call to one process, and what its answer says happened.

use std::time::Duration;

use prost_types::Timestamp;
use seva_api::pb::common::v1::{CaseKind, Channel as By, PageRequest, ReadOptions};
use seva_api::pb::feedback::v1::feedback_service_client::FeedbackServiceClient;
use seva_api::pb::feedback::v1::{
    AcknowledgeSuggestionRequest, AdoptSuggestionRequest, CaptureSuggestionRequest, DeclineSuggestionRequest,
    ListInboxRequest, RerouteSuggestionRequest,
};
use seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient;
use seva_api::pb::intake::v1::timeline_entry::What;
use seva_api::pb::intake::v1::{
    ConfirmResolutionRequest, Direction, GetCaseRequest, GetTimelineRequest, Identity, IdentityKind,
    LogInteractionRequest, ReclassifyCaseRequest, RejectResolutionRequest, ReopenCaseRequest,
    ResolveCaseRequest,
};
use seva_api::pb::policy::v1::GetPolicyRequest;
use seva_api::pb::policy::v1::policy_service_client::PolicyServiceClient;
use seva_api::replayed::REPLAYED;
use tonic::{Request, Response, Status};
use tonic_types::StatusExt as _;

use crate::doors::Door;
use crate::history::{Of, Read};
use crate::write::{Verb, Write};

/// How long a caller waits.
const DEADLINE: Duration = Duration::from_secs(8);

/// How many rows of a list are asked for at once, and how many pages at most.
const PAGE: u32 = 1_000;
const PAGES_MAX: usize = 20;

/// What a call came to.
#[derive(Clone, Debug)]
pub(crate) enum Outcome<T> {
    Ok(T),
    /// Nothing happened, and why.
    Fail(String),
    /// Nobody can tell.
    Unknown(String),
}

/// What a write was answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    pub(crate) position: String,
    /// What the answer names: case, customer and interaction, or the suggestion.
    pub(crate) ids: Vec<String>,
    pub(crate) is_replayed: bool,
}

/// What a read was answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) position: String,
    pub(crate) ids: Vec<String>,
}

/// Asks for a write.
pub(crate) async fn write(door: &Door, write: &Write) -> Outcome<Written> {
    let asked = async {
        if write.verb.is_intakes() { ask_intake(door, write).await } else { ask_feedback(door, write).await }
    };
    bounded(asked).await
}

/// Asks a question.
pub(crate) async fn read(door: &Door, read: &Read) -> Outcome<Found> {
    bounded(async {
        match &read.of {
            Of::Case(case) => get_case(door, read, case).await,
            Of::Inbox(department) => list_inbox(door, read, department).await,
            Of::Policy => get_policy(door, read).await,
            Of::Timeline(customer) => get_timeline(door, read, customer).await,
        }
    })
    .await
}

async fn bounded<T>(asked: impl Future<Output = Result<T, Status>>) -> Outcome<T> {
    match tokio::time::timeout(DEADLINE + Duration::from_secs(2), asked).await {
        Ok(Ok(answer)) => Outcome::Ok(answer),
        Ok(Err(status)) => refused(&status),
        Err(_) => Outcome::Unknown("NO_ANSWER".to_owned()),
    }
}

/// What an error says happened. Only a reason that the service gave, and that means it, says that nothing did.
fn refused<T>(status: &Status) -> Outcome<T> {
    let Some(info) = status.get_details_error_info() else {
        return Outcome::Unknown(format!("{:?}", status.code()).to_uppercase());
    };
    match info.reason.as_str() {
        "OUTCOME_UNKNOWN" | "DEADLINE_EXCEEDED" | "CANCELLED" | "UNAVAILABLE" | "ABORTED" | "INTERNAL" => {
            Outcome::Unknown(info.reason)
        }
        _ => Outcome::Fail(info.reason),
    }
}

fn asked<M>(write: &Write, message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    // Markers are made of letters, digits and dashes: they always parse.
    if let Ok(marker) = write.marker.parse() {
        request.metadata_mut().insert(seva_api::caller::ACTOR_KEY, marker);
    }
    request
}

fn answered<M>(response: Response<M>, take: impl FnOnce(M) -> (String, Vec<String>)) -> Written {
    let is_replayed = response.metadata().contains_key(REPLAYED);
    let (position, ids) = take(response.into_inner());
    Written { position, ids, is_replayed }
}

fn time(micros: i64) -> Option<Timestamp> {
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).ok()?;
    Some(Timestamp { seconds: micros.div_euclid(1_000_000), nanos })
}

async fn ask_intake(door: &Door, write: &Write) -> Result<Written, Status> {
    let mut client = IntakeServiceClient::new(door.channel.clone());
    let (request_id, case_id) = (write.marker.clone(), write.about.clone());
    let said = || "as was agreed with the customer".to_owned();
    let kind = if write.is_suggestion { CaseKind::Suggestion } else { CaseKind::Complaint };
    let stands = |position: String| (position, Vec::new());
    Ok(match write.verb {
        Verb::Log => {
            let account = Identity { kind: IdentityKind::Account.into(), value: write.account.clone() };
            let request = LogInteractionRequest {
                request_id,
                identities: vec![account],
                name: "Asha Rao".to_owned(),
                channel: By::Chat.into(),
                direction: Direction::Inbound.into(),
                text: "It would be better if the app showed the price of each size.".to_owned(),
                kind: kind.into(),
                case_id,
                occurred_at: time(write.occurred_at),
                ..LogInteractionRequest::default()
            };
            let answer = client.log_interaction(asked(write, request)).await?;
            answered(answer, |a| (a.position, vec![a.case_id, a.customer_id, a.interaction_id]))
        }
        Verb::Reclassify => {
            let request = ReclassifyCaseRequest {
                request_id,
                case_id,
                kind: kind.into(),
                reason: said(),
                expected_rev: None,
            };
            answered(client.reclassify_case(asked(write, request)).await?, |a| stands(a.position))
        }
        Verb::Resolve => {
            let request = ResolveCaseRequest { request_id, case_id, resolution: said(), expected_rev: None };
            answered(client.resolve_case(asked(write, request)).await?, |a| stands(a.position))
        }
        Verb::Confirm => {
            let request = ConfirmResolutionRequest { request_id, case_id, expected_rev: None };
            answered(client.confirm_resolution(asked(write, request)).await?, |a| stands(a.position))
        }
        Verb::Reject => {
            let request = RejectResolutionRequest { request_id, case_id, reason: said(), expected_rev: None };
            answered(client.reject_resolution(asked(write, request)).await?, |a| stands(a.position))
        }
        Verb::Reopen => {
            let request = ReopenCaseRequest { request_id, case_id, reason: said(), expected_rev: None };
            answered(client.reopen_case(asked(write, request)).await?, |a| stands(a.position))
        }
        Verb::Capture | Verb::Acknowledge | Verb::Reroute | Verb::Adopt | Verb::Decline => {
            return Err(Status::invalid_argument("not intake's"));
        }
    })
}

async fn ask_feedback(door: &Door, write: &Write) -> Result<Written, Status> {
    let mut client = FeedbackServiceClient::new(door.channel.clone());
    let (request_id, suggestion_id) = (write.marker.clone(), write.about.clone());
    let said = || "as was agreed in the team".to_owned();
    let stands = |position: String| (position, Vec::new());
    Ok(match write.verb {
        Verb::Capture => {
            let request = CaptureSuggestionRequest {
                request_id,
                text: "Please bring back the small jar.".to_owned(),
                occurred_at: time(write.occurred_at),
                ..CaptureSuggestionRequest::default()
            };
            let answer = client.capture_suggestion(asked(write, request)).await?;
            answered(answer, |a| (a.position, vec![a.suggestion_id]))
        }
        Verb::Acknowledge => {
            let request = AcknowledgeSuggestionRequest { request_id, suggestion_id, expected_rev: None };
            answered(client.acknowledge_suggestion(asked(write, request)).await?, |a| stands(a.position))
        }
        Verb::Reroute => {
            let department = if write.is_suggestion { "product" } else { "packaging" }.to_owned();
            let request = RerouteSuggestionRequest {
                request_id,
                suggestion_id,
                department,
                reason: said(),
                expected_rev: None,
            };
            answered(client.reroute_suggestion(asked(write, request)).await?, |a| stands(a.position))
        }
        Verb::Adopt => {
            let request =
                AdoptSuggestionRequest { request_id, suggestion_id, plan: said(), expected_rev: None };
            answered(client.adopt_suggestion(asked(write, request)).await?, |a| stands(a.position))
        }
        Verb::Decline => {
            let request =
                DeclineSuggestionRequest { request_id, suggestion_id, reason: said(), expected_rev: None };
            answered(client.decline_suggestion(asked(write, request)).await?, |a| stands(a.position))
        }
        Verb::Log | Verb::Reclassify | Verb::Resolve | Verb::Confirm | Verb::Reject | Verb::Reopen => {
            return Err(Status::invalid_argument("not feedback's"));
        }
    })
}

fn question<M>(message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    request
}

fn options(read: &Read) -> Option<ReadOptions> {
    Some(ReadOptions { at_least_position: read.at_least.clone() })
}

async fn get_case(door: &Door, read: &Read, case: &str) -> Result<Found, Status> {
    let request = GetCaseRequest { case_id: case.to_owned(), as_of: None, read: options(read) };
    let answer =
        IntakeServiceClient::new(door.channel.clone()).get_case(question(request)).await?.into_inner();
    Ok(Found { position: answer.position, ids: answer.case.into_iter().map(|case| case.case_id).collect() })
}

async fn get_timeline(door: &Door, read: &Read, customer: &str) -> Result<Found, Status> {
    let mut client = IntakeServiceClient::new(door.channel.clone());
    let mut found = Found::default();
    let mut page_token = String::new();
    for _ in 0..PAGES_MAX {
        let request = GetTimelineRequest {
            customer_id: customer.to_owned(),
            page: Some(PageRequest { page_size: PAGE, page_token }),
            read: options(read),
        };
        let answer = client.get_timeline(question(request)).await?.into_inner();
        for entry in answer.entries {
            if let Some(What::Interaction(interaction)) = entry.what {
                found.ids.push(interaction.interaction_id);
            }
        }
        if found.position.is_empty() {
            found.position = answer.position;
        }
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok(found)
}

async fn list_inbox(door: &Door, read: &Read, department: &str) -> Result<Found, Status> {
    let request = ListInboxRequest {
        department: department.to_owned(),
        page: Some(PageRequest { page_size: 100, page_token: String::new() }),
        read: options(read),
    };
    let answer =
        FeedbackServiceClient::new(door.channel.clone()).list_inbox(question(request)).await?.into_inner();
    let ids = answer.suggestions.into_iter().map(|suggestion| suggestion.suggestion_id).collect();
    Ok(Found { position: answer.position, ids })
}

async fn get_policy(door: &Door, read: &Read) -> Result<Found, Status> {
    let request = GetPolicyRequest { version: 0, read: options(read) };
    let answer =
        PolicyServiceClient::new(door.channel.clone()).get_policy(question(request)).await?.into_inner();
    Ok(Found { position: answer.position, ids: Vec::new() })
}
