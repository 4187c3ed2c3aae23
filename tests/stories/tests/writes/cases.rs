//! Cases: opened, joined, resolved, confirmed, rejected, reopened, and closed by silence.

use std::time::Duration;

use prost_types::Timestamp;
use seva_api::parse::timestamp;
use seva_api::pb::common::v1::CaseKind;
use seva_api::pb::common::v1::text::Value;
use seva_api::pb::intake::v1::{
    Case, CasePhase, ConfirmResolutionRequest, Direction, GetCaseRequest, LogInteractionRequest,
    LogInteractionResponse, ReclassifyCaseRequest, RejectResolutionRequest, ReopenCaseRequest,
    ResolveCaseRequest,
};
use seva_domain::noun::Noun;
use seva_domain::values::{At, CaseId, CustomerId};
use seva_stories::say::{at_least, interaction};
use seva_stories::{House, Recorded, Refusal, refused};
use seva_support::eventually;
use tonic::{Response, Status};

/// What can be done to a case.
#[derive(Clone, Copy, Debug)]
enum Do {
    Reclassify(CaseKind),
    Resolve,
    Confirm,
    Reject,
    Reopen,
}

const ALL: [Do; 5] = [Do::Reclassify(CaseKind::Refund), Do::Resolve, Do::Confirm, Do::Reject, Do::Reopen];

async fn act(
    house: &House,
    request_id: &str,
    id: &str,
    what: Do,
    rev: Option<u64>,
) -> Result<(u64, String), Status> {
    let (request_id, case_id, words) = (request_id.to_owned(), id.to_owned(), "So it is.".to_owned());
    let mut intake = house.intake();
    macro_rules! answer {
        ($method:ident, $request:expr) => {
            intake.$method($request).await.map(Response::into_inner).map(|done| (done.rev, done.position))
        };
    }
    match what {
        Do::Reclassify(kind) => {
            let kind = kind.into();
            let request =
                ReclassifyCaseRequest { request_id, case_id, kind, reason: words, expected_rev: rev };
            answer!(reclassify_case, request)
        }
        Do::Resolve => {
            answer!(
                resolve_case,
                ResolveCaseRequest { request_id, case_id, resolution: words, expected_rev: rev }
            )
        }
        Do::Confirm => {
            answer!(confirm_resolution, ConfirmResolutionRequest { request_id, case_id, expected_rev: rev })
        }
        Do::Reject => {
            let request = RejectResolutionRequest { request_id, case_id, reason: words, expected_rev: rev };
            answer!(reject_resolution, request)
        }
        Do::Reopen => {
            answer!(reopen_case, ReopenCaseRequest { request_id, case_id, reason: words, expected_rev: rev })
        }
    }
}

async fn log(house: &House, request: LogInteractionRequest) -> LogInteractionResponse {
    house.intake().log_interaction(request).await.unwrap().into_inner()
}

async fn read(house: &House, id: &str, position: &str) -> Case {
    let request = GetCaseRequest { case_id: id.to_owned(), as_of: None, read: at_least(position) };
    house.intake().get_case(request).await.unwrap().into_inner().case.unwrap()
}

fn at(house: &House, days_ago: i64) -> Option<Timestamp> {
    Some(timestamp(At(house.clock().now().0 - days_ago * 86_400_000_000)))
}

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

