//! What follows from a request, from time passing and from another service's record, told as stories.

use std::sync::Arc;

use crate::case::{self, ConfirmedBy};
use crate::cast::*;
use crate::desk::{CASCADE_RECORDS_MAX, Submission};
use crate::import;
use crate::noun::{Event, Noun, State, Unreadable};
use crate::plan::{Intent, Interaction, NoPlan};
use crate::record::{Cause, Origin, Record, Request};
use crate::rows::{self, Delta, Lookup, View};
use crate::service::Service;
use crate::suggestion;
use crate::values::{Actor, At, CaseId, Direction, Kind, SuggestionId, Token};

fn suggests(text: &str) -> Interaction {
    Interaction { kind: Kind::Suggestion, ..says(text) }
}

#[track_caller]
fn case_of(records: &[Arc<Record>]) -> CaseId {
    let of = |record: &Arc<Record>| if let Noun::Case(case) = record.noun { Some(case) } else { None };
    records.iter().find_map(of).unwrap()
}

fn on_case(case: CaseId, command: case::Command) -> Intent {
    Intent::Case { case, command, expected_rev: None, sealing: None }
}

fn resolve() -> case::Command {
    case::Command::Resolve { resolution: sealed("sent again") }
}

fn reclassify(to: Kind) -> case::Command {
    case::Command::Reclassify { to, reason: None }
}

fn case_state(house: &House, case: CaseId) -> case::State {
    match house.shelf(Service::Intake).state(Noun::Case(case)) {
        State::Case(state) => state,
        other => panic!("{other:?}"),
    }
}

/// All suggestions, each with its department.
fn inboxes(house: &House) -> Vec<(SuggestionId, String)> {
    let inbox = |(noun, held): (&Noun, &rows::Held)| match (noun, &held.state) {
        (Noun::Suggestion(id), State::Suggestion(state)) => {
            Some((*id, state.idea().unwrap().department.as_str().to_owned()))
        }
        _ => None,
    };
    house.shelf(Service::Feedback).nouns().filter_map(inbox).collect()
}

fn departments(house: &House) -> Vec<String> {
    inboxes(house).into_iter().map(|(_, department)| department).collect()
}

#[test]
fn a_suggestion_that_comes_in_is_captured_and_routed_by_feedback() {
    let mut house = House::new();
    let logged = house.log(suggests("be less late"));
    let captured = house.log.last().unwrap();
    assert_eq!(told(&[Arc::clone(captured)]), [["suggestion.captured.v1", "suggestion.routed.v1"]]);
    assert_eq!(
        captured.events.iter().map(|entry| entry.origin).collect::<Vec<_>>(),
        [Origin::Fact, Origin::Rule]
    );
    assert_eq!(departments(&house), ["delivery"]);
    // It says what it follows from.
    let cause = &logged[1];
    assert_eq!(captured.cause, Some(Cause::Record(cause.id)));
    assert_eq!((captured.depth, captured.request, &captured.actor), (1, None, &Actor::policy()));
    let step = captured.step.as_ref().unwrap();
    assert_eq!((step.process.as_str(), step.name.as_str(), step.n), ("capture_suggestions", "capture", 0));
    assert_eq!(captured.id, Record::id_of_step(cause.id, "capture_suggestions", "capture", 0));
}

#[test]
fn a_suggestion_captured_from_a_case_knows_where_it_came_up() {
    let mut house = House::new();
    let case = case_of(&house.log(suggests("be less late")));
    let Event::Suggestion(suggestion::Event::Captured(captured)) = &house.log.last().unwrap().events[0].event
    else {
        panic!("not captured")
    };
    let customer = case_state(&house, case).matter().map(|matter| matter.customer);
    assert_eq!((captured.case, captured.customer), (Some(case), customer));
    assert_eq!(captured.text, sealed("be less late"));
}

#[test]
fn what_is_no_suggestion_or_was_said_by_staff_is_not_captured() {
    let mut house = House::new();
    house.log(Interaction { kind: Kind::Complaint, ..says("it is late") });
    house.log(Interaction { direction: Direction::Outbound, ..suggests("why not come earlier") });
    assert_eq!(inboxes(&house), []);
}

