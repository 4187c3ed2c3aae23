//! Due times: each fires once, in order, whoever fires it and whenever.

use futures::future::join_all;
use seva_domain::case::{self as matter, ConfirmedBy};
use seva_domain::noun::{Event, Noun};
use seva_domain::record::{Cause, Record};
use seva_domain::service::Service;
use seva_domain::values::{At, Kind};
use seva_support::eventually;

use crate::audit::Audit;
use crate::house::House;
use crate::on_both_logs;
use crate::process::{Disk, Process, SOON, Setting};
use crate::submissions::{brought, case, closes, contact, register, reopen, resolve, starts};

on_both_logs![
    due_times_fire_once_and_in_order_with_two_processes,
    due_times_reached_while_no_process_ran_fire_at_its_start,
    what_an_import_brought_is_due_once_it_is_closed,
    what_is_due_no_longer_does_not_fire,
];

const FIFTEEN_DAYS: i64 = 15 * 86_400_000_000;

/// More than one commit fires at once.
const CASES: usize = 150;

/// Opens and resolves cases, one customer each.
async fn resolve_cases(intake: &Process, count: usize) {
    let names: Vec<String> = (0..count).map(|n| format!("customer {n}")).collect();
    join_all(names.iter().map(|name| async move {
        intake.records(register(name)).await;
        let hello = format!("hello of {name}");
        intake.records(contact(&hello, name, Kind::Enquiry, None)).await;
        intake.records(resolve(&format!("resolution for {name}"), case(&hello))).await;
    }))
    .await;
}

fn fired(audit: &Audit) -> Vec<(At, Noun)> {
    let by_silence = |record: &Record| {
        let event = record.events.first().map(|entry| &entry.event);
        matches!(event, Some(Event::Case(matter::Event::ResolutionConfirmed(confirmed))) if confirmed.by == ConfirmedBy::Silence)
    };
    let records = audit.records.iter().map(|(_, record)| record).filter(|record| by_silence(record));
    let due = |record: &Record| match record.cause {
        Some(Cause::Due(at)) => at,
        other => panic!("{other:?}"),
    };
    records.map(|record| (due(record), record.noun)).collect()
}

async fn all_fire(house: &House, count: usize) {
    assert!(so_many_fire(house, count).await.is_sorted());
}

async fn so_many_fire(house: &House, count: usize) -> Vec<(At, Noun)> {
    let fires = || async { (fired(&Audit::of(&house.log).await).len() >= count).then_some(()) };
    eventually("all fire", SOON, fires).await;
    let fired = fired(&house.audit().await);
    assert_eq!(fired.len(), count);
    fired
}

async fn due_times_fire_once_and_in_order_with_two_processes(house: House) {
    let a = house.start(Service::Intake).await;
    let b = house.start(Service::Intake).await;
    resolve_cases(&a, CASES).await;
    let tip = house.log.end().await.unwrap();
    b.shows("all followed", |progress| progress.tip == tip).await;
    a.clock.set_off(FIFTEEN_DAYS);
    b.clock.set_off(FIFTEEN_DAYS);
    all_fire(&house, CASES).await;
}

async fn due_times_reached_while_no_process_ran_fire_at_its_start(house: House) {
    let disk = Disk::default();
    let intake = house.start_on(Service::Intake, &disk, Setting::default()).await;
    resolve_cases(&intake, 5).await;
    intake.kill().await;
    let setting = Setting::default();
    setting.clock.set_off(FIFTEEN_DAYS);
    let again = house.start_on(Service::Intake, &disk, setting).await;
    all_fire(&house, 5).await;
    again.kill().await;
    let setting = Setting::default();
    setting.clock.set_off(2 * FIFTEEN_DAYS);
    let last = house.start_on(Service::Intake, &disk, setting).await;
    last.records(register("the last")).await;
    all_fire(&house, 5).await;
}

async fn what_an_import_brought_is_due_once_it_is_closed(house: House) {
    let disk = Disk::default();
    let intake = house.start_on(Service::Intake, &disk, Setting::default()).await;
    intake.records(starts("history")).await;
    for name in ["ann", "ben", "cleo"] {
        let (hello, solved) = (format!("hello of {name}"), format!("solved for {name}"));
        intake.records(brought("history", At(1), register(name))).await;
        intake.records(brought("history", At(2), contact(&hello, name, Kind::Enquiry, None))).await;
        intake.records(brought("history", At(3), resolve(&solved, case(&hello)))).await;
    }
    // Silence confirms what is solved after days, and this row is of ten years later.
    let (again, of_ben) = (At(10 * 365 * 86_400_000_000), case("hello of ben"));
    let (records, _) =
        intake.records(brought("history", again, contact("again", "ben", Kind::Enquiry, Some(of_ben)))).await;
    assert_eq!(
        (records.len(), records[0].effective_at),
        (1, again),
        "what was due before is no part of the answer"
    );
    intake.records(register("somebody of today")).await;
    assert_eq!(fired(&house.audit().await).len(), 1, "the rest of the history may still come in");
    intake.kill().await;
    let intake = house.start_on(Service::Intake, &disk, Setting::default()).await;
    intake.records(register("somebody else")).await;
    assert_eq!(fired(&house.audit().await).len(), 1);
    intake.records(closes("history")).await;
    let rest = so_many_fire(&house, 3).await.split_off(1);
    assert!(rest.is_sorted() && rest.iter().all(|(_, noun)| *noun != Noun::Case(of_ben)), "{rest:?}");
    let fresh = house.start(Service::Intake).await;
    fresh.records(register("the last")).await;
    assert_eq!(fired(&house.audit().await).len(), 3);
}

async fn what_is_due_no_longer_does_not_fire(house: House) {
    let intake = house.start(Service::Intake).await;
    resolve_cases(&intake, 2).await;
    intake.records(reopen("after all", case("hello of customer 0"))).await;
    intake.clock.set_off(FIFTEEN_DAYS);
    all_fire(&house, 1).await;
    assert_eq!(fired(&house.audit().await)[0].1, Noun::Case(case("hello of customer 1")));
}