#[tokio::test]
async fn a_case_is_resolved_rejected_resolved_again_confirmed_and_reopened() {
    let house = House::start().await;
    let logged = log(&house, interaction("1", "A-1", "Where is my parcel?")).await;
    assert!(logged.case_opened);
    let way = [
        (Do::Reclassify(CaseKind::Complaint), CasePhase::Open),
        (Do::Resolve, CasePhase::Resolved),
        (Do::Reject, CasePhase::Open),
        (Do::Resolve, CasePhase::Resolved),
        (Do::Confirm, CasePhase::Closed),
        (Do::Reopen, CasePhase::Open),
    ];
    for (n, (what, phase)) in (2..).zip(way) {
        let (rev, position) = act(&house, &n.to_string(), &logged.case_id, what, Some(n - 1)).await.unwrap();
        assert_eq!(rev, n, "{what:?}");
        let case = read(&house, &logged.case_id, &position).await;
        assert_eq!((case.phase(), case.rev), (phase, n), "{what:?}");
        let resolution = case.resolution.and_then(|text| text.value);
        let is_resolved = phase != CasePhase::Open;
        assert_eq!(resolution, is_resolved.then(|| Value::Clear("So it is.".to_owned())), "{what:?}");
    }
    let case = read(&house, &logged.case_id, "").await;
    assert_eq!((case.kind(), case.times_reopened, case.interactions), (CaseKind::Complaint, 2, 1));
}

#[tokio::test]
async fn what_a_case_is_not_ready_for_is_refused_with_its_reason() {
    let house = House::start().await;
    let mut cases = Vec::new();
    for name in ["open", "resolved", "closed"] {
        cases.push(log(&house, interaction(name, name, "Where is my parcel?")).await.case_id);
    }
    let [open, resolved, closed] = cases.try_into().unwrap();
    act(&house, "1", &resolved, Do::Resolve, None).await.unwrap();
    act(&house, "2", &closed, Do::Resolve, None).await.unwrap();
    act(&house, "3", &closed, Do::Confirm, None).await.unwrap();
    let missing = CaseId::from_bytes([9; 16]).to_string();
    let end = house.log().await.end;
    let cases = [
        (&open, Do::Confirm, "FailedPrecondition NOT_RESOLVED"),
        (&open, Do::Reject, "FailedPrecondition NOT_RESOLVED"),
        (&resolved, Do::Resolve, "FailedPrecondition ALREADY_RESOLVED"),
        (&closed, Do::Resolve, "FailedPrecondition CASE_CLOSED"),
        (&closed, Do::Reject, "FailedPrecondition CASE_CLOSED"),
        (&closed, Do::Reclassify(CaseKind::Refund), "FailedPrecondition CASE_CLOSED"),
    ];
    let nothing_there = ALL.map(|what| (&missing, what, "NotFound NOT_FOUND"));
    for (n, (id, what, expected)) in cases.into_iter().chain(nothing_there).enumerate() {
        let refusal = Refusal::from(&act(&house, &format!("no-{n}"), id, what, None).await.unwrap_err());
        assert_eq!(refusal.brief(), expected, "{what:?}: {refusal}");
    }
    for what in ALL {
        let refusal = Refusal::from(&act(&house, "stale", &open, what, Some(7)).await.unwrap_err());
        assert_eq!(refusal.brief(), "Aborted STALE_REV", "{what:?}: {refusal}");
        assert_eq!(refusal.metadata["current_rev"], "1");
    }
    let so_already =
        [(&open, Do::Reopen, 1), (&open, Do::Reclassify(CaseKind::Enquiry), 1), (&closed, Do::Confirm, 3)];
    for (n, (id, what, rev)) in so_already.into_iter().enumerate() {
        assert_eq!(act(&house, &format!("so-{n}"), id, what, None).await.unwrap().0, rev, "{what:?}");
    }
    assert_eq!(house.log().await.end, end, "what is refused or so already leaves nothing");
}

