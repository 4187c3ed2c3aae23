//! The relay killed again and again, and two of it at once: the stream is what the log says, byte for byte.

use std::time::{Duration, Instant};

use seva_history::relay::Phase;
use seva_stories::House;

use crate::importing::Import;
use crate::stream::{Running, check};

/// How often the relay is killed.
const KILLS: u64 = 50;

/// How long one of them may take to have published something.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until a relay has published so many events, or is where the log is.
async fn has_published(running: &Running, count: u64) {
    let mut progress = running.relay.progress();
    let waiting = progress.wait_for(|progress| progress.published >= count || progress.overtaken > count);
    tokio::time::timeout(PATIENCE, waiting).await.expect("a relay publishes").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_relay_killed_fifty_times_during_an_import_leaves_no_gap_and_nothing_twice() {
    let house = House::start().await;
    let import = Import::start(&house);
    let began = Instant::now();
    for n in 0..KILLS {
        assert!(import.goes_on(), "the import was over after {n} kills");
        // Every fifth time another one runs beside it.
        let other = if n % 5 == 0 { Some(Running::start(house.nats()).await) } else { None };
        let running = Running::start(house.nats()).await;
        // Some are killed as they begin, some after their first batch, some after many.
        has_published(&running, n % 7 * 100).await;
        running.kill().await;
        if let Some(other) = other {
            has_published(&other, 1).await;
            other.kill().await;
        }
    }
    let killing = began.elapsed().as_secs_f64();
    let last = Running::start(house.nats()).await;
    let rows = import.end().await;
    house.settled().await;
    last.caught_up().await;
    let published = last.relay.progress().borrow().published;
    eprintln!(
        "{rows} rows came in; after {KILLS} kills in {killing:.1} s the last relay published {published} events"
    );
    last.stop().await;
    let messages = check(house.nats()).await;
    eprintln!("{} events are what the log says", messages.len());
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_relays_at_once_publish_each_event_once() {
    let house = House::start().await;
    let relays = [Running::start(house.nats()).await, Running::start(house.nats()).await];
    let import = Import::start(&house);
    for relay in &relays {
        has_published(relay, 1_000).await;
    }
    import.end().await;
    house.settled().await;
    for relay in &relays {
        relay.caught_up().await;
    }
    let shares = relays.each_ref().map(|running| running.relay.progress().borrow().published);
    let overtaken = relays.each_ref().map(|running| running.relay.progress().borrow().overtaken);
    eprintln!("two relays published {shares:?} events, and were overtaken {overtaken:?} times");
    let messages = check(house.nats()).await;
    assert_eq!(messages.len() as u64, shares.iter().sum::<u64>(), "each event was published by one of them");
    for relay in relays {
        assert_eq!(relay.relay.progress().borrow().phase, Phase::Relaying);
        relay.stop().await;
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_was_killed_is_gone_on_with() {
    let mut house = House::start().await;
    let relay = Running::start(house.nats()).await;
    let import = Import::start(&house);
    has_published(&relay, 500).await;
    import.end().await;
    house.crash_nats().await;
    let import = Import::start(&house);
    import.end().await;
    house.settled().await;
    relay.caught_up().await;
    check(house.nats()).await;
    relay.stop().await;
    house.stop().await;
}