#[test]
fn what_turns_out_to_be_a_suggestion_is_captured_once_however_often_it_is_found_out() {
    let mut house = House::new();
    let case = case_of(&house.log(Interaction { kind: Kind::Complaint, ..says("why so late") }));
    for to in [Kind::Suggestion, Kind::Complaint, Kind::Suggestion] {
        house.ask(on_case(case, reclassify(to))).unwrap();
    }
    assert_eq!(departments(&house), ["delivery"]);
}

#[test]
fn what_was_logged_as_a_suggestion_and_found_to_be_one_again_is_captured_once() {
    let mut house = House::new();
    let case = case_of(&house.log(suggests("be nicer")));
    house.ask(on_case(case, reclassify(Kind::Other))).unwrap();
    house.ask(on_case(case, reclassify(Kind::Suggestion))).unwrap();
    assert_eq!(departments(&house), ["triage"]);
}

#[test]
fn two_suggestions_in_one_case_are_two() {
    let mut house = House::new();
    let first = house.log(Interaction { thread: Some(thread(1)), ..suggests("be less late") });
    let Noun::Customer(asha) = first[0].noun else { panic!("{first:?}") };
    let sealing = sealed_for(asha, 1);
    let second =
        Interaction { thread: Some(thread(1)), customer: Some(asha), sealing, ..suggests("be nicer") };
    house.log(second);
    let mut found = departments(&house);
    found.sort_unstable();
    assert_eq!(found, ["delivery", "triage"]);
}

#[test]
fn a_record_taken_in_twice_makes_nothing_the_second_time() {
    let mut house = House::new();
    let logged = house.log(suggests("be less late"));
    let mut desk = house.desk(Service::Feedback);
    desk.take_in(&logged[1]).unwrap();
    assert_eq!(desk.finish().records, []);
}

#[test]
fn silence_for_as_long_as_the_policy_waits_confirms_the_resolution() {
    let mut house = House::new();
    let case = case_of(&house.log(says("where is it")));
    house.ask(on_case(case, resolve())).unwrap();
    house.wait(SILENCE_DAYS - 1);
    assert!(matches!(case_state(&house, case), case::State::Resolved { .. }));
    house.wait(5);
    assert!(matches!(case_state(&house, case), case::State::Closed(_)));
    let closed = house.log.last().unwrap();
    let by_silence = case::ResolutionConfirmed { by: ConfirmedBy::Silence };
    assert_eq!(closed.events[0].event, Event::Case(case::Event::ResolutionConfirmed(by_silence)));
    // It counts from the time it was due, whenever it was written.
    let due = day(SILENCE_DAYS);
    assert_eq!((closed.occurred_at, closed.effective_at, closed.recorded_at), (due, due, house.now));
    assert_eq!((closed.cause, closed.request), (Some(Cause::Due(due)), None));
    assert_eq!(closed.id, Record::id_of_due(&Noun::Case(case), case::CONFIRM_BY_SILENCE, due));
}

#[test]
fn a_customer_who_answers_in_time_is_not_taken_to_agree() {
    let mut house = House::new();
    let first = house.log(says("where is it"));
    let Noun::Customer(asha) = first[0].noun else { panic!("{first:?}") };
    let case = case_of(&first);
    house.ask(on_case(case, resolve())).unwrap();
    house.wait(SILENCE_DAYS - 1);
    let again = Interaction { case: Some(case), sealing: sealed_for(asha, 1), ..says("no it is not") };
    assert_eq!(told(&house.log(again)), [["case.interaction_logged.v1", "case.reopened.v1"]]);
    house.wait(100);
    assert!(matches!(case_state(&house, case), case::State::Open(_)));
}

#[test]
fn a_resolution_that_is_not_the_last_one_is_not_what_silence_confirms() {
    let mut house = House::new();
    let case = case_of(&house.log(says("where is it")));
    house.ask(on_case(case, resolve())).unwrap();
    house.wait(SILENCE_DAYS - 1);
    house.ask(on_case(case, case::Command::Reject { reason: sealed("no") })).unwrap();
    house.ask(on_case(case, resolve())).unwrap();
    house.wait(1);
    assert!(matches!(case_state(&house, case), case::State::Resolved { .. }));
    house.wait(SILENCE_DAYS - 1);
    assert!(matches!(case_state(&house, case), case::State::Closed(_)));
}