#[tokio::test]
async fn an_interaction_is_refused_where_its_customer_or_case_cannot_be() {
    let house = House::start().await;
    let meera = log(&house, interaction("1", "A-1", "Where is my parcel?")).await;
    log(&house, interaction("2", "A-2", "Where is mine?")).await;
    let end = house.log().await.end;
    let with = |change: fn(&mut LogInteractionRequest, &LogInteractionResponse)| {
        let mut request = interaction("3", "A-2", "Hello?");
        change(&mut request, &meera);
        request
    };
    let requests = [
        (with(|r, _| r.customer_id = CustomerId::from_bytes([9; 16]).to_string()), "NotFound NOT_FOUND"),
        (with(|r, _| r.case_id = CaseId::from_bytes([9; 16]).to_string()), "NotFound NOT_FOUND"),
        (with(|r, meera| r.case_id = meera.case_id.clone()), "FailedPrecondition CASE_OF_ANOTHER_CUSTOMER"),
    ];
    for (request, expected) in requests {
        let refusal = refused(house.intake().log_interaction(request).await);
        assert_eq!(refusal.brief(), expected, "{refusal}");
    }
    assert_eq!(house.log().await.end, end);
}

#[tokio::test]
async fn an_interaction_joins_the_case_it_belongs_to_or_opens_one() {
    let house = House::start().await;
    let first = log(&house, interaction("1", "A-1", "Where is my parcel?")).await;
    let same = log(&house, interaction("2", "A-1", "It is still not here.")).await;
    assert_eq!((&same.case_id, same.case_opened), (&first.case_id, false));
    let mut complaint = interaction("3", "A-1", "This is too slow.");
    complaint.kind = CaseKind::Complaint.into();
    let complaint = log(&house, complaint).await;
    assert!(complaint.case_opened, "another kind is another matter");
    let mut threaded = interaction("4", "A-1", "And this?");
    threaded.thread = "mail-1".to_owned();
    let in_thread = log(&house, threaded.clone()).await;
    assert!(in_thread.case_opened, "a thread is a matter of its own");
    threaded.request_id = "5".to_owned();
    assert_eq!(log(&house, threaded).await.case_id, in_thread.case_id);
    let mut named = interaction("6", "A-1", "About the complaint.");
    named.case_id = complaint.case_id.clone();
    assert_eq!(log(&house, named).await.case_id, complaint.case_id);
    house.clock().jump(days(15));
    assert!(log(&house, interaction("7", "A-1", "A parcel again.")).await.case_opened, "it was too long ago");
}

#[tokio::test]
async fn a_customer_who_writes_again_reopens_what_was_resolved_or_closed() {
    let house = House::start().await;
    let first = log(&house, interaction("1", "A-1", "Where is my parcel?")).await;
    act(&house, "2", &first.case_id, Do::Resolve, None).await.unwrap();
    let mut answer = interaction("3", "A-1", "It comes tomorrow.");
    answer.direction = Direction::Outbound.into();
    let answered = log(&house, answer).await;
    assert_eq!(read(&house, &first.case_id, &answered.position).await.phase(), CasePhase::Resolved);
    let again = log(&house, interaction("4", "A-1", "It did not.")).await;
    assert_eq!(again.case_id, first.case_id);
    assert_eq!(read(&house, &first.case_id, &again.position).await.phase(), CasePhase::Open);
    act(&house, "5", &first.case_id, Do::Resolve, None).await.unwrap();
    act(&house, "6", &first.case_id, Do::Confirm, None).await.unwrap();
    let mut named = interaction("7", "A-1", "It is broken.");
    named.case_id = first.case_id.clone();
    let again = log(&house, named).await;
    let case = read(&house, &first.case_id, &again.position).await;
    assert_eq!((case.phase(), case.times_reopened, case.interactions), (CasePhase::Open, 2, 4));
}

