//! Due times are neither lost nor reached twice, though everything is killed among them. SEVA_TIMERS says how many there are.

use seva_faults::run::{Plan, table};
use seva_faults::timers::{self, Lateness};

/// How many due times there are where nobody says.
const COUNT: u32 = 2_000;

#[tokio::test(flavor = "multi_thread")]
async fn every_promise_breaks_once_at_its_time_though_everything_is_killed_meanwhile() {
    let count = std::env::var("SEVA_TIMERS").map_or(COUNT, |count| count.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut plan = Plan::new(env!("CARGO_BIN_EXE_seva-faults"), folder.path(), 1, 0);
    // By the machine's own clock, so that lateness means something.
    plan.rate = 1;
    let (report, verdict) = timers::run(&plan, count).await.unwrap();
    for (name, lateness) in [("hot", &report.hot), ("cold", &report.cold), ("missed", &report.missed)] {
        let Lateness { micros } = lateness;
        let [p50, p99, most] = [500, 990, 1_000].map(|per_mille| lateness.ms_at(per_mille));
        println!(
            "{name:<6} {:>7} promises broke late by p50 {p50} ms, p99 {p99} ms, at most {most} ms",
            micros.len()
        );
    }
    if !verdict.is_clean() {
        panic!("kept in {}:\n{}", folder.keep().display(), table(&verdict));
    }
    assert_eq!((report.promised, report.broken), (u64::from(count), u64::from(count)));
    assert!(!report.missed.micros.is_empty(), "nothing was due while everything was down");
}
