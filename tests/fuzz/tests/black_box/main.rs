//! Every method of every service, found by reflection and called with what nobody would send: no panic, no hang, no INTERNAL.
//!
//! 5,000 requests, or as many as `SEVA_BLACK_BOX_REQUESTS` says; `SEVA_BLACK_BOX_SEED` begins elsewhere.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod call;
mod judge;
mod reflection;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use seva_fuzz::{Known, Maker};
use seva_stories::House;
use tokio::task::JoinSet;

use crate::call::Caller;
use crate::judge::Judge;

/// How many requests there are where nothing else is said.
const REQUESTS: u64 = 5_000;

/// How many are under way at once.
const AT_ONCE: u64 = 16;

/// A whole number that the environment may hold.
fn asked_for(variable: &str, otherwise: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(otherwise, |given| given.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_sent_is_answered_in_time_and_never_by_a_failure_of_ours() {
    let (requests, seed) =
        (asked_for("SEVA_BLACK_BOX_REQUESTS", REQUESTS), asked_for("SEVA_BLACK_BOX_SEED", 7));
    eprintln!("{requests} requests from seed {seed}");
    let house = House::start().await;
    let mut methods = Vec::new();
    for service in house.names() {
        methods.extend(reflection::methods(house.connection(service)).await);
    }
    assert!(methods.len() > 50, "only {} methods", methods.len());

    let (methods, known, judge) = (Arc::new(methods), Arc::new(Known::default()), Arc::new(Judge::default()));
    let sent = Arc::new(AtomicU64::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (methods, known, judge, sent) = (methods.clone(), known.clone(), judge.clone(), sent.clone());
        callers.spawn(async move {
            loop {
                let n = sent.fetch_add(1, Ordering::Relaxed);
                if n >= requests {
                    return;
                }
                // Mixed, because seeds that follow one another begin alike.
                let seed = (seed ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                Caller { seed, maker: Maker::new(seed, &known), known: &known }.call(&methods, &judge).await;
            }
        });
    }
    while let Some(over) = callers.join_next().await {
        over.unwrap();
    }
    let found = judge.found();
    eprintln!("{}", judge.summary());
    assert!(found.is_empty(), "{} mistakes:\n{}", found.len(), found.join("\n"));
    judge.assert_reached_the_rules();

    // Nothing stopped, and everything that follows from it has been taken in.
    tokio::time::timeout(Duration::from_secs(60), house.settled()).await.expect("the house comes to rest");
    let panics = judge::number(house.metrics(), "seva_requests_panicked_total").await;
    assert_eq!(panics, 0, "panics");
    house.stop().await;
}
