//! Stories of the charge and its refunds.

use super::*;
use crate::cast::{self, Story, actor, charge_id, currency, day, key, minor, reference, refund_id, sealed};
use crate::noun::Noun;
use crate::values::{At, Minor};

fn given(events: impl IntoIterator<Item = Event>) -> Story {
    cast::given(Noun::Charge(charge_id(1)), events)
}

/// 120 euro by card. The cast's policy lets one person give 50 alone, covers cost up to 40 and goodwill up to 10.
fn captured() -> Registered {
    Registered {
        reference: reference("ch_1"),
        order: Some(reference("order-7")),
        customer: None,
        case: None,
        method: Method::Card,
        currency: currency("EUR"),
        captured: minor(12_000),
        key: key(1),
    }
}

fn registered() -> Event {
    Event::Registered(captured())
}

fn line(kind: LineKind, cents: u64) -> Line {
    Line { kind, amount: minor(cents), evidence: None }
}

fn asked_for(n: u8, lines: impl IntoIterator<Item = Line>) -> RefundRequested {
    let lines = lines.into_iter().collect();
    RefundRequested { refund: refund_id(n), by: actor("ana"), lines, reason: sealed("twice") }
}

fn principal(n: u8, cents: u64) -> RefundRequested {
    asked_for(n, [line(LineKind::Principal, cents)])
}

fn request(requested: RefundRequested) -> Command {
    Command::RequestRefund { currency: currency("EUR"), requested }
}

fn requested(cents: u64) -> [Event; 2] {
    [registered(), Event::RefundRequested(principal(1, cents))]
}

fn approval(by: &str) -> ApprovalGiven {
    ApprovalGiven { refund: refund_id(1), by: actor(by) }
}

fn approve(by: &str) -> Command {
    Command::Approve(approval(by))
}

fn approved(cents: u64) -> Event {
    let (refund, amount) = (refund_id(1), minor(cents));
    Event::RefundApproved(RefundApproved { refund, amount, alone_up_to: minor(5_000) })
}

fn instructed(cents: u64, attempt: u16, until: At) -> Event {
    Event::RefundInstructed(RefundInstructed {
        refund: refund_id(1),
        reference: reference("ch_1"),
        currency: currency("EUR"),
        amount: minor(cents),
        attempt,
        until,
    })
}

fn seconds(n: u32) -> At {
    day(0).plus_seconds(n)
}

fn on_its_way() -> Vec<Event> {
    let asked = requested(4_000).into_iter();
    let given = Event::ApprovalGiven(approval("ana"));
    asked.chain([given, approved(4_000), instructed(4_000, 1, seconds(30))]).collect()
}

fn pay() -> Command {
    Command::Pay { refund: refund_id(1), payout: reference("po_1") }
}

fn fail() -> Command {
    Command::Fail { refund: refund_id(1), code: reference("insufficient_funds") }
}

fn paid() -> Event {
    Event::RefundPaid(RefundPaid { refund: refund_id(1), payout: reference("po_1") })
}

fn failed() -> Event {
    Event::RefundFailed(RefundFailed { refund: refund_id(1), code: reference("insufficient_funds") })
}

fn lapse() -> Command {
    Command::Lapse { refund: refund_id(1) }
}

#[track_caller]
fn refundable(story: &Story) -> Minor {
    let crate::noun::State::Charge(state) = story.state() else { panic!("not a charge") };
    state.charge().unwrap().refundable()
}

#[test]
fn a_charge_is_registered_once_under_its_reference() {
    given([]).when(Command::Register(captured())).then([registered()]).again().then_nothing();
    let under_another_key = Registered { key: key(2), ..captured() };
    given([registered()]).when(Command::Register(under_another_key)).then_nothing();
    let other = Registered { captured: minor(11_000), ..captured() };
    given([registered()]).when(Command::Register(other)).refused("CHARGE_DIFFERS");
}

#[test]
fn a_refund_within_what_was_captured_waits_for_approval() {
    let outcome = given([registered()]).when(request(principal(1, 12_000)));
    let outcome = outcome.then([Event::RefundRequested(principal(1, 12_000))]);
    outcome.again().then_nothing();
}

#[test]
fn what_is_given_back_never_passes_what_was_captured() {
    given([registered()]).when(request(principal(1, 12_001))).refused("EXCEEDS_CAPTURED");
    let story = given(on_its_way()).when(pay()).and_then();
    assert_eq!(refundable(&story), minor(8_000));
    story
        .when(request(principal(2, 8_001)))
        .refused("EXCEEDS_CAPTURED")
        .and_then()
        .when(request(principal(2, 8_000)));
}

