//! Running a log again notices a record that no rule made.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};
use seva_domain::service::Service;
use seva_domain::values::Kind;
use seva_eventlog::commit::Digest;
use seva_eventlog::log::Log;
use seva_eventlog::memory::MemoryLog;
use seva_eventlog::simulate;

use crate::house::{House, now};
use crate::on_both_logs;
use crate::submissions::{case, contact, register, resolve};

on_both_logs![a_rules_event_that_was_altered_is_found, an_empty_log_is_run_again];

/// Copies a log into memory with one change, every chain whole.
async fn altered(log: &Log, mut alter: impl FnMut(&mut Value)) -> Log {
    let copy = Log::Memory(MemoryLog::new(now));
    let mut tips: BTreeMap<Service, (u64, Digest)> = BTreeMap::new();
    for sequence in 1..=log.end().await.unwrap() {
        let stored = log.read(sequence).await.unwrap().unwrap();
        let mut commit: Value = serde_json::from_slice(&stored.bytes).unwrap();
        let (guard, prev) = tips.get(&stored.service).copied().unwrap_or((0, Digest::NONE));
        commit["prev"] = json!(prev);
        alter(&mut commit);
        let bytes = Bytes::from(commit.to_string());
        let digest = Digest::of(&bytes);
        assert_eq!(copy.append(stored.service, guard, bytes).await, Ok(sequence));
        tips.insert(stored.service, (sequence, digest));
    }
    copy
}

fn events<'a>(commit: &'a mut Value, event_type: &'a str) -> impl Iterator<Item = &'a mut Value> {
    let records = commit["records"].as_array_mut().unwrap().iter_mut();
    let events = records.flat_map(|record| record["events"].as_array_mut().unwrap());
    events.filter(move |event| event["type"] == event_type)
}

async fn a_rules_event_that_was_altered_is_found(house: House) {
    let intake = house.start(Service::Intake).await;
    intake.records(register("ann")).await;
    intake.records(contact("hello", "ann", Kind::Enquiry, None)).await;
    let (_, position) = intake.records(resolve("solved", case("hello"))).await;
    intake.records(contact("thanks", "ann", Kind::Other, None)).await;
    house.audit().await;
    let same = altered(&house.log, |_| {}).await;
    let report = simulate::run(&same).await.unwrap();
    assert_eq!((report.difference, report.facts, report.rule_events), (None, 5, 1));
    let sooner = |commit: &mut Value| {
        for event in events(commit, "case.confirmation_awaited.v1") {
            let until = event["data"]["until"].as_i64().unwrap();
            event["data"]["until"] = json!(until - 1);
        }
    };
    let difference = simulate::run(&altered(&house.log, sooner).await).await.unwrap().difference.unwrap();
    assert_eq!((difference.sequence, difference.index), (position.sequence(), usize::from(position.index())));
    assert_ne!(difference.logged, difference.simulated);
    let dropped = |commit: &mut Value| {
        for record in commit["records"].as_array_mut().unwrap() {
            let events = record["events"].as_array_mut().unwrap();
            events.retain(|event| event["type"] != "case.confirmation_awaited.v1");
        }
    };
    let difference = simulate::run(&altered(&house.log, dropped).await).await.unwrap().difference.unwrap();
    assert_eq!(difference.sequence, position.sequence());
}

async fn an_empty_log_is_run_again(_: House) {
    let report = simulate::run(&Log::Memory(MemoryLog::new(now))).await.unwrap();
    assert_eq!(report, simulate::Report::default());
}
