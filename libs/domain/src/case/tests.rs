//! Stories of the case.

use super::*;
use crate::cast::{
    self, Story, case_id, classification, customer_id, day, interaction_id, promise_id, sealed, thread,
};
use crate::noun::Noun;
use crate::values::{At, Channel, Direction, Kind, PromiseKind, Sealed};

fn given(events: impl IntoIterator<Item = Event>) -> Story {
    cast::given(Noun::Case(case_id(1)), events)
}

fn opened() -> Event {
    let (customer, kind) = (customer_id(1), Kind::Enquiry);
    Event::Opened(Opened { customer, kind, channel: Channel::Email, thread: None })
}

fn log(text: &str) -> Log {
    Log {
        interaction: interaction_id(1),
        customer: customer_id(1),
        channel: Channel::Email,
        direction: Direction::Inbound,
        kind: Kind::Enquiry,
        thread: None,
        text: sealed(text),
        classification: classification(text),
    }
}

fn logged(log: Log) -> Event {
    Event::InteractionLogged(InteractionLogged {
        interaction: log.interaction,
        customer: log.customer,
        channel: log.channel,
        direction: log.direction,
        kind: log.kind,
        text: log.text,
        classification: log.classification,
    })
}

fn open() -> [Event; 2] {
    [opened(), logged(log("it is late"))]
}

fn resolved_case() -> [Event; 4] {
    let [opened, logged] = open();
    [opened, logged, resolved("sent again"), awaited(day(7))]
}

fn closed_case() -> [Event; 5] {
    let [opened, logged, resolved, awaited] = resolved_case();
    [opened, logged, resolved, awaited, confirmed(ConfirmedBy::Customer)]
}

fn resolved(resolution: &str) -> Event {
    Event::Resolved(Resolved { resolution: sealed(resolution) })
}

fn awaited(until: At) -> Event {
    Event::ConfirmationAwaited(ConfirmationAwaited { until, silence_days: cast::SILENCE_DAYS })
}

fn confirmed(by: ConfirmedBy) -> Event {
    Event::ResolutionConfirmed(ResolutionConfirmed { by })
}

fn reopened(because: ReopenedBecause) -> Event {
    Event::Reopened(Reopened { because })
}

fn reclassified(from: Kind, to: Kind, first: Log) -> Event {
    Event::Reclassified(Reclassified {
        from,
        to,
        reason: Some(why()),
        customer: first.customer,
        interaction: first.interaction,
        text: first.text,
        classification: first.classification,
    })
}

fn why() -> Sealed {
    sealed("because")
}

fn resolve(resolution: &str) -> Command {
    Command::Resolve { resolution: sealed(resolution) }
}

fn reject() -> Command {
    Command::Reject { reason: why() }
}

fn reopen() -> Command {
    Command::Reopen { reason: why() }
}

fn reclassify(to: Kind) -> Command {
    Command::Reclassify { to, reason: Some(why()) }
}

#[test]
fn the_first_interaction_opens_the_case() {
    given([]).when(Command::Log(log("it is late"))).then(open()).and_policy::<Event>([]);
}

#[test]
fn the_case_is_of_the_first_interactions_kind_channel_and_thread() {
    let first =
        Log { kind: Kind::Complaint, channel: Channel::Phone, thread: Some(thread(1)), ..log("it is late") };
    let opened = Opened {
        customer: customer_id(1),
        kind: Kind::Complaint,
        channel: Channel::Phone,
        thread: Some(thread(1)),
    };
    given([]).when(Command::Log(first.clone())).then([Event::Opened(opened), logged(first)]);
}

#[test]
fn a_further_interaction_is_logged_in_the_open_case() {
    given(open()).when(Command::Log(log("still"))).then([logged(log("still"))]).and_policy::<Event>([]);
}

#[test]
fn another_customers_interaction_is_refused() {
    let other = || Command::Log(Log { customer: customer_id(2), ..log("me too") });
    given(open()).when(other()).refused("CASE_OF_ANOTHER_CUSTOMER");
    given(resolved_case()).when(other()).refused("CASE_OF_ANOTHER_CUSTOMER");
    given(closed_case()).when(other()).refused("CASE_OF_ANOTHER_CUSTOMER");
}

