//! What is wrong with a log is noticed by whoever follows it, and stops it loudly.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use serde_json::json;
use seva_domain::service::Service;
use seva_domain::values::Kind;
use seva_eventlog::commit::{Digest, UnreadableCommit};
use seva_eventlog::follow::{Broken, Chains, Checker, Own, verify};
use seva_eventlog::jetstream::STREAM;
use seva_eventlog::log::{Log, LogError, Stored};
use seva_eventlog::shard::ShardError;
use seva_eventlog::writer::{Answer, Phase, Unavailable};
use seva_rights::Identity;
use seva_support::eventually;

use crate::audit::Audit;
use crate::house::House;
use crate::on_both_logs;
use crate::process::{Process, SOON};
use crate::submissions::{contact, register};

on_both_logs![
    a_commit_that_continues_another_chain_stops_the_follower,
    a_log_is_followed_from_anywhere,
    a_message_that_is_missing_is_noticed,
    an_event_that_cannot_be_read_stops_the_follower,
    the_end_of_a_shard_is_told_from_its_middle,
    what_a_database_holds_of_another_log_is_noticed,
    what_is_no_commit_stops_the_follower,
];

/// A log with a few commits of intake.
async fn with_commits(house: &House) -> Process {
    let intake = house.start(Service::Intake).await;
    for name in ["ann", "ben", "cleo"] {
        intake.records(register(name)).await;
    }
    intake
}

async fn messages(log: &Log) -> Vec<Stored> {
    let end = log.end().await.unwrap() as usize;
    log.follow(1).await.unwrap().map(Result::unwrap).take(end).collect().await
}

async fn tip(log: &Log, service: Service) -> (u64, Digest) {
    let audit = Audit::of(log).await;
    audit.commits.last().map_or((0, Digest::NONE), |last| last.after.tip(service))
}

/// Appends a message to intake's shard as nobody does who keeps to the rules.
async fn plant(house: &House, text: String) -> u64 {
    let (guard, _) = tip(&house.log, Service::Intake).await;
    house.log.append(Service::Intake, guard, Bytes::from(text)).await.unwrap()
}

/// The follower stopped because of this, and its writer takes nothing any more.
async fn stops(mut process: Process, expected: impl Fn(&Broken) -> bool) {
    let stopped = || async { process.followed.borrow().broken.clone() };
    let broken = eventually("the follower stops", SOON, stopped).await;
    assert!(expected(&broken), "{broken:?}");
    assert_eq!(process.ended().await, Err(ShardError::Unfollowed));
    assert!(matches!(process.progress().phase, Phase::Stopped(_)));
    let answer = process.submit(register("too late")).await;
    assert!(matches!(answer, Answer::Unavailable(Unavailable::Stopped(_))), "{answer:?}");
}

async fn a_message_that_is_missing_is_noticed(house: House) {
    let _intake = with_commits(&house).await;
    let messages = messages(&house.log).await;
    let mut checker = Checker::new(Chains::default(), |_| true, Own::default());
    for stored in &messages[..2] {
        checker.check(stored).unwrap();
    }
    let gap = checker.check(&messages[3]).unwrap_err();
    assert_eq!(gap, Broken::Gap { last: 2, found: 4 });
    let twice = checker.check(&messages[1]).unwrap_err();
    assert_eq!(twice, Broken::Gap { last: 2, found: 2 });
    checker.check(&messages[2]).unwrap();
}

async fn a_commit_that_continues_another_chain_stops_the_follower(house: House) {
    let intake = with_commits(&house).await;
    let prev = Digest::of(b"another past");
    let commit = json!({ "at": 1, "build": "x", "prev": prev, "reacted_to": 1, "records": [] });
    let planted = plant(&house, commit.to_string()).await;
    stops(intake, |broken| *broken == Broken::Chain { service: "intake", sequence: planted }).await;
}

async fn what_is_no_commit_stops_the_follower(house: House) {
    let intake = with_commits(&house).await;
    let planted = plant(&house, "{}".to_owned()).await;
    let expected = move |broken: &Broken| matches!(broken, Broken::Unreadable { sequence, source: UnreadableCommit::Malformed { .. } } if *sequence == planted);
    stops(intake, expected).await;
}

async fn an_event_that_cannot_be_read_stops_the_follower(house: House) {
    let intake = with_commits(&house).await;
    let end = house.log.end().await.unwrap();
    let last = house.log.read(end).await.unwrap().unwrap();
    let mut commit: serde_json::Value = serde_json::from_slice(&last.bytes).unwrap();
    commit["prev"] = json!(tip(&house.log, Service::Intake).await.1);
    commit["records"][0]["events"][0]["type"] = json!("customer.forgotten.v9");
    plant(&house, commit.to_string()).await;
    let expected = |broken: &Broken| {
        matches!(broken, Broken::Unreadable { source: UnreadableCommit::Record { index: 0, .. }, .. })
    };
    stops(intake, expected).await;
}

#[tokio::test]
async fn a_message_under_a_foreign_subject_stops_the_follower() {
    let house = House::on_jetstream().await;
    let intake = with_commits(&house).await;
    let client = house.nats.as_ref().unwrap().connect_to_harm().await;
    let context = async_nats::jetstream::new(client);
    let ack = context.publish("seva.log.nobody.0", Bytes::from_static(b"{}")).await.unwrap().await.unwrap();
    assert!(matches!(house.log.read(ack.sequence).await, Err(LogError::Corrupt(_))));
    stops(intake, |broken| matches!(broken, Broken::Log(LogError::Corrupt(_)))).await;
}

