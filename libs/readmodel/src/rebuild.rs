//! Rebuilding a read model: its rows are folded anew from the log beside the live ones, and take their place once they are as far.

use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt as _;
use seva_eventlog::follow::{Broken, Chains, Checker, Followed, Own};
use seva_eventlog::log::Log;
use seva_eventlog::store::StoreError;
use tokio::sync::mpsc;

use crate::database::Database;
use crate::model::{ReadModel, Rows};
use crate::projector::{Checkpoint, Live, Projections, fold_message};

/// How many bytes of rows a rebuild folds in memory before it writes them: those that change often are written once, and all in order, which costs the
/// database less than writing them as they come.
const RUN_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How many rows of a run are written at once.
const WRITTEN_ROWS: usize = 512;

/// How many messages may wait to be folded.
const WAITING_MAX: usize = 64;

/// What a rebuild came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rebuilt {
    pub records: u64,
    pub seconds: f64,
}

/// Why a rebuild came to nothing. The live rows are as they were.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    #[error("there is no read model `{0}`")]
    Unknown(String),
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Fold(String),
    #[error("the service is stopping")]
    Stopping,
}

/// Names the tree of a model's rows: the first, or one made by a rebuild.
pub(crate) fn tree_name(model: &str, n: u64) -> String {
    if n == 0 { model.to_owned() } else { format!("{model}~{n}") }
}

/// A read model without rows yet, in a tree of its own.
pub(crate) fn without_rows(
    log: &Log,
    database: &Database,
    model: Arc<dyn ReadModel>,
    tree: String,
) -> Result<Live, StoreError> {
    let store = database.tree(&tree)?;
    let checkpoint = Checkpoint { incarnation: log.incarnation().to_owned(), ..Checkpoint::default() };
    Ok(Live { model, tree, store, checkpoint, stored: 0 })
}

/// Folds a read model without rows from the log, as a process that understands the nouns wanted has it, and puts the new rows in the place of
/// the live ones.
pub(crate) async fn rebuild(
    log: &Log,
    wants: fn(&str) -> bool,
    projections: &Projections,
    mut live: Live,
) -> Result<(Rebuilt, Live), RebuildError> {
    let began = Instant::now();
    let mut checker = Checker::new(Chains::default(), wants, Own::default());
    let mut messages = log.follow(1).await.map_err(Broken::from)?;
    let (mut records, mut reached) = (0, live.checkpoint.chains.sequence);
    loop {
        let end = log.end().await.map_err(Broken::from)?;
        let (to_fold, followed) = mpsc::channel(WAITING_MAX);
        let folding = tokio::task::spawn_blocking(move || fold_all(live, followed));
        let read = async {
            while reached < end {
                let stored = messages.next().await.ok_or(RebuildError::Stopping)?.map_err(Broken::from)?;
                let followed = checker.check(&stored)?;
                reached = followed.sequence;
                records += followed.commit.records.len() as u64;
                if to_fold.send(followed).await.is_err() {
                    // It stopped, and says why.
                    break;
                }
            }
            Ok::<(), RebuildError>(())
        }
        .await;
        drop(to_fold);
        // Waited for whatever was read: the next rebuild may begin as soon as this one is over.
        let folded = folding.await.map_err(|_| RebuildError::Stopping)?.map_err(RebuildError::Fold)?;
        read?;
        live = match projections.swap(folded).await {
            Ok(old) => {
                let seconds = began.elapsed().as_secs_f64();
                return Ok((Rebuilt { records, seconds }, old));
            }
            Err(Some(live)) => live,
            Err(None) => return Err(RebuildError::Stopping),
        };
    }
}

/// Folds messages into rows that nobody reads yet, run by run.
fn fold_all(mut live: Live, mut messages: mpsc::Receiver<Followed>) -> Result<Live, String> {
    let store = Arc::clone(&live.store);
    let mut rows = Rows::new(store.as_ref());
    while let Some(message) = messages.blocking_recv() {
        fold_message(live.model.as_ref(), &mut rows, &message)?;
        live.checkpoint = live.checkpoint.after(&message);
        if rows.bytes() >= RUN_BYTES_MAX {
            write(&mut live, std::mem::replace(&mut rows, Rows::new(store.as_ref())))?;
        }
    }
    write(&mut live, rows)?;
    Ok(live)
}

/// Writes a run in order. Not all at once: should it break off, the rows are dropped.
fn write(live: &mut Live, run: Rows<'_>) -> Result<(), String> {
    let mut changes = run.into_changes();
    changes.push(live.checkpoint.row().map_err(|error| error.to_string())?);
    let mut changes = changes.into_iter().peekable();
    while changes.peek().is_some() {
        let some = changes.by_ref().take(WRITTEN_ROWS).collect();
        live.store.apply(some).map_err(|error| error.to_string())?;
    }
    live.stored = live.checkpoint.chains.sequence;
    Ok(())
}
