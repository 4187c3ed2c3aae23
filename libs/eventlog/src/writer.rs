//! The writer: the one task that turns a service's commands into commits.
//!
//! While a commit is on its way the next one gathers. A refused commit means that another process of the service wrote: this one follows the
//! log to there and decides its waiting commands again. Whether a commit stands in the log is learnt from its acknowledgement or from the
//! log itself, whichever comes first; what was answered before it was known can never be wrong.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt as _;
use seva_domain::desk::{Handled, Submission};
use seva_domain::noun::Rejection;
use seva_domain::plan::NoPlan;
use seva_domain::policy::Policy;
use seva_domain::record::Record;
use seva_domain::rows::{Delta, Key, Seen, Value, View};
use seva_domain::service::Service;
use seva_domain::values::{At, CustomerId, KeyId};
use tokio::sync::{OnceCell, mpsc, oneshot, watch};

use crate::commit::{Commit, Digest, Position, RECORDS_MAX, ReadCommit};
use crate::follow::{Chains, Followed, Own};
use crate::layers::BACKLOG_BYTES_MAX;
use crate::log::{AppendError, Log, LogError};
use crate::planted::{self, Bug};
use crate::rowcodec;
use crate::shard::{Checkpoint, Gathering, Shard, ShardError};
use crate::store::{Store, StoreError};

/// How many commands may wait for a writer.
pub const QUEUE_MAX: usize = 4_096;

/// How far this machine's clock may be off the log's before its writers stop.
pub const SKEW_MAX: Duration = Duration::from_secs(2);

/// How long a refused writer waits to be shown who wrote, before it asks the log.
const REFUSED_WAIT: Duration = Duration::from_millis(500);

/// How long an append without a known outcome waits before it is sent again.
const UNKNOWN_WAIT: Duration = Duration::from_millis(200);

/// How many messages are taken in at once before commands are looked at again.
const FOLLOW_BATCH_MAX: usize = 64;

/// A due time is fired so soon at the earliest: one that cannot be fired must not keep the writer busy.
const DUE_WAIT_MIN: Duration = Duration::from_millis(5);

/// How many commits read for requests seen before are kept.
const RECALLED_MAX: usize = 8;

/// How many messages may be followed without a commit of this shard before the checkpoint is moved on alone.
const CHECKPOINT_EVERY: u64 = 4_096;

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
        customer: CustomerId,
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
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    /// The commits made here, for the follower to know again.
    pub own: Own,
    /// What the follower hands on.
    pub followed: mpsc::Receiver<Arc<Followed>>,
    /// Until where the log must be followed before commands are taken.
    pub catch_up_to: u64,
    /// Names the build in commits.
    pub build: String,
    /// Whether a clock that is off the log's stops the writer.
    pub checks_clock: bool,
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
        let shard = Shard::open(parts.service, Arc::clone(&parts.store), parts.log.incarnation())?;
        let (asks, commands) = mpsc::channel(QUEUE_MAX);
        let (progress, progress_seen) = watch::channel(Progress::default());
        let (policy, policy_seen) = watch::channel(None);
        let (to_store, stored) = storing(Arc::clone(&parts.store), shard.tip().0);
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

/// An answer that waits until what it rests on stands in the log.
enum Held {
    /// The request's records in the commit, from this index on, this many.
    Recorded {
        first: usize,
        count: usize,
    },
    /// The same request is in this commit already.
    Seen,
    AlreadySo {
        rev: u64,
    },
    Rejected(Rejection),
}

struct InFlight {
    /// `None`: nothing is written; the round only asks whether the shard's end is still where answers rest on it.
    commit: Option<OnItsWay>,
    answers: Vec<(Ask, Held)>,
    future: Pin<Box<dyn Future<Output = Outcome> + Send>>,
}

struct OnItsWay {
    commit: Arc<Commit>,
    resume: Arc<Chains>,
    digest: Digest,
    bytes: Bytes,
    guard: u64,
    sent: Instant,
    is_unknown: bool,
}

