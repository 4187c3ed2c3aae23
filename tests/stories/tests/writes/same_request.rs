//! A request sent again: the same answer, nothing recorded twice, whatever was restarted in between and whoever is asked.

use std::collections::BTreeSet;
use std::fmt::Debug;

use futures::future::{BoxFuture, FutureExt as _, join_all};
use seva_api::pb::common::v1::CaseKind;
use seva_api::pb::feedback::v1::{
    AcknowledgeSuggestionRequest, AdoptSuggestionRequest, Audience, DeclineSuggestionRequest,
    ReportOutcomeRequest, RerouteSuggestionRequest,
};
use seva_api::pb::intake::v1::{
    AddIdentityRequest, ConfirmResolutionRequest, IdentityKind, ReclassifyCaseRequest,
    RejectResolutionRequest, ReopenCaseRequest, ResolveCaseRequest,
};
use seva_api::pb::policy::v1::PublishPolicyRequest;
use seva_domain::policy::STARTER;
use seva_domain::service::Service;
use seva_stories::say::{account, identity, interaction, registration, suggestion};
use seva_stories::{House, Recorded, Refusal, Services, as_actor};
use tonic::{Code, Request, Response, Status};

/// Who sends everything here.
const ANA: &str = "agent:ana";

/// What a write answered, and whether it said that this was recorded before.
type Answered = Result<(String, bool), Status>;

type Send = Box<dyn Fn(&Services) -> BoxFuture<'static, Answered>>;

/// A write that can be sent again, and another one under the same request id.
struct Write {
    name: &'static str,
    service: Service,
    send: Send,
    send_other: Send,
}