#[test]
fn a_due_time_fired_twice_finds_nothing_left_to_do() {
    let mut house = House::new();
    let case = case_of(&house.log(says("where is it")));
    house.ask(on_case(case, resolve())).unwrap();
    let due = house.shelf(Service::Intake).due(day(SILENCE_DAYS)).unwrap();
    house.wait(SILENCE_DAYS);
    let mut desk = house.desk(Service::Intake);
    desk.fire(&due).unwrap();
    desk.fire(&rows::Due { name: "of_a_newer_build".to_owned(), ..due }).unwrap();
    assert_eq!(desk.finish().records, []);
}

#[test]
fn a_due_time_moves_with_the_policy_that_was_in_force_when_the_case_was_resolved() {
    let mut house = House::new();
    let case = case_of(&house.log(says("where is it")));
    house.ask(on_case(case, resolve())).unwrap();
    house.ask(publish(&DOCUMENT.replace("confirm_silence_days = 7", "confirm_silence_days = 1"))).unwrap();
    house.wait(SILENCE_DAYS - 1);
    assert!(matches!(case_state(&house, case), case::State::Resolved { .. }));
}

#[test]
fn a_request_is_found_again_by_its_id_at_its_first_record() {
    let mut house = House::new();
    let id = house.next_request();
    let records = house.log(says("where is it"));
    assert!(records.len() > 1);
    let seen = house.shelf(Service::Intake).seen(&id).unwrap();
    assert_eq!((Some(seen.request), seen.index), (records[0].request, 0));
    for (n, record) in (0..).zip(&records) {
        assert_eq!(record.id, Record::id_of_fact(id, n));
    }
}

#[test]
fn a_request_that_is_so_already_leaves_no_record_and_is_not_found_again() {
    let mut house = House::new();
    let case = case_of(&house.log(says("where is it")));
    let id = house.next_request();
    let reopened = house.ask(on_case(case, case::Command::Reopen { reason: sealed("why not") })).unwrap();
    assert_eq!(reopened, []);
    assert_eq!(house.shelf(Service::Intake).seen(&id), None);
}

#[test]
fn the_desk_finds_what_it_has_just_made() {
    let house = House::new();
    let mut desk = house.desk(Service::Intake);
    let submission = |n: u8, interaction| Submission {
        request: Request {
            id: crate::values::RequestId::from_bytes([n; 16]),
            key: key(0),
            digest: Token::derive(&[b"body"]),
        },
        actor: actor("ana"),
        occurred_at: None,
        import: None,
        within: None,
        intent: Intent::LogInteraction(Box::new(interaction)),
    };
    desk.handle(&submission(1, caller([account("a-1")]))).unwrap();
    let owner = desk.find(&Lookup::Identity(crate::customer::IdentityKind::Account, account("a-1").token));
    let [Noun::Customer(asha)] = owner[..] else { panic!("{owner:?}") };
    let again = Interaction { sealing: sealed_for(asha, 1), ..caller([account("a-1")]) };
    desk.handle(&submission(2, again)).unwrap();
    let records = desk.finish().records;
    assert_eq!(records.last().unwrap().noun, Noun::Case(case_of(&records)));
    assert_eq!(records.last().unwrap().rev, 2);
}

#[test]
fn what_happened_earlier_and_is_told_now_reckons_with_now() {
    let mut house = House::new();
    house.wait(30);
    let told_late = Intent::LogInteraction(Box::new(says("where was it")));
    let records = house.submit(Some(day(2)), None, told_late).unwrap();
    let times = |record: &Record| (record.occurred_at, record.effective_at, record.recorded_at);
    assert!(records.iter().all(|record| times(record) == (day(2), day(30), day(30))));
}

/// Logs an interaction of an import.
fn imported(house: &mut House, occurred_at: At, interaction: Interaction) -> Vec<Arc<Record>> {
    let intent = Intent::LogInteraction(Box::new(interaction));
    house.submit(Some(occurred_at), Some(import_id(1)), intent).unwrap()
}