enum Outcome {
    Appended(Result<u64, AppendError>),
    /// Whether the shard's end is where it was taken to be.
    AtEnd(bool),
    /// The log could not be asked.
    NoAnswer,
}

struct Acked {
    sequence: u64,
    digest: Digest,
    delta: Delta,
    checkpoint: Checkpoint,
    sent: Instant,
    was_unknown: bool,
}

struct Task {
    shard: Shard,
    parts: Parts,
    commands: mpsc::Receiver<Ask>,
    /// Commands to be decided again, before any new one.
    waiting: VecDeque<Ask>,
    gathering: Option<Gathering>,
    answers: Vec<(Ask, Held)>,
    in_flight: Option<InFlight>,
    /// Commits of this process that stand in the log and were not followed yet.
    acked: VecDeque<Acked>,
    to_store: mpsc::Sender<ToStore>,
    stored: watch::Receiver<Result<u64, StoreError>>,
    progress: watch::Sender<Progress>,
    policy: watch::Sender<Option<Arc<Policy>>>,
    is_caught_up: bool,
    stopped: Option<String>,
}

impl Task {
    async fn run(mut self) -> Result<(), ShardError> {
        let result = self.work().await;
        let reason = match &result {
            Ok(()) => "its process is ending".to_owned(),
            Err(error) => error.to_string(),
        };
        if let Err(error) = &result {
            tracing::error!(%error, service = self.parts.service.name(), "the writer has stopped");
        }
        // A reason known before is nearer to the cause.
        let reason = self.stopped.take().unwrap_or(reason);
        self.progress.send_modify(|progress| progress.phase = Phase::Stopped(reason.clone()));
        self.dismiss(reason).await;
        result
    }

    async fn work(&mut self) -> Result<(), ShardError> {
        if self.shard.followed() >= self.parts.catch_up_to {
            self.is_caught_up = true;
        }
        loop {
            self.report();
            self.gather()?;
            self.launch();
            let due = self.until_due();
            tokio::select! {
                biased;
                followed = self.parts.followed.recv() => {
                    // The follower ends only when something is wrong, and says what.
                    self.follow_all(followed.ok_or(ShardError::Unfollowed)?).await?;
                }
                outcome = outcome(&mut self.in_flight) => self.settle(outcome),
                changed = self.stored.changed() => {
                    if changed.is_err() { return Err(StoreError("its thread ended".to_owned()).into()) }
                    self.evict()?;
                }
                ask = self.commands.recv(), if self.takes_commands() => match ask {
                    Some(ask) => self.waiting.push_back(ask),
                    // With the last handle the last caller is gone: what is on its way needs no answer.
                    None => return Ok(()),
                },
                () = due => {}
            }
            while self.takes_commands() {
                match self.commands.try_recv() {
                    Ok(ask) => self.waiting.push_back(ask),
                    Err(_) => break,
                }
            }
        }
    }

    /// Answers everybody who still waits: what was never sent did not happen, of what is on its way nobody can tell.
    async fn dismiss(&mut self, reason: String) {
        let refusal = Unavailable::Stopped(reason);
        self.commands.close();
        while let Some(ask) = self.commands.recv().await {
            self.waiting.push_back(ask);
        }
        self.turn_away(&refusal);
        self.drop_gathering(&refusal);
        let Some(in_flight) = self.in_flight.take() else { return };
        for (ask, _) in in_flight.answers {
            let answer = match &in_flight.commit {
                Some(_) => Answer::Unknown,
                None => Answer::Unavailable(refusal.clone()),
            };
            // A caller that is gone needs no answer.
            let _gone = ask.reply.send(answer);
        }
    }

    /// Forgets the commit being gathered. Nothing of it was sent, so nothing of it happened.
    fn drop_gathering(&mut self, refusal: &Unavailable) {
        self.gathering = None;
        self.shard.discard(false);
        for (ask, _) in self.answers.drain(..) {
            let _gone = ask.reply.send(Answer::Unavailable(refusal.clone()));
        }
    }

