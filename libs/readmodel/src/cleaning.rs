//! Cleaning a database of what was overwritten when people were forgotten: once for all of them, in its next generation.

use std::sync::Arc;
use std::time::{Duration, Instant};

use seva_eventlog::store::StoreError;
use tokio::sync::oneshot;

use crate::database::Database;
use crate::engine::{Running, TREES};
use crate::forgotten;
use crate::projector::Checkpoint;

/// How often it is looked whether the database is to be cleaned.
const CLEAN_LOOK: Duration = Duration::from_millis(500);

/// The row beside the names of trees that says how many of the forgotten are cleaned away.
const CLEANED: &[u8] = b"\0cleaned";

fn cleaned(database: &Database) -> Result<u64, StoreError> {
    let bytes = database.tree(TREES)?.get(CLEANED)?;
    Ok(bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes))
}

pub(crate) fn remember_cleaned(database: &Database, people: u64) -> Result<(), StoreError> {
    database.tree(TREES)?.apply(vec![(CLEANED.to_vec(), Some(people.to_be_bytes().to_vec()))])?;
    database.flush()
}

impl Running {
    /// How many people were forgotten of whom overwritten rows may still stand in the database's files.
    pub fn uncleaned(&self) -> Result<u64, StoreError> {
        if self.generation() == 0 {
            return Ok(0);
        }
        Ok(self.forgotten()?.saturating_sub(cleaned(&self.database)?))
    }

    /// Moves the database on to its next generation, which holds nothing that was overwritten or removed of so many people.
    async fn move_on(self: &Arc<Self>, forgotten: u64) -> Result<(), StoreError> {
        let _not_while_rebuilding = self.rebuilds.lock().await;
        let running = Arc::clone(self);
        let moved = tokio::task::spawn_blocking(move || {
            running.database.move_on(&[TREES])?;
            remember_cleaned(&running.database, forgotten)
        });
        moved.await.map_err(|error| StoreError(error.to_string()))?
    }

    /// How many people can be cleaned away, once all that is overwritten because of them is overwritten.
    async fn due(&self) -> Result<u64, StoreError> {
        // Counted first: whoever is forgotten meanwhile is cleaned away the next time.
        let forgotten = self.forgotten()?;
        let rows = self.projections.rows(forgotten::NAME);
        let checkpoint = rows.map(|rows| Checkpoint::read(rows.as_ref())).transpose()?.flatten();
        self.folded(checkpoint.map_or(0, |checkpoint| checkpoint.chains.sequence)).await?;
        Ok(forgotten)
    }

    /// Waits until all rows are as far as a message of the log.
    async fn folded(&self, sequence: u64) -> Result<(), StoreError> {
        let over = |_| StoreError("the database is not written to any more".to_owned());
        let mut models = self.projections.progress();
        models
            .wait_for(|models| models.values().all(|model| model.sequence >= sequence))
            .await
            .map_err(over)?;
        let mut shard = self.writer.progress();
        // The shard's own commits are what its rows are of: there may be none up to there.
        let holds = shard.wait_for(|at| at.followed >= sequence && at.stored >= at.tip.min(sequence));
        holds.await.map(|_| ()).map_err(over)
    }

    /// How many people were forgotten, as far as the rows are.
    fn forgotten(&self) -> Result<u64, StoreError> {
        self.projections.rows(forgotten::NAME).map_or(Ok(0), |rows| forgotten::people(&rows))
    }
}

/// Cleans a database when it is due, until told to stop.
pub(crate) async fn clean_when_due(running: Arc<Running>, after: Duration, mut stop: oneshot::Receiver<()>) {
    let mut due_since = None;
    // Told to stop, or nobody is there any more to tell it.
    while tokio::time::timeout(CLEAN_LOOK, &mut stop).await.is_err() {
        if !running.uncleaned().is_ok_and(|people| people > 0) {
            due_since = None;
            continue;
        }
        if due_since.get_or_insert_with(Instant::now).elapsed() < after {
            continue;
        }
        let cleaned = tokio::select! {
            due = running.due() => match due {
                Ok(forgotten) => running.move_on(forgotten).await,
                Err(error) => Err(error),
            },
            _ = &mut stop => return,
        };
        match cleaned {
            Ok(()) => tracing::info!(generation = running.generation(), "the database was cleaned"),
            Err(error) => tracing::error!(%error, "the database could not be cleaned: it is tried again"),
        }
        due_since = None;
    }
}
