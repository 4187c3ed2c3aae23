//! What should not be sent: every error is definite and names what is wrong, none is INTERNAL, and nothing is half done.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Debug;
use std::panic::Location;

use bytes::Bytes;
use prost::Message as _;
use prost_types::Timestamp;
use seva_api::pb::common::v1::{CaseKind, Channel, PageRequest, ReadOptions};
use seva_api::pb::feedback::v1::{
    CaptureSuggestionRequest, ListInboxRequest, ReportOutcomeRequest, RerouteSuggestionRequest,
};
use seva_api::pb::intake::v1::get_case_request::AsOf;
use seva_api::pb::intake::v1::import_interactions_request::Part;
use seva_api::pb::intake::v1::import_interactions_response::Result as Outcome;
use seva_api::pb::intake::v1::{
    AddIdentityRequest, GetCaseRequest, GetTimelineRequest, IdentifyCustomerRequest, IdentityKind,
    ImportInteractionsRequest, ImportStart, ListOpenCasesRequest, LogInteractionRequest,
    ReclassifyCaseRequest, RegisterCustomerRequest, ResolveCaseRequest,
};
use seva_api::pb::policy::v1::{CheckPolicyRequest, PublishPolicyRequest};
use seva_domain::service::Service;
use seva_domain::values::{CaseId, CustomerId, SuggestionId};
use seva_stories::say::{account, at_least, identity, interaction, page, suggestion};
use seva_stories::{House, Refusal};
use seva_support::RawCodec;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request, Response, Status};

/// Calls a method with messages that are bytes; answers the first message.
async fn raw(house: &House, service: Service, path: &str, messages: Vec<Vec<u8>>) -> Result<Bytes, Status> {
    let mut client = tonic::client::Grpc::new(house.channel(service));
    client.ready().await.unwrap();
    let path: PathAndQuery = path.parse().unwrap();
    let messages = tokio_stream::iter(messages.into_iter().map(Bytes::from));
    let mut answers = client.streaming(Request::new(messages), path, RawCodec).await?.into_inner();
    let mut last = Bytes::new();
    while let Some(answer) = answers.message().await? {
        last = answer;
    }
    Ok(last)
}

/// Every method that takes one message, by service.
const METHODS: [(Service, &str, &[&str]); 3] = [
    (
        Service::Intake,
        "seva.intake.v1.IntakeService",
        &[
            "RegisterCustomer",
            "AddIdentity",
            "LogInteraction",
            "ReclassifyCase",
            "ResolveCase",
            "ConfirmResolution",
            "RejectResolution",
            "ReopenCase",
            "GetTimeline",
            "GetCallerBrief",
            "GetCase",
        ],
    ),
    (
        Service::Feedback,
        "seva.feedback.v1.FeedbackService",
        &[
            "CaptureSuggestion",
            "AcknowledgeSuggestion",
            "RerouteSuggestion",
            "AdoptSuggestion",
            "DeclineSuggestion",
            "ReportOutcome",
            "ListInbox",
            "GetSuggestion",
        ],
    ),
    (Service::Policy, "seva.policy.v1.PolicyService", &["PublishPolicy"]),
];

/// Methods that an empty message says enough to.
const CONTENT_WITH_NOTHING: [(Service, &str); 6] = [
    (Service::Intake, "/seva.intake.v1.IntakeService/IdentifyCustomer"),
    (Service::Intake, "/seva.intake.v1.IntakeService/ListOpenCases"),
    (Service::Feedback, "/seva.feedback.v1.FeedbackService/GetSuggestionCounts"),
    (Service::Policy, "/seva.policy.v1.PolicyService/GetPolicy"),
    (Service::Policy, "/seva.policy.v1.PolicyService/ListPolicyVersions"),
    (Service::Policy, "/seva.policy.v1.PolicyService/CheckPolicy"),
];

