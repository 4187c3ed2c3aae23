//! Histories that come in late, told as stories: what was due to happen by itself happens in its place, and not before the rest has come in.

use std::sync::Arc;

use crate::case;
use crate::cast::*;
use crate::escalation::{self, Raised, RaisedBy};
use crate::import;
use crate::noun::{Event, Noun, State};
use crate::plan::{Intent, Interaction};
use crate::record::{Cause, Record};
use crate::rows::View;
use crate::service::Service;
use crate::values::{At, CaseId, Kind};

/// A house a year on, into which a history begins to come in.
fn importing() -> House {
    let mut house = House::new();
    house.wait(400);
    house.ask(Intent::Import { import: import_id(1), command: import::Command::Start }).unwrap();
    house
}

fn close(house: &mut House) {
    let command = import::Command::Close { recorded: 1, already_recorded: 0, refused: 0 };
    house.ask(Intent::Import { import: import_id(1), command }).unwrap();
    house.wait(0);
}

#[track_caller]
fn brought(house: &mut House, at: At, intent: Intent) -> Vec<Arc<Record>> {
    house.submit(Some(at), Some(import_id(1)), intent).unwrap()
}

/// A case that the import brings.
fn opened(house: &mut House, at: At) -> CaseId {
    let records = brought(house, at, Intent::LogInteraction(Box::new(caller([account("a-1")]))));
    let of = |record: &Arc<Record>| if let Noun::Case(case) = record.noun { Some(case) } else { None };
    records.iter().find_map(of).unwrap()
}

fn on_case(case: CaseId, command: case::Command) -> Intent {
    Intent::Case { case, command, expected_rev: None, sealing: None }
}

fn resolve(case: CaseId) -> Intent {
    on_case(case, case::Command::Resolve { resolution: sealed("sent again") })
}

fn on_escalation(case: CaseId, command: escalation::Command) -> Intent {
    Intent::Escalation { case, command, expected_rev: None }
}

fn raise(case: CaseId) -> Intent {
    let (by, reason) = (RaisedBy::Staff, Some(sealed("why")));
    let raised = Raised { by, customer: customer_id(1), kind: Kind::Complaint, reason, rung: None };
    on_escalation(case, escalation::Command::Raise(raised))
}

/// What happened to a noun, each with the time that it reckons with.
fn story(house: &House, noun: Noun) -> Vec<(&'static str, At)> {
    let of_noun = house.log.iter().filter(|record| record.noun == noun);
    let told = of_noun
        .flat_map(|record| record.events.iter().map(|entry| (entry.event.wire_type(), record.effective_at)));
    told.collect()
}

fn is_closed(house: &House, case: CaseId) -> bool {
    matches!(house.shelf(Service::Intake).state(Noun::Case(case)), State::Case(case::State::Closed(_)))
}

#[test]
fn nothing_is_due_to_history_until_the_rest_of_it_has_come_in() {
    let mut house = importing();
    let case = opened(&mut house, day(2));
    brought(&mut house, day(3), resolve(case));
    house.wait(30);
    assert!(!is_closed(&house, case), "a later row may still say otherwise");
    close(&mut house);
    assert!(is_closed(&house, case));
    let confirmed = house.log.last().unwrap();
    let silence = day(3 + SILENCE_DAYS);
    assert_eq!((confirmed.cause, confirmed.effective_at), (Some(Cause::Due(silence)), silence));
    assert_eq!(confirmed.import, Some(import_id(1)), "what becomes of history by itself is history");
}

#[test]
fn what_was_due_before_a_later_row_happens_before_it() {
    let mut house = importing();
    let case = opened(&mut house, day(2));
    brought(&mut house, day(3), resolve(case));
    let again =
        Interaction { case: Some(case), sealing: sealing_of(&house, case), ..caller([account("a-1")]) };
    let records = brought(&mut house, day(20), Intent::LogInteraction(Box::new(again)));
    assert_eq!(
        told(&records),
        [vec!["case.resolution_confirmed.v1"], vec!["case.interaction_logged.v1", "case.reopened.v1"]]
    );
    assert_eq!(records.iter().map(|r| r.effective_at).collect::<Vec<_>>(), [day(3 + SILENCE_DAYS), day(20)]);
    close(&mut house);
    assert!(!is_closed(&house, case));
}

