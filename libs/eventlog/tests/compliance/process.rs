//! One writer process: follower, database, clock and writer, each of which a case can disturb.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use seva_domain::desk::Submission;
use seva_domain::record::Record;
use seva_domain::service::Service;
use seva_domain::values::At;
use seva_eventlog::base::Base;
use seva_eventlog::commit::Position;
use seva_eventlog::follow::{self, Chains, Checker, FollowProgress, Followed, Own};
use seva_eventlog::log::Log;
use seva_eventlog::shard::{Checkpoint, ShardError};
use seva_eventlog::store::{Change, MemoryStore, Row, Store, StoreError};
use seva_eventlog::writer::{Answer, Parts, Phase, Progress, Writer};
use seva_support::eventually;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::house::now;

/// How long a case waits for anything.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A database that outlives its process. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(MemoryStore);

impl Disk {
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        Checkpoint::read(&self.0).unwrap().unwrap_or_default()
    }

    /// All rows but the checkpoint.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let mut rows = self.0.scan(b"", None, usize::MAX).unwrap();
        rows.retain(|(key, _)| key != seva_eventlog::rowcodec::CHECKPOINT);
        rows
    }
}

/// A process's hold on its disk: lost when the process dies, and after as many writes as it is allowed.
#[derive(Debug)]
struct Mounted {
    disk: Disk,
    writes_left: Mutex<u64>,
    is_held: Mutex<bool>,
    released: Condvar,
}

impl Store for Mounted {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.disk.0.get(key)
    }

    fn scan(&self, prefix: &[u8], from: Option<&[u8]>, limit: usize) -> Result<Vec<Row>, StoreError> {
        self.disk.0.scan(prefix, from, limit)
    }

    fn scan_back(&self, prefix: &[u8], before: Option<&[u8]>, limit: usize) -> Result<Vec<Row>, StoreError> {
        self.disk.0.scan_back(prefix, before, limit)
    }

    fn apply(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let held = self.is_held.lock().unwrap();
        drop(self.released.wait_while(held, |is_held| *is_held).unwrap());
        let mut left = self.writes_left.lock().unwrap();
        *left = left.checked_sub(1).ok_or_else(|| StoreError("the disk is gone".to_owned()))?;
        self.disk.0.apply(changes)
    }
}

/// This machine's clock, as far as it is off, and how often it was asked.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    off: AtomicI64,
    asked: AtomicU64,
}

impl Clock {
    pub(crate) fn set_off(&self, micros: i64) {
        self.off.store(micros, Ordering::SeqCst);
    }

    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

/// What a process is started with besides its disk.
pub(crate) struct Setting {
    pub(crate) build: &'static str,
    pub(crate) checks_clock: bool,
    pub(crate) clock: Arc<Clock>,
    /// After so many writes the disk fails.
    pub(crate) writes_max: u64,
    /// Whether its follower begins with the log, wherever its database is.
    pub(crate) follows_from_beginning: bool,
    /// Whether it never comes to the end of catching up.
    pub(crate) only_catches_up: bool,
}

impl Default for Setting {
    fn default() -> Setting {
        Setting {
            build: "a",
            checks_clock: false,
            clock: Arc::default(),
            writes_max: u64::MAX,
            follows_from_beginning: false,
            only_catches_up: false,
        }
    }
}

/// A running process. Dropping it ends it as a crash would.
pub(crate) struct Process {
    writer: Option<Writer>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) followed: watch::Receiver<FollowProgress>,
    done: JoinHandle<Result<(), ShardError>>,
    followers: [JoinHandle<()>; 2],
    passes: watch::Sender<bool>,
    mounted: Arc<Mounted>,
}

impl Drop for Process {
    fn drop(&mut self) {
        *self.mounted.writes_left.lock().unwrap() = 0;
        self.hold_disk(false);
        self.done.abort();
        self.followers.iter().for_each(JoinHandle::abort);
    }
}

impl Process {
    pub(crate) async fn start(log: Log, service: Service, disk: &Disk, setting: Setting) -> Process {
        let Setting { build, checks_clock, clock, writes_max, follows_from_beginning, only_catches_up } =
            setting;
        let mounted = Arc::new(Mounted {
            disk: disk.clone(),
            writes_left: Mutex::new(writes_max),
            is_held: Mutex::default(),
            released: Condvar::new(),
        });
        let resume = disk.checkpoint().resume;
        follow::verify(&log, &resume).await.unwrap();
        let catch_up_to = if only_catches_up { u64::MAX } else { log.end().await.unwrap() };
        let own = Own::default();
        let (to_gate, from_follower) = mpsc::channel(follow::WAITING_MAX);
        let (to_writer, followed) = mpsc::channel(1);
        let (passes, gate) = watch::channel(true);
        let (progress, seen) = watch::channel(FollowProgress::default());
        let begin = if follows_from_beginning { Chains::default() } else { resume };
        let checker = Checker::new(begin, |_| true, own.clone());
        let follower = tokio::spawn(follow::run(log.clone(), checker, None, vec![to_gate], progress));
        let gate = tokio::spawn(pass(from_follower, to_writer, gate));
        let ticking = Arc::clone(&clock);
        let parts = Parts {
            service,
            log,
            base: Arc::new(Base::new(Arc::clone(&mounted) as Arc<dyn Store>)),
            clock: Arc::new(move || {
                ticking.asked.fetch_add(1, Ordering::SeqCst);
                At(now().0 + ticking.off.load(Ordering::SeqCst))
            }),
            own,
            followed,
            catch_up_to,
            build: build.to_owned(),
            checks_clock,
            payments: None,
        };
        let (writer, done) = Writer::start(parts).unwrap();
        Process {
            writer: Some(writer),
            clock,
            followed: seen,
            done,
            followers: [follower, gate],
            passes,
            mounted,
        }
    }

