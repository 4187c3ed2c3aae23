//! Callers that each wait for an answer before they call again, for a while.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::latencies::Latencies;

/// How many callers, and for how long.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) in_flight: usize,
    pub(crate) lasts: Duration,
    /// While it holds `false` nobody calls.
    pub(crate) gate: watch::Receiver<bool>,
}

impl Load {
    /// Callers that nobody holds back.
    pub(crate) fn free(in_flight: usize, lasts: Duration) -> Load {
        Load { in_flight, lasts, gate: watch::channel(true).1 }
    }
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Driven {
    pub(crate) took: Duration,
    pub(crate) latencies: Latencies,
}

impl Driven {
    /// How many calls were answered a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.latencies.count() as f64 / self.took.as_secs_f64()
    }
}

/// Lets every caller call until the time is over. `caller` makes the calls of the n-th caller: each takes the number of the call.
pub(crate) async fn drive<C, F, Fut>(load: Load, caller: C) -> anyhow::Result<Driven>
where
    C: Fn(usize) -> F,
    F: FnMut(u64) -> Fut + Send + 'static,
    Fut: Future<Output = anyhow::Result<()>> + Send,
{
    let began = Instant::now();
    let end = began + load.lasts;
    let mut callers = JoinSet::new();
    for n in 0..load.in_flight {
        let mut call = caller(n);
        let mut gate = load.gate.clone();
        callers.spawn(async move {
            let mut latencies = Latencies::default();
            let mut number = 0;
            while Instant::now() < end {
                if !*gate.borrow() && !opens_before(&mut gate, end).await {
                    break;
                }
                let sent = Instant::now();
                call(number).await?;
                latencies.add(sent.elapsed());
                number += 1;
            }
            anyhow::Ok(latencies)
        });
    }
    let mut latencies = Latencies::default();
    while let Some(caller) = callers.join_next().await {
        latencies.append(caller.context("a caller broke off")??);
    }
    Ok(Driven { took: began.elapsed(), latencies })
}

async fn opens_before(gate: &mut watch::Receiver<bool>, end: Instant) -> bool {
    let open = gate.wait_for(|is_open| *is_open);
    // Whoever held the gate is gone: nobody holds it any more.
    tokio::time::timeout_at(end.into(), open).await.is_ok()
}
