//! Named limits, and what a writer costs that has nothing to do.

use std::time::Duration;

use futures::future::join_all;
use seva_domain::noun::Noun;
use seva_domain::service::Service;
use seva_domain::values::Kind;
use seva_eventlog::commit::BYTES_MAX;
use seva_eventlog::layers::BACKLOG_BYTES_MAX;
use seva_eventlog::writer::{Answer, Phase, Unavailable};
use seva_support::Proxy;

use crate::house::House;
use crate::on_both_logs;
use crate::process::{Disk, Process, Setting};
use crate::submissions::{case, contact, contact_saying, customer, register, register_as, suggestion_of};

on_both_logs![
    a_clock_that_is_off_the_logs_stops_the_writer,
    a_commit_is_never_larger_than_its_limits,
    a_request_that_is_too_large_for_a_commit_is_refused,
    a_writer_with_nothing_to_do_does_nothing,
    the_time_never_goes_back_though_the_clock_does,
];

async fn the_time_never_goes_back_though_the_clock_does(house: House) {
    let intake = house.start(Service::Intake).await;
    for (n, off) in [0, 60_000_000, -60_000_000, 30_000_000, -600_000_000].into_iter().enumerate() {
        intake.clock.set_off(off);
        intake.records(register(&format!("customer {n}"))).await;
    }
    let other = house.start(Service::Intake).await;
    other.records(register("elsewhere")).await;
    house.audit().await;
}

async fn a_commit_is_never_larger_than_its_limits(house: House) {
    let intake = house.start(Service::Intake).await;
    let feedback = house.start(Service::Feedback).await;
    intake.records(register("ann")).await;
    let long = "x".repeat(90_000);
    let names: Vec<String> = (0..24).map(|n| format!("a long story {n}")).collect();
    let stories = names.iter().map(|name| contact_saying(name, "ann", Kind::Suggestion, None, &long));
    let many = (0..700).map(|n| register(&format!("customer {n}")));
    join_all(stories.chain(many).map(|submission| intake.records(submission))).await;
    let end = house.log.end().await.unwrap();
    feedback.shows("all is taken in", |progress| progress.reacted >= end).await;
    let audit = house.audit().await;
    for name in &names {
        assert_eq!(audit.of_noun(Noun::Suggestion(suggestion_of(name))).len(), 1);
    }
}

async fn a_request_that_is_too_large_for_a_commit_is_refused(house: House) {
    let intake = house.start(Service::Intake).await;
    intake.records(register("ann")).await;
    let huge = "x".repeat(BYTES_MAX);
    let answer = intake.submit(contact_saying("too much", "ann", Kind::Enquiry, None, &huge)).await;
    assert!(
        matches!(&answer, Answer::Rejected(rejection) if rejection.reason() == "CASCADE_TOO_LARGE"),
        "{answer:?}"
    );
    assert!(house.audit().await.of_noun(Noun::Case(case("too much"))).is_empty());
}

async fn a_clock_that_is_off_the_logs_stops_the_writer(house: House) {
    let setting = Setting { checks_clock: true, ..Setting::default() };
    let intake = house.start_on(Service::Intake, &Disk::default(), setting).await;
    intake.records(register("ann")).await;
    intake.clock.set_off(5_000_000);
    // The commit that shows it stands. What is decided afterwards may be too late.
    let answer = intake.submit(register("ben")).await;
    assert!(matches!(answer, Answer::Recorded { .. }), "{answer:?}");
    intake.shows("it has stopped", |progress| matches!(progress.phase, Phase::Stopped(_))).await;
    let answer = intake.submit(register("cleo")).await;
    assert!(
        matches!(&answer, Answer::Unavailable(Unavailable::Stopped(reason)) if reason.contains("clock")),
        "{answer:?}"
    );
    assert!(house.audit().await.of_noun(Noun::Customer(customer("cleo"))).is_empty());
}

#[tokio::test]
async fn a_database_that_is_too_far_behind_is_waited_for() {
    let house = House::in_memory().await;
    let intake = house.start(Service::Intake).await;
    intake.hold_disk(true);
    let accounts: Vec<String> = (0..64).map(|n| format!("account {n}")).collect();
    let heavy = |n: usize| {
        let accounts: Vec<String> = accounts.iter().map(|account| format!("{account} of {n}")).collect();
        register_as(&format!("customer {n}"), &accounts.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let mut recorded = 0;
    let refused = loop {
        let answers = join_all((recorded..recorded + 250).map(|n| intake.submit(heavy(n)))).await;
        let (taken, refused): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| matches!(answer, Answer::Recorded { .. }));
        recorded += taken.len();
        assert!(recorded < 10_000, "the backlog has no end");
        if !refused.is_empty() {
            break refused;
        }
    };
    eprintln!("{recorded} records wait for the database, {} bytes", intake.progress().backlog_bytes);
    for answer in refused {
        assert!(matches!(answer, Answer::Unavailable(Unavailable::BacklogFull)), "{answer:?}");
    }
    assert!(intake.progress().backlog_bytes < BACKLOG_BYTES_MAX + BYTES_MAX * 2);
    // What stands in the log is answered all the same.
    assert!(matches!(intake.submit(heavy(0)).await, Answer::Seen(_)));
    intake.hold_disk(false);
    let end = house.log.end().await.unwrap();
    intake.has_stored(end).await;
    intake.records(register("ann")).await;
}

/// How long a writer is watched, and how much of that its thread may work.
const WATCHED: Duration = Duration::from_millis(500);
const WORKS_MAX: Duration = Duration::from_millis(100);

/// How long this thread, on which all of a case runs, has worked.
fn worked() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

async fn is_quiet(what: &str) {
    let before = worked();
    tokio::time::sleep(WATCHED).await;
    let works = worked() - before;
    eprintln!("{what}: {} us of work in {} ms", works.as_micros(), WATCHED.as_millis());
    assert!(works < WORKS_MAX, "{what}: {works:?} in {WATCHED:?}");
}

async fn a_writer_with_nothing_to_do_does_nothing(house: House) {
    let intake = house.start(Service::Intake).await;
    let other = house.start(Service::Intake).await;
    intake.records(register("ann")).await;
    other.shows("ann", |progress| progress.tip >= 3).await;
    is_quiet("serving").await;
    other.stall(true);
    intake.records(contact("hello", "ann", Kind::Enquiry, None)).await;
    let refused = other.submits(register("ben"));
    is_quiet("refused").await;
    other.stall(false);
    assert!(matches!(refused.await.unwrap(), Answer::Recorded { .. }));
    intake.clock.set_off(60_000_000);
    let mut leaves = intake;
    leaves.leave();
    drop(leaves.ended().await);
    is_quiet("left").await;
    house.audit().await;
}

#[tokio::test]
async fn a_writer_whose_log_does_not_answer_waits_quietly() {
    let house = House::on_jetstream().await;
    let proxy = Proxy::start(house.nats.as_ref().unwrap().addr()).await;
    let log = house.log_at(proxy.addr(), Service::Intake).await;
    let intake = Process::start(log, Service::Intake, &Disk::default(), Setting::default()).await;
    intake.serves().await;
    proxy.cut_replies();
    assert!(matches!(intake.submit(register("ann")).await, Answer::Unknown));
    is_quiet("unknown").await;
    proxy.heal();
    intake.records_at_last(register("ann")).await;
    house.audit().await;
}
