//! A command becomes a record and is answered; many that wait become one commit.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use futures::future::join_all;
use seva_domain::noun::{Noun, Rejection};
use seva_domain::service::Service;
use seva_domain::values::Kind;
use seva_eventlog::commit::Position;
use seva_eventlog::writer::{Answer, Phase, QUEUE_MAX, Unavailable};

use crate::house::House;
use crate::on_both_logs;
use crate::process::{Disk, Process, Setting};
use crate::submissions::{case, contact, customer, register, register_as, reopen};

on_both_logs![
    a_command_becomes_a_record_and_is_answered_with_its_place,
    a_full_queue_says_so_and_nothing_happened,
    commands_that_wait_become_one_commit,
    nothing_is_taken_before_there_is_a_policy,
    what_is_so_already_leaves_nothing,
    what_is_refused_leaves_nothing,
    the_writer_ends_with_its_last_handle,
];

async fn a_command_becomes_a_record_and_is_answered_with_its_place(house: House) {
    let intake = house.start(Service::Intake).await;
    let (records, position) = intake.records(register("ann")).await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].noun, Noun::Customer(customer("ann")));
    let (_, of_contact) = intake.records(contact("hello", "ann", Kind::Enquiry, None)).await;
    assert!(of_contact > position);
    let audit = house.audit().await;
    assert_eq!(audit.of_request("ann"), [position]);
    assert_eq!(audit.of_request("hello"), [of_contact]);
    assert_eq!(audit.of_noun(Noun::Customer(customer("ann")))[0], records[0].as_ref());
}

async fn commands_that_wait_become_one_commit(house: House) {
    let intake = house.start(Service::Intake).await;
    let names: Vec<String> = (0..64).map(|n| format!("customer {n}")).collect();
    let before = house.log.end().await.unwrap();
    let positions = join_all(names.iter().map(|name| async { intake.records(register(name)).await.1 })).await;
    let audit = house.audit().await;
    for (name, position) in names.iter().zip(&positions) {
        assert_eq!(audit.of_request(name), [*position]);
    }
    let commits = house.log.end().await.unwrap() - before;
    assert!(commits <= 4, "{commits} commits for 64 commands");
}

async fn what_is_refused_leaves_nothing(house: House) {
    let intake = house.start(Service::Intake).await;
    let before = house.log.end().await.unwrap();
    let nobody = intake.submit(reopen("again", case("no such"))).await;
    assert!(matches!(nobody, Answer::Rejected(Rejection::NotFound(Noun::Case(_)))), "{nobody:?}");
    assert_eq!(house.log.end().await.unwrap(), before);
    intake.records(register("ann")).await;
    let taken = intake.submit(register_as("ben", &["ann"])).await;
    assert!(
        matches!(&taken, Answer::Rejected(rejection) if rejection.reason() == "IDENTITY_TAKEN"),
        "{taken:?}"
    );
    assert!(house.audit().await.of_request("ben").is_empty());
}

async fn what_is_so_already_leaves_nothing(house: House) {
    let intake = house.start(Service::Intake).await;
    intake.records(register("ann")).await;
    let (_, position) = intake.records(contact("hello", "ann", Kind::Enquiry, None)).await;
    let end = house.log.end().await.unwrap();
    match intake.submit(reopen("again", case("hello"))).await {
        Answer::AlreadySo { rev: 1, position: at } => assert_eq!(at, Position::end_of(position.sequence())),
        other => panic!("{other:?}"),
    }
    assert_eq!(house.log.end().await.unwrap(), end);
}

async fn nothing_is_taken_before_there_is_a_policy(house: House) {
    // The policy stands, but this writer has not followed the log to there.
    let intake = Process::start(
        house.another_log(Service::Intake).await,
        Service::Intake,
        &Disk::default(),
        Setting::default(),
    )
    .await;
    intake.stall(true);
    let answer = intake.submit(register("ann")).await;
    assert!(
        matches!(answer, Answer::Unavailable(Unavailable::CatchingUp | Unavailable::PolicyMissing)),
        "{answer:?}"
    );
    intake.stall(false);
    intake.serves().await;
    intake.records(register("ann")).await;
    house.audit().await;
}

async fn a_full_queue_says_so_and_nothing_happened(house: House) {
    let intake = house.start(Service::Intake).await;
    let names: Vec<String> = (0..QUEUE_MAX + 100).map(|n| format!("customer {n}")).collect();
    // All are submitted before the writer, on the same thread, can take any.
    let submissions = join_all(names.iter().map(|name| intake.writer().submit(Arc::new(register(name)))));
    let answers = tokio::task::unconstrained(submissions).await;
    let audit = house.audit().await;
    let recorded: BTreeSet<Position> = audit.records.iter().map(|(position, _)| *position).collect();
    let mut full = 0;
    for (name, answer) in names.iter().zip(&answers) {
        match answer {
            Answer::Recorded { position, .. } => assert!(recorded.contains(position)),
            Answer::Unavailable(Unavailable::QueueFull) => {
                full += 1;
                assert!(!audit.records.iter().any(|(_, r)| r.noun == Noun::Customer(customer(name))));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(full, 100);
    let disk = Disk::default();
    let begun = Instant::now();
    let late = house.start_on(Service::Intake, &disk, Setting::default()).await;
    late.has_stored(house.log.end().await.unwrap()).await;
    eprintln!("another process folds {} records in {} ms", audit.records.len(), begun.elapsed().as_millis());
    assert!(matches!(late.submit(register(&names[0])).await, Answer::Seen(_)));
}

async fn the_writer_ends_with_its_last_handle(house: House) {
    let mut intake = house.start(Service::Intake).await;
    intake.records(register("ann")).await;
    let progress = intake.writer().progress();
    intake.leave();
    assert_eq!(intake.ended().await, Ok(()));
    assert!(matches!(progress.borrow().phase, Phase::Stopped(_)));
}