impl Write {
    fn new<M, A, C>(name: &'static str, service: Service, message: M, other: M, call: C) -> Write
    where
        M: Clone + 'static,
        A: Debug + 'static,
        C: Fn(&Services, Request<M>) -> BoxFuture<'static, Result<Response<A>, Status>> + Clone + 'static,
    {
        let sending = |message: M, call: C| -> Send {
            Box::new(move |services| {
                let answer = call(services, as_actor(ANA, message.clone()));
                async move {
                    let answer = answer.await?;
                    let replayed =
                        answer.metadata().get("seva-replayed").is_some_and(|value| value == "true");
                    Ok((format!("{:?}", answer.into_inner()), replayed))
                }
                .boxed()
            })
        };
        Write { name, service, send: sending(message, call.clone()), send_other: sending(other, call) }
    }
}

fn changed<M: Clone>(message: &M, change: impl Fn(&mut M)) -> M {
    let mut other = message.clone();
    change(&mut other);
    other
}

/// A write of one method: `of!(intake, resolve_case, request, other)`.
macro_rules! of {
    ($client:ident, $service:expr, $method:ident, $message:expr, $other:expr) => {{
        let message = $message;
        let other = changed(&message, $other);
        Write::new(stringify!($method), $service, message, other, |services: &Services, request| {
            let mut client = services.$client();
            async move { client.$method(request).await }.boxed()
        })
    }};
}

/// Cases and suggestions in the states that the writes need.
struct Scene {
    customer: String,
    open: Vec<String>,
    resolved: Vec<String>,
    waiting: Vec<String>,
    adopted: String,
}

async fn scene(house: &House) -> Scene {
    let (mut intake, mut feedback) = (house.intake(), house.feedback());
    let mut cases = Vec::new();
    let mut customer = String::new();
    for n in 0..5 {
        let mut said = interaction(&format!("scene-{n}"), "A-1", "Where is my parcel?");
        said.thread = format!("thread-{n}");
        let logged = intake.log_interaction(said).await.unwrap().into_inner();
        customer = logged.customer_id;
        cases.push(logged.case_id);
    }
    let resolved = cases.split_off(2);
    for (n, case_id) in resolved.iter().enumerate() {
        let request_id = format!("scene-resolve-{n}");
        let resolution = "Sent again.".to_owned();
        let resolve =
            ResolveCaseRequest { request_id, case_id: case_id.clone(), resolution, expected_rev: None };
        intake.resolve_case(resolve).await.unwrap();
    }
    let mut waiting = Vec::new();
    for n in 0..5 {
        let idea = suggestion(&format!("scene-idea-{n}"), "The packaging should be smaller.");
        waiting.push(feedback.capture_suggestion(idea).await.unwrap().into_inner().suggestion_id);
    }
    let adopted = waiting.pop().unwrap();
    let adopt = AdoptSuggestionRequest {
        request_id: "scene-adopt".to_owned(),
        suggestion_id: adopted.clone(),
        plan: "Smaller boxes.".to_owned(),
        expected_rev: None,
    };
    feedback.adopt_suggestion(adopt).await.unwrap();
    Scene { customer, open: cases, resolved, waiting, adopted }
}

/// Every write there is, each with a request of its own.
fn every_write(scene: &Scene) -> Vec<Write> {
    use Service::{Feedback, Intake, Policy};
    let id = |name: &str| format!("again-{name}");
    let case = |case: &str| case.to_owned();
    vec![
        of!(intake, Intake, register_customer, registration(&id("register"), "A-2"), |r| r.name += "!"),
        of!(
            intake,
            Intake,
            add_identity,
            AddIdentityRequest {
                request_id: id("identity"),
                customer_id: scene.customer.clone(),
                identity: Some(identity(IdentityKind::Email, "meera@example.com")),
            },
            |r| r.identity = Some(account("A-3"))
        ),
        of!(intake, Intake, log_interaction, interaction(&id("log"), "A-4", "Hello?"), |r| r.text += "?"),
        of!(
            intake,
            Intake,
            reclassify_case,
            ReclassifyCaseRequest {
                request_id: id("reclassify"),
                case_id: case(&scene.open[0]),
                kind: CaseKind::Complaint.into(),
                reason: "It is one.".to_owned(),
                expected_rev: Some(1),
            },
            |r| r.kind = CaseKind::Refund.into()
        ),
        of!(
            intake,
            Intake,
            resolve_case,
            ResolveCaseRequest {
                request_id: id("resolve"),
                case_id: case(&scene.open[1]),
                resolution: "Found it.".to_owned(),
                expected_rev: None,
            },
            |r| r.resolution += "."
        ),
        of!(
            intake,
            Intake,
            confirm_resolution,
            ConfirmResolutionRequest {
                request_id: id("confirm"),
                case_id: case(&scene.resolved[0]),
                expected_rev: None,
            },
            |r| r.expected_rev = Some(2)
        ),
        of!(
            intake,
            Intake,
            reject_resolution,
            RejectResolutionRequest {
                request_id: id("reject"),
                case_id: case(&scene.resolved[1]),
                reason: "It did not come.".to_owned(),
                expected_rev: None,
            },
            |r| r.reason += "!"
        ),
        of!(
            intake,
            Intake,
            reopen_case,
            ReopenCaseRequest {
                request_id: id("reopen"),
                case_id: case(&scene.resolved[2]),
                reason: "The wrong case.".to_owned(),
                expected_rev: None,
            },
            |r| r.reason += "!"
        ),
        of!(feedback, Feedback, capture_suggestion, suggestion(&id("capture"), "Sell it in blue."), |r| {
            r.text += "!"
        }),
        of!(
            feedback,
            Feedback,
            acknowledge_suggestion,
            AcknowledgeSuggestionRequest {
                request_id: id("acknowledge"),
                suggestion_id: scene.waiting[0].clone(),
                expected_rev: None,
            },
            |r| r.expected_rev = Some(1)
        ),
        of!(
            feedback,
            Feedback,
            reroute_suggestion,
            RerouteSuggestionRequest {
                request_id: id("reroute"),
                suggestion_id: scene.waiting[1].clone(),
                department: "product".to_owned(),
                reason: "It is about the thing itself.".to_owned(),
                expected_rev: None,
            },
            |r| r.department = "marketing".to_owned()
        ),
        of!(
            feedback,
            Feedback,
            adopt_suggestion,
            AdoptSuggestionRequest {
                request_id: id("adopt"),
                suggestion_id: scene.waiting[2].clone(),
                plan: "In spring.".to_owned(),
                expected_rev: None,
            },
            |r| r.plan = "In autumn.".to_owned()
        ),
        of!(
            feedback,
            Feedback,
            decline_suggestion,
            DeclineSuggestionRequest {
                request_id: id("decline"),
                suggestion_id: scene.waiting[3].clone(),
                reason: "Too dear.".to_owned(),
                expected_rev: None,
            },
            |r| r.reason += "!"
        ),
        of!(
            feedback,
            Feedback,
            report_outcome,
            ReportOutcomeRequest {
                request_id: id("report"),
                suggestion_id: scene.adopted.clone(),
                audience: Audience::Customer.into(),
                message: "We do it.".to_owned(),
                expected_rev: None,
            },
            |r| r.audience = Audience::Representative.into()
        ),
        of!(
            policy,
            Policy,
            publish_policy,
            PublishPolicyRequest {
                request_id: id("publish"),
                document: format!("# Ours.\n{STARTER}"),
                reason: "It is ours now.".to_owned(),
                expected_version: None,
            },
            |r| r.document += "\n"
        ),
    ]
}

/// Sends every write for the first time.
async fn sent_once(house: &House) -> Vec<(Write, String)> {
    let scene = scene(house).await;
    let mut sent = Vec::new();
    for write in every_write(&scene) {
        let (answer, replayed) =
            (write.send)(house).await.unwrap_or_else(|e| panic!("{}: {e:?}", write.name));
        assert!(!replayed, "{}: nothing was recorded before", write.name);
        sent.push((write, answer));
    }
    house.settled().await;
    sent
}

/// Sends every write of these services again, and another one under its request id.
async fn send_again(services: &Services, sent: &[(Write, String)]) {
    let here: Vec<Service> = services.names().collect();
    for (write, answer) in sent.iter().filter(|(write, _)| here.contains(&write.service)) {
        let again = (write.send)(services).await.unwrap_or_else(|e| panic!("{}: {e:?}", write.name));
        assert_eq!(again, (answer.clone(), true), "{}", write.name);
        let other = Refusal::from(&(write.send_other)(services).await.expect_err(write.name));
        assert_eq!(other.brief(), "AlreadyExists REQUEST_ID_REUSED", "{}: {other}", write.name);
    }
}

/// How many records there are; no request did the same to a noun twice.
async fn records(house: &House) -> usize {
    let log: Recorded = house.log().await;
    let mut seen = BTreeSet::new();
    for (position, _, record) in &log.records {
        if let Some(request) = record.request {
            let did = (request.id, record.noun, Recorded::event_types(record));
            assert!(seen.insert(did), "{:?} did the same again at {position:?}", request.id);
        }
    }
    for name in ["register", "log", "resolve", "capture", "publish"] {
        assert!(!log.of_request(ANA, &format!("again-{name}")).is_empty(), "{name} is recorded");
    }
    log.records.len()
}

#[tokio::test]
async fn a_request_sent_again_is_answered_again_and_recorded_once() {
    let house = House::start().await;
    let sent = sent_once(&house).await;
    let before = records(&house).await;
    send_again(&house, &sent).await;
    assert_eq!(records(&house).await, before);
}

#[tokio::test]
async fn a_request_sent_again_after_the_services_restarted_is_recorded_once() {
    let mut house = House::start().await;
    let sent = sent_once(&house).await;
    let before = records(&house).await;
    house.restart_services().await;
    send_again(&house, &sent).await;
    assert_eq!(records(&house).await, before);
}

#[tokio::test]
async fn a_request_sent_again_after_nats_restarted_is_recorded_once() {
    let mut house = House::start().await;
    let sent = sent_once(&house).await;
    let before = records(&house).await;
    house.restart_nats().await;
    send_again(&house, &sent).await;
    house.crash_nats().await;
    send_again(&house, &sent).await;
    assert_eq!(records(&house).await, before);
}

#[tokio::test]
async fn a_request_sent_again_to_another_process_of_the_service_is_recorded_once() {
    let house = House::start().await;
    let sent = sent_once(&house).await;
    let before = records(&house).await;
    for service in Service::ALL {
        let second = house.second(service).await;
        send_again(&second, &sent).await;
        second.stop().await;
    }
    assert_eq!(records(&house).await, before);
}

#[tokio::test]
async fn a_request_sent_many_times_at_once_to_two_processes_is_recorded_once() {
    let house = House::start().await;
    let second = house.process(&Service::ALL).await;
    let scene = scene(&house).await;
    for write in every_write(&scene) {
        let sendings = (0..16).map(|n| if n % 2 == 0 { (write.send)(&house) } else { (write.send)(&second) });
        let answers: Vec<(String, bool)> = join_all(sendings)
            .await
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap_or_else(|e| panic!("{}: {e}", write.name));
        let different: BTreeSet<&String> = answers.iter().map(|(answer, _)| answer).collect();
        assert_eq!(different.len(), 1, "{}: {different:?}", write.name);
        let first = answers.iter().filter(|(_, replayed)| !replayed).count();
        assert!(first <= 1, "{}: {first} sendings say that they were the first", write.name);
    }
    house.settled_with(&[&second]).await;
    records(&house).await;
}

#[tokio::test]
async fn what_two_callers_send_under_one_request_id_are_two_requests() {
    let house = House::start().await;
    let mut intake = house.intake();
    let said = interaction("7", "A-1", "Hello?");
    let ana = intake.log_interaction(as_actor("agent:ana", said.clone())).await.unwrap().into_inner();
    let ben = intake.log_interaction(as_actor("agent:ben", said)).await.unwrap().into_inner();
    assert_ne!(ana.interaction_id, ben.interaction_id);
    assert_eq!((ana.case_opened, ben.case_opened), (true, false));
}

#[tokio::test]
async fn a_request_that_changed_nothing_left_no_record_and_may_be_sent_again() {
    let house = House::start().await;
    let mut intake = house.intake();
    let logged = intake.log_interaction(interaction("1", "A-1", "Hello?")).await.unwrap().into_inner();
    let reopen = ReopenCaseRequest {
        request_id: "2".to_owned(),
        case_id: logged.case_id,
        reason: "It is open.".to_owned(),
        expected_rev: None,
    };
    let before = house.log().await.end;
    for _ in 0..2 {
        assert_eq!(intake.reopen_case(reopen.clone()).await.unwrap().into_inner().rev, 1);
    }
    let refused = Refusal::from(
        &intake
            .reopen_case(ReopenCaseRequest { expected_rev: Some(9), ..reopen })
            .await
            .expect_err("a rev that the case is not at"),
    );
    assert_eq!((refused.code, refused.metadata["current_rev"].as_str()), (Code::Aborted, "1"));
    assert_eq!(house.log().await.end, before);
}
