//! Writing confirmed rows to the database, on a thread of its own.

use std::sync::Arc;
use std::time::Duration;

use seva_domain::rows::Delta;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

use crate::base::Base;
use crate::shard::Checkpoint;
use crate::store::StoreError;

pub(super) struct ToStore {
    pub(super) sequence: u64,
    pub(super) delta: Delta,
    pub(super) checkpoint: Checkpoint,
}

/// How many commits' rows are written to the database in one batch, at most.
pub(super) const STORE_BATCH_MAX: usize = 256;

/// How long rows wait for those of further commits: a row that changes often is written once, and a batch costs more than its rows.
const GATHER_MAX: Duration = Duration::from_millis(10);

/// Writes rows to the database on a thread of its own, in order; rows changed several times within a batch are written once.
pub(super) fn storing(
    base: Arc<Base>,
    held: u64,
) -> (mpsc::Sender<ToStore>, watch::Receiver<Result<u64, StoreError>>) {
    let (to_store, mut waiting) = mpsc::channel::<ToStore>(crate::follow::WAITING_MAX);
    let (stored, seen) = watch::channel(Ok(held));
    let runtime = Handle::current();
    std::thread::spawn(move || {
        let mut batch = Vec::with_capacity(STORE_BATCH_MAX);
        loop {
            batch.clear();
            if !runtime.block_on(gather(&mut waiting, &mut batch)) {
                return;
            }
            let result = write(base.as_ref(), &mut batch);
            let is_over = result.is_err();
            let _previous = stored.send_replace(result);
            if is_over {
                return;
            }
        }
    });
    (to_store, seen)
}

/// Waits for rows, and then a moment for more. Answers whether there are any; there are none when the writer is gone.
async fn gather(waiting: &mut mpsc::Receiver<ToStore>, batch: &mut Vec<ToStore>) -> bool {
    if waiting.recv_many(batch, STORE_BATCH_MAX).await == 0 {
        return false;
    }
    let until = Instant::now() + GATHER_MAX;
    while batch.len() < STORE_BATCH_MAX {
        let room = STORE_BATCH_MAX - batch.len();
        match timeout_at(until, waiting.recv_many(batch, room)).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    true
}

pub(super) fn write(base: &Base, batch: &mut Vec<ToStore>) -> Result<u64, StoreError> {
    let mut rows = Delta::new();
    let mut last = None;
    for ToStore { sequence, delta, checkpoint } in batch.drain(..) {
        rows.extend(delta);
        last = Some((sequence, checkpoint));
    }
    let Some((sequence, checkpoint)) = last else { return Ok(0) };
    base.apply(&rows, &checkpoint)?;
    Ok(sequence)
}
