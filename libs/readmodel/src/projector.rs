//! The projector: folds the log into a service's read models, on a thread of its own, and says how far each is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use seva_domain::values::At;
use seva_eventlog::commit::Position;
use seva_eventlog::follow::{Chains, Followed};
use seva_eventlog::store::{Store, StoreError};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use crate::model::{FoldError, ReadModel, Rows};
use crate::planted::{self, Bug};

/// The row that says how far the others are. No row of a read model is called so.
pub(crate) const CHECKPOINT: &[u8] = b"\0checkpoint";

/// How many messages are folded into one batch of rows, at most.
const BATCH_MESSAGES_MAX: usize = 64;

/// How long a message waits for further ones while nobody waits for it: a batch costs more than its rows.
const GATHER_MAX: Duration = Duration::from_millis(10);

/// How many messages that change no row may be folded before how far the rows are is written down.
const CHECKPOINT_EVERY: u64 = 4_096;

/// How many rows of a page are read at once when all are read.
const PAGE: usize = 1_000;

/// How far a read model's rows are. Stands in the same batch as they do.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Checkpoint {
    pub incarnation: String,
    pub chains: Chains,
    /// When the log stored the last message folded.
    pub stamp: At,
}

impl Checkpoint {
    /// Reads the checkpoint of a read model's rows; `None` if there are none.
    pub fn read(store: &dyn Store) -> Result<Option<Checkpoint>, StoreError> {
        let Some(bytes) = store.get(CHECKPOINT)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| StoreError(error.to_string()))
    }

    /// The same after a further message.
    pub(crate) fn after(&self, message: &Followed) -> Checkpoint {
        let (incarnation, chains) = (self.incarnation.clone(), message.after.as_ref().clone());
        Checkpoint { incarnation, chains, stamp: message.stamp }
    }

    pub(crate) fn row(&self) -> Result<(Vec<u8>, Option<Vec<u8>>), StoreError> {
        let bytes = serde_json::to_vec(self).map_err(|error| StoreError(error.to_string()))?;
        Ok((CHECKPOINT.to_vec(), Some(bytes)))
    }
}

/// How far a read model is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ModelProgress {
    /// Sequence of the last message folded.
    pub sequence: u64,
    /// When the log stored it.
    pub stamp: At,
    /// Why it stopped, if it did.
    pub stopped: Option<String>,
}

/// How far every read model of a service is, by name.
pub type Progress = BTreeMap<&'static str, ModelProgress>;

/// The digest of a read model's rows, in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ModelDigest {
    pub name: &'static str,
    pub sequence: u64,
    pub rows: u64,
    /// SHA-256 in hexadecimal.
    pub digest: String,
}

/// A read model that waited longer than its caller could.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the read model has not reached the position asked for")]
pub struct NotReached;

pub(crate) struct Live {
    pub(crate) model: Arc<dyn ReadModel>,
    /// The name of the tree that holds its rows.
    pub(crate) tree: String,
    pub(crate) store: Arc<dyn Store>,
    /// How far the rows are. The one stored with them may be behind it by messages that changed none.
    pub(crate) checkpoint: Checkpoint,
    /// The sequence of the checkpoint that is stored.
    pub(crate) stored: u64,
}

/// New rows for a read model, to take the place of the live ones.
pub(crate) struct Swap {
    pub(crate) live: Live,
    /// Answers the rows that went, or gives the new ones back if those are further.
    pub(crate) done: oneshot::Sender<Result<Live, Live>>,
}

/// The read models of a service. Clones are the same ones.
#[derive(Clone)]
pub struct Projections {
    // A lock, because a rebuild puts new rows in the place of the old; held only to clone a handle.
    stores: Arc<RwLock<BTreeMap<&'static str, Arc<dyn Store>>>>,
    progress: watch::Receiver<Progress>,
    swaps: mpsc::Sender<Swap>,
    hurry: Arc<Hurry>,
}

/// Who waits for a read model to be further: while anybody does, messages are folded as they come.
#[derive(Default)]
struct Hurry {
    waiting: AtomicUsize,
    began: Notify,
}

/// One who waits, until dropped.
struct Waiting<'a>(&'a Hurry);

