//! Promises: given if the company can, kept, put off, and broken by themselves at their time.

use prost_types::Timestamp;
use seva_api::parse::timestamp;
use seva_api::pb::escalation::v1::{EscalationPhase, GetEscalationRequest, RaisedBy};
use seva_api::pb::intake::v1::{
    GetCallerBriefRequest, GetCaseRequest, KeepPromiseRequest, MakePromiseRequest, MakePromiseResponse,
    Promise, PromisePhase, PromiseRefusalReason, RenegotiatePromiseRequest,
};
use seva_domain::values::At;
use seva_stories::say::at_least;
use seva_stories::{House, refused};
use seva_support::eventually;

use crate::{HOUR, MINUTE, PATIENCE, complaint};

fn in_(house: &House, minutes: u32) -> Option<Timestamp> {
    Some(timestamp(At(house.clock().now().0).plus_minutes(minutes)))
}

fn promise(house: &House, request_id: &str, case_id: &str, kind: &str, minutes: u32) -> MakePromiseRequest {
    MakePromiseRequest {
        request_id: request_id.to_owned(),
        case_id: case_id.to_owned(),
        kind: kind.to_owned(),
        due_at: in_(house, minutes),
        text: "Somebody who knows will call you back.".to_owned(),
        expected_rev: None,
    }
}

async fn make(house: &House, request: MakePromiseRequest) -> MakePromiseResponse {
    house.intake().make_promise(request).await.unwrap().into_inner()
}

/// The case's only promise once it is in this phase.
async fn until(house: &House, case_id: &str, phase: PromisePhase) -> Promise {
    eventually("the promise's phase", PATIENCE, || async {
        let promise = promises(house, case_id).await.remove(0);
        (promise.phase() == phase).then_some(promise)
    })
    .await
}