#[test]
fn what_an_import_brings_reckons_with_the_time_it_happened() {
    let mut house = House::new();
    house.wait(400);
    let start = Intent::Import { import: import_id(1), command: import::Command::Start };
    assert_eq!(told(&house.ask(start).unwrap()), [["import.started.v1"]]);
    let first = imported(&mut house, day(2), caller([account("a-1")]));
    let Noun::Customer(asha) = first[0].noun else { panic!("{first:?}") };
    assert!(first.iter().all(|record| (record.effective_at, record.import) == (day(2), Some(import_id(1)))));
    let from_asha = || Interaction { sealing: sealed_for(asha, 1), ..caller([account("a-1")]) };
    let soon = imported(&mut house, day(2 + JOIN_DAYS), from_asha());
    assert_eq!(case_of(&soon), case_of(&first));
    let late = imported(&mut house, day(3 + JOIN_DAYS * 2), from_asha());
    assert_ne!(case_of(&late), case_of(&first));
}

#[test]
fn a_noun_never_goes_back_in_time() {
    let mut house = House::new();
    house.wait(400);
    let case = case_of(&imported(&mut house, day(20), caller([account("a-1")])));
    let matter = case_state(&house, case).matter().unwrap().clone();
    let sealing = sealed_for(matter.customer, 1);
    let earlier = Interaction { case: Some(case), sealing, ..caller([account("a-1")]) };
    let records = imported(&mut house, day(3), earlier);
    assert_eq!((records[0].occurred_at, records[0].effective_at), (day(3), day(20)));
}

#[test]
fn a_refused_request_leaves_nothing_though_its_first_command_could_have_been_done() {
    let mut house = House::new();
    let case = case_of(&house.log(caller([account("a-1")])));
    let before = house.shelves.clone();
    let somebody_else = Interaction { case: Some(case), ..caller([account("a-2")]) };
    let answer = house.ask(Intent::LogInteraction(Box::new(somebody_else)));
    assert!(matches!(answer, Err(NoPlan::Rejected(_))), "{answer:?}");
    assert_eq!(house.shelves, before);
}

#[test]
fn without_a_policy_facts_stand_alone_and_nothing_is_due() {
    let mut house = House::without_policy();
    let mut classification = classification("where is it");
    classification.policy = 0;
    let case = case_of(&house.log(Interaction { classification, ..says("where is it") }));
    assert_eq!(told(&house.ask(on_case(case, resolve())).unwrap()), [["case.resolved.v1"]]);
    assert_eq!(house.shelf(Service::Intake).due(At(i64::MAX)), None);
}

#[test]
fn a_record_that_is_not_the_nouns_next_is_refused() {
    let mut house = House::new();
    let records = house.log(says("where is it"));
    let before = house.shelf(Service::Intake).held(&records[0].noun);
    let folded = rows::fold(&mut Delta::new(), before.as_deref(), &records[0], 1, 0);
    let noun = records[0].noun.to_string();
    assert_eq!(folded, Err(Unreadable::Rev { noun, expected: 2, found: 1 }));
}

#[test]
fn a_cascade_has_an_end() {
    let house = House::new();
    let template = House::new().log(suggests("be less late"))[1].as_ref().clone();
    let mut desk = house.desk(Service::Feedback);
    let of_interaction = |n: usize| {
        let mut record = template.clone();
        for entry in &mut record.events {
            if let Event::Case(case::Event::InteractionLogged(logged)) = &mut entry.event {
                logged.interaction = crate::values::InteractionId::derive(&[&n.to_be_bytes()]);
            }
        }
        record
    };
    for n in 0..CASCADE_RECORDS_MAX {
        desk.take_in(&of_interaction(n)).unwrap();
    }
    let too_much = desk.take_in(&of_interaction(CASCADE_RECORDS_MAX)).unwrap_err();
    assert_eq!(too_much.reason(), "CASCADE_TOO_LARGE");
    let mut desk = house.desk(Service::Feedback);
    let deepest = Record { depth: crate::desk::DEPTH_MAX, ..of_interaction(0) };
    assert_eq!(desk.take_in(&deepest).unwrap_err().reason(), "CASCADE_TOO_LARGE");
}