    /// Its writer's handle.
    pub(crate) fn writer(&self) -> &Writer {
        self.writer.as_ref().expect("a process that has not left")
    }

    /// Waits until it takes commands.
    pub(crate) async fn serves(&self) {
        self.is(Phase::Serving).await;
    }

    /// Waits until its writer is in a phase. The policy's own service serves before there is a policy.
    pub(crate) async fn is(&self, phase: Phase) {
        self.shows("the phase", |progress| progress.phase == phase).await;
    }

    /// Waits until its writer shows something.
    pub(crate) async fn shows(&self, what: &str, shows: impl Fn(&Progress) -> bool) {
        let progress = self.writer().progress();
        eventually(what, SOON, || async { shows(&progress.borrow()).then_some(()) }).await;
    }

    /// What its writer is doing.
    pub(crate) fn progress(&self) -> Progress {
        self.writer().progress().borrow().clone()
    }

    /// Keeps what is followed from its writer, or no longer.
    pub(crate) fn stall(&self, is_stalled: bool) {
        self.passes.send_replace(!is_stalled);
    }

    /// Keeps its disk from writing, or no longer.
    pub(crate) fn hold_disk(&self, is_held: bool) {
        *self.mounted.is_held.lock().unwrap() = is_held;
        self.mounted.released.notify_all();
    }

    /// Submits and waits for the answer.
    pub(crate) async fn submit(&self, submission: Submission) -> Answer {
        let answer = tokio::time::timeout(SOON, self.writer().submit(Arc::new(submission))).await;
        answer.expect("an answer")
    }

    /// Submits in the background.
    pub(crate) fn submits(&self, submission: Submission) -> JoinHandle<Answer> {
        let writer = self.writer().clone();
        tokio::spawn(async move {
            let answer = tokio::time::timeout(SOON, writer.submit(Arc::new(submission))).await;
            answer.expect("an answer")
        })
    }

    /// Submits what must be recorded.
    pub(crate) async fn records(&self, submission: Submission) -> (Vec<Arc<Record>>, Position) {
        match self.submit(submission).await {
            Answer::Recorded { records, position } => (records, position),
            other => panic!("not recorded: {other:?}"),
        }
    }

    /// Submits until it is known to be in the log, as a caller does who is told that nobody knows, or to try again.
    pub(crate) async fn records_at_last(&self, submission: Submission) -> Position {
        let attempt = || async {
            match self.submit(submission.clone()).await {
                Answer::Recorded { position, .. } => Some(position),
                Answer::Seen(seen) => Some(Position::of(seen.sequence, seen.index)),
                Answer::Unknown | Answer::Unavailable(_) => None,
                other => panic!("neither recorded nor open: {other:?}"),
            }
        };
        eventually("it is recorded", SOON, attempt).await
    }

    /// Ends it as a crash would: nothing it does from now on reaches its disk.
    pub(crate) async fn kill(mut self) {
        *self.mounted.writes_left.lock().unwrap() = 0;
        self.done.abort();
        self.followers.iter().for_each(JoinHandle::abort);
        // A writer that was aborted has no result.
        drop((&mut self.done).await);
    }

    /// Lets go of its writer's last handle, as a process does that ends in order.
    pub(crate) fn leave(&mut self) {
        self.writer = None;
    }

    /// Waits until its writer ends by itself.
    pub(crate) async fn ended(&mut self) -> Result<(), ShardError> {
        tokio::time::timeout(SOON, &mut self.done).await.expect("an end").unwrap()
    }

    /// Waits until its disk holds the whole log.
    pub(crate) async fn has_stored(&self, sequence: u64) {
        self.shows("rows stored", |progress| progress.stored >= sequence).await;
    }
}

async fn pass(
    mut from: mpsc::Receiver<Arc<Followed>>,
    to: mpsc::Sender<Arc<Followed>>,
    mut passes: watch::Receiver<bool>,
) {
    while let Some(followed) = from.recv().await {
        if passes.wait_for(|passes| *passes).await.is_err() || to.send(followed).await.is_err() {
            return;
        }
    }
}
