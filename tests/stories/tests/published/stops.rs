//! Where the relay goes on after a part of a batch, and where it stops, loudly.

use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream;
use seva_eventlog::follow::Broken;
use seva_history::relay::{Phase, RelayError};
use seva_history::stream::{Published, STREAM};
use seva_rights::Identity;
use seva_stories::House;
use seva_support::TestNats;

use crate::importing::import;
use crate::stream::{Message, Running, check, derived, published};

const PATIENCE: Duration = Duration::from_secs(30);

/// A log of some hundred records, that nobody writes to any more.
async fn log() -> House {
    let mut house = House::start().await;
    import(&house, 400).await;
    house.stop_services().await;
    house
}

/// Stores messages one by one, as recovery leaves the first of a batch whose rest was lost.
async fn store(nats: &TestNats, messages: &[Message]) {
    Published::set_up(nats.connect(Identity::Operator).await, 1).await.unwrap();
    let context = jetstream::new(nats.connect(Identity::History).await);
    for message in messages {
        let mut headers = HeaderMap::new();
        for (name, value) in &message.headers {
            headers.insert(name.as_str(), value.as_str());
        }
        let sent =
            context.publish_with_headers(message.subject.clone(), headers, message.body.clone().into());
        sent.await.unwrap().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_part_of_a_batch_is_gone_on_with_wherever_it_ends() {
    let house = log().await;
    let all = derived(house.nats()).await;
    let context = jetstream::new(house.nats().connect_to_harm().await);
    for count in [1, 2, 3, 250, 499, 500, 501, all.len() - 1, all.len()] {
        store(house.nats(), &all[..count]).await;
        let relay = Running::start(house.nats()).await;
        relay.caught_up().await;
        relay.stop().await;
        assert_eq!(published(house.nats()).await, all, "after {count}");
        context.delete_stream(STREAM).await.unwrap();
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_unreadable_log_stops_the_relay_where_it_stands() {
    let house = log().await;
    let relay = Running::start(house.nats()).await;
    relay.caught_up().await;
    let before = check(house.nats()).await;
    let context = jetstream::new(house.nats().connect_to_harm().await);
    context.publish("seva.log.intake.0", "no commit".into()).await.unwrap().await.unwrap();
    let over = tokio::time::timeout(PATIENCE, relay.task).await.unwrap().unwrap();
    assert!(matches!(over, Err(RelayError::Broken(Broken::Unreadable { .. }))), "{over:?}");
    let phase = relay.relay.progress().borrow().phase.clone();
    assert!(matches!(&phase, Phase::Stopped(why) if why.contains("cannot be read")), "{phase:?}");
    assert_eq!(published(house.nats()).await, before, "nothing was published past it");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stream_of_another_log_or_an_emptied_one_is_not_gone_on_with() {
    let (first, other) = (log().await, log().await);
    let foreign = derived(other.nats()).await;
    other.stop().await;
    store(first.nats(), &foreign[..3]).await;
    let relay = Running::start(first.nats()).await;
    let over = tokio::time::timeout(PATIENCE, relay.task).await.unwrap().unwrap();
    assert!(matches!(over, Err(RelayError::OtherLog { .. })), "{over:?}");

    let context = jetstream::new(first.nats().connect_to_harm().await);
    context.get_stream(STREAM).await.unwrap().purge().await.unwrap();
    let relay = Running::start(first.nats()).await;
    let over = tokio::time::timeout(PATIENCE, relay.task).await.unwrap().unwrap();
    assert_eq!(over, Err(RelayError::Emptied));
    first.stop().await;
}

/// Prints how fast a log that is there already is published, beside how fast it was written.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_log_that_is_there_is_published_many_events_a_round() {
    let house = House::start().await;
    let writing = Instant::now();
    import(&house, 5_000).await;
    let wrote = writing.elapsed().as_secs_f64();
    let records = house.log().await.records.len();
    let publishing = Instant::now();
    let relay = Running::start(house.nats()).await;
    relay.caught_up().await;
    let took = publishing.elapsed().as_secs_f64();
    let events = relay.relay.progress().borrow().published;
    eprintln!(
        "{records} records written at {:.0}/s, {events} events of them published at {:.0}/s",
        records as f64 / wrote,
        events as f64 / took
    );
    assert!(events > records as u64);
    relay.stop().await;
    house.stop().await;
}