/// Every method there is: service and path.
fn every_method() -> impl Iterator<Item = (Service, String)> {
    let writes_and_reads = METHODS.into_iter().flat_map(|(service, name, methods)| {
        methods.iter().map(move |method| (service, format!("/{name}/{method}")))
    });
    let content = CONTENT_WITH_NOTHING.into_iter().map(|(service, path)| (service, path.to_owned()));
    let import = (Service::Intake, "/seva.intake.v1.IntakeService/ImportInteractions".to_owned());
    writes_and_reads.chain(content).chain([import])
}

#[tokio::test]
async fn an_empty_request_is_refused_with_the_fields_it_lacks() {
    let house = House::start().await;
    let end = house.log().await.end;
    for (service, name, methods) in METHODS {
        for method in methods {
            let path = format!("/{name}/{method}");
            let refusal = Refusal::from(&raw(&house, service, &path, vec![vec![]]).await.unwrap_err());
            assert_eq!(
                (refusal.code, refusal.reason.as_str()),
                (Code::InvalidArgument, "MALFORMED"),
                "{path}: {refusal}"
            );
            assert!(
                refusal.fields.iter().all(|field| !field.is_empty()) && !refusal.fields.is_empty(),
                "{path}: {refusal}"
            );
            let is_read = method.starts_with("Get") || method.starts_with("List");
            let names_the_id = refusal.fields.iter().any(|field| field == "request_id");
            assert_eq!(names_the_id, !is_read, "{path}: {refusal}");
        }
    }
    for (service, path) in CONTENT_WITH_NOTHING {
        raw(&house, service, path, vec![vec![]]).await.unwrap_or_else(|status| panic!("{path}: {status:?}"));
    }
    assert_eq!(house.log().await.end, end);
}

