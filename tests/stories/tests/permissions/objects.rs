//! Object rules: a department sees and acts on its own, and nobody approves what they requested, for whomever they act.

use seva::token::Person;
use seva_api::access::Role;
use seva_api::pb::common::v1::Money;
use seva_api::pb::feedback::v1::{
    AcknowledgeSuggestionRequest, AdoptSuggestionRequest, CaptureSuggestionRequest, DeclineSuggestionRequest,
    GetSuggestionRequest, ListInboxRequest, RerouteSuggestionRequest,
};
use seva_api::pb::refunds::v1::{
    ApproveRefundRequest, LineKind, PaymentMethod, RefundLine, RefundPhase, RegisterChargeRequest,
    RequestRefundRequest,
};
use seva_stories::say::at_least;
use seva_stories::{House, as_actor, as_person, refused};

fn of_department(department: &str) -> Person<'static> {
    let department = Some(department.to_owned());
    Person { subject: "worker-1", roles: &[Role::Agent, Role::Supervisor], department, ..Person::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_department_sees_and_acts_on_its_own_suggestions_only() {
    let house = House::start().await;
    let mut feedback = house.feedback();
    let captured = feedback
        .capture_suggestion(CaptureSuggestionRequest {
            request_id: "s1".to_owned(),
            text: "The courier should ring the bell, the delivery arrived late".to_owned(),
            language: "en".to_owned(),
            ..CaptureSuggestionRequest::default()
        })
        .await
        .unwrap()
        .into_inner();
    let suggestion_id = captured.suggestion_id.clone();
    let own = of_department(&captured.department);
    let other = of_department("marketing");
    let nowhere = Person { department: None, ..of_department("x") };
    assert_ne!(captured.department, "marketing");
    let get =
        || GetSuggestionRequest { suggestion_id: suggestion_id.clone(), read: at_least(&captured.position) };
    let inbox = |of: &str| ListInboxRequest { department: of.to_owned(), ..ListInboxRequest::default() };
    feedback.get_suggestion(as_person(&own, get())).await.expect("its own");
    feedback.list_inbox(as_person(&own, inbox(&captured.department))).await.expect("its own inbox");

    let denied = "PermissionDenied OTHER_DEPARTMENT";
    let acknowledge = |id: &str| AcknowledgeSuggestionRequest {
        request_id: id.to_owned(),
        suggestion_id: suggestion_id.clone(),
        expected_rev: None,
    };
    for person in [&other, &nowhere] {
        let refusals = [
            refused(feedback.get_suggestion(as_person(person, get())).await),
            refused(feedback.list_inbox(as_person(person, inbox(&captured.department))).await),
            refused(feedback.acknowledge_suggestion(as_person(person, acknowledge("no"))).await),
            refused(
                feedback
                    .reroute_suggestion(as_person(
                        person,
                        RerouteSuggestionRequest {
                            request_id: "no".to_owned(),
                            suggestion_id: suggestion_id.clone(),
                            department: "marketing".to_owned(),
                            reason: "mine".to_owned(),
                            expected_rev: None,
                        },
                    ))
                    .await,
            ),
            refused(
                feedback
                    .adopt_suggestion(as_person(
                        person,
                        AdoptSuggestionRequest {
                            request_id: "no".to_owned(),
                            suggestion_id: suggestion_id.clone(),
                            plan: "mine".to_owned(),
                            expected_rev: None,
                        },
                    ))
                    .await,
            ),
            refused(
                feedback
                    .decline_suggestion(as_person(
                        person,
                        DeclineSuggestionRequest {
                            request_id: "no".to_owned(),
                            suggestion_id: suggestion_id.clone(),
                            reason: "mine".to_owned(),
                            expected_rev: None,
                        },
                    ))
                    .await,
            ),
        ];
        for refusal in refusals {
            assert_eq!(refusal.brief(), denied, "{:?}", person.department);
        }
    }
    let before = house.log().await.records.len();
    feedback.acknowledge_suggestion(as_person(&own, acknowledge("yes"))).await.expect("its own");
    let manager = Person { subject: "manager-1", roles: &[Role::Manager], ..Person::default() };
    feedback.get_suggestion(as_person(&manager, get())).await.expect("managers work house-wide");
    assert_eq!(house.log().await.records.len(), before + 1, "what was denied left nothing");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_approves_alone_what_they_requested_for_whomever_they_act() {
    let house = House::start().await;
    let mut refunds = house.refunds();
    let charge = RegisterChargeRequest {
        request_id: "charge".to_owned(),
        reference: "ch_four_eyes".to_owned(),
        method: PaymentMethod::Card.into(),
        captured: Some(Money { currency: "EUR".to_owned(), amount_minor: 90_000 }),
        ..RegisterChargeRequest::default()
    };
    let charge_id = refunds.register_charge(charge).await.unwrap().into_inner().charge_id;
    let acting = |subject: &'static str, other: Option<&str>| Person {
        subject,
        roles: &[Role::Agent, Role::RefundApprover],
        acting_for: other.map(str::to_owned),
        ..Person::default()
    };
    let asked = RequestRefundRequest {
        request_id: "refund".to_owned(),
        charge_id: charge_id.clone(),
        currency: "EUR".to_owned(),
        lines: vec![RefundLine {
            kind: LineKind::Principal.into(),
            amount_minor: 80_000,
            evidence: String::new(),
        }],
        reason: "too much".to_owned(),
        expected_rev: None,
    };
    // Ben asks, for Ana.
    let asked =
        refunds.request_refund(as_person(&acting("ben", Some("ana")), asked)).await.unwrap().into_inner();
    let approve = |id: &str| ApproveRefundRequest {
        request_id: id.to_owned(),
        charge_id: charge_id.clone(),
        refund_id: asked.refund_id.clone(),
        expected_rev: None,
    };
    let the_same_hands =
        [("ben", None), ("ana", None), ("cleo", Some("ana")), ("ben", Some("cleo")), ("dan", Some("ben"))];
    for (n, (subject, other)) in the_same_hands.into_iter().enumerate() {
        let request = as_person(&acting(subject, other), approve(&format!("no-{n}")));
        let answer = refunds.approve_refund(request).await.unwrap().into_inner();
        assert_eq!(
            answer.phase(),
            RefundPhase::Requested,
            "{subject} for {other:?} approved what they requested"
        );
    }
    let answer = refunds.approve_refund(as_person(&acting("cleo", Some("dan")), approve("yes"))).await;
    assert_eq!(answer.unwrap().into_inner().phase(), RefundPhase::Instructed);

    let request =
        seva_api::pb::refunds::v1::GetRefundRequest { refund_id: asked.refund_id.clone(), read: None };
    house.settled().await;
    let refund = refunds.get_refund(as_actor("auditor", request)).await.unwrap().into_inner().refund.unwrap();
    assert_eq!(refund.requested_by, "ben/ana", "records say who acted, and for whom");
    house.stop().await;
}
