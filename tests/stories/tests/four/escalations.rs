//! Escalations: raised, answered, climbing by themselves, and over with their case.

use seva_api::pb::escalation::v1::{
    AcceptEscalationRequest, DeclineEscalationRequest, Escalation, EscalationPhase, GetEscalationRequest,
    ListEscalationsRequest, RaiseEscalationRequest, RaiseEscalationResponse, RaisedBy,
    ResolveEscalationRequest,
};
use seva_api::pb::intake::v1::{ConfirmResolutionRequest, ResolveCaseRequest};
use seva_stories::{House, as_actor, refused};
use seva_support::eventually;
use tonic::Code;

use crate::{HOUR, MINUTE, PATIENCE, complaint};

fn raising(request_id: &str, case_id: &str, by: RaisedBy) -> RaiseEscalationRequest {
    RaiseEscalationRequest {
        request_id: request_id.to_owned(),
        case_id: case_id.to_owned(),
        by: by.into(),
        reason: "Three weeks, and no answer.".to_owned(),
        ..RaiseEscalationRequest::default()
    }
}

async fn raise(house: &House, request: RaiseEscalationRequest) -> RaiseEscalationResponse {
    house.escalation().raise_escalation(request).await.unwrap().into_inner()
}

async fn read(house: &House, case_id: &str) -> Escalation {
    house.settled().await;
    let request = GetEscalationRequest { case_id: case_id.to_owned(), read: None };
    house.escalation().get_escalation(request).await.unwrap().into_inner().escalation.unwrap()
}

/// The escalation once it has climbed so often.
async fn climbed(house: &House, case_id: &str, times: u64) -> Escalation {
    eventually("the climb", PATIENCE, || async {
        let escalation = read(house, case_id).await;
        (escalation.times_climbed == times).then_some(escalation)
    })
    .await
}