    /// Commands are taken from the queue only as fast as they are decided: what waits there is bounded.
    fn takes_commands(&self) -> bool {
        self.waiting.len() < RECORDS_MAX
            && !self.gathering.as_ref().is_some_and(|gathering| gathering.is_full)
    }

    fn until_due(&mut self) -> impl Future<Output = ()> + use<> {
        let wait = match self.shard.next_due() {
            Some(due) if self.is_caught_up && self.gathering.is_none() && self.stopped.is_none() => {
                let now = (self.parts.clock)();
                // Looked at once a second at least: the clock that says when it is due may jump.
                let wait = Duration::from_micros(u64::try_from(due.0.saturating_sub(now.0)).unwrap_or(0));
                wait.clamp(DUE_WAIT_MIN, Duration::from_secs(1))
            }
            Some(_) | None => Duration::from_secs(1),
        };
        tokio::time::sleep(wait)
    }

    fn now(&self) -> At {
        (self.parts.clock)()
    }

    fn is_unknown(&self) -> bool {
        let commit = self.in_flight.as_ref().and_then(|in_flight| in_flight.commit.as_ref());
        commit.is_some_and(|commit| commit.is_unknown)
    }

    fn phase(&self) -> Phase {
        if let Some(reason) = &self.stopped {
            Phase::Stopped(reason.clone())
        } else if !self.is_caught_up {
            Phase::CatchingUp
        } else if self.is_unknown() {
            Phase::LogUnavailable
        } else if self.policy.borrow().is_none() && self.parts.service != Service::Policy {
            Phase::PolicyMissing
        } else {
            Phase::Serving
        }
    }

    fn report(&mut self) {
        let in_force = self.shard.policy();
        let known = self.policy.borrow().as_ref().map_or(0, |policy| policy.version);
        if in_force.as_ref().map_or(0, |policy| policy.version) != known {
            self.policy.send_replace(in_force);
        }
        let progress = Progress {
            phase: self.phase(),
            followed: self.shard.followed(),
            reacted: self.shard.reacted(),
            tip: self.shard.tip().0,
            stored: self.stored.borrow().as_ref().map_or(0, |sequence| *sequence),
            backlog_bytes: self.shard.layers.backlog_bytes(),
        };
        self.progress.send_if_modified(|current| {
            let is_new = *current != progress;
            *current = progress;
            is_new
        });
    }

    /// Decides what waits, into the commit being gathered.
    fn gather(&mut self) -> Result<(), ShardError> {
        self.waiting.retain(|ask| !ask.reply.is_closed());
        let refusal = match self.phase() {
            Phase::Serving => {
                let is_full = self.shard.layers.backlog_bytes() >= BACKLOG_BYTES_MAX;
                is_full.then_some(Unavailable::BacklogFull)
            }
            Phase::CatchingUp => Some(Unavailable::CatchingUp),
            Phase::PolicyMissing => Some(Unavailable::PolicyMissing),
            Phase::LogUnavailable => Some(Unavailable::LogUnavailable),
            Phase::Stopped(reason) => Some(Unavailable::Stopped(reason)),
        };
        let is_full = refusal == Some(Unavailable::BacklogFull);
        if let Some(refusal) = refusal {
            self.turn_away(&refusal);
        }
        if !self.is_caught_up || self.stopped.is_some() || self.is_unknown() || is_full {
            return Ok(());
        }
        let now = self.now();
        let is_due = self.shard.has_pending() || self.shard.next_due().is_some_and(|due| due <= now);
        if self.gathering.is_none() && (is_due || !self.waiting.is_empty()) {
            self.gathering = Some(self.shard.begin(now, self.shard.followed())?);
        }
        let Some(mut gathering) = self.gathering.take() else { return Ok(()) };
        while !gathering.is_full {
            let Some(ask) = self.waiting.pop_front() else { break };
            if let Some(ask) = self.decide(&mut gathering, ask)? {
                self.waiting.push_front(ask);
            }
        }
        self.gathering = Some(gathering);
        Ok(())
    }