#[test]
fn a_customer_who_writes_again_reopens_a_resolved_or_closed_case() {
    let again = || log("it is broken again");
    for over in [given(resolved_case()), given(closed_case())] {
        let outcome = over.when(Command::Log(again())).then([logged(again())]);
        let case = outcome.and_policy([reopened(ReopenedBecause::CustomerWroteAgain)]).and_then();
        // Open it is: one more interaction reopens nothing.
        case.when(Command::Log(again())).then([logged(again())]).and_policy::<Event>([]);
    }
}

#[test]
fn what_staff_write_leaves_a_resolved_or_closed_case_as_it_is() {
    let outbound = || Log { direction: Direction::Outbound, ..log("we have sent it") };
    for over in [given(resolved_case()), given(closed_case())] {
        over.when(Command::Log(outbound())).then([logged(outbound())]).and_policy::<Event>([]);
    }
}

#[test]
fn staff_resolve_an_open_case_and_the_policy_waits_for_the_customer() {
    given(open())
        .at(day(3))
        .when(resolve("sent again"))
        .then([resolved("sent again")])
        .and_policy([awaited(day(3 + cast::SILENCE_DAYS))])
        .again()
        .refused("ALREADY_RESOLVED");
}

#[test]
fn a_case_that_is_not_open_cannot_be_resolved() {
    given([]).when(resolve("sent again")).refused("NOT_FOUND");
    given(resolved_case()).when(resolve("refunded")).refused("ALREADY_RESOLVED");
    given(closed_case()).when(resolve("refunded")).refused("CASE_CLOSED");
}

#[test]
fn a_customer_who_is_content_closes_the_case() {
    given(resolved_case())
        .when(Command::Confirm)
        .then([confirmed(ConfirmedBy::Customer)])
        .and_policy::<Event>([])
        .again()
        .then_nothing();
}

#[test]
fn there_is_nothing_to_confirm_before_a_resolution() {
    given([]).when(Command::Confirm).refused("NOT_FOUND");
    given(open()).when(Command::Confirm).refused("NOT_RESOLVED");
}

#[test]
fn a_customer_who_is_not_content_opens_the_case_again() {
    let rejected = Event::ResolutionRejected(ResolutionRejected { reason: why() });
    given(resolved_case()).when(reject()).then([rejected]).again().refused("NOT_RESOLVED");
}

#[test]
fn there_is_nothing_to_reject_before_a_resolution_or_after_it_is_confirmed() {
    given([]).when(reject()).refused("NOT_FOUND");
    given(open()).when(reject()).refused("NOT_RESOLVED");
    given(closed_case()).when(reject()).refused("CASE_CLOSED");
}

#[test]
fn silence_until_the_time_the_policy_waits_for_closes_the_case() {
    given(resolved_case())
        .at(day(7))
        .when(Command::ConfirmBySilence)
        .then([confirmed(ConfirmedBy::Silence)])
        .again()
        .then_nothing();
}

#[test]
fn silence_that_has_not_lasted_or_counts_no_more_closes_nothing() {
    given(resolved_case()).at(At(day(7).0 - 1)).when(Command::ConfirmBySilence).then_nothing();
    given([]).at(day(7)).when(Command::ConfirmBySilence).then_nothing();
    given(open()).at(day(7)).when(Command::ConfirmBySilence).then_nothing();
    given(closed_case()).at(day(7)).when(Command::ConfirmBySilence).then_nothing();
    // Resolved where no policy was in force to wait for anything.
    let [opened, logged, resolved, _] = resolved_case();
    given([opened, logged, resolved]).at(day(700)).when(Command::ConfirmBySilence).then_nothing();
}

#[test]
fn only_a_resolved_case_is_due_and_at_the_time_the_policy_waits_for() {
    let due = |story: Story| story.state().due();
    assert_eq!(due(given(resolved_case())), [(day(7), CONFIRM_BY_SILENCE.into())]);
    assert_eq!(due(given([])), []);
    assert_eq!(due(given(open())), []);
    assert_eq!(due(given(closed_case())), []);
    assert_eq!(due(given(resolved_case()).when(reject()).and_then()), []);
    assert_eq!(when_due(CONFIRM_BY_SILENCE), Some(Command::ConfirmBySilence));
    assert_eq!(when_due("of_a_newer_build"), None);
}

