//! What a log and its writers promise, tried on both logs through the same doors: in memory, and on a real nats-server that syncs always.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit;
mod commands;
mod due;
mod following;
mod house;
mod limits;
mod outcomes;
mod process;
mod racing;
mod reactions;
mod refusals;
mod requests;
mod restarts;
mod running_again;
mod submissions;

/// Runs each case on both logs.
macro_rules! on_both_logs {
    ($($case:ident),* $(,)?) => {
        mod in_memory {
            $(#[tokio::test]
            async fn $case() {
                super::$case(crate::house::House::in_memory().await).await;
            })*
        }
        mod on_jetstream {
            $(#[tokio::test]
            async fn $case() {
                super::$case(crate::house::House::on_jetstream().await).await;
            })*
        }
    };
}
pub(crate) use on_both_logs;