fn sealing_of(house: &House, case: CaseId) -> crate::plan::Sealing {
    match house.shelf(Service::Intake).state(Noun::Case(case)) {
        State::Case(state) => sealed_for(state.matter().unwrap().customer, 1),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_later_row_forestalls_never_happens() {
    let mut house = importing();
    let case = opened(&mut house, day(2));
    brought(&mut house, day(3), resolve(case));
    brought(&mut house, day(4), on_case(case, case::Command::Reject { reason: sealed("no") }));
    close(&mut house);
    assert!(!is_closed(&house, case));
}

#[test]
fn a_row_that_comes_to_nothing_sets_nothing_off() {
    let mut house = importing();
    let case = opened(&mut house, day(2));
    brought(&mut house, day(3), resolve(case));
    let before = house.shelves.clone();
    assert_eq!(brought(&mut house, day(30), on_case(case, case::Command::Confirm)), []);
    assert_eq!(house.shelves, before);
}

#[test]
fn what_silence_has_ended_by_then_is_not_joined() {
    let mut house = importing();
    let case = opened(&mut house, day(2));
    brought(&mut house, day(2), resolve(case));
    let later = Interaction { sealing: sealing_of(&house, case), ..caller([account("a-1")]) };
    let records = brought(&mut house, day(2 + SILENCE_DAYS), Intent::LogInteraction(Box::new(later)));
    assert!(records.iter().all(|record| record.noun != Noun::Case(case)), "{records:?}");
}

#[test]
fn an_escalation_of_the_past_climbs_by_the_clock_of_the_past() {
    let mut house = importing();
    let case = opened(&mut house, day(2));
    let escalation = Noun::Escalation(case);
    brought(&mut house, day(2), raise(case));
    house.wait(30);
    assert_eq!(
        story(&house, escalation),
        [("escalation.raised.v1", day(2)), ("escalation.placed.v1", day(2))]
    );
    // The cast's ladder: a day on the first rung, then two.
    brought(&mut house, day(4), on_escalation(case, escalation::Command::Accept));
    let expected = [
        ("escalation.unanswered.v1", day(3)),
        ("escalation.climbed.v1", day(3)),
        ("escalation.accepted.v1", day(4)),
    ];
    assert_eq!(story(&house, escalation)[2..], expected);
    let at_rest = house.log.len();
    close(&mut house);
    house.wait(30);
    assert_eq!(house.log.len(), at_rest + 1, "nothing but that the import is closed");
}

#[test]
fn a_case_that_closes_ends_its_escalation_at_that_time() {
    let mut house = importing();
    let case = opened(&mut house, day(2));
    brought(&mut house, day(2), raise(case));
    brought(&mut house, day(2), resolve(case));
    brought(&mut house, day(4), on_case(case, case::Command::Confirm));
    let expected = [
        ("escalation.unanswered.v1", day(3)),
        ("escalation.climbed.v1", day(3)),
        ("escalation.ended.v1", day(4)),
    ];
    assert_eq!(story(&house, Noun::Escalation(case))[2..], expected);
}

#[test]
fn what_nobody_answered_in_all_of_the_history_climbs_when_it_has_come_in() {
    let mut house = importing();
    let case = opened(&mut house, day(2));
    brought(&mut house, day(2), raise(case));
    close(&mut house);
    let climbs = story(&house, Noun::Escalation(case));
    let unanswered: Vec<At> =
        climbs.iter().filter(|(event, _)| *event == "escalation.unanswered.v1").map(|(_, at)| *at).collect();
    assert_eq!(unanswered, [day(3), day(5), day(8)]);
}

#[test]
fn history_that_somebody_takes_up_in_the_present_reckons_with_the_present() {
    let mut house = importing();
    let case = opened(&mut house, day(2));
    house.ask(resolve(case)).unwrap();
    let held = house.shelf(Service::Intake).held(&Noun::Case(case)).unwrap();
    assert_eq!((held.import, held.at), (None, day(400)));
    house.wait(SILENCE_DAYS);
    assert!(is_closed(&house, case), "the wall's clock does not wait for the import");
    let confirmed = house.log.last().unwrap();
    assert!(matches!(&confirmed.events[0].event, Event::Case(case::Event::ResolutionConfirmed(_))));
    assert_eq!(confirmed.import, None);
}

#[test]
fn an_import_does_not_stop_the_clock_of_what_it_did_not_bring() {
    let mut house = importing();
    let live = house.log(caller([account("a-1")]));
    let Noun::Case(case) = live.last().unwrap().noun else { panic!("{live:?}") };
    let told =
        Interaction { case: Some(case), sealing: sealing_of(&house, case), ..caller([account("a-1")]) };
    brought(&mut house, day(20), Intent::LogInteraction(Box::new(told)));
    house.ask(resolve(case)).unwrap();
    house.wait(SILENCE_DAYS);
    assert!(is_closed(&house, case));
}