    /// Decides a command in the commit being gathered. Answers the command if it is for the next one: this one is full.
    fn decide(&mut self, gathering: &mut Gathering, ask: Ask) -> Result<Option<Ask>, ShardError> {
        let Some(ask) = self.join(ask) else { return Ok(None) };
        let first = gathering.records.len();
        let handled = self.shard.handle(gathering, &ask.submission);
        self.shard.check()?;
        let held = match handled {
            Ok(Some(Handled::Recorded)) => {
                // What the processes made of it follows the request's own records.
                let own = gathering.records[first..].iter().take_while(|record| record.request.is_some());
                Held::Recorded { first, count: own.count() }
            }
            Ok(Some(Handled::AlreadySo { rev })) => Held::AlreadySo { rev },
            Ok(None) => return Ok(Some(ask)),
            Err(NoPlan::Rejected(rejection)) if planted::is(Bug::RefusalBeforeConfirmed) => {
                return Ok(hand_back(ask, Answer::Rejected(rejection)));
            }
            Err(NoPlan::Rejected(rejection)) => Held::Rejected(rejection),
            Err(NoPlan::SealUnder { customer, key }) => {
                return Ok(hand_back(ask, Answer::SealUnder { customer, key }));
            }
            Err(NoPlan::SealFresh) => return Ok(hand_back(ask, Answer::SealFresh)),
            Err(NoPlan::ClassifyAgain) => return Ok(hand_back(ask, Answer::ClassifyAgain)),
        };
        self.answers.push((ask, held));
        Ok(None)
    }

    /// Answers a request that was seen before, or lets it wait with the same one that is on its way or being gathered. Gives back any other.
    fn join(&mut self, ask: Ask) -> Option<Ask> {
        if planted::is(Bug::RequestMemorySkipped) {
            return Some(ask);
        }
        let stands = |seen: &Seen| seen.sequence > 0;
        if let Some(seen) = self.shard.layers.seen(&ask.submission.request.id).filter(stands) {
            return hand_back(ask, Answer::Seen(seen));
        }
        let key = Key::Request(ask.submission.request.id);
        if self.shard.layers.gathering.contains_key(&key) {
            self.answers.push((ask, Held::Seen));
            return None;
        }
        match &mut self.in_flight {
            Some(in_flight) if self.shard.layers.in_flight.contains_key(&key) => {
                in_flight.answers.push((ask, Held::Seen));
                None
            }
            Some(_) | None => Some(ask),
        }
    }

    /// Turns away what waits; what is being recorded already still gets its answer.
    fn turn_away(&mut self, refusal: &Unavailable) {
        for ask in std::mem::take(&mut self.waiting) {
            if let Some(ask) = self.join(ask) {
                let _gone = ask.reply.send(Answer::Unavailable(refusal.clone()));
            }
        }
    }

    /// Sends the commit gathered on its way, if none is.
    fn launch(&mut self) {
        if self.in_flight.is_some() || self.stopped.is_some() {
            return;
        }
        let Some(gathering) = &self.gathering else { return };
        if gathering.records.is_empty() && !gathering.is_due && self.answers.is_empty() {
            self.gathering = None;
            return;
        }
        let Some(gathering) = self.gathering.take() else { return };
        let answers = std::mem::take(&mut self.answers);
        let (guard, prev) = self.shard.tip();
        let (log, service) = (self.parts.log.clone(), self.parts.service);
        if gathering.records.is_empty() && !gathering.is_due {
            let future =
                async move { log.is_end(service, guard).await.map_or(Outcome::NoAnswer, Outcome::AtEnd) };
            self.in_flight = Some(InFlight { commit: None, answers, future: future.boxed() });
            return;
        }
        self.shard.send(&gathering);
        let Gathering { at, reacted_to, resume, records, written, is_full: _, is_due: _ } = gathering;
        let build = self.parts.build.clone();
        let commit = Commit { at, build, prev, reacted_to, records };
        let bytes = Bytes::from(assemble(&commit, &written));
        let digest = Digest::of(&bytes);
        let commit = Arc::new(commit);
        self.parts.own.remember(digest, Arc::clone(&commit));
        let answers = if planted::is(Bug::AckBeforeAck) {
            answer_all(answers, &commit.records, self.shard.followed() + 1)
        } else {
            answers
        };
        let sending = bytes.clone();
        let future = async move { Outcome::Appended(log.append(service, guard, sending).await) };
        let on_its_way =
            OnItsWay { commit, resume, digest, bytes, guard, sent: Instant::now(), is_unknown: false };
        self.in_flight = Some(InFlight { commit: Some(on_its_way), answers, future: future.boxed() });
    }

