//! Stories of the escalation.

use super::*;
use crate::cast::{self, Story, case_id, customer_id, day, department, promise_id, rung, sealed};
use crate::noun::Noun;
use crate::values::{At, Kind};

fn given(events: impl IntoIterator<Item = Event>) -> Story {
    cast::given(Noun::Escalation(case_id(1)), events)
}

/// A complaint: the cast's ladder for it has a lead (a day), a head (two days) and a director (three days).
fn raised(by: RaisedBy) -> Raised {
    Raised { by, customer: customer_id(1), kind: Kind::Complaint, reason: Some(sealed("why")), rung: None }
}

fn by_staff() -> Event {
    Event::Raised(raised(RaisedBy::Staff))
}

fn placed(on: &str, days: u16) -> Event {
    let inbox = if on == "director" { "delivery" } else { "product" };
    Event::Placed(Placed {
        ladder: "grave".to_owned(),
        rung: rung(on),
        department: department(inbox),
        answer_by: day(days),
        answer_within_minutes: u32::from(days) * 1_440,
    })
}

fn climbed(from: &str, to: &str, by: At, days: u16) -> Event {
    let inbox = if to == "director" { "delivery" } else { "product" };
    Event::Climbed(Climbed {
        from: rung(from),
        to: rung(to),
        department: department(inbox),
        answer_by: by,
        answer_within_minutes: u32::from(days) * 1_440,
    })
}

fn unanswered(on: &str, by: At) -> Event {
    Event::Unanswered(Unanswered { rung: rung(on), answer_by: by })
}

fn with_the_lead() -> [Event; 2] {
    [by_staff(), placed("lead", 1)]
}

fn accepted() -> Event {
    Event::Accepted(Accepted {})
}

fn declined() -> Event {
    Event::Declined(Declined { reason: sealed("no") })
}

fn decline() -> Command {
    Command::Decline { reason: sealed("no") }
}

fn resolve() -> Command {
    Command::Resolve { resolution: sealed("done") }
}

#[test]
fn what_staff_raise_begins_on_the_lowest_rung() {
    given([])
        .when(Command::Raise(raised(RaisedBy::Staff)))
        .then([by_staff()])
        .and_policy([placed("lead", 1)])
        .again()
        .refused("ALREADY_ESCALATED");
}

#[test]
fn what_a_customer_raises_begins_where_the_ladder_says() {
    given([]).when(Command::Raise(raised(RaisedBy::Customer))).and_policy([placed("head", 2)]);
}

#[test]
fn a_broken_promise_is_raised_like_what_staff_raise() {
    let by = RaisedBy::BrokenPromise(promise_id(1));
    given([]).when(Command::Raise(raised(by))).and_policy([placed("lead", 1)]);
}

#[test]
fn a_rung_asked_for_is_the_rung_it_is_placed_on() {
    let asked = Raised { rung: Some(rung("director")), ..raised(RaisedBy::Staff) };
    given([]).when(Command::Raise(asked)).and_policy([placed("director", 3)]);
}

#[test]
fn a_rung_accepts_it_once_and_its_deadline_is_gone() {
    let outcome = given(with_the_lead()).when(Command::Accept).then([accepted()]).again().then_nothing();
    let story = outcome.and_then().at(day(9)).when(Command::GoUnanswered).then_nothing().and_then();
    assert!(story.state().due().is_empty());
}

#[test]
fn what_nobody_answers_climbs_at_the_deadline_and_no_sooner() {
    let early = given(with_the_lead()).at(At(day(1).0 - 1)).when(Command::GoUnanswered).then_nothing();
    early
        .and_then()
        .at(day(1))
        .when(Command::GoUnanswered)
        .then([unanswered("lead", day(1))])
        .and_policy([climbed("lead", "head", day(3), 2)])
        .again()
        .then_nothing();
}

#[test]
fn it_climbs_rung_by_rung_to_the_top_and_waits_there() {
    let story = given(with_the_lead()).at(day(1)).when(Command::GoUnanswered).and_then();
    let outcome = story.at(day(3)).when(Command::GoUnanswered);
    let story = outcome.and_policy([climbed("head", "director", day(6), 3)]).and_then();
    let outcome = story.at(day(6)).when(Command::GoUnanswered).then([unanswered("director", day(6))]);
    let story = outcome.and_policy([Event::Exhausted(Exhausted { rung: rung("director") })]).and_then();
    assert!(story.state().due().is_empty(), "above the top nobody is waited for");
    story.when(Command::Accept).then([accepted()]);
}

#[test]
fn who_accepted_it_resolves_it() {
    given(with_the_lead()).when(resolve()).refused("NOT_ACCEPTED");
    let story = given(with_the_lead()).when(Command::Accept).and_then();
    let done = Event::Resolved(Resolved { resolution: sealed("done") });
    story.when(resolve()).then([done]).again().refused("ESCALATION_OVER");
}

#[test]
fn a_rung_may_decline_it_until_it_has_accepted_it() {
    let outcome = given(with_the_lead()).when(decline()).then([declined()]);
    outcome.again().refused("ESCALATION_OVER");
    let story = given(with_the_lead()).when(Command::Accept).and_then();
    story.when(decline()).refused("ALREADY_ACCEPTED");
}

#[test]
fn raised_again_it_is_never_placed_below_a_rung_that_has_seen_it() {
    let seen = [by_staff(), placed("head", 2), declined()];
    given(seen).when(Command::Raise(raised(RaisedBy::Staff))).and_policy([placed("head", 2)]);
    let climbed = [by_staff(), placed("lead", 1), climbed("lead", "director", day(4), 3), declined()];
    let asked = Raised { rung: Some(rung("lead")), ..raised(RaisedBy::Staff) };
    given(climbed).when(Command::Raise(asked)).and_policy([placed("director", 3)]);
}

#[test]
fn a_closed_case_ends_it_whatever_it_waits_for() {
    let ended = || [Event::Ended(Ended { because: EndedBecause::CaseClosed })];
    given(with_the_lead()).when(Command::End).then(ended()).again().then_nothing();
    let story = given(with_the_lead()).when(Command::Accept).and_then();
    story.when(Command::End).then(ended());
    given([]).when(Command::End).then_nothing();
}

#[test]
fn nothing_happens_to_a_case_that_was_never_escalated() {
    for command in [Command::Accept, decline(), resolve()] {
        given([]).when(command).refused("NOT_FOUND");
    }
}
