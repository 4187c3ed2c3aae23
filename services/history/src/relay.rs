//! The relay: every event of the log into the published stream, in order, none missing and none twice, however often it is begun again
//! and however many of it run.
//!
//! What is published is the only thing it remembers: it goes on from the stream's own last message. A batch is guarded by the stream's last
//! sequence, so of two relays one appends; the other looks at what is there and goes on after it. A batch of which a power failure
//! left a part is gone on with in the same way.

use std::sync::Arc;
use std::time::Duration;

use seva_domain::values::At;
use seva_eventlog::follow::{self, Broken, Checker, FollowProgress, Followed, Own};
use seva_eventlog::log::{Log, LogError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::cloud_event::{CloudEvent, Place, events_of};
use crate::resume::{self, Resumed};
use crate::stream::{AppendError, BATCH_MAX, Published, STREAM};

/// How many commits may wait to be published.
const WAITING_MAX: usize = 1_024;

/// How long to wait before what the server did not do is tried again.
const AGAIN: Duration = Duration::from_millis(250);

/// What the relay is doing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Phase {
    /// It looks where it goes on.
    #[default]
    Starting,
    Relaying,
    /// The log or the published stream does not answer; it tries again.
    Waiting(String),
    /// It cannot go on.
    Stopped(String),
}

/// How far the relay is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Progress {
    pub phase: Phase,
    /// Sequence of the last commit of the log whose events are all published.
    pub relayed: u64,
    /// When the log stored that.
    pub stamp: At,
    /// How many events this process published.
    pub published: u64,
    /// How often another relay had been faster.
    pub overtaken: u64,
}

/// Why the relay cannot go on.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RelayError {
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error("the last event of {STREAM} is `{id}`, and this log is not the one that it was published from")]
    OtherLog { id: String },
    #[error("the last message of {STREAM} does not say where in the log it comes from")]
    Unmarked,
    #[error(
        "every message of {STREAM} is gone, and with them what was published last: give it longer limits, or delete it to publish the log anew"
    )]
    Emptied,
    #[error("the event at {sequence} cannot be written")]
    Unwritable { sequence: u64 },
    /// For now.
    #[error("the log does not answer: {0}")]
    Unavailable(String),
}

/// The relay of this process. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Relay {
    log: Log,
    progress: watch::Receiver<Progress>,
    followed: watch::Receiver<FollowProgress>,
}

impl Relay {
    /// Starts the relay. Its task ends when `stop` says so, once the batch under way is published, or with why it cannot go on.
    pub fn start(
        log: Log,
        published: Published,
        own: Own,
        stop: CancellationToken,
    ) -> (Relay, JoinHandle<Result<(), RelayError>>) {
        let (progress, seen) = watch::channel(Progress::default());
        let (follow_progress, followed) = watch::channel(FollowProgress::default());
        let relay = Relay { log: log.clone(), progress: seen, followed };
        let work = Work { log, published, own, progress, follow_progress, stop };
        (relay, tokio::spawn(work.run()))
    }

    /// How far it is.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// How far it has read the log.
    pub fn followed(&self) -> watch::Receiver<FollowProgress> {
        self.followed.clone()
    }

    /// The log that it follows.
    pub fn log(&self) -> &Log {
        &self.log
    }
}

/// Why one way through the log ended.
enum Over {
    Stopped,
    /// Begin again from the stream's last message.
    Again(String),
    Failed(RelayError),
}

impl From<RelayError> for Over {
    fn from(error: RelayError) -> Over {
        match error {
            RelayError::Unavailable(why) | RelayError::Broken(Broken::Log(LogError::Unavailable(why))) => {
                Over::Again(why)
            }
            error => Over::Failed(error),
        }
    }
}

struct Work {
    log: Log,
    published: Published,
    own: Own,
    progress: watch::Sender<Progress>,
    follow_progress: watch::Sender<FollowProgress>,
    stop: CancellationToken,
}

/// The end of the published stream, as this relay knows it.
struct End {
    guard: u64,
    place: Option<Place>,
}

/// Commits whose events are published together.
#[derive(Default)]
struct Round {
    events: Vec<CloudEvent>,
    /// Sequence and stamp of the last commit.
    through: (u64, At),
}

impl Work {
    async fn run(self) -> Result<(), RelayError> {
        loop {
            match self.relay().await {
                Over::Stopped => return Ok(()),
                Over::Again(why) => {
                    tracing::warn!(why, "publishing is interrupted, going on from the last event published");
                    self.set(Phase::Waiting(why));
                    tokio::select! {
                        () = self.stop.cancelled() => return Ok(()),
                        () = tokio::time::sleep(AGAIN) => {}
                    }
                }
                Over::Failed(error) => {
                    tracing::error!(%error, "publishing has stopped");
                    self.set(Phase::Stopped(error.to_string()));
                    return Err(error);
                }
            }
        }
    }