    /// Takes in how the round on its way came out.
    fn settle(&mut self, outcome: Outcome) {
        let Some(mut in_flight) = self.in_flight.take() else { return };
        let (log, service) = (self.parts.log.clone(), self.parts.service);
        match (outcome, &mut in_flight.commit) {
            (Outcome::Appended(Ok(sequence)), Some(commit)) => {
                let digest = commit.digest;
                self.landed(in_flight, sequence, digest);
                return;
            }
            (Outcome::AtEnd(true), None) => {
                let position = Position::end_of(self.shard.tip().0);
                for (ask, held) in in_flight.answers {
                    answer(ask, held, &[], 0, position);
                }
                return;
            }
            // Another process wrote, and its commit is on the way to the follower: what rests on the state before it is decided again then.
            (Outcome::AtEnd(false), None) => in_flight.future = std::future::pending().boxed(),
            (Outcome::NoAnswer, None) => {
                for (ask, _) in in_flight.answers {
                    let _gone = ask.reply.send(Answer::Unavailable(Unavailable::LogUnavailable));
                }
                return;
            }
            // The guard does not hold: another commit stands there, or this one does. The log will show which.
            (Outcome::Appended(Err(AppendError::Conflict)) | Outcome::AtEnd(false), Some(commit)) => {
                let guard = commit.guard;
                in_flight.future = async move {
                    tokio::time::sleep(REFUSED_WAIT).await;
                    log.is_end(service, guard).await.map_or(Outcome::NoAnswer, Outcome::AtEnd)
                }
                .boxed();
            }
            (Outcome::Appended(Err(AppendError::Unknown(_))), Some(_))
                if planted::is(Bug::TimeoutTakenAsAbsent) =>
            {
                self.answers.append(&mut in_flight.answers);
                self.shard.discard(true);
                self.drop_gathering(&Unavailable::LogUnavailable);
                return;
            }
            (Outcome::Appended(Err(AppendError::Unknown(error))), Some(commit)) => {
                tracing::warn!(error, service = service.name(), "an append has no known outcome yet");
                commit.is_unknown = true;
                for (ask, _) in in_flight.answers.drain(..) {
                    let _gone = ask.reply.send(Answer::Unknown);
                }
                self.drop_gathering(&Unavailable::LogUnavailable);
                let (guard, bytes) = (commit.guard, commit.bytes.clone());
                in_flight.future = async move {
                    tokio::time::sleep(UNKNOWN_WAIT).await;
                    Outcome::Appended(log.append(service, guard, bytes).await)
                }
                .boxed();
            }
            // Nothing stands after the guard, so the same commit under the same guard can only land once.
            (Outcome::AtEnd(true) | Outcome::NoAnswer, Some(commit)) => {
                let (guard, bytes) = (commit.guard, commit.bytes.clone());
                in_flight.future =
                    async move { Outcome::Appended(log.append(service, guard, bytes).await) }.boxed();
            }
            (Outcome::Appended(_), None) => {}
        }
        self.in_flight = Some(in_flight);
    }

    /// The commit on its way stands in the log.
    fn landed(&mut self, in_flight: InFlight, sequence: u64, digest: Digest) {
        let InFlight { commit, answers, future: _ } = in_flight;
        let Some(OnItsWay { commit, resume, sent, is_unknown, .. }) = commit else { return };
        let mut delta = std::mem::take(&mut self.shard.layers.in_flight);
        for value in delta.values_mut().flatten() {
            if let Value::Request(seen) = value {
                seen.sequence = sequence;
            }
        }
        self.shard.land(commit.at, commit.reacted_to, sequence, digest, &delta);
        answer_all(answers, &commit.records, sequence);
        let checkpoint = self.shard.checkpoint_at(&resume);
        self.acked.push_back(Acked { sequence, digest, delta, checkpoint, sent, was_unknown: is_unknown });
    }

