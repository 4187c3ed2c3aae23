//! A process that died goes on from its database as if it had not: nothing folded twice, nothing left out.

use seva_domain::noun::Noun;
use seva_domain::service::Service;
use seva_domain::values::Kind;
use seva_eventlog::writer::{Answer, Phase};

use crate::audit::Audit;
use crate::house::House;
use crate::on_both_logs;
use crate::process::{Disk, Process, Setting};
use crate::submissions::{case, contact, register, resolve, suggestion_of};

on_both_logs![
    a_process_goes_on_after_any_write_to_its_database,
    a_process_whose_follower_begins_earlier_folds_nothing_twice,
    two_databases_of_one_service_hold_the_same_rows,
];

/// Lives a short story, step by step, with processes that die after so many writes to their databases.
async fn story(house: &House, disks: &[Disk; 2], writes_max: u64, round: u64) {
    let start = |service, disk: usize| {
        let setting = Setting { writes_max, ..Setting::default() };
        let disk = &disks[disk];
        async move { Process::start(house.another_log(service).await, service, disk, setting).await }
    };
    let name = |what: &str| format!("{what} {round}");
    let steps = [
        register(&name("ann")),
        contact(&name("hello"), &name("ann"), Kind::Enquiry, None),
        contact(&name("an idea"), &name("ann"), Kind::Suggestion, None),
        resolve(&name("solved"), case(&name("hello"))),
        contact(&name("another idea"), &name("ann"), Kind::Suggestion, None),
    ];
    let mut intake = start(Service::Intake, 0).await;
    let mut feedback = start(Service::Feedback, 1).await;
    for step in steps {
        loop {
            match intake.submit(step.clone()).await {
                Answer::Recorded { .. } | Answer::Seen(_) => break,
                Answer::Unknown | Answer::Unavailable(_) => {}
                other => panic!("{other:?}"),
            }
            // Caught up, or dead: then another takes its place.
            let progress = intake.writer().progress();
            let is_dead = |phase: &Phase| matches!(phase, Phase::Stopped(_));
            let settled = |phase: &Phase| is_dead(phase) || *phase == Phase::Serving;
            intake.shows("a phase", |progress| settled(&progress.phase)).await;
            if is_dead(&progress.borrow().phase) {
                intake.kill().await;
                intake = start(Service::Intake, 0).await;
            }
        }
        if matches!(feedback.progress().phase, Phase::Stopped(_)) {
            feedback.kill().await;
            feedback = start(Service::Feedback, 1).await;
        }
    }
    intake.kill().await;
    feedback.kill().await;
}

async fn a_process_goes_on_after_any_write_to_its_database(house: House) {
    let disks = [Disk::default(), Disk::default()];
    for writes_max in 1..=6 {
        story(&house, &disks, writes_max, writes_max).await;
    }
    let services = [Service::Intake, Service::Feedback];
    for (service, disk) in services.into_iter().zip(&disks) {
        let last = house.start_on(service, disk, Setting::default()).await;
        let fresh = Disk::default();
        let other = house.start_on(service, &fresh, Setting::default()).await;
        if service == Service::Feedback {
            let last_intake =
                Audit::of(&house.log).await.commits.last().unwrap().after.tip(Service::Intake).0;
            last.shows("all is taken in", |progress| progress.reacted >= last_intake).await;
        }
        let (tip, _) = Audit::of(&house.log).await.commits.last().unwrap().after.tip(service);
        last.has_stored(tip).await;
        other.has_stored(tip).await;
        assert_eq!(disk.rows(), fresh.rows());
        assert_eq!(disk.checkpoint().tip, fresh.checkpoint().tip);
    }
    let audit = house.audit().await;
    for round in 1..=6 {
        for idea in ["an idea", "another idea"] {
            let suggestion = Noun::Suggestion(suggestion_of(&format!("{idea} {round}")));
            assert_eq!(audit.of_noun(suggestion).len(), 1);
        }
    }
}

async fn two_databases_of_one_service_hold_the_same_rows(house: House) {
    let disks = [Disk::default(), Disk::default()];
    let a = house.start_on(Service::Intake, &disks[0], Setting::default()).await;
    let b = house.start_on(Service::Intake, &disks[1], Setting::default()).await;
    for (n, process) in [&a, &b, &b, &a].into_iter().enumerate() {
        let (ann, hello) = (format!("ann {n}"), format!("hello {n}"));
        process.records_at_last(register(&ann)).await;
        process.records_at_last(contact(&hello, &ann, Kind::Complaint, None)).await;
        process.records_at_last(resolve(&format!("solved {n}"), case(&hello))).await;
    }
    let end = house.log.end().await.unwrap();
    a.has_stored(end).await;
    b.has_stored(end).await;
    assert_eq!(disks[0].rows(), disks[1].rows());
    house.audit().await;
}

async fn a_process_whose_follower_begins_earlier_folds_nothing_twice(house: House) {
    let disk = Disk::default();
    let intake = house.start_on(Service::Intake, &disk, Setting::default()).await;
    let (_, position) = intake.records(register("ann")).await;
    intake.has_stored(position.sequence()).await;
    intake.kill().await;
    // As where a read model of the process is further behind than its shard.
    let setting = Setting { follows_from_beginning: true, ..Setting::default() };
    let again = house.start_on(Service::Intake, &disk, setting).await;
    let other = house.start(Service::Intake).await;
    other.records_at_last(contact("hello", "ann", Kind::Enquiry, None)).await;
    let (_, position) = other.records(contact("again", "ann", Kind::Enquiry, None)).await;
    again.has_stored(position.sequence()).await;
    again.records(contact("and again", "ann", Kind::Enquiry, None)).await;
    assert!(disk.checkpoint().resume.sequence > 1);
    house.audit().await;
}
