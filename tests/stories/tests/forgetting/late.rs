//! What comes for somebody who was forgotten: words are refused, and what goes by itself goes on.

use std::time::Duration;

use prost_types::Timestamp;
use seva_api::pb::common::v1::Money;
use seva_api::pb::escalation::v1::{AcceptEscalationRequest, RaiseEscalationRequest, RaisedBy};
use seva_api::pb::feedback::v1::CaptureSuggestionRequest;
use seva_api::pb::intake::v1::{
    AddIdentityRequest, IdentifyCustomerRequest, IdentityKind, KeepPromiseRequest, LogInteractionRequest,
    MakePromiseRequest, RegisterCustomerRequest, ResolveCaseRequest,
};
use seva_api::pb::refunds::v1::{
    ApproveRefundRequest, LineKind, PaymentMethod, RefundLine, RegisterChargeRequest, RequestRefundRequest,
};
use seva_stories::say::{account, identity, interaction, suggestion};
use seva_stories::{House, as_actor, refused};
use seva_support::eventually;

use crate::{PATIENCE, complaint, forget};

const FORGOTTEN: &str = "FailedPrecondition CUSTOMER_FORGOTTEN";

fn charge(customer_id: &str, reference: &str) -> RegisterChargeRequest {
    RegisterChargeRequest {
        request_id: format!("register {reference}"),
        reference: reference.to_owned(),
        customer_id: customer_id.to_owned(),
        method: PaymentMethod::Card.into(),
        captured: Some(Money { currency: "EUR".to_owned(), amount_minor: 20_000 }),
        ..RegisterChargeRequest::default()
    }
}

fn refund(charge_id: &str, request_id: &str) -> RequestRefundRequest {
    let line = RefundLine { kind: LineKind::Principal.into(), amount_minor: 12_000, evidence: String::new() };
    RequestRefundRequest {
        request_id: request_id.to_owned(),
        charge_id: charge_id.to_owned(),
        currency: "EUR".to_owned(),
        lines: vec![line],
        reason: "It was charged twice.".to_owned(),
        expected_rev: None,
    }
}

fn raising(case_id: &str, request_id: &str) -> RaiseEscalationRequest {
    RaiseEscalationRequest {
        request_id: request_id.to_owned(),
        case_id: case_id.to_owned(),
        by: RaisedBy::Staff.into(),
        reason: "Three weeks, and no answer.".to_owned(),
        ..RaiseEscalationRequest::default()
    }
}

fn promising(case_id: &str, request_id: &str, due_at: Timestamp) -> MakePromiseRequest {
    MakePromiseRequest {
        request_id: request_id.to_owned(),
        case_id: case_id.to_owned(),
        kind: "callback".to_owned(),
        due_at: Some(due_at),
        text: "We call back.".to_owned(),
        expected_rev: None,
    }
}

fn suggesting(customer_id: &str, request_id: &str) -> CaptureSuggestionRequest {
    let customer_id = customer_id.to_owned();
    CaptureSuggestionRequest { customer_id, ..suggestion(request_id, "Please deliver late at night.") }
}