    fn set(&self, phase: Phase) {
        self.progress.send_if_modified(|progress| {
            let is_new = progress.phase != phase;
            progress.phase = phase;
            is_new
        });
    }

    /// Follows the log from where the stream ends and publishes what comes.
    async fn relay(&self) -> Over {
        let began = tokio::select! {
            began = self.begin() => began,
            () = self.stop.cancelled() => return Over::Stopped,
        };
        let (resumed, mut end) = match began {
            Ok(began) => began,
            Err(over) => return over,
        };
        let sequence = resumed.chains.sequence;
        self.progress.send_modify(|progress| progress.relayed = sequence);
        let checker = Checker::new(resumed.chains, |_| true, self.own.clone());
        let (sender, mut commits) = mpsc::channel(WAITING_MAX);
        let follower = follow::run(self.log.clone(), checker, vec![sender], self.follow_progress.clone());
        let _follower = AbortOnDropHandle::new(tokio::spawn(follower));
        self.set(Phase::Relaying);
        loop {
            let first = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Over::Stopped,
                first = commits.recv() => first,
            };
            let Some(first) = first else { return self.broken() };
            let published = match self.gather(&first, &mut commits) {
                Ok(round) => self.publish(round, &mut end).await,
                Err(error) => Err(error.into()),
            };
            if let Err(over) = published {
                return over;
            }
        }
    }

    /// Looks where the stream ends, and what in the log follows.
    async fn begin(&self) -> Result<(Resumed, End), Over> {
        let tail = self.published.tail().await.map_err(Over::Again)?;
        let resumed = match &tail.last {
            Some(headers) => resume::resume(headers, &self.log).await?,
            None if tail.guard > 0 => return Err(RelayError::Emptied.into()),
            None => Resumed::default(),
        };
        let end = End { guard: tail.guard, place: resumed.published };
        Ok((resumed, end))
    }

    /// Why the follower has ended.
    fn broken(&self) -> Over {
        match self.follow_progress.borrow().broken.clone() {
            Some(broken) => RelayError::Broken(broken).into(),
            None => Over::Again("following the log has ended".to_owned()),
        }
    }

    /// The events of a commit and of those that wait behind it, until they fill a batch.
    fn gather(
        &self,
        first: &Followed,
        commits: &mut mpsc::Receiver<Arc<Followed>>,
    ) -> Result<Round, RelayError> {
        let mut round = Round::default();
        self.take(first, &mut round)?;
        while round.events.len() < BATCH_MAX
            && let Ok(next) = commits.try_recv()
        {
            self.take(&next, &mut round)?;
        }
        Ok(round)
    }

    fn take(&self, followed: &Followed, round: &mut Round) -> Result<(), RelayError> {
        let events = events_of(followed, self.log.incarnation());
        let events = events.map_err(|_| RelayError::Unwritable { sequence: followed.sequence })?;
        round.events.extend(events);
        round.through = (followed.sequence, followed.stamp);
        Ok(())
    }

    /// Publishes what of a round is not there yet, batch after batch.
    async fn publish(&self, round: Round, end: &mut End) -> Result<(), Over> {
        let mut rest = after(&round.events, end.place);
        while !rest.is_empty() {
            let (batch, others) = rest.split_at(rest.len().min(BATCH_MAX));
            match self.published.append(end.guard, batch).await {
                Ok(sequence) => {
                    *end = End { guard: sequence, place: batch.last().map(|event| event.place) };
                    self.progress.send_modify(|progress| progress.published += batch.len() as u64);
                    rest = others;
                }
                Err(error) => {
                    self.look_again(error, end).await?;
                    rest = after(rest, end.place);
                }
            }
        }
        let (relayed, stamp) = round.through;
        self.progress.send_modify(|progress| {
            progress.relayed = relayed;
            progress.stamp = stamp;
        });
        Ok(())
    }

    /// Looks how far the stream is after a batch that was not appended, or may not have been.
    async fn look_again(&self, error: AppendError, end: &mut End) -> Result<(), Over> {
        match error {
            AppendError::Conflict => self.progress.send_modify(|progress| progress.overtaken += 1),
            AppendError::Unknown(why) => {
                tracing::warn!(why, "whether events were published is not known, looking what is there");
                tokio::select! {
                    () = self.stop.cancelled() => return Err(Over::Stopped),
                    () = tokio::time::sleep(AGAIN) => {}
                }
            }
        }
        let tail = self.published.tail().await.map_err(Over::Again)?;
        let place = tail.last.map(|headers| resume::place(&headers, &self.log)).transpose()?;
        if place < end.place {
            return Err(Over::Again("events that had been published are gone".to_owned()));
        }
        *end = End { guard: tail.guard, place };
        Ok(())
    }
}

/// The events after a place.
fn after(events: &[CloudEvent], place: Option<Place>) -> &[CloudEvent] {
    let published = events.partition_point(|event| Some(event.place) <= place);
    &events[published..]
}