async fn queue(house: &House, rung: &str) -> Vec<(String, u64)> {
    house.settled().await;
    let request = ListEscalationsRequest { rung: rung.to_owned(), page: None, read: None };
    let listed = house.escalation().list_escalations(request).await.unwrap().into_inner().escalations;
    listed.into_iter().map(|one| (one.escalation.unwrap().case_id, one.on_rung_seconds / 60)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_just_logged_can_be_escalated_at_once() {
    let house = House::start().await;
    for n in 0..20 {
        let case = complaint(&house, &format!("caller-{n}")).await.case_id;
        let raised = raise(&house, raising(&format!("r-{n}"), &case, RaisedBy::Staff)).await;
        assert_eq!((raised.rung.as_str(), raised.department.as_str()), ("team_lead", "service"));
    }
    let unknown = raising("r-x", &format!("cas_{}", "0".repeat(32)), RaisedBy::Staff);
    assert_eq!(refused(house.escalation().raise_escalation(unknown).await).code, Code::NotFound);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_answers_climbs_rung_by_rung_over_restarts() {
    let mut house = House::start().await;
    let case = complaint(&house, "asha").await.case_id;
    raise(&house, raising("r-1", &case, RaisedBy::Staff)).await;
    assert_eq!(queue(&house, "team_lead").await, [(case.clone(), 0)]);

    house.clock().jump(4 * HOUR + 5 * MINUTE);
    assert_eq!(climbed(&house, &case, 1).await.rung, "head_of_service");
    assert!(queue(&house, "team_lead").await.is_empty());
    assert_eq!(queue(&house, "head_of_service").await, [(case.clone(), 5)], "its age is since it climbed");

    house.stop_services().await;
    house.clock().jump(100 * HOUR);
    house.start_services().await;
    let top = eventually("the top", PATIENCE, || async {
        let top = read(&house, &case).await;
        top.exhausted.then_some(top)
    })
    .await;
    assert_eq!((top.rung.as_str(), top.times_climbed), ("director", 2));
    assert!(top.answer_by.is_none(), "above the top nobody is waited for");
    let way: Vec<&str> = top.history.iter().map(|step| step.event_type.as_str()).collect();
    assert_eq!(
        way,
        [
            "escalation.raised.v1",
            "escalation.placed.v1",
            "escalation.unanswered.v1",
            "escalation.climbed.v1",
            "escalation.unanswered.v1",
            "escalation.climbed.v1",
            "escalation.unanswered.v1",
            "escalation.exhausted.v1",
        ]
    );
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rung_accepts_and_resolves_it_and_then_it_does_not_climb() {
    let house = House::start().await;
    let case = complaint(&house, "bo").await.case_id;
    let raised = raise(&house, raising("r-1", &case, RaisedBy::Customer)).await;
    assert_eq!(raised.rung, "head_of_service", "customers begin higher");
    let again = refused(house.escalation().raise_escalation(raising("r-2", &case, RaisedBy::Staff)).await);
    assert_eq!(again.reason, "ALREADY_ESCALATED");

    let stale = AcceptEscalationRequest {
        request_id: "a-0".to_owned(),
        case_id: case.clone(),
        expected_rev: Some(raised.rev + 1),
    };
    assert_eq!(refused(house.escalation().accept_escalation(stale).await).code, Code::Aborted);
    let accept =
        AcceptEscalationRequest { request_id: "a-1".to_owned(), case_id: case.clone(), expected_rev: None };
    house.escalation().accept_escalation(as_actor("head:mia", accept)).await.unwrap();
    // Another one that nobody accepts: once it is at the top, whatever was due has happened.
    let other = complaint(&house, "eve").await.case_id;
    raise(&house, raising("r-3", &other, RaisedBy::Staff)).await;
    house.clock().jump(1_000 * HOUR);
    climbed(&house, &other, 2).await;
    let accepted = read(&house, &case).await;
    assert_eq!((accepted.phase(), accepted.times_climbed), (EscalationPhase::Accepted, 0));

    let resolve = ResolveEscalationRequest {
        request_id: "s-1".to_owned(),
        case_id: case.clone(),
        resolution: "A new one is on its way.".to_owned(),
        expected_rev: None,
    };
    house.escalation().resolve_escalation(resolve).await.unwrap();
    assert_eq!(read(&house, &case).await.phase(), EscalationPhase::Resolved);
    assert!(queue(&house, "").await.iter().all(|(waiting, _)| *waiting == other), "only the other one waits");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn raised_again_after_a_refusal_it_is_never_placed_lower() {
    let house = House::start().await;
    let case = complaint(&house, "chi").await.case_id;
    raise(&house, raising("r-1", &case, RaisedBy::Customer)).await;
    let decline = DeclineEscalationRequest {
        request_id: "d-1".to_owned(),
        case_id: case.clone(),
        reason: "The front desk can do this.".to_owned(),
        expected_rev: None,
    };
    house.escalation().decline_escalation(decline).await.unwrap();
    let lower =
        RaiseEscalationRequest { rung: "team_lead".to_owned(), ..raising("r-2", &case, RaisedBy::Staff) };
    assert_eq!(raise(&house, lower).await.rung, "head_of_service");
    let unknown =
        RaiseEscalationRequest { rung: "pope".to_owned(), ..raising("r-3", &case, RaisedBy::Staff) };
    assert_eq!(refused(house.escalation().raise_escalation(unknown).await).reason, "UNKNOWN_RUNG");
    assert_eq!(read(&house, &case).await.times_raised, 2);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_that_is_closed_ends_its_escalation() {
    let house = House::start().await;
    let case = complaint(&house, "dev").await.case_id;
    raise(&house, raising("r-1", &case, RaisedBy::Staff)).await;
    let resolve = ResolveCaseRequest {
        request_id: "s-1".to_owned(),
        case_id: case.clone(),
        resolution: "Mended.".to_owned(),
        expected_rev: None,
    };
    house.intake().resolve_case(resolve).await.unwrap();
    let confirm =
        ConfirmResolutionRequest { request_id: "c-1".to_owned(), case_id: case.clone(), expected_rev: None };
    house.intake().confirm_resolution(confirm).await.unwrap();
    let ended = read(&house, &case).await;
    assert_eq!(ended.phase(), EscalationPhase::Ended);
    assert!(queue(&house, "").await.is_empty());
    house.stop().await;
}