impl Hurry {
    fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.began.notify_one();
        Waiting(self)
    }

    fn is_on(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Projections {
    /// Starts folding. The thread ends when what it follows ends.
    pub(crate) fn start(
        models: Vec<Live>,
        followed: mpsc::Receiver<Arc<Followed>>,
        damaged: Option<Arc<Notify>>,
    ) -> Projections {
        let stores: BTreeMap<_, _> = models.iter().map(|m| (m.model.name(), Arc::clone(&m.store))).collect();
        let stores = Arc::new(RwLock::new(stores));
        let begin = models.iter().map(|m| (m.model.name(), progress_of(&m.checkpoint))).collect();
        let (progress, seen) = watch::channel(begin);
        let (swaps, to_swap) = mpsc::channel(1);
        let stores_too = Arc::clone(&stores);
        let hurry = Arc::<Hurry>::default();
        let hurry_too = Arc::clone(&hurry);
        let thread =
            Thread { models, followed, to_swap, stores: stores_too, progress, damaged, hurry: hurry_too };
        let runtime = tokio::runtime::Handle::current();
        std::thread::spawn(move || thread.run(&runtime));
        Projections { stores, progress: seen, swaps, hurry }
    }

    /// The rows of a read model, if there is one of this name.
    pub fn rows(&self, name: &str) -> Option<Arc<dyn Store>> {
        self.stores.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// How far each read model is.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Waits until a read model has folded a position, as long as the caller can wait.
    pub async fn reach(&self, name: &str, position: Position, within: Duration) -> Result<(), NotReached> {
        let mut progress = self.progress.clone();
        let reached =
            |progress: &Progress| progress.get(name).is_some_and(|m| m.sequence >= position.sequence());
        if reached(&progress.borrow()) {
            return Ok(());
        }
        let _waiting = self.hurry.wait();
        match tokio::time::timeout(within, progress.wait_for(reached)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(NotReached),
        }
    }

    /// The digests of all read models, each with the sequence it stands at. Reads every row.
    pub fn digests(&self) -> Result<Vec<ModelDigest>, StoreError> {
        let stores = self.stores.read().unwrap_or_else(PoisonError::into_inner).clone();
        let progress = self.progress.borrow().clone();
        let digested = |(name, store): (&'static str, Arc<dyn Store>)| {
            let sequence = progress.get(name).map_or(0, |model| model.sequence);
            digest(name, sequence, store.as_ref())
        };
        stores.into_iter().map(digested).collect()
    }

    pub(crate) async fn swap(&self, live: Live) -> Result<Live, Option<Live>> {
        let (done, swapped) = oneshot::channel();
        if self.swaps.send(Swap { live, done }).await.is_err() {
            return Err(None);
        }
        swapped.await.map_err(|_| None)?.map_err(Some)
    }
}

/// The digest of rows, in order. Rows that change while it is made give a digest of no moment: ask a read model that is at rest.
pub(crate) fn digest(
    name: &'static str,
    sequence: u64,
    store: &dyn Store,
) -> Result<ModelDigest, StoreError> {
    let mut hash = Sha256::new();
    let mut rows = 0;
    let mut from = Vec::new();
    loop {
        let page = store.scan(&[], Some(&from), PAGE)?;
        for (key, value) in page.iter().filter(|(key, _)| key != CHECKPOINT) {
            hash.update((key.len() as u64).to_be_bytes());
            hash.update(key);
            hash.update((value.len() as u64).to_be_bytes());
            hash.update(value);
            rows += 1;
        }
        let Some((last, _)) = page.last().filter(|_| page.len() == PAGE) else { break };
        from = [last.as_slice(), &[0]].concat();
    }
    let digest = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(ModelDigest { name, sequence, rows, digest })
}

fn progress_of(checkpoint: &Checkpoint) -> ModelProgress {
    ModelProgress { sequence: checkpoint.chains.sequence, stamp: checkpoint.stamp, stopped: None }
}

/// Folds a message's records into rows.
pub(crate) fn fold_message(
    model: &dyn ReadModel,
    rows: &mut Rows<'_>,
    message: &Followed,
) -> Result<(), String> {
    for (index, record) in message.commit.records() {
        let position = Position::of(message.sequence, index);
        model.fold(rows, record, position).map_err(|error: FoldError| {
            format!("the record at {}.{index} cannot be folded: {error}", message.sequence)
        })?;
    }
    Ok(())
}

/// Folds messages into a read model's rows, all in one batch. What is folded already is passed over.
pub(crate) fn fold(live: &mut Live, messages: &[Arc<Followed>]) -> Result<(), String> {
    let mut rows = Rows::new(live.store.as_ref());
    let mut last = None;
    for message in messages.iter().filter(|m| m.sequence > live.checkpoint.chains.sequence) {
        fold_message(live.model.as_ref(), &mut rows, message)?;
        last = Some(message);
    }
    let Some(last) = last else { return Ok(()) };
    let checkpoint = live.checkpoint.after(last);
    let mut changes = rows.into_changes();
    if changes.is_empty() && last.sequence < live.stored + CHECKPOINT_EVERY {
        live.checkpoint = checkpoint;
        return Ok(());
    }
    if planted::is(Bug::CheckpointBeforeRows) {
        let first = checkpoint.row().map_err(|error| error.to_string())?;
        live.store.apply(vec![first]).map_err(|error| error.to_string())?;
        std::thread::sleep(planted::BETWEEN);
    }
    changes.push(checkpoint.row().map_err(|error| error.to_string())?);
    live.store.apply(changes).map_err(|error| error.to_string())?;
    live.stored = last.sequence;
    live.checkpoint = checkpoint;
    Ok(())
}

struct Thread {
    models: Vec<Live>,
    followed: mpsc::Receiver<Arc<Followed>>,
    to_swap: mpsc::Receiver<Swap>,
    stores: Arc<RwLock<BTreeMap<&'static str, Arc<dyn Store>>>>,
    progress: watch::Sender<Progress>,
    /// Told when a record cannot be folded; `None` where the rows were made anew already, so that they cannot be why.
    damaged: Option<Arc<Notify>>,
    hurry: Arc<Hurry>,
}

/// What the thread is woken by.
enum Woken {
    Message(Arc<Followed>),
    Swap(Swap),
    Over,
}

impl Thread {
    fn run(mut self, runtime: &tokio::runtime::Handle) {
        let mut batch = Vec::with_capacity(BATCH_MESSAGES_MAX);
        loop {
            match runtime.block_on(self.woken()) {
                Woken::Message(message) => batch.push(message),
                Woken::Swap(swap) => {
                    self.swap(swap);
                    continue;
                }
                Woken::Over => return,
            }
            runtime.block_on(self.gather(&mut batch));
            self.fold(&batch);
            batch.clear();
        }
    }

    async fn woken(&mut self) -> Woken {
        tokio::select! {
            biased;
            Some(swap) = self.to_swap.recv() => Woken::Swap(swap),
            message = self.followed.recv() => message.map_or(Woken::Over, Woken::Message),
        }
    }

    /// Adds what follows the first message of a batch: what is there, and what comes within a moment unless somebody waits.
    async fn gather(&mut self, batch: &mut Vec<Arc<Followed>>) {
        let until = Instant::now() + GATHER_MAX;
        while batch.len() < BATCH_MESSAGES_MAX {
            if let Ok(message) = self.followed.try_recv() {
                batch.push(message);
                continue;
            }
            if self.hurry.is_on() {
                return;
            }
            tokio::select! {
                biased;
                message = self.followed.recv() => match message {
                    Some(message) => batch.push(message),
                    None => return,
                },
                () = self.hurry.began.notified() => {}
                () = sleep_until(until) => return,
            }
        }
    }

    fn fold(&mut self, batch: &[Arc<Followed>]) {
        for live in &mut self.models {
            let name = live.model.name();
            if self.progress.borrow().get(name).is_some_and(|progress| progress.stopped.is_some()) {
                continue;
            }
            let result = fold(live, batch);
            if let Err(error) = &result {
                tracing::error!(
                    read_model = name,
                    error,
                    "the read model has stopped: it would be wrong from here on"
                );
                if let Some(damaged) = &self.damaged {
                    damaged.notify_one();
                }
            }
            let mut now = progress_of(&live.checkpoint);
            now.stopped = result.err();
            self.progress.send_modify(|progress| {
                progress.insert(name, now);
            });
        }
    }

    /// Puts rebuilt rows in the place of the live ones, unless those are further.
    fn swap(&mut self, swap: Swap) {
        let name = swap.live.model.name();
        let Some(live) = self.models.iter_mut().find(|live| live.model.name() == name) else { return };
        let answer = if swap.live.checkpoint.chains.sequence < live.checkpoint.chains.sequence {
            Err(swap.live)
        } else {
            let old = std::mem::replace(live, swap.live);
            let store = Arc::clone(&live.store);
            self.stores.write().unwrap_or_else(PoisonError::into_inner).insert(name, store);
            let now = progress_of(&live.checkpoint);
            self.progress.send_modify(|progress| {
                progress.insert(name, now);
            });
            Ok(old)
        };
        // A rebuild that is gone leaves a tree that the next one removes.
        let _gone = swap.done.send(answer);
    }
}