#[test]
fn cost_and_goodwill_count_against_what_was_captured_too() {
    let all = [line(LineKind::Principal, 11_000), line(LineKind::Consequential, 1_001)];
    given([registered()]).when(request(asked_for(1, all))).refused("EXCEEDS_CAPTURED");
}

#[test]
fn a_refund_is_in_the_currency_of_its_charge() {
    let dollars = Command::RequestRefund { currency: currency("USD"), requested: principal(1, 100) };
    given([registered()]).when(dollars).refused("OTHER_CURRENCY");
}

#[test]
fn one_refund_of_a_charge_is_open_at_a_time() {
    given(requested(100)).when(request(principal(2, 100))).refused("REFUND_OPEN");
    given(on_its_way()).when(request(principal(2, 100))).refused("REFUND_OPEN");
    let story = given(on_its_way()).when(pay()).and_then();
    story.when(request(principal(2, 100))).then([Event::RefundRequested(principal(2, 100))]);
}

#[test]
fn who_requests_little_may_approve_it_alone_and_it_is_paid_at_once() {
    given(requested(5_000))
        .when(approve("ana"))
        .then([Event::ApprovalGiven(approval("ana"))])
        .and_policy([approved(5_000), instructed(5_000, 1, seconds(30))])
        .again()
        .then_nothing();
}

#[test]
fn a_refund_above_the_limit_needs_somebody_who_did_not_request_it() {
    let required = SecondApprovalRequired { refund: refund_id(1), alone_up_to: minor(5_000) };
    let outcome = given(requested(5_001)).when(approve("ana"));
    let outcome = outcome.and_policy([Event::SecondApprovalRequired(required)]).again().then_nothing();
    let outcome = outcome.and_then().when(approve("bo")).then([Event::ApprovalGiven(approval("bo"))]);
    outcome.and_policy([approved(5_001), instructed(5_001, 1, seconds(30))]);
}

#[test]
fn whoever_acts_for_the_requester_or_was_acted_for_is_not_the_second_person() {
    let required = SecondApprovalRequired { refund: refund_id(1), alone_up_to: minor(5_000) };
    for (n, same) in
        [actor("ana").acting_for(&actor("bo")), actor("bo").acting_for(&actor("ana"))].iter().enumerate()
    {
        let given_by = ApprovalGiven { refund: refund_id(1), by: same.clone() };
        given(requested(5_001))
            .when(Command::Approve(given_by.clone()))
            .then([Event::ApprovalGiven(given_by)])
            .and_policy([Event::SecondApprovalRequired(required.clone())]);
        assert!(same.shares_somebody_with(&actor("ana")), "{n}");
    }
    assert!(!actor("bo").acting_for(&actor("cleo")).shares_somebody_with(&actor("ana")));
    assert_eq!(actor("ana").acting_for(&actor("ana")), actor("ana"), "for oneself is for nobody else");
}

#[test]
fn consequential_cost_above_the_limit_is_declined_with_the_limit() {
    let lines = [line(LineKind::Principal, 100), line(LineKind::Consequential, 4_001)];
    let because = DeclinedBecause::ConsequentialAbove { up_to: minor(4_000), would_be: minor(4_001) };
    let declined = Event::RefundDeclined(RefundDeclined { refund: refund_id(1), because });
    let outcome = given([registered()]).when(request(asked_for(1, lines))).and_policy([declined]);
    let story = outcome.and_then();
    assert_eq!(refundable(&story), minor(12_000), "what is declined is still there to be given");
    story.when(approve("bo")).refused("REFUND_DECIDED");
}

#[test]
fn goodwill_is_counted_over_all_refunds_of_a_charge() {
    let gift = |n, cents| asked_for(n, [line(LineKind::Goodwill, cents)]);
    let first = [registered(), Event::RefundRequested(gift(1, 600))];
    let story = given(first).when(approve("ana")).and_then().when(pay()).and_then();
    let because = DeclinedBecause::GoodwillAbove { up_to: minor(1_000), would_be: minor(1_001) };
    let declined = Event::RefundDeclined(RefundDeclined { refund: refund_id(2), because });
    story.when(request(gift(2, 401))).and_policy([declined]);
}

#[test]
fn a_refund_may_be_declined_until_it_is_decided() {
    let decline = || Command::Decline { refund: refund_id(1), by: actor("bo"), reason: sealed("no") };
    let because = DeclinedBecause::Said { by: actor("bo"), reason: sealed("no") };
    let declined = Event::RefundDeclined(RefundDeclined { refund: refund_id(1), because });
    given(requested(100)).when(decline()).then([declined]).again().refused("REFUND_DECIDED");
    given(on_its_way()).when(decline()).refused("REFUND_DECIDED");
}

