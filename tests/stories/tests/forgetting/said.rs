//! What is said about forgetting, who may say it, and what the report tells.

use seva_api::pb::common::v1::text::Value;
use seva_api::pb::intake::v1::timeline_entry::What;
use seva_api::pb::intake::v1::{
    DeclineForgettingRequest, ForgettingDecline, ForgettingPhase, ForgettingReason, GetCallerBriefRequest,
    GetTimelineRequest, HoldLift, HoldReason, LiftLegalHoldRequest, PlaceLegalHoldRequest,
};
use seva_domain::service::Service;
use seva_domain::values::CustomerId;
use seva_eventlog::jetstream::JetStreamLog;
use seva_eventlog::log::Log;
use seva_eventlog::simulate;
use seva_rights::Identity;
use seva_stories::say::interaction;
use seva_stories::{House, as_actor, refused};
use tonic::Code;

use crate::{WORDS, asking, complaint, confirming, forget, forgotten, report};

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_forgotten_and_the_report_tells_of_it() {
    let house = House::start().await;
    let asha = complaint(&house, "asha").await.customer_id;
    house.intake().log_interaction(interaction("second", "asha", "And it leaks.")).await.unwrap();
    let told = forget(&house, &asha).await;
    let forgetting = told.forgetting.unwrap();
    assert_eq!(forgetting.reason(), ForgettingReason::PersonAsked);
    assert_eq!((forgetting.asked_by.as_str(), forgetting.confirmed_by.as_str()), ("agent:ana", "agent:bo"));
    assert!(forgetting.asked_at.is_some() && forgetting.confirmed_at.is_some());
    assert!(forgetting.forgotten_at.is_some());
    assert!(forgetting.keys_destroyed >= 1);
    assert_eq!((forgetting.interactions_erased, forgetting.texts_erased), (2, 2));
    assert_eq!(told.names_erased, 2, "a name and an account");

    let brief = GetCallerBriefRequest { customer_id: asha.clone(), read: None };
    let brief = house.intake().get_caller_brief(brief).await.unwrap().into_inner();
    let customer = brief.customer.unwrap();
    let is_erased = |value: Option<Value>| matches!(value, Some(Value::Erased(_)));
    assert!(is_erased(customer.name.unwrap().value));
    assert!(customer.identities.into_iter().all(|identity| is_erased(identity.value.unwrap().value)));
    let timeline = GetTimelineRequest { customer_id: asha, page: None, read: None };
    let timeline = house.intake().get_timeline(timeline).await.unwrap().into_inner();
    assert_eq!(timeline.entries.len(), 2, "that something was said stays, and when");
    for entry in timeline.entries {
        let Some(What::Interaction(interaction)) = entry.what else { panic!("{entry:?}") };
        assert!(is_erased(interaction.text.unwrap().value));
    }
    let log = house.log().await;
    assert_eq!(log.events("customer.forgotten.v1").len(), 1);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asked_cannot_confirm_and_what_is_said_twice_is_so_once() {
    let house = House::start().await;
    let asha = complaint(&house, "asha").await.customer_id;
    let mut intake = house.intake();
    let alone = intake.confirm_forgetting(as_actor("agent:bo", confirming(&asha))).await;
    assert_eq!(refused(alone).brief(), "FailedPrecondition FORGETTING_NOT_ASKED");
    intake.forget_customer(as_actor("agent:ana", asking(&asha))).await.unwrap();
    let same = intake.confirm_forgetting(as_actor("agent:ana", confirming(&asha))).await;
    assert_eq!(refused(same).brief(), "FailedPrecondition SECOND_PERSON_NEEDED");
    intake.forget_customer(as_actor("agent:cy", asking(&asha))).await.unwrap();
    assert_eq!(house.log().await.events("customer.forgetting_requested.v1").len(), 1);

    let first = intake.confirm_forgetting(as_actor("agent:bo", confirming(&asha))).await.unwrap();
    let again = intake.confirm_forgetting(as_actor("agent:bo", confirming(&asha))).await.unwrap();
    assert_eq!(again.get_ref().position, first.get_ref().position);
    forgotten(&house, &asha).await;
    intake.forget_customer(as_actor("agent:dee", asking(&asha))).await.unwrap();
    let log = house.log().await;
    for event_type in ["requested", "confirmed"] {
        assert_eq!(log.events(&format!("customer.forgetting_{event_type}.v1")).len(), 1);
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_declined_is_not_done() {
    let house = House::start().await;
    let asha = complaint(&house, "asha").await.customer_id;
    let mut intake = house.intake();
    intake.forget_customer(as_actor("agent:ana", asking(&asha))).await.unwrap();
    let decline = DeclineForgettingRequest {
        request_id: "no".to_owned(),
        customer_id: asha.clone(),
        because: ForgettingDecline::IdentityNotProven.into(),
    };
    intake.decline_forgetting(as_actor("agent:bo", decline)).await.unwrap();
    let confirmed = intake.confirm_forgetting(as_actor("agent:cy", confirming(&asha))).await;
    assert_eq!(refused(confirmed).brief(), "FailedPrecondition FORGETTING_NOT_ASKED");
    house.settled().await;
    let forgetting = report(&house, &asha).await.unwrap().forgetting.unwrap();
    assert_eq!(forgetting.phase(), ForgettingPhase::Declined);
    assert_eq!(forgetting.declined_because(), ForgettingDecline::IdentityNotProven);
    assert_eq!(forgetting.declined_by, "agent:bo");
    let timeline = GetTimelineRequest { customer_id: asha, page: None, read: None };
    let timeline = intake.get_timeline(timeline).await.unwrap().into_inner();
    assert!(format!("{timeline:?}").contains(WORDS));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legal_hold_stands_in_the_way_until_it_is_lifted_over_restarts() {
    let mut house = House::start().await;
    let asha = complaint(&house, "asha").await.customer_id;
    house.intake().forget_customer(as_actor("agent:ana", asking(&asha))).await.unwrap();
    let (reason, request_id) = (HoldReason::Litigation.into(), || "hold".to_owned());
    let hold = PlaceLegalHoldRequest { request_id: request_id(), customer_id: asha.clone(), reason };
    house.intake().place_legal_hold(as_actor("legal:lea", hold)).await.unwrap();
    house.restart_services().await;
    let held = house.intake().confirm_forgetting(as_actor("agent:bo", confirming(&asha))).await;
    assert_eq!(refused(held).brief(), "FailedPrecondition LEGAL_HOLD");
    let holds = report(&house, &asha).await.unwrap().forgetting.unwrap().holds;
    assert_eq!(holds.len(), 1);
    assert_eq!((holds[0].reason(), holds[0].placed_by.as_str()), (HoldReason::Litigation, "legal:lea"));

    let lift = LiftLegalHoldRequest {
        request_id: "lift".to_owned(),
        customer_id: asha.clone(),
        reason,
        because: HoldLift::MatterOver.into(),
    };
    house.intake().lift_legal_hold(as_actor("legal:lea", lift)).await.unwrap();
    house.intake().confirm_forgetting(as_actor("agent:bo", confirming(&asha))).await.unwrap();
    let forgetting = forgotten(&house, &asha).await.forgetting.unwrap();
    assert!(forgetting.holds.is_empty());
    let late = PlaceLegalHoldRequest { request_id: "late".to_owned(), customer_id: asha, reason };
    let late = house.intake().place_legal_hold(as_actor("legal:lea", late)).await;
    assert_eq!(refused(late).brief(), "FailedPrecondition CUSTOMER_FORGOTTEN");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_forgets_somebody_who_is_not_there_or_for_no_reason() {
    let house = House::start().await;
    let nobody = CustomerId::from_bytes([9; 16]).to_string();
    let mut intake = house.intake();
    assert_eq!(refused(intake.forget_customer(asking(&nobody)).await).code, Code::NotFound);
    assert_eq!(refused(intake.confirm_forgetting(confirming(&nobody)).await).code, Code::NotFound);
    let mut without_reason = asking(&nobody);
    without_reason.reason = 0;
    assert_eq!(refused(intake.forget_customer(without_reason).await).fields, ["reason"]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_with_somebody_forgotten_is_whole_and_runs_again_the_same() {
    let house = House::start().await;
    let asha = complaint(&house, "asha").await.customer_id;
    complaint(&house, "ben").await;
    forget(&house, &asha).await;
    house.settled().await;
    let client = house.nats().connect(Identity::Operator).await;
    let log = JetStreamLog::open(client, Identity::Operator.consumers()).await.unwrap();
    let log = Log::JetStream(log);
    let run = simulate::run(&log).await.unwrap();
    assert_eq!(run.difference, None);
    assert!(run.facts > 5);
    assert!(house.names().any(|service| service == Service::Intake));
    house.stop().await;
}
