//! The writer: the one task that turns a service's commands into commits.
//!
//! While a commit is on its way the next one gathers. A refused commit means that another process of the service wrote: this one follows the
//! log to there and decides its waiting commands again. Whether a commit stands in the log is learnt from its acknowledgement or from the
//! log itself, whichever comes first; what was answered before it was known can never be wrong.

mod round;
mod settle;
mod storing;
mod task;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use seva_domain::charge::Payment;
use seva_domain::desk::Submission;
use seva_domain::noun::Rejection;
use seva_domain::policy::Policy;
use seva_domain::record::Record;
use seva_domain::rows::Seen;
use seva_domain::service::Service;
use seva_domain::values::{At, CustomerId, KeyId};
use tokio::sync::{OnceCell, mpsc, oneshot, watch};

use self::storing::storing;
use self::task::Task;
use crate::base::Base;
use crate::commit::{Position, ReadCommit};
use crate::follow::{Followed, Own};
use crate::log::{Log, LogError};
use crate::shard::{Shard, ShardError};

/// How many commands may wait for a writer.
pub const QUEUE_MAX: usize = 4_096;

/// How far this machine's clock may be off the log's before its writers stop.
pub const SKEW_MAX: Duration = Duration::from_secs(2);

/// How many commits read for requests seen before are kept.
const RECALLED_MAX: usize = 8;

/// What came of a submission.
#[derive(Debug)]
pub enum Answer {
    /// It is in the log: its records, and the position of the last of them.
    Recorded {
        records: Vec<Arc<Record>>,
        position: Position,
    },
    /// It left a record before, or just now by another way. Whether it is the same request is for the caller to compare.
    Seen(Seen),
    /// It is so already: the noun asked about stands at this rev, and the shard at this position.
    AlreadySo {
        rev: u64,
        position: Position,
    },
    Rejected(Rejection),
    /// Seal the texts under this key and submit again.
    SealUnder {
        customer: Option<CustomerId>,
        key: KeyId,
    },
    /// Seal the texts under a fresh key and submit again.
    SealFresh,
    /// Classify the text by the policy in force and submit again.
    ClassifyAgain,
    /// Nobody can tell yet whether it is in the log. Submit again.
    Unknown,
    /// Nothing happened, and why.
    Unavailable(Unavailable),
}

/// Why a writer takes no commands.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unavailable {
    #[error("too many commands are waiting")]
    QueueFull,
    #[error("the database is too far behind the log")]
    BacklogFull,
    #[error("the service has not caught up with the log yet")]
    CatchingUp,
    #[error("no policy has been published yet")]
    PolicyMissing,
    #[error("the log does not answer")]
    LogUnavailable,
    #[error("the writer has stopped: {0}")]
    Stopped(String),
}

/// What a writer is doing, for status and health.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Progress {
    pub phase: Phase,
    /// Sequence of the last message followed.
    pub followed: u64,
    /// Sequence up to which other services' records are taken in by commits that stand in the log.
    pub reacted: u64,
    /// Sequence of the shard's last commit.
    pub tip: u64,
    /// Sequence that the database holds.
    pub stored: u64,
    pub backlog_bytes: usize,
    /// When something happens by itself next, if anything does; in the past until it has.
    pub next_due: Option<At>,
}

/// Whether a writer takes commands.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Phase {
    #[default]
    CatchingUp,
    PolicyMissing,
    Serving,
    LogUnavailable,
    Stopped(String),
}

/// The time, as the process that hosts the writer has it.
pub type Clock = Arc<dyn Fn() -> At + Send + Sync>;

/// What a writer is made of.
pub struct Parts {
    pub service: Service,
    pub log: Log,
    pub base: Arc<Base>,
    pub clock: Clock,
    /// The commits made in this process, for followers to know again.
    pub own: Own,
    /// What the follower hands on.
    pub followed: mpsc::Receiver<Arc<Followed>>,
    /// Until where the log must be followed before commands are taken.
    pub catch_up_to: u64,
    /// Names the build in commits.
    pub build: String,
    /// Whether a clock that is off the log's stops the writer.
    pub checks_clock: bool,
    /// Takes what the payment provider is to be told because of commits that this process wrote, once they stand in the log. What it has no room
    /// for is told with the next attempt.
    pub payments: Option<mpsc::Sender<Payment>>,
}

struct Ask {
    submission: Arc<Submission>,
    reply: oneshot::Sender<Answer>,
}