#[test]
fn staff_reopen_a_resolved_or_closed_case() {
    for over in [given(resolved_case()), given(closed_case())] {
        let reopened = reopened(ReopenedBecause::Staff(why()));
        over.when(reopen()).then([reopened]).and_policy::<Event>([]).again().then_nothing();
    }
}

#[test]
fn reopening_an_open_case_changes_nothing_and_an_absent_one_is_refused() {
    given(open()).when(reopen()).then_nothing();
    given([]).when(reopen()).refused("NOT_FOUND");
}

#[test]
fn a_case_reopened_can_be_resolved_again_and_waits_anew() {
    given(closed_case())
        .at(day(20))
        .when(reopen())
        .and_then()
        .when(resolve("refunded"))
        .then([resolved("refunded")])
        .and_policy([awaited(day(20 + cast::SILENCE_DAYS))]);
}

#[test]
fn what_a_case_is_about_may_be_corrected_and_carries_what_was_said_first() {
    for unfinished in [given(open().to_vec()), given(resolved_case().to_vec())] {
        unfinished
            .when(Command::Log(Log {
                interaction: interaction_id(2),
                direction: Direction::Outbound,
                ..log("noted")
            }))
            .and_then()
            .when(reclassify(Kind::Complaint))
            .then([reclassified(Kind::Enquiry, Kind::Complaint, log("it is late"))])
            .and_policy::<Event>([])
            .again()
            .then_nothing();
    }
}

#[test]
fn what_the_customer_said_first_counts_even_if_staff_spoke_before() {
    let call = Log { direction: Direction::Outbound, ..log("we called to ask") };
    let answer = Log { interaction: interaction_id(2), ..log("it could be less late") };
    let later = Log { interaction: interaction_id(3), ..log("as I said") };
    given([opened(), logged(call.clone())])
        .when(reclassify(Kind::Other))
        .then([reclassified(Kind::Enquiry, Kind::Other, call)])
        .and_then()
        .when(Command::Log(answer.clone()))
        .and_then()
        .when(Command::Log(later))
        .and_then()
        .when(reclassify(Kind::Suggestion))
        .then([reclassified(Kind::Other, Kind::Suggestion, answer)]);
}

#[test]
fn what_a_closed_or_absent_case_is_about_stays() {
    given([]).when(reclassify(Kind::Complaint)).refused("NOT_FOUND");
    given(closed_case()).when(reclassify(Kind::Complaint)).refused("CASE_CLOSED");
}

#[test]
fn a_case_is_linked_to_another_of_its_conversation_in_any_phase() {
    let link = || Command::Link { to: case_id(2) };
    let linked = || Event::Linked(Linked { to: case_id(2) });
    given([]).when(link()).refused("NOT_FOUND");
    given(open()).when(link()).then([linked()]);
    given(resolved_case()).when(link()).then([linked()]);
    given(closed_case()).when(link()).then([linked()]);
}

fn callback() -> PromiseKind {
    PromiseKind::parse("callback").unwrap()
}

/// Calling back on a day, which the cast's policy allows from the next day to the fifth.
fn promise(due: At) -> Command {
    Command::Promise { promise: promise_id(1), kind: callback(), due, text: sealed("we call you") }
}

fn proposed(due: At) -> Event {
    let text = sealed("we call you");
    Event::PromiseProposed(PromiseProposed { promise: promise_id(1), kind: callback(), due, text })
}

fn made(due: At) -> Event {
    Event::PromiseMade(PromiseMade { promise: promise_id(1), due })
}

fn refused(because: Infeasible) -> Event {
    Event::PromiseRefused(PromiseRefused { promise: promise_id(1), because })
}

fn promised(due: At) -> Vec<Event> {
    open().into_iter().chain([proposed(due), made(due)]).collect()
}

fn keep() -> Command {
    Command::KeepPromise { promise: promise_id(1), note: None }
}

fn put_off(due: At) -> Command {
    Command::RenegotiatePromise { promise: promise_id(1), due, reason: why() }
}

fn broken(due: At) -> Event {
    let (promise, kind, customer, about) = (promise_id(1), callback(), customer_id(1), Kind::Enquiry);
    Event::PromiseBroken(PromiseBroken { promise, kind, due, customer, about })
}

fn break_it() -> Command {
    Command::BreakPromise { promise: promise_id(1) }
}