async fn what_a_database_holds_of_another_log_is_noticed(house: House) {
    let _intake = with_commits(&house).await;
    let chains = Audit::of(&house.log).await.commits.last().unwrap().after.as_ref().clone();
    assert_eq!(verify(&house.log, &chains).await, Ok(()));
    let mut longer = chains.clone();
    longer.sequence += 1;
    assert_eq!(verify(&house.log, &longer).await, Err(Broken::OtherLog { sequence: longer.sequence }));
    let mut other = chains.clone();
    let (sequence, _) = other.tip(Service::Intake);
    other.shards.insert("intake".to_owned(), (sequence, Digest::of(b"another")));
    assert_eq!(verify(&house.log, &other).await, Err(Broken::OtherLog { sequence }));
    let mut missing = chains;
    missing.shards.insert("intake".to_owned(), (sequence + 10, Digest::NONE));
    assert_eq!(verify(&house.log, &missing).await, Err(Broken::OtherLog { sequence: sequence + 10 }));
}

async fn the_end_of_a_shard_is_told_from_its_middle(house: House) {
    assert!(house.log.is_end(Service::Feedback, 0).await.unwrap());
    let intake = with_commits(&house).await;
    let (sequence, _) = tip(&house.log, Service::Intake).await;
    assert!(house.log.is_end(Service::Intake, sequence).await.unwrap());
    assert!(!house.log.is_end(Service::Intake, sequence - 1).await.unwrap());
    assert!(!house.log.is_end(Service::Intake, 0).await.unwrap());
    assert!(house.log.is_end(Service::Policy, 1).await.unwrap());
    let refused = house.log.append(Service::Intake, sequence - 1, Bytes::from_static(b"{}")).await;
    assert_eq!(refused, Err(seva_eventlog::log::AppendError::Conflict));
    assert!(house.log.read(house.log.end().await.unwrap() + 1).await.unwrap().is_none());
    assert!(house.log.read(0).await.is_ok_and(|message| message.is_none()));
    intake.records(contact("hello", "ann", Kind::Enquiry, None)).await;
}

async fn a_log_is_followed_from_anywhere(house: House) {
    let intake = with_commits(&house).await;
    let all = messages(&house.log).await;
    let mut from_third = house.log.follow(3).await.unwrap();
    assert_eq!(from_third.next().await.unwrap().unwrap().bytes, all[2].bytes);
    let end = house.log.end().await.unwrap();
    // From where nothing stands yet: what comes next is the first.
    let mut from_next = house.log.follow(end + 1).await.unwrap();
    let (record, next) = tokio::join!(intake.records(register("dora")), from_next.next());
    let next = next.unwrap().unwrap();
    assert_eq!((next.sequence, Service::Intake), (record.1.sequence(), next.service));
    assert!(Arc::new(next.bytes).starts_with(b"{"));
}

#[tokio::test]
async fn as_many_read_at_once_as_there_are_names_and_who_has_gone_leaves_its_name() {
    let house = House::on_jetstream().await;
    let names = Identity::Service(Service::Intake).consumers().len();
    let log = house.another_log(Service::Intake).await;
    let mut reading = Vec::new();
    for _ in 0..names {
        let mut following = log.follow(1).await.unwrap();
        following.next().await.unwrap().unwrap();
        reading.push(following);
    }
    let error = log.follow(1).await.err().unwrap();
    assert!(matches!(&error, LogError::Unavailable(why) if why.contains("in use")), "{error}");
    drop(reading.remove(3));
    let look = || async { log.follow(1).await.ok() };
    let mut following = eventually("a name is free", SOON, look).await;
    following.next().await.unwrap().unwrap();
    // The others were left alone.
    let end = house.log.end().await.unwrap();
    plant(&house, "{}".to_owned()).await;
    for following in &mut reading {
        assert_eq!(following.next().await.unwrap().unwrap().sequence, end + 1);
    }
}

#[tokio::test]
async fn a_follower_that_loses_its_consumer_before_the_first_message_goes_on_where_it_was() {
    let house = House::on_jetstream().await;
    let intake = with_commits(&house).await;
    let end = house.log.end().await.unwrap();
    let mut from_next = house.log.follow(end + 1).await.unwrap();
    let client = house.nats.as_ref().unwrap().connect_to_harm().await;
    let stream = async_nats::jetstream::new(client).get_stream(STREAM).await.unwrap();
    let following = tokio::spawn(async move { from_next.next().await.unwrap().unwrap().sequence });
    // All of them, also the process's own, as when the server that held them is gone.
    let consumers: Vec<String> = stream.consumer_names().map(Result::unwrap).collect().await;
    assert!(consumers.len() >= 2, "{consumers:?}");
    for consumer in consumers {
        stream.delete_consumer(&consumer).await.unwrap();
    }
    let recorded = intake.records(register("dora")).await;
    assert_eq!(following.await.unwrap(), end + 1);
    assert_eq!(recorded.1.sequence(), end + 1);
}