/// Where commands go. Clones go to the same writer.
#[derive(Clone)]
pub struct Writer {
    asks: mpsc::Sender<Ask>,
    progress: watch::Receiver<Progress>,
    policy: watch::Receiver<Option<Arc<Policy>>>,
    log: Log,
    // A lock, because every call shares what was read; never held across an await.
    recalled: Arc<Mutex<Recalled>>,
}

/// Commits that were read for requests seen before. A file that is sent again asks for the same ones, record by record.
#[derive(Default)]
struct Recalled(VecDeque<(u64, Arc<OnceCell<ReadCommit>>)>);

impl Recalled {
    /// The commit at a sequence, read already or by whoever is first now.
    fn at(&mut self, sequence: u64) -> Arc<OnceCell<ReadCommit>> {
        if let Some((_, commit)) = self.0.iter().find(|(known, _)| *known == sequence) {
            return Arc::clone(commit);
        }
        if self.0.len() >= RECALLED_MAX {
            self.0.pop_front();
        }
        let commit = Arc::default();
        self.0.push_back((sequence, Arc::clone(&commit)));
        commit
    }
}

impl Writer {
    /// Starts a writer. It ends when every handle is gone, or when it cannot go on; `done` tells why.
    pub fn start(
        parts: Parts,
    ) -> Result<(Writer, tokio::task::JoinHandle<Result<(), ShardError>>), ShardError> {
        let shard = Shard::open(parts.service, Arc::clone(&parts.base), parts.log.incarnation())?;
        let (asks, commands) = mpsc::channel(QUEUE_MAX);
        let (progress, progress_seen) = watch::channel(Progress::default());
        let (policy, policy_seen) = watch::channel(None);
        let (to_store, stored) = storing(Arc::clone(&parts.base), shard.tip().0);
        let log = parts.log.clone();
        let task = Task {
            shard,
            parts,
            commands,
            waiting: VecDeque::new(),
            gathering: None,
            answers: Vec::new(),
            in_flight: None,
            acked: VecDeque::new(),
            to_store,
            stored,
            progress,
            policy,
            is_caught_up: false,
            stopped: None,
        };
        let writer =
            Writer { asks, progress: progress_seen, policy: policy_seen, log, recalled: Arc::default() };
        Ok((writer, tokio::spawn(task.run())))
    }

    /// Submits a request and waits for what comes of it. Dropping the future leaves the outcome unknown.
    pub async fn submit(&self, submission: Arc<Submission>) -> Answer {
        self.send(submission).await
    }

    /// Puts a request in the queue at once, so that requests are decided in the order of these calls, and waits for what comes of it.
    pub fn send(&self, submission: Arc<Submission>) -> impl Future<Output = Answer> + Send + use<> {
        let (reply, answer) = oneshot::channel();
        let sent = self.asks.try_send(Ask { submission, reply });
        async move {
            match sent {
                Ok(()) => answer.await.unwrap_or(Answer::Unknown),
                Err(mpsc::error::TrySendError::Full(_)) => Answer::Unavailable(Unavailable::QueueFull),
                Err(mpsc::error::TrySendError::Closed(_)) => {
                    Answer::Unavailable(Unavailable::Stopped("its process is ending".to_owned()))
                }
            }
        }
    }

    /// The records of a request seen before, and the position of the last of them, as the log has them.
    pub async fn recorded(&self, seen: &Seen) -> Result<(Vec<Arc<Record>>, Position), LogError> {
        let missing = || LogError::Corrupt(format!("the commit at {} is missing", seen.sequence));
        let recalled = self.recalled.lock().unwrap_or_else(PoisonError::into_inner).at(seen.sequence);
        let read = || async {
            let stored = self.log.read(seen.sequence).await?.ok_or_else(missing)?;
            ReadCommit::decode(&stored.bytes, |_| true).map_err(|error| LogError::Corrupt(error.to_string()))
        };
        let commit = recalled.get_or_try_init(read).await?;
        let mine = |record: &Record| record.request.is_some_and(|request| request.id == seen.request.id);
        let found: Vec<(u16, Arc<Record>)> =
            commit.records().filter(|(_, r)| mine(r)).map(|(i, r)| (i, Arc::clone(r))).collect();
        let last = found.last().map(|(index, _)| Position::of(seen.sequence, *index)).ok_or_else(missing)?;
        Ok((found.into_iter().map(|(_, record)| record).collect(), last))
    }

    /// What the writer is doing.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// The policy in force for what is submitted now.
    pub fn policy(&self) -> watch::Receiver<Option<Arc<Policy>>> {
        self.policy.clone()
    }
}