/// So long from the house's now.
fn ahead(house: &House, by: Duration) -> Timestamp {
    let now = seva_api::parse::timestamp((house.options().clock)());
    Timestamp { seconds: now.seconds + i64::try_from(by.as_secs()).unwrap(), nanos: 0 }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_for_somebody_forgotten_are_refused_by_every_service() {
    let house = House::start().await;
    let logged = complaint(&house, "asha").await;
    let (asha, case) = (logged.customer_id, logged.case_id);
    let charge_id =
        house.refunds().register_charge(charge(&asha, "ch_1")).await.unwrap().into_inner().charge_id;
    house.escalation().raise_escalation(raising(&case, "r-1")).await.unwrap();
    let recorded = house.feedback().capture_suggestion(suggesting(&asha, "s-1")).await.unwrap().into_inner();
    forget(&house, &asha).await;
    house.settled().await;
    let end = house.log().await.end;

    let mut intake = house.intake();
    let late = || interaction("late", "another", "One more thing.");
    let by_id = LogInteractionRequest { customer_id: asha.clone(), identities: Vec::new(), ..late() };
    assert_eq!(refused(intake.log_interaction(by_id).await).brief(), FORGOTTEN);
    let by_case = LogInteractionRequest { case_id: case.clone(), identities: Vec::new(), ..late() };
    assert_eq!(refused(intake.log_interaction(by_case).await).brief(), FORGOTTEN);
    let add = AddIdentityRequest {
        request_id: "add".to_owned(),
        customer_id: asha.clone(),
        identity: Some(account("another")),
    };
    assert_eq!(refused(intake.add_identity(add).await).brief(), FORGOTTEN);
    let promise = promising(&case, "p-1", ahead(&house, Duration::from_secs(48 * 60 * 60)));
    assert_eq!(refused(intake.make_promise(promise).await).brief(), FORGOTTEN);
    let resolve = ResolveCaseRequest {
        request_id: "resolve".to_owned(),
        case_id: case.clone(),
        resolution: "Sent a new one.".to_owned(),
        expected_rev: None,
    };
    assert_eq!(refused(intake.resolve_case(resolve).await).brief(), FORGOTTEN);
    let mut refunds = house.refunds();
    assert_eq!(refused(refunds.register_charge(charge(&asha, "ch_2")).await).brief(), FORGOTTEN);
    assert_eq!(refused(refunds.request_refund(refund(&charge_id, "f-1")).await).brief(), FORGOTTEN);
    let raised = house.escalation().raise_escalation(raising(&case, "r-2")).await;
    assert_eq!(refused(raised).brief(), FORGOTTEN);
    let captured = house.feedback().capture_suggestion(suggesting(&asha, "s-2")).await;
    assert_eq!(refused(captured).brief(), FORGOTTEN);
    assert_eq!(house.log().await.end, end, "a refusal leaves nothing");

    let again = house.feedback().capture_suggestion(suggesting(&asha, "s-1")).await.unwrap().into_inner();
    assert_eq!(again, recorded, "what was recorded is answered the same, for ever");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_again_by_the_same_names_is_somebody_new() {
    let house = House::start().await;
    let mut intake = house.intake();
    let known_by = || {
        vec![
            account("A-1"),
            identity(IdentityKind::Handle, "x/@asha"),
            identity(IdentityKind::Email, "asha@example.com"),
            identity(IdentityKind::Phone, "+91 98765 43210"),
        ]
    };
    let register = |request_id: &str| RegisterCustomerRequest {
        request_id: request_id.to_owned(),
        identities: known_by(),
        name: "Asha Rao".to_owned(),
    };
    let asha = intake.register_customer(register("1")).await.unwrap().into_inner().customer_id;
    forget(&house, &asha).await;
    for one in known_by() {
        let request = IdentifyCustomerRequest { identities: vec![one.clone()], read: None };
        let found = intake.identify_customer(request).await.unwrap().into_inner();
        assert_eq!((found.customer_id.as_str(), found.candidate_ids.len()), ("", 0), "{one:?}");
    }
    let request = LogInteractionRequest { identities: known_by(), ..interaction("2", "", "Hello again.") };
    let again = intake.log_interaction(request).await.unwrap().into_inner();
    assert_ne!(again.customer_id, asha);
    assert!(again.case_opened);
    house.settled().await;
    let request = IdentifyCustomerRequest { identities: known_by(), read: None };
    let found = intake.identify_customer(request).await.unwrap().into_inner();
    assert_eq!(found.customer_id, again.customer_id);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_by_itself_goes_on_without_words() {
    let house = House::start().await;
    let logged = complaint(&house, "asha").await;
    let (asha, case) = (logged.customer_id, logged.case_id);
    let due = ahead(&house, Duration::from_secs(48 * 60 * 60));
    let made = house.intake().make_promise(promising(&case, "p-1", due)).await.unwrap().into_inner();
    assert!(made.made);
    let other = house.intake().make_promise(promising(&case, "p-2", due)).await.unwrap().into_inner();
    let charge_id =
        house.refunds().register_charge(charge(&asha, "ch_1")).await.unwrap().into_inner().charge_id;
    let asked = refund(&charge_id, "f-1");
    let asked = house.refunds().request_refund(as_actor("agent:ana", asked)).await.unwrap().into_inner();
    forget(&house, &asha).await;

    let kept = KeepPromiseRequest {
        request_id: "k-1".to_owned(),
        case_id: case.clone(),
        promise_id: other.promise_id,
        note: String::new(),
        expected_rev: None,
    };
    house.intake().keep_promise(kept).await.unwrap();
    let approve = ApproveRefundRequest {
        request_id: "a-1".to_owned(),
        charge_id,
        refund_id: asked.refund_id,
        expected_rev: None,
    };
    house.refunds().approve_refund(as_actor("agent:bo", approve)).await.unwrap();
    house.clock().jump(Duration::from_secs(49 * 60 * 60));
    let accept = || AcceptEscalationRequest {
        request_id: "e-1".to_owned(),
        case_id: case.clone(),
        expected_rev: None,
    };
    eventually("the broken promise is escalated", PATIENCE, async || {
        house.escalation().accept_escalation(accept()).await.ok()
    })
    .await;
    let log = house.log().await;
    assert_eq!(log.events("charge.refund_approved.v1").len(), 1);
    assert_eq!(log.events("case.promise_broken.v1").len(), 1);
    house.stop().await;
}