#[test]
fn a_promise_that_the_company_can_keep_stands() {
    given(open())
        .when(promise(day(2)))
        .then([proposed(day(2))])
        .and_policy([made(day(2))])
        .again()
        .then_nothing();
}

#[test]
fn a_promise_that_the_company_cannot_keep_is_refused_with_what_it_could() {
    let too_soon = refused(Infeasible::TooSoon { soonest: day(1) });
    given(open()).when(promise(At(day(1).0 - 1))).and_policy([too_soon]);
    let too_far = refused(Infeasible::TooFar { latest: day(5) });
    given(open()).when(promise(At(day(5).0 + 1))).and_policy([too_far]);
    let miracle = PromiseKind::parse("miracle").unwrap();
    let command = Command::Promise { promise: promise_id(1), kind: miracle, due: day(2), text: why() };
    given(open()).when(command).and_policy([refused(Infeasible::UnknownKind)]);
}

#[test]
fn nothing_is_promised_for_the_past_or_in_a_closed_case() {
    given(open()).at(day(3)).when(promise(day(3))).refused("PROMISE_DUE_PAST");
    given(closed_case()).when(promise(day(2))).refused("CASE_CLOSED");
    given([]).when(promise(day(2))).refused("NOT_FOUND");
}

#[test]
fn a_case_holds_so_many_promises_and_no_more() {
    let many = (0..PROMISES_MAX).map(|n| {
        let promise = crate::values::PromiseId::derive(&[&n.to_be_bytes()]);
        Event::PromiseProposed(PromiseProposed { promise, kind: callback(), due: day(2), text: why() })
    });
    given(open().into_iter().chain(many)).when(promise(day(2))).refused("TOO_MANY_PROMISES");
}

#[test]
fn a_promise_is_kept_once() {
    let kept = Event::PromiseKept(PromiseKept { promise: promise_id(1), note: None });
    given(promised(day(2))).when(keep()).then([kept]).again().then_nothing();
}

#[test]
fn a_promise_not_kept_is_broken_at_its_time_and_stays_so() {
    given(promised(day(2))).at(At(day(2).0 - 1)).when(break_it()).then_nothing();
    let outcome = given(promised(day(2))).at(day(2)).when(break_it()).then([broken(day(2))]);
    let story = outcome.again().then_nothing().and_then();
    let story = story.when(keep()).refused("PROMISE_BROKEN").and_then();
    story.when(put_off(day(3))).refused("PROMISE_BROKEN");
}

#[test]
fn a_promise_kept_in_time_is_not_broken() {
    given(promised(day(2))).when(keep()).and_then().at(day(2)).when(break_it()).then_nothing();
}

#[test]
fn a_promise_put_off_is_broken_at_its_new_time_only() {
    let renegotiated =
        PromiseRenegotiated { promise: promise_id(1), from: day(2), due: day(4), reason: why() };
    let outcome = given(promised(day(2))).when(put_off(day(4)));
    let outcome = outcome.then([Event::PromiseRenegotiated(renegotiated)]).again().then_nothing();
    let story = outcome.and_then().at(day(2)).when(break_it()).then_nothing().and_then();
    story.at(day(4)).when(break_it()).then([broken(day(4))]);
    given(promised(day(2))).at(day(1)).when(put_off(day(1))).refused("PROMISE_DUE_PAST");
}

#[test]
fn a_promise_outlives_the_case_it_was_given_in() {
    let closed = promised(day(2)).into_iter().chain([resolved("done"), confirmed(ConfirmedBy::Customer)]);
    given(closed).at(day(2)).when(break_it()).then([broken(day(2))]);
}

#[test]
fn a_promise_that_was_never_given_can_be_neither_kept_nor_put_off() {
    let refused_one = open().into_iter().chain([proposed(day(9)), refused(Infeasible::UnknownKind)]);
    let story = given(refused_one).when(keep()).refused("PROMISE_NOT_GIVEN").and_then();
    story.when(put_off(day(4))).refused("PROMISE_NOT_GIVEN");
    given(open()).when(keep()).refused("PROMISE_NOT_FOUND");
    given([]).when(keep()).refused("NOT_FOUND");
    let kept = given(promised(day(2))).when(keep()).and_then();
    kept.when(put_off(day(4))).refused("PROMISE_KEPT");
}