#[test]
fn a_refund_is_paid_once_and_does_not_fail_afterwards() {
    let outcome = given(on_its_way()).when(pay()).then([paid()]).again().then_nothing();
    outcome.and_then().when(fail()).refused("REFUND_SETTLED");
}

#[test]
fn what_failed_can_be_given_back_by_another_refund() {
    let outcome = given(on_its_way()).when(fail()).then([failed()]).again().then_nothing();
    let story = outcome.and_then();
    assert_eq!(refundable(&story), minor(12_000));
    story.when(request(principal(2, 12_000))).then([Event::RefundRequested(principal(2, 12_000))]);
}

#[test]
fn while_nobody_can_tell_it_is_unknown_and_is_asked_about_again() {
    let because = UnknownBecause::NoAnswer;
    let lose_sight = || Command::LoseSight { refund: refund_id(1), attempt: 1, because };
    let unknown = Event::RefundUnknown(RefundUnknown { refund: refund_id(1), attempt: 1, because });
    let outcome = given(on_its_way()).when(lose_sight()).then([unknown]).again().then_nothing();
    let lapsed = Event::AttemptLapsed(AttemptLapsed { refund: refund_id(1), attempt: 1 });
    let outcome = outcome.and_then().at(seconds(30)).when(lapse()).then([lapsed]);
    let outcome = outcome.and_policy([instructed(4_000, 2, seconds(90))]).again().then_nothing();
    let story = outcome.and_then().when(lose_sight()).then_nothing().and_then();
    story.when(pay()).then([paid()]);
}

#[test]
fn an_attempt_without_an_outcome_is_followed_by_another_however_often() {
    let early = given(on_its_way()).at(seconds(29)).when(lapse()).then_nothing();
    let mut story = early.and_then();
    let (mut until, mut wait) = (30, 30);
    for attempt in 2..14 {
        let outcome = story.at(seconds(until)).when(lapse());
        wait = if attempt <= 9 { wait * 2 } else { wait };
        until += wait;
        story = outcome.and_policy([instructed(4_000, attempt, seconds(until))]).and_then();
    }
    story.when(pay()).then([paid()]);
}

#[test]
fn what_is_settled_does_not_lapse() {
    given(on_its_way()).when(pay()).and_then().at(day(1)).when(lapse()).then_nothing();
}

#[test]
fn nothing_becomes_of_a_payment_that_was_not_instructed() {
    given(requested(100)).when(pay()).refused("REFUND_NOT_INSTRUCTED");
    given(requested(100)).when(fail()).refused("REFUND_NOT_INSTRUCTED");
    given([registered()]).when(pay()).refused("REFUND_NOT_FOUND");
}

#[test]
fn what_was_paid_back_before_is_recorded_and_nothing_is_instructed() {
    let recorded = RefundRecorded {
        refund: refund_id(1),
        by: actor("ana"),
        lines: vec![line(LineKind::Principal, 3_000)],
        payout: reference("credit-note-5"),
    };
    let record = |recorded: &RefundRecorded| Command::RecordRefund {
        currency: currency("EUR"),
        recorded: recorded.clone(),
    };
    let outcome = given([registered()]).when(record(&recorded));
    let outcome = outcome.then([Event::RefundRecorded(recorded.clone())]);
    let story = outcome.and_policy::<Event>([]).again().then_nothing().and_then();
    assert_eq!(refundable(&story), minor(9_000));
    let more =
        RefundRecorded { refund: refund_id(2), lines: vec![line(LineKind::Principal, 9_001)], ..recorded };
    story.when(record(&more)).refused("EXCEEDS_CAPTURED");
}

#[test]
fn a_charge_holds_so_many_refunds_and_no_more() {
    let story = (0..REFUNDS_MAX).fold(given([registered()]), |story, n| {
        let refund = crate::values::RefundId::derive(&[&n.to_be_bytes()]);
        let requested = RefundRequested { refund, ..principal(1, 1) };
        let story = story.when(request(requested)).and_then();
        story.when(Command::Decline { refund, by: actor("bo"), reason: sealed("no") }).and_then()
    });
    story.when(request(principal(1, 1))).refused("TOO_MANY_REFUNDS");
}

#[test]
fn nothing_happens_to_a_charge_that_does_not_exist() {
    for command in [request(principal(1, 1)), approve("ana"), pay(), fail()] {
        given([]).when(command).refused("NOT_FOUND");
    }
}
