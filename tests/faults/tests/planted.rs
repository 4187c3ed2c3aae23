//! The fault run is itself tried: each mistake planted in the processes is found, and without any nothing is.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use seva_faults::judge::Verdict;
use seva_faults::run::{self, Plan};
use seva_faults::steps::{self, Victim};

/// What every run follows from.
const SEED: u64 = 11;

/// A short run with little to work on, so that the same things are asked for often.
async fn run(planted: Option<&str>, kills: u32, seconds: u64) -> Verdict {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = Plan::new(env!("CARGO_BIN_EXE_seva-faults"), folder.path(), SEED, kills);
    plan.hot = 5;
    plan.clients = 24;
    plan.halts = 50;
    plan.settle_within = Duration::from_secs(20);
    plan.within = Duration::from_secs(seconds);
    plan.planted = planted.map(str::to_owned);
    let verdict = match run::run(&plan).await {
        Ok(verdict) => verdict,
        Err(error) => panic!("kept in {}: {error:?}", folder.keep().display()),
    };
    eprintln!("{planted:?}\n{}", run::table(&verdict));
    if planted.is_none() && !verdict.is_clean() {
        eprintln!("kept in {}", folder.keep().display());
    }
    verdict
}

/// Runs with a mistake and demands that one of these validators finds it.
async fn is_caught(planted: &str, kills: u32, seconds: u64, by: &[&str]) {
    let verdict = run(Some(planted), kills, seconds).await;
    let found =
        |name: &str| verdict.findings.iter().any(|(found, f)| found.starts_with(name) && f.violations > 0);
    assert!(
        by.iter().any(|name| found(name)),
        "{planted} was not found by {by:?}:\n{}",
        run::table(&verdict)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mistake_nothing_is_found() {
    let verdict = run(None, 6, 40).await;
    assert!(verdict.is_clean(), "{}", run::table(&verdict));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_before_the_acknowledgement() {
    is_caught("ack_before_ack", 4, 20, &["V1"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_before_its_rows() {
    is_caught("checkpoint_before_rows", 4, 30, &["V6"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_not_remembered() {
    is_caught("request_memory_skipped", 2, 12, &["V1"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_its_guard() {
    is_caught("guard_left_out", 2, 12, &["V4"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_doubled() {
    is_caught("reaction_doubled", 2, 12, &["suggestions captured once"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_before_it_is_confirmed() {
    is_caught("refusal_before_confirmed", 4, 25, &["refusals true when given"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_taken_as_absent() {
    is_caught("timeout_taken_as_absent", 6, 60, &["V2"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_evicted_before_they_are_stored() {
    is_caught("unfolded_rows_evicted", 2, 12, &["V1", "V4"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_on_retry() {
    is_caught("new_key_on_retry", 4, 25, &["V5 the provider paid"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_payment_taken_as_failed() {
    is_caught("unknown_treated_as_failed", 4, 25, &["V5 the provider paid"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_climb_fired_twice() {
    is_caught("climb_fired_twice", 2, 15, &["escalations climb once"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promise_broken_and_kept() {
    is_caught("promise_broken_and_kept", 2, 15, &["promises end once"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_on_retry_shows_at_the_steps_of_a_refund_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan =
        Plan::new(env!("CARGO_BIN_EXE_seva-faults"), folder.path(), SEED, 0).by_the_machines_clock();
    plan.planted = Some("new_key_on_retry".to_owned());
    let (rows, verdict) = steps::run(&plan, Victim::Refunds).await.unwrap();
    assert!(!verdict.is_clean() && rows.iter().any(|row| row.payouts > 1), "{rows:?}");
}