#[tokio::test]
async fn silence_confirms_a_resolution_when_the_policys_days_are_over() {
    let house = House::start().await;
    let logged = log(&house, interaction("1", "A-1", "Where is my parcel?")).await;
    let (_, position) = act(&house, "2", &logged.case_id, Do::Resolve, None).await.unwrap();
    house.clock().jump(days(13));
    // A write of the thirteenth day, so that the service has looked at the clock.
    let other = log(&house, interaction("3", "A-2", "Hello?")).await;
    assert_eq!(read(&house, &logged.case_id, &other.position).await.phase(), CasePhase::Resolved);
    assert_eq!(read(&house, &logged.case_id, &position).await.phase(), CasePhase::Resolved);
    house.clock().jump(days(1));
    let closed = eventually("the case is closed by silence", Duration::from_secs(20), || async {
        let case = read(&house, &logged.case_id, "").await;
        (case.phase() == CasePhase::Closed).then_some(case)
    });
    assert_eq!(closed.await.rev, 3);
    let noun = Noun::Case(logged.case_id.parse().unwrap());
    let log = house.log().await;
    let last = log.of_noun(&noun).pop().unwrap();
    assert_eq!(Recorded::event_types(&last), ["case.resolution_confirmed.v1"]);
    assert_eq!(last.request, None, "nobody asked for it");
}

#[tokio::test]
async fn silence_is_reckoned_while_nobody_is_there_to_look() {
    let mut house = House::start().await;
    let logged = log(&house, interaction("1", "A-1", "Where is my parcel?")).await;
    act(&house, "2", &logged.case_id, Do::Resolve, None).await.unwrap();
    house.settled().await;
    house.stop_services().await;
    house.clock().jump(days(30));
    house.start_services().await;
    let house = &house;
    eventually("the case is closed by silence", Duration::from_secs(20), || async {
        (read(house, &logged.case_id, "").await.phase() == CasePhase::Closed).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_thread_of_several_customers_gives_linked_cases_one_each() {
    let house = House::start().await;
    let mut cases = Vec::new();
    for (n, who) in ["A-1", "A-2", "A-3", "A-1"].into_iter().enumerate() {
        let mut said = interaction(&n.to_string(), who, "About the street party.");
        said.thread = "tweet-77".to_owned();
        cases.push(log(&house, said).await);
    }
    let position = &cases[3].position;
    assert_eq!(cases[3].case_id, cases[0].case_id);
    let first = read(&house, &cases[0].case_id, position).await;
    assert_eq!(first.linked_case_ids, [cases[1].case_id.clone(), cases[2].case_id.clone()]);
    for other in &cases[1..3] {
        assert!(other.case_opened);
        let case = read(&house, &other.case_id, position).await;
        assert_eq!(case.linked_case_ids, [cases[0].case_id.clone()]);
        assert_eq!(case.customer_id, other.customer_id);
    }
}

#[tokio::test]
async fn a_case_opens_with_what_the_customer_said_first() {
    let house = House::start().await;
    let mut called = interaction("1", "A-1", "We called you about your order.");
    called.direction = Direction::Outbound.into();
    let called = log(&house, called).await;
    let opening = |case: Case| case.opening.and_then(|text| text.value);
    let case = read(&house, &called.case_id, &called.position).await;
    assert_eq!(opening(case), Some(Value::Clear("We called you about your order.".to_owned())));
    let said = log(&house, interaction("2", "A-1", "Which order?")).await;
    assert_eq!(said.case_id, called.case_id);
    let said = log(&house, interaction("3", "A-1", "Ah, that one.")).await;
    let case = read(&house, &called.case_id, &said.position).await;
    assert_eq!(opening(case), Some(Value::Clear("Which order?".to_owned())));
}

#[tokio::test]
async fn what_happened_earlier_and_is_logged_late_counts_at_its_own_time() {
    let house = House::start().await;
    let now = log(&house, interaction("1", "A-1", "Where is my parcel?")).await;
    let mut earlier = interaction("2", "A-1", "I ordered today.");
    earlier.occurred_at = at(&house, 3);
    let earlier = log(&house, earlier).await;
    let case = read(&house, &earlier.case_id, &earlier.position).await;
    assert_eq!(earlier.case_id, now.case_id);
    assert_eq!(case.interactions, 2);
    assert!(case.last_interaction_at.unwrap().seconds > at(&house, 1).unwrap().seconds);
}