#[tokio::test]
async fn bytes_that_are_no_message_are_the_callers_mistake() {
    let house = House::start().await;
    let end = house.log().await.end;
    let garbage: [&[u8]; 5] =
        [b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x0a\xff", b"\x0b\x0b\x0b", b"\x00", b"\x0f\x01"];
    for (service, path) in every_method() {
        for bytes in garbage {
            let status = raw(&house, service, &path, vec![bytes.to_vec()]).await.unwrap_err();
            let refusal = Refusal::from(&status);
            assert_eq!(
                (refusal.code, refusal.reason.as_str()),
                (Code::InvalidArgument, "MALFORMED"),
                "{path} {bytes:?}: {refusal}"
            );
        }
        let refusal = Refusal::from(&raw(&house, service, &path, vec![]).await.unwrap_err());
        assert_eq!(
            (refusal.code, refusal.reason.as_str()),
            (Code::InvalidArgument, "MALFORMED"),
            "{path} no message: {refusal}"
        );
    }
    assert_eq!(house.log().await.end, end);
}

#[tokio::test]
async fn text_that_is_no_utf8_is_refused_with_the_field_it_stands_in() {
    let house = House::start().await;
    let end = house.log().await.end;
    // The text's bytes are made invalid in the encoded message.
    let spoilt = |message: Vec<u8>| -> Vec<u8> {
        let at = message.windows(4).position(|four| four == b"@@@@").unwrap();
        let mut message = message;
        message[at..at + 4].copy_from_slice(b"\xf0\x28\x8c\xbc");
        message
    };
    let mut named = interaction("1", "A-1", "Hello?");
    named.identities[0].value = "@@@@".to_owned();
    let requests = [
        (
            Service::Intake,
            "/seva.intake.v1.IntakeService/LogInteraction",
            interaction("1", "A-1", "@@@@").encode_to_vec(),
            "text",
        ),
        (
            Service::Intake,
            "/seva.intake.v1.IntakeService/LogInteraction",
            interaction("@@@@", "A-1", "x").encode_to_vec(),
            "request_id",
        ),
        (Service::Intake, "/seva.intake.v1.IntakeService/LogInteraction", named.encode_to_vec(), "value"),
        (
            Service::Feedback,
            "/seva.feedback.v1.FeedbackService/CaptureSuggestion",
            suggestion("1", "@@@@").encode_to_vec(),
            "text",
        ),
        (
            Service::Policy,
            "/seva.policy.v1.PolicyService/CheckPolicy",
            CheckPolicyRequest { document: "@@@@".to_owned() }.encode_to_vec(),
            "document",
        ),
    ];
    for (service, path, message, field) in requests {
        let refusal = Refusal::from(&raw(&house, service, path, vec![spoilt(message)]).await.unwrap_err());
        assert_eq!(refusal.code, Code::InvalidArgument, "{path}: {refusal}");
        assert!(refusal.fields.iter().any(|at| at.contains(field)), "{path} {field}: {refusal}");
    }
    assert_eq!(house.log().await.end, end);
}

/// A change of a request that makes it unfit, and the field that must be named.
type Spoilt<M = LogInteractionRequest> = (&'static str, fn(&mut M));

/// Every way to spoil an interaction, whose text is as long as it may be otherwise.
fn spoilt_interactions() -> Vec<Spoilt> {
    vec![
        ("request_id", |r| r.request_id.clear()),
        ("request_id", |r| r.request_id = "x".repeat(129)),
        ("customer_id", |r| r.customer_id = "cus_1".to_owned()),
        ("customer_id", |r| r.customer_id = CaseId::from_bytes([1; 16]).to_string()),
        ("customer_id", |r| r.customer_id = "../../etc".to_owned()),
        ("case_id", |r| r.case_id = "7".repeat(5_000)),
        ("case_id", |r| r.case_id = CustomerId::from_bytes([1; 16]).to_string()),
        ("identities", |r| r.identities = (0..17).map(|n| account(&n.to_string())).collect()),
        ("identities[0].kind", |r| r.identities[0].kind = 0),
        ("identities[0].kind", |r| r.identities[0].kind = 77),
        ("identities[0].value", |r| r.identities[0].value.clear()),
        ("identities[0].value", |r| r.identities[0].value = "x".repeat(321)),
        ("identities[1].value", |r| r.identities.push(identity(IdentityKind::Email, "nobody"))),
        ("identities[1].value", |r| r.identities.push(identity(IdentityKind::Phone, "call me"))),
        ("identities[1].value", |r| r.identities.push(identity(IdentityKind::Handle, "me"))),
        ("name", |r| r.name = "x".repeat(201)),
        ("channel", |r| r.channel = 0),
        ("channel", |r| r.channel = 99),
        ("channel", |r| r.channel = -1),
        ("direction", |r| r.direction = 0),
        ("direction", |r| r.direction = 3),
        ("kind", |r| r.kind = 0),
        ("kind", |r| r.kind = i32::MAX),
        ("language", |r| r.language = "e".to_owned()),
        ("language", |r| r.language = "English, mostly".to_owned()),
        ("text", |r| r.text.clear()),
        ("text", |r| r.text = "x".repeat(20_001)),
        ("text", |r| r.text = "x".repeat(1024 * 1024)),
        ("thread", |r| r.thread = "x".repeat(201)),
        ("occurred_at", |r| r.occurred_at = Some(Timestamp { seconds: 253_402_300_800, nanos: 0 })),
        ("occurred_at", |r| r.occurred_at = Some(Timestamp { seconds: -1, nanos: 0 })),
        ("occurred_at", |r| r.occurred_at = Some(Timestamp { seconds: i64::MAX, nanos: 0 })),
        ("occurred_at", |r| r.occurred_at = Some(Timestamp { seconds: i64::MIN, nanos: 0 })),
        ("occurred_at", |r| r.occurred_at = Some(Timestamp { seconds: 0, nanos: 1_000_000_000 })),
        ("occurred_at", |r| r.occurred_at = Some(Timestamp { seconds: 0, nanos: -1 })),
    ]
}

/// The refusal names just this field, and is the caller's mistake. A message beyond every limit may be refused as such.
#[track_caller]
fn assert_names(refusal: &Refusal, field: &str, what: &str) {
    if refusal.reason == "MESSAGE_TOO_LARGE" {
        assert_eq!((refusal.code, field), (Code::InvalidArgument, "text"), "{what}: {refusal}");
        return;
    }
    assert_eq!(refusal.brief(), format!("InvalidArgument MALFORMED {field}"), "{what}: {refusal}");
}

#[tokio::test]
async fn an_interaction_that_cannot_be_is_refused_with_the_field_that_is_wrong() {
    let house = House::start().await;
    let mut intake = house.intake();
    let end = house.log().await.end;
    for (n, (field, spoil)) in spoilt_interactions().into_iter().enumerate() {
        let mut request = interaction("1", "A-1", "Hello?");
        spoil(&mut request);
        let refusal = Refusal::from(&intake.log_interaction(request).await.unwrap_err());
        assert_names(&refusal, field, &format!("{n}"));
    }
    let mut several = interaction("", "A-1", "");
    several.channel = 99;
    let refusal = Refusal::from(&intake.log_interaction(several).await.unwrap_err());
    assert_eq!(refusal.fields, ["request_id", "channel", "text"], "everything wrong is told at once");
    assert_eq!(house.log().await.end, end);
    let mut longest = interaction("1", "A-1", &"ந".repeat(20_000));
    longest.thread = "x".repeat(200);
    intake.log_interaction(longest).await.expect("what is within the limits is taken");
}

/// What a call was refused with.
#[track_caller]
fn refusal<T: Debug>(
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> impl Future<Output = Refusal> {
    let caller = Location::caller();
    async move {
        match call.await {
            Ok(answer) => panic!("should have been refused: {:?} (called at {caller})", answer.into_inner()),
            Err(status) => Refusal::from(&status),
        }
    }
}

#[tokio::test]
async fn every_other_request_that_cannot_be_is_refused_with_the_field_that_is_wrong() {
    let house = House::start().await;
    let (mut intake, mut feedback, mut policy) = (house.intake(), house.feedback(), house.policy());
    let end = house.log().await.end;
    let id = || "1".to_owned();
    let long = |length: usize| "x".repeat(length);
    let case = CaseId::from_bytes([1; 16]).to_string();
    let suggestion_id = SuggestionId::from_bytes([1; 16]).to_string();

    let register = RegisterCustomerRequest { request_id: id(), name: long(201), ..Default::default() };
    assert_names(&refusal(intake.register_customer(register)).await, "name", "register");
    let customer_id = CustomerId::from_bytes([1; 16]).to_string();
    let add = AddIdentityRequest { request_id: id(), customer_id, identity: None };
    assert_names(&refusal(intake.add_identity(add)).await, "identity", "add");
    let kind = CaseKind::Refund.into();
    let base = ReclassifyCaseRequest { request_id: id(), case_id: case.clone(), kind, ..Default::default() };
    let reclassify = ReclassifyCaseRequest { kind: 44, ..base.clone() };
    assert_names(&refusal(intake.reclassify_case(reclassify)).await, "kind", "reclassify");
    let reclassify = ReclassifyCaseRequest { reason: long(2_001), ..base };
    assert_names(&refusal(intake.reclassify_case(reclassify)).await, "reason", "reclassify");
    let resolve = ResolveCaseRequest { request_id: id(), case_id: case.clone(), ..Default::default() };
    assert_names(&refusal(intake.resolve_case(resolve)).await, "resolution", "resolve");
    let identify = IdentifyCustomerRequest { identities: vec![account("")], read: None };
    assert_names(&refusal(intake.identify_customer(identify)).await, "identities[0].value", "identify");

    let base = CaptureSuggestionRequest { ..suggestion("1", "Sell it in blue.") };
    let captures: [Spoilt<CaptureSuggestionRequest>; 6] = [
        ("text", |r| r.text = "x".repeat(20_001)),
        ("language", |r| r.language = "?".to_owned()),
        ("customer_id", |r| r.customer_id = "A-1".to_owned()),
        ("case_id", |r| r.case_id = "A-1".to_owned()),
        ("occurred_at", |r| r.occurred_at = Some(Timestamp { seconds: 253_402_300_800, nanos: 0 })),
        ("request_id", |r| r.request_id = "x".repeat(129)),
    ];
    for (field, spoil) in captures {
        let mut capture = base.clone();
        spoil(&mut capture);
        assert_names(&refusal(feedback.capture_suggestion(capture)).await, field, "capture");
    }
    let base = RerouteSuggestionRequest {
        request_id: id(),
        suggestion_id: suggestion_id.clone(),
        department: "product".to_owned(),
        reason: "So.".to_owned(),
        expected_rev: None,
    };
    let reroute = RerouteSuggestionRequest { department: "No such place!".to_owned(), ..base.clone() };
    assert_names(&refusal(feedback.reroute_suggestion(reroute)).await, "department", "reroute");
    let reroute = RerouteSuggestionRequest { reason: String::new(), ..base };
    assert_names(&refusal(feedback.reroute_suggestion(reroute)).await, "reason", "reroute");
    for audience in [0, 9] {
        let report = ReportOutcomeRequest {
            request_id: id(),
            suggestion_id: suggestion_id.clone(),
            audience,
            message: id(),
            expected_rev: None,
        };
        assert_names(&refusal(feedback.report_outcome(report)).await, "audience", "report");
    }
    let inbox = ListInboxRequest { department: "a\0b".to_owned(), ..Default::default() };
    assert_names(&refusal(feedback.list_inbox(inbox)).await, "department", "inbox");
    let publish = PublishPolicyRequest {
        request_id: id(),
        document: long(204_801),
        reason: id(),
        expected_version: None,
    };
    assert_names(&refusal(policy.publish_policy(publish)).await, "document", "publish");
    let mut for_nothing = Request::new(interaction("1", "A-1", "Hello?"));
    for_nothing.metadata_mut().insert("seva-purpose", "curiosity".parse().unwrap());
    assert_names(&refusal(intake.log_interaction(for_nothing)).await, "metadata.seva-purpose", "purpose");
    assert_eq!(house.log().await.end, end);
}

#[tokio::test]
async fn a_read_at_a_place_that_is_none_is_refused_with_the_field() {
    let house = House::start().await;
    let mut intake = house.intake();
    let logged = intake.log_interaction(interaction("1", "A-1", "Hello?")).await.unwrap().into_inner();
    let case_id = logged.case_id.clone();
    let (incarnation, number) = logged.position.rsplit_once('-').unwrap();
    let elsewhere = ["0123456789abcdef", number].join("-");
    for token in [
        "?",
        "7",
        "-",
        "-7",
        &elsewhere,
        &format!("{incarnation}-xyz"),
        &format!("{incarnation}-{}", "f".repeat(40)),
    ] {
        let request = GetCaseRequest { case_id: case_id.clone(), as_of: None, read: at_least(token) };
        assert_names(&refusal(intake.get_case(request)).await, "read.at_least_position", token);
        let as_of = Some(AsOf::AsOfPosition(token.to_owned()));
        let request = GetCaseRequest { case_id: case_id.clone(), as_of, read: None };
        assert_names(&refusal(intake.get_case(request)).await, "as_of_position", token);
    }
    let times = [(0, -1), (0, 1_000_000_000), (i64::MAX, 0), (i64::MIN, 0)];
    for (seconds, nanos) in times {
        let as_of = Some(AsOf::AsOfTime(Timestamp { seconds, nanos }));
        let request = GetCaseRequest { case_id: case_id.clone(), as_of, read: None };
        assert_names(&refusal(intake.get_case(request)).await, "as_of_time", &format!("{seconds} {nanos}"));
    }
    for token in ["?", "abc", "zz", "€€", "00", &"ab".repeat(5_000), "ffffffffffff"] {
        let request =
            GetTimelineRequest { customer_id: logged.customer_id.clone(), page: page(5, token), read: None };
        assert_names(&refusal(intake.get_timeline(request)).await, "page.page_token", token);
        let request = ListOpenCasesRequest { page: page(5, token), ..Default::default() };
        assert_names(&refusal(intake.list_open_cases(request)).await, "page.page_token", token);
        let page = Some(PageRequest { page_size: u32::MAX, page_token: token.to_owned() });
        let request = ListInboxRequest { department: "product".to_owned(), page: page.clone(), read: None };
        assert_names(&refusal(house.feedback().list_inbox(request)).await, "page.page_token", token);
        let request = seva_api::pb::policy::v1::ListPolicyVersionsRequest { page, read: None };
        assert_names(&refusal(house.policy().list_policy_versions(request)).await, "page.page_token", token);
    }
    let kinds = ListOpenCasesRequest { kind: 99, channel: -4, ..Default::default() };
    assert_eq!(refusal(intake.list_open_cases(kinds)).await.fields, ["kind", "channel"]);
    let read = Some(ReadOptions { at_least_position: "?".to_owned() });
    let nobody = IdentifyCustomerRequest { identities: vec![], read };
    assert_names(&refusal(intake.identify_customer(nobody)).await, "read.at_least_position", "identify");
}

#[tokio::test]
async fn a_token_of_one_list_is_none_of_another() {
    let house = House::start().await;
    let mut intake = house.intake();
    let mut customers = Vec::new();
    for n in 0..4 {
        let said = interaction(&n.to_string(), &format!("A-{}", n % 2), "Hello?");
        let logged = intake.log_interaction(said).await.unwrap().into_inner();
        customers.push((logged.customer_id, logged.position));
    }
    let (of_one, of_other) = (&customers[2], &customers[3]);
    let timeline = |(customer_id, position): &(String, String), token: &str| GetTimelineRequest {
        customer_id: customer_id.clone(),
        page: page(1, token),
        read: at_least(position),
    };
    let token = intake.get_timeline(timeline(of_one, "")).await.unwrap().into_inner().next_page_token;
    assert_ne!(token, "");
    intake.get_timeline(timeline(of_one, &token)).await.expect("its own token");
    assert_names(
        &refusal(intake.get_timeline(timeline(of_other, &token))).await,
        "page.page_token",
        "another customer",
    );
    let request = ListOpenCasesRequest { page: page(1, &token), ..Default::default() };
    assert_names(&refusal(intake.list_open_cases(request)).await, "page.page_token", "another list");
}

#[tokio::test]
async fn a_method_that_is_not_there_is_unimplemented() {
    let house = House::start().await;
    for path in ["/seva.intake.v1.IntakeService/DropEverything", "/no.such.v1.Service/Call", "/"] {
        let refusal = Refusal::from(&raw(&house, Service::Intake, path, vec![vec![]]).await.unwrap_err());
        assert_eq!(refusal.brief(), "Unimplemented UNIMPLEMENTED", "{path}: {refusal}");
    }
}

#[tokio::test]
async fn an_import_that_does_not_begin_or_go_on_as_it_should_is_refused() {
    let house = House::start().await;
    let end = house.log().await.end;
    let import = "/seva.intake.v1.IntakeService/ImportInteractions";
    let start = |import_key: &str| {
        let part = Some(Part::Start(ImportStart { import_key: import_key.to_owned() }));
        ImportInteractionsRequest { part }.encode_to_vec()
    };
    let row = ImportInteractionsRequest { part: Some(Part::Row(interaction("1", "A-1", "Hello?"))) }
        .encode_to_vec();
    let openings = [
        ("start", vec![row.clone()]),
        ("start", vec![vec![]]),
        ("start.import_key", vec![start("")]),
        ("start.import_key", vec![start("No Such Key")]),
        ("start.import_key", vec![start(&"x".repeat(129))]),
    ];
    for (field, messages) in openings {
        let refusal = Refusal::from(&raw(&house, Service::Intake, import, messages).await.unwrap_err());
        assert_names(&refusal, field, "opening");
    }
    assert_eq!(house.log().await.end, end);
    for (what, second) in
        [("another start", start("import-1")), ("nothing", vec![]), ("garbage", b"\xff\xff".to_vec())]
    {
        let refusal = Refusal::from(
            &raw(&house, Service::Intake, import, vec![start("import-1"), second]).await.unwrap_err(),
        );
        assert_eq!(
            (refusal.code, refusal.reason.as_str()),
            (Code::InvalidArgument, "MALFORMED"),
            "{what}: {refusal}"
        );
    }
}

/// How many rows the import has.
const ROWS: usize = 10_000;

/// A row of the past; every tenth is spoilt, each in the next way.
fn row(n: usize, spoilt: &[Spoilt]) -> (LogInteractionRequest, Option<&'static str>) {
    let mut row =
        interaction(&format!("row-{n}"), &format!("A-{}", n % 500), &format!("Where is parcel {n}?"));
    row.occurred_at = Some(Timestamp { seconds: 1_600_000_000 + i64::try_from(n).unwrap(), nanos: 0 });
    row.channel = Channel::Email.into();
    if n % 10 != 3 {
        return (row, None);
    }
    let (field, spoil) = spoilt[n / 10 % spoilt.len()];
    spoil(&mut row);
    (row, Some(field))
}

/// Sends the whole import; answers how many rows were recorded, recorded before, and refused.
async fn import(house: &House, spoilt: &[Spoilt]) -> [usize; 3] {
    let start = ImportInteractionsRequest {
        part: Some(Part::Start(ImportStart { import_key: "import-1".to_owned() })),
    };
    let rows: Vec<_> = (0..ROWS).map(|n| row(n, spoilt)).collect();
    let sent = rows.iter().map(|(row, _)| ImportInteractionsRequest { part: Some(Part::Row(row.clone())) });
    let messages: Vec<ImportInteractionsRequest> = [start].into_iter().chain(sent).collect();
    let answers = house.intake().import_interactions(tokio_stream::iter(messages)).await.unwrap();
    let mut answers = answers.into_inner();
    let mut counts = [0; 3];
    let mut n = 0;
    while let Some(answer) = answers.message().await.unwrap() {
        assert_eq!(answer.row, n as u64, "answers come in order");
        let expected = rows[n].1;
        match answer.result.unwrap() {
            Outcome::Recorded(_) => counts[0] += 1,
            Outcome::AlreadyRecorded(_) => counts[1] += 1,
            Outcome::Refused(refused) => {
                assert_eq!(refused.reason, "INVALID_ARGUMENT", "{refused:?}");
                assert_eq!(Some(refused.field.as_str()), expected, "row {n}: {refused:?}");
                assert!(refused.message.contains(&refused.field), "{refused:?}");
                counts[2] += 1;
            }
        }
        n += 1;
    }
    assert_eq!(n, ROWS, "every row has an answer");
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_10_000_rows_the_1_000_broken_ones_are_refused_by_field_and_the_rest_recorded_once() {
    let house = House::start().await;
    // The largest text would only make the test slow: it is refused in other tests; a missing time is refused in imports alone.
    let mut spoilt: Vec<Spoilt> = spoilt_interactions();
    spoilt.retain(|(field, _)| *field != "text");
    spoilt.push(("text", |r| r.text.clear()));
    spoilt.push(("occurred_at", |r| r.occurred_at = None));
    assert_eq!(import(&house, &spoilt).await, [9_000, 0, 1_000]);
    house.settled().await;
    let nouns = |log: &seva_stories::Recorded| {
        log.records.iter().filter(|(_, _, record)| record.noun.name() != "import").count()
    };
    let log = house.log().await;
    let of_cases = log.records.iter().filter(|(_, _, record)| record.noun.name() == "case");
    let times: Vec<i64> = of_cases.map(|(_, _, record)| record.occurred_at.0).collect();
    assert_eq!(times.len(), 9_000);
    assert!(times.is_sorted(), "rows are recorded in the order sent, whatever is refused between them");
    let before = nouns(&log);
    assert_eq!(import(&house, &spoilt).await, [0, 9_000, 1_000]);
    house.settled().await;
    assert_eq!(nouns(&house.log().await), before, "no record was added");
}