    /// Takes in a message of the log and those that came with it: what is decided before they are would be decided again.
    async fn follow_all(&mut self, first: Arc<Followed>) -> Result<(), ShardError> {
        self.follow(&first).await?;
        for _ in 1..FOLLOW_BATCH_MAX {
            let Ok(followed) = self.parts.followed.try_recv() else { break };
            self.follow(&followed).await?;
        }
        Ok(())
    }

    /// Takes in the next message of the log.
    async fn follow(&mut self, followed: &Arc<Followed>) -> Result<(), ShardError> {
        if followed.service != self.parts.service {
            self.shard.note(followed);
        } else {
            self.shard.note(followed);
            if followed.sequence > self.shard.tip().0 {
                self.follow_new(followed).await?;
            }
            // A commit that is not among those acknowledged here was folded before the last start.
            if let Some(acked) = self.acked.pop_front_if(|acked| acked.sequence == followed.sequence) {
                self.came_back(acked, followed).await?;
            }
        }
        if !self.is_caught_up && self.shard.followed() >= self.parts.catch_up_to {
            self.is_caught_up = true;
        }
        let moved_on = self.shard.followed().saturating_sub(self.stored.borrow().as_ref().map_or(0, |s| *s));
        if moved_on > CHECKPOINT_EVERY
            && self.shard.followed().is_multiple_of(CHECKPOINT_EVERY)
            && self.acked.is_empty()
        {
            let (followed, checkpoint) = (self.shard.followed(), self.shard.checkpoint());
            self.store(followed, Delta::new(), checkpoint).await?;
        }
        Ok(())
    }

    /// Takes in a commit of this shard that is newer than any known: this process's own, or another's.
    async fn follow_new(&mut self, followed: &Arc<Followed>) -> Result<(), ShardError> {
        let own = self.in_flight.take_if(|in_flight| {
            in_flight.commit.as_ref().is_some_and(|commit| commit.digest == followed.digest)
        });
        if let Some(in_flight) = own {
            self.landed(in_flight, followed.sequence, followed.digest);
            return Ok(());
        }
        // Another process of this service wrote. What was decided on the state before it is decided again, in the order it came.
        let lost = self.in_flight.take();
        if let Some(commit) = lost.as_ref().and_then(|in_flight| in_flight.commit.as_ref()) {
            self.parts.own.forget(commit.digest);
        }
        let answers = lost.into_iter().flat_map(|in_flight| in_flight.answers);
        let again: Vec<Ask> = answers.chain(self.answers.drain(..)).map(|(ask, _)| ask).collect();
        for ask in again.into_iter().rev() {
            self.waiting.push_front(ask);
        }
        self.gathering = None;
        self.shard.discard(true);
        let delta = self.shard.fold(followed)?;
        let checkpoint = self.shard.checkpoint();
        self.store(followed.sequence, delta, checkpoint).await?;
        // What is folded here was not asked for here, so nothing but this keeps it from piling up.
        while self.shard.layers.backlog_bytes() >= BACKLOG_BYTES_MAX {
            self.stored.changed().await.map_err(|_| StoreError("its thread ended".to_owned()))?;
            self.evict()?;
        }
        Ok(())
    }

    /// A commit of this process came back from the log: what it changes may be stored.
    async fn came_back(&mut self, acked: Acked, followed: &Followed) -> Result<(), ShardError> {
        if acked.digest != followed.digest {
            self.stop(format!("the log holds another commit at {} than it acknowledged", acked.sequence));
            return Ok(());
        }
        self.check_clock(&acked, followed);
        self.store(acked.sequence, acked.delta, acked.checkpoint).await
    }

