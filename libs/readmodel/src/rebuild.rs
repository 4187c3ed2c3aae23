//! Rebuilding a read model: its rows are folded anew from the log beside the live ones, and take their place once they are as far.

use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt as _;
use seva_eventlog::follow::{Broken, Chains, Checker, Own};
use seva_eventlog::log::Log;
use seva_eventlog::store::StoreError;

use crate::database::Database;
use crate::model::ReadModel;
use crate::projector::{Checkpoint, Live, Projections, fold};

/// How many messages a rebuild folds into one batch: rows that change often are written once, and in order.
const BATCH_MESSAGES: usize = 1_024;

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
    let mut records = 0;
    loop {
        let end = log.end().await.map_err(Broken::from)?;
        let mut batch = Vec::with_capacity(BATCH_MESSAGES);
        let mut reached = live.checkpoint.chains.sequence;
        while reached < end {
            let stored = messages.next().await.ok_or(RebuildError::Stopping)?.map_err(Broken::from)?;
            let followed = Arc::new(checker.check(&stored)?);
            reached = followed.sequence;
            records += followed.commit.records.len() as u64;
            batch.push(followed);
            if batch.len() >= BATCH_MESSAGES || reached >= end {
                live = fold_batch(live, std::mem::take(&mut batch)).await?;
            }
        }
        live = match projections.swap(live).await {
            Ok(old) => {
                let seconds = began.elapsed().as_secs_f64();
                return Ok((Rebuilt { records, seconds }, old));
            }
            Err(Some(live)) => live,
            Err(None) => return Err(RebuildError::Stopping),
        };
    }
}

async fn fold_batch(
    mut live: Live,
    batch: Vec<Arc<seva_eventlog::follow::Followed>>,
) -> Result<Live, RebuildError> {
    let folded = tokio::task::spawn_blocking(move || fold(&mut live, &batch).map(|()| live)).await;
    folded.map_err(|_| RebuildError::Stopping)?.map_err(RebuildError::Fold)
}