async fn promises(house: &House, case_id: &str) -> Vec<Promise> {
    house.settled().await;
    let request = GetCaseRequest { case_id: case_id.to_owned(), ..GetCaseRequest::default() };
    house.intake().get_case(request).await.unwrap().into_inner().case.unwrap().promises
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promise_that_stands_is_in_the_caller_brief_until_it_is_kept() {
    let house = House::start().await;
    let logged = complaint(&house, "asha").await;
    let request = promise(&house, "p-1", &logged.case_id, "callback", 120);
    let made = make(&house, request.clone()).await;
    assert!(made.made && made.refusal.is_none());
    assert_eq!(make(&house, request).await, made, "the same request, the same answer");

    let brief = |position: String| {
        let request =
            GetCallerBriefRequest { customer_id: logged.customer_id.clone(), read: at_least(&position) };
        let mut intake = house.intake();
        async move { intake.get_caller_brief(request).await.unwrap().into_inner().pending_promises }
    };
    let pending = brief(made.position.clone()).await;
    assert_eq!(pending.iter().map(|p| p.promise_id.as_str()).collect::<Vec<_>>(), [made.promise_id.as_str()]);
    let keep = KeepPromiseRequest {
        request_id: "k-1".to_owned(),
        case_id: logged.case_id.clone(),
        promise_id: made.promise_id.clone(),
        note: "Called at noon.".to_owned(),
        expected_rev: None,
    };
    let kept = house.intake().keep_promise(keep).await.unwrap().into_inner();
    assert!(brief(kept.position).await.is_empty());
    house.clock().jump(24 * HOUR);
    assert_eq!(promises(&house, &logged.case_id).await[0].phase(), PromisePhase::Kept, "kept stays kept");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_company_cannot_keep_is_not_promised_and_the_answer_says_what_could_be() {
    let house = House::start().await;
    let case = complaint(&house, "bo").await.case_id;
    let soon = make(&house, promise(&house, "p-1", &case, "delivery", 60)).await;
    let refusal = soon.refusal.unwrap();
    assert_eq!((soon.made, refusal.reason()), (false, PromiseRefusalReason::TooSoon));
    assert!(refusal.possible_at.is_some(), "a delivery takes a day at least");
    let unknown = make(&house, promise(&house, "p-2", &case, "miracle", 60)).await;
    assert_eq!(unknown.refusal.unwrap().reason(), PromiseRefusalReason::UnknownKind);
    house.clock().jump(100 * HOUR);
    let phases: Vec<_> = promises(&house, &case).await.iter().map(Promise::phase).collect();
    assert_eq!(phases, [PromisePhase::Refused; 2], "what was never given is not broken");

    let past = MakePromiseRequest {
        due_at: Some(timestamp(At(1_000_000))),
        ..promise(&house, "p-3", &case, "callback", 60)
    };
    let refusal = refused(house.intake().make_promise(past).await);
    assert_eq!(refusal.brief(), "FailedPrecondition PROMISE_DUE_PAST");
    let nothing = MakePromiseRequest { due_at: None, ..promise(&house, "p-4", &case, "call back", 60) };
    let refusal = refused(house.intake().make_promise(nothing).await);
    assert_eq!(refusal.fields, ["kind", "due_at"]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promise_that_is_not_kept_breaks_at_its_time_over_a_restart_and_is_escalated() {
    let mut house = House::start().await;
    let logged = complaint(&house, "chi").await;
    let made = make(&house, promise(&house, "p-1", &logged.case_id, "callback", 120)).await;
    let due = promises(&house, &logged.case_id).await[0].due_at;
    house.stop_services().await;
    house.clock().jump(3 * HOUR);
    house.start_services().await;

    until(&house, &logged.case_id, PromisePhase::Broken).await;
    house.settled().await;
    let request = GetEscalationRequest { case_id: logged.case_id.clone(), read: None };
    let escalation = house.escalation().get_escalation(request).await.unwrap().into_inner();
    let escalation = escalation.escalation.unwrap();
    assert_eq!(escalation.raised_by(), RaisedBy::BrokenPromise);
    assert_eq!(escalation.promise_id, made.promise_id);
    assert_eq!(escalation.phase(), EscalationPhase::Waiting);
    assert_eq!(escalation.rung, "team_lead");

    let log = house.log().await;
    let breaks = log.records.iter().filter(|(_, _, record)| {
        record.events.iter().any(|entry| entry.event.wire_type() == "case.promise_broken.v1")
    });
    let breaks: Vec<_> = breaks.collect();
    assert_eq!(breaks.len(), 1, "it breaks once");
    assert_eq!(
        Some(timestamp(breaks[0].2.effective_at)),
        due,
        "and at its time, however late that is noticed"
    );
    let keep = KeepPromiseRequest {
        request_id: "k-1".to_owned(),
        case_id: logged.case_id,
        promise_id: made.promise_id,
        ..KeepPromiseRequest::default()
    };
    assert_eq!(refused(house.intake().keep_promise(keep).await).reason, "PROMISE_BROKEN");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promise_put_off_breaks_at_the_new_time_only() {
    let house = House::start().await;
    let case = complaint(&house, "dev").await.case_id;
    let made = make(&house, promise(&house, "p-1", &case, "callback", 60)).await;
    let put_off = RenegotiatePromiseRequest {
        request_id: "r-1".to_owned(),
        case_id: case.clone(),
        promise_id: made.promise_id,
        due_at: in_(&house, 600),
        reason: "The customer is away until then.".to_owned(),
        expected_rev: None,
    };
    house.intake().renegotiate_promise(put_off).await.unwrap();
    // Another promise falls due at the old time: when it is broken, whatever was due by then has happened.
    let other = complaint(&house, "eve").await.case_id;
    make(&house, promise(&house, "p-2", &other, "callback", 60)).await;
    house.clock().jump(90 * MINUTE);
    until(&house, &other, PromisePhase::Broken).await;
    assert_eq!(promises(&house, &case).await[0].phase(), PromisePhase::Pending);
    house.clock().jump(10 * HOUR);
    assert_eq!(until(&house, &case, PromisePhase::Broken).await.times_renegotiated, 1);
    house.stop().await;
}