    /// A clock that is off the log's makes every due time wrong.
    fn check_clock(&mut self, acked: &Acked, followed: &Followed) {
        if !self.parts.checks_clock || acked.was_unknown || acked.sent.elapsed() > SKEW_MAX / 2 {
            return;
        }
        let off = followed.stamp.0.abs_diff(self.now().0);
        if u128::from(off) > SKEW_MAX.as_micros() {
            let off_ms = off / 1_000;
            tracing::error!(off_ms, "this machine's clock is off the log's: the writer stops");
            self.stop(format!("this machine's clock is {off_ms} ms off the log's: set it and start again"));
        }
    }

    /// Writes nothing any more, and goes on following.
    fn stop(&mut self, reason: String) {
        let reason = self.stopped.get_or_insert(reason).clone();
        self.drop_gathering(&Unavailable::Stopped(reason));
    }

    async fn store(&mut self, sequence: u64, delta: Delta, checkpoint: Checkpoint) -> Result<(), ShardError> {
        let to_store = ToStore { sequence, delta, checkpoint };
        self.to_store.send(to_store).await.map_err(|_| StoreError("its thread ended".to_owned()))?;
        Ok(())
    }

    fn evict(&mut self) -> Result<(), ShardError> {
        let held = self.stored.borrow_and_update().clone()?;
        self.shard.layers.evict(held);
        Ok(())
    }
}

async fn outcome(in_flight: &mut Option<InFlight>) -> Outcome {
    match in_flight {
        Some(in_flight) => in_flight.future.as_mut().await,
        None => std::future::pending().await,
    }
}

fn hand_back(ask: Ask, answer: Answer) -> Option<Ask> {
    // A caller that is gone needs no answer.
    let _gone = ask.reply.send(answer);
    None
}

/// Answers all who wait for a commit. Answers who still waits: nobody.
fn answer_all(answers: Vec<(Ask, Held)>, records: &[Arc<Record>], sequence: u64) -> Vec<(Ask, Held)> {
    for (ask, held) in answers {
        answer(ask, held, records, sequence, Position::end_of(sequence));
    }
    Vec::new()
}

fn answer(ask: Ask, held: Held, records: &[Arc<Record>], sequence: u64, position: Position) {
    let answer = match held {
        Held::Recorded { first, count } => {
            let records = records.get(first..first + count).unwrap_or_default().to_vec();
            let last = u16::try_from(first + count - 1).unwrap_or(u16::MAX);
            Answer::Recorded { records, position: Position::of(sequence, last) }
        }
        Held::Seen => {
            let id = ask.submission.request.id;
            let found = (0..).zip(records).find(|(_, r)| r.request.is_some_and(|request| request.id == id));
            match found
                .and_then(|(index, record)| record.request.map(|request| Seen { request, sequence, index }))
            {
                Some(seen) => Answer::Seen(seen),
                None => Answer::Unknown,
            }
        }
        Held::AlreadySo { rev } => Answer::AlreadySo { rev, position },
        Held::Rejected(rejection) => Answer::Rejected(rejection),
    };
    // A caller that is gone needs no answer.
    let _gone = ask.reply.send(answer);
}

/// The commit as it stands in the log, from records written already.
fn assemble(commit: &Commit, written: &[u8]) -> Vec<u8> {
    let Commit { at, build, prev, reacted_to, records: _ } = commit;
    let build = serde_json::Value::from(build.as_str());
    let mut bytes =
        format!(r#"{{"at":{},"build":{build},"prev":"{prev}","reacted_to":{reacted_to},"records":["#, at.0)
            .into_bytes();
    bytes.extend_from_slice(written);
    bytes.extend_from_slice(b"]}");
    bytes
}

struct ToStore {
    sequence: u64,
    delta: Delta,
    checkpoint: Checkpoint,
}

/// How many commits' rows are written to the database in one batch, at most.
const STORE_BATCH_MAX: usize = 64;

/// Writes rows to the database on a thread of its own, in order; rows changed several times within a batch are written once.
fn storing(
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

fn write(store: &dyn Store, batch: &mut Vec<ToStore>) -> Result<u64, StoreError> {
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
