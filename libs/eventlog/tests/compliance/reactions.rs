//! What one service's records make another do happens once, with any number of processes, in any order of their deaths.

use futures::future::join_all;
use seva_domain::noun::Noun;
use seva_domain::plan::Intent;
use seva_domain::service::Service;
use seva_domain::suggestion::Captured;
use seva_domain::values::{Classification, Kind, Language};
use seva_eventlog::follow::HELD_BYTES_MAX;
use seva_support::eventually;

use crate::audit::Audit;
use crate::house::House;
use crate::on_both_logs;
use crate::process::{Disk, Process, SOON, Setting};
use crate::submissions::{contact, contact_saying, register, sealed, submission, suggestion_of};

on_both_logs![
    a_service_that_was_away_takes_everything_in_piece_by_piece,
    suggestions_are_captured_once_by_two_processes_racing,
    suggestions_are_captured_once_over_restarts,
    what_another_process_left_for_later_is_not_forgotten_by_a_restart,
];

/// Logs suggestions of one customer, all at once.
async fn suggest(intake: &Process, names: &[String]) {
    join_all(names.iter().map(|name| intake.records_at_last(contact(name, "ann", Kind::Suggestion, None))))
        .await;
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix} {n}")).collect()
}

/// Waits until each is captured, and checks that each is captured once.
async fn all_captured(house: &House, names: &[String]) -> Audit {
    let captured = || async {
        let audit = Audit::of(&house.log).await;
        let nouns = audit.records.iter().filter(|(_, r)| matches!(r.noun, Noun::Suggestion(_))).count();
        (nouns >= names.len()).then_some(())
    };
    eventually("all are captured", SOON, captured).await;
    let audit = house.audit().await;
    for name in names {
        assert_eq!(audit.of_noun(Noun::Suggestion(suggestion_of(name))).len(), 1, "{name}");
    }
    audit
}

async fn suggestions_are_captured_once_by_two_processes_racing(house: House) {
    let intake = house.start(Service::Intake).await;
    intake.records(register("ann")).await;
    let a = house.start(Service::Feedback).await;
    let b = house
        .start_on(Service::Feedback, &Disk::default(), Setting { build: "b", ..Setting::default() })
        .await;
    let names = names("idea", 100);
    for some in names.chunks(10) {
        suggest(&intake, some).await;
    }
    let audit = all_captured(&house, &names).await;
    eprintln!("shares of the reactions: {:?}", audit.shares(Service::Feedback));
    let end = audit.commits.len() as u64;
    for process in [&a, &b] {
        process.shows("all is taken in", |progress| progress.reacted >= end).await;
    }
    assert_eq!(house.log.end().await.unwrap(), end, "commits are written for nothing");
}

async fn suggestions_are_captured_once_over_restarts(house: House) {
    let intake = house.start(Service::Intake).await;
    intake.records(register("ann")).await;
    let disk = Disk::default();
    let mut all = Vec::new();
    for round in 0..6 {
        let some = names(&format!("idea {round}"), 10);
        // It dies at whatever it is doing: its disk after some writes, itself when the suggestions are logged.
        let setting = Setting { writes_max: round, ..Setting::default() };
        let feedback =
            Process::start(house.another_log(Service::Feedback).await, Service::Feedback, &disk, setting)
                .await;
        suggest(&intake, &some).await;
        feedback.kill().await;
        all.extend(some);
    }
    let _feedback = house.start_on(Service::Feedback, &disk, Setting::default()).await;
    all_captured(&house, &all).await;
}

async fn a_service_that_was_away_takes_everything_in_piece_by_piece(house: House) {
    let intake = house.start(Service::Intake).await;
    intake.records(register("ann")).await;
    let names = names("idea", 600);
    suggest(&intake, &names).await;
    let feedback = house.start(Service::Feedback).await;
    let audit = all_captured(&house, &names).await;
    let sizes: Vec<usize> = audit.commits.iter().map(|commit| commit.commit.records.len()).collect();
    eprintln!("records of each commit: {sizes:?}");
    let end = audit.commits.len() as u64;
    feedback.shows("all is taken in", |progress| progress.reacted >= end).await;
}

async fn what_another_process_left_for_later_is_not_forgotten_by_a_restart(house: House) {
    let intake = house.start(Service::Intake).await;
    intake.records(register("ann")).await;
    let wrote = house.start(Service::Feedback).await;
    let names = names("idea", 1);
    wrote.stall(true);
    suggest(&intake, &names).await;
    // It does not see the idea, so its commit behind it does not take it in.
    let captured = Captured {
        text: sealed("an idea of its own"),
        classification: Classification { language: Language::undetermined(), policy: 1, hit: None },
        customer: None,
        case: None,
        interaction: None,
    };
    let (_, position) = wrote.records(submission("of its own", Intent::CaptureSuggestion(captured))).await;
    wrote.kill().await;
    let disk = Disk::default();
    let folds = Setting { only_catches_up: true, ..Setting::default() };
    let folds =
        Process::start(house.another_log(Service::Feedback).await, Service::Feedback, &disk, folds).await;
    folds.has_stored(position.sequence()).await;
    folds.kill().await;
    assert_eq!(disk.checkpoint().tip.0, position.sequence());
    let again = house.start_on(Service::Feedback, &disk, Setting::default()).await;
    again.shows("the idea is taken in", |progress| progress.reacted >= position.sequence()).await;
    let audit = house.audit().await;
    assert_eq!(audit.of_noun(Noun::Suggestion(suggestion_of(&names[0]))).len(), 1);
}

#[tokio::test]
async fn more_may_wait_to_be_reacted_to_than_a_process_may_hold_of_the_log() {
    let house = House::in_memory().await;
    let intake = house.start(Service::Intake).await;
    intake.records(register("ann")).await;
    let long = "x".repeat(200_000);
    let names = names("a long idea", HELD_BYTES_MAX / long.len() + 10);
    for some in names.chunks(20) {
        let ideas = some.iter().map(|name| contact_saying(name, "ann", Kind::Suggestion, None, &long));
        join_all(ideas.map(|idea| intake.records(idea))).await;
    }
    let end = house.log.end().await.unwrap();
    let feedback = house.start(Service::Feedback).await;
    feedback.shows("all is taken in", |progress| progress.reacted >= end).await;
    for name in &names {
        let acknowledge = Intent::Suggestion {
            suggestion: suggestion_of(name),
            command: seva_domain::suggestion::Command::Acknowledge,
            expected_rev: Some(1),
        };
        feedback.records(submission(&format!("{name}, acknowledged"), acknowledge)).await;
    }
}
