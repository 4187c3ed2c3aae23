//! Writing confirmed rows to the database, on a thread of its own.

use std::sync::Arc;

use seva_domain::rows::Delta;
use tokio::sync::{mpsc, watch};

use crate::rowcodec;
use crate::shard::Checkpoint;
use crate::store::{Store, StoreError};

pub(super) struct ToStore {
    pub(super) sequence: u64,
    pub(super) delta: Delta,
    pub(super) checkpoint: Checkpoint,
}

/// How many commits' rows are written to the database in one batch, at most.
pub(super) const STORE_BATCH_MAX: usize = 64;

/// Writes rows to the database on a thread of its own, in order; rows changed several times within a batch are written once.
pub(super) fn storing(
    store: Arc<dyn Store>,
    held: u64,
) -> (mpsc::Sender<ToStore>, watch::Receiver<Result<u64, StoreError>>) {
    let (to_store, mut waiting) = mpsc::channel::<ToStore>(crate::follow::WAITING_MAX);
    let (stored, seen) = watch::channel(Ok(held));
    std::thread::spawn(move || {
        let mut batch = Vec::with_capacity(STORE_BATCH_MAX);
        loop {
            batch.clear();
            let Some(first) = waiting.blocking_recv() else { return };
            batch.push(first);
            while batch.len() < STORE_BATCH_MAX {
                match waiting.try_recv() {
                    Ok(next) => batch.push(next),
                    Err(_) => break,
                }
            }
            let result = write(store.as_ref(), &mut batch);
            let is_over = result.is_err();
            let _previous = stored.send_replace(result);
            if is_over {
                return;
            }
        }
    });
    (to_store, seen)
}

pub(super) fn write(store: &dyn Store, batch: &mut Vec<ToStore>) -> Result<u64, StoreError> {
    let mut rows = Delta::new();
    let mut last = None;
    for ToStore { sequence, delta, checkpoint } in batch.drain(..) {
        rows.extend(delta);
        last = Some((sequence, checkpoint));
    }
    let Some((sequence, checkpoint)) = last else { return Ok(0) };
    let mut changes = Vec::with_capacity(rows.len() + 1);
    for (key, value) in &rows {
        let value = value.as_ref().map(rowcodec::value).transpose()?;
        changes.push((rowcodec::key(key), value));
    }
    changes.push(checkpoint.row()?);
    store.apply(changes)?;
    Ok(sequence)
}
