//! Whoever is killed at whichever step of a refund's life: it is paid out once, and comes to its end.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and shows its table"
)]

use seva_domain::charge::Phase;
use seva_faults::run::{Plan, table};
use seva_faults::steps::{self, Row, Victim};

/// Kills a victim at every step. Every refund here is one that the provider pays in the end.
async fn every_refund_is_paid_once(victim: Victim) {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan::new(env!("CARGO_BIN_EXE_seva-faults"), folder.path(), 1, 0).by_the_machines_clock();
    let (rows, verdict) = steps::run(&plan, victim).await.unwrap();
    for Row { step, phase, payouts } in &rows {
        println!("{victim:?} killed | {step:<22} | {phase:?}, {payouts} payout");
    }
    if !verdict.is_clean() {
        panic!("kept in {}:\n{}", folder.keep().display(), table(&verdict));
    }
    let steps: Vec<_> = rows.iter().map(|row| row.step).collect();
    let all = [
        "requested",
        "instructed, not called",
        "call in flight",
        "unknown",
        "second attempt",
        "answered, not written",
    ];
    assert_eq!(steps, all);
    assert!(rows.iter().all(|row| (row.phase, row.payouts) == (Phase::Paid, 1)), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_refunds_is_killed() {
    every_refund_is_paid_once(Victim::Refunds).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_logs_server_is_killed() {
    every_refund_is_paid_once(Victim::Nats).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_payment_provider_is_killed() {
    every_refund_is_paid_once(Victim::Provider).await;
}
