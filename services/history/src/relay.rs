//! The relay: every event of the log into the published stream, in order, none missing and none twice, however often it is begun again
//! and however many of it run.
//!
//! What is published is the only thing it remembers: it goes on from the stream's own last message. A batch is guarded by the stream's last
//! sequence, so of two relays one appends; the other looks at what is there and goes on after it. A batch of which a power failure
//! left a part is gone on with in the same way.

use std::collections::VecDeque;
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

/// How many commits may wait to be understood.
const WAITING_MAX: usize = 1_024;

/// How many commits' events may wait to be published: some megabytes.
const READY_MAX: usize = 16;

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

/// The events of a commit, made ready to be published.
struct Ready {
    events: Vec<CloudEvent>,
    sequence: u64,
    /// When the log stored it.
    stamp: At,
}

/// Makes the events of each commit, while those before it are on their way.
async fn make_ready(
    mut commits: mpsc::Receiver<Arc<Followed>>,
    incarnation: String,
    ready: mpsc::Sender<Result<Ready, RelayError>>,
) {
    while let Some(followed) = commits.recv().await {
        let (sequence, stamp) = (followed.sequence, followed.stamp);
        let made = match events_of(&followed, &incarnation) {
            Ok(events) => Ok(Ready { events, sequence, stamp }),
            Err(_) => Err(RelayError::Unwritable { sequence }),
        };
        if ready.send(made).await.is_err() {
            return;
        }
    }
}

/// What is to be published next. A batch takes as much of it as it can, wherever commits begin and end.
#[derive(Default)]
struct Pending {
    events: VecDeque<CloudEvent>,
    /// The commits that are not published whole: the place of the last event, sequence, stamp.
    commits: VecDeque<(Option<Place>, u64, At)>,
}

impl Pending {
    fn add(&mut self, Ready { events, sequence, stamp }: Ready) {
        self.commits.push_back((events.last().map(|event| event.place), sequence, stamp));
        self.events.extend(events);
    }

    /// Drops what stands in the stream, which ends at this place. Answers the last commit that is published whole now.
    fn drop_published(&mut self, place: Option<Place>) -> Option<(u64, At)> {
        let published = self.events.partition_point(|event| Some(event.place) <= place);
        self.events.drain(..published);
        let mut whole = None;
        while let Some((_, sequence, stamp)) = self.commits.pop_front_if(|(last, _, _)| *last <= place) {
            whole = Some((sequence, stamp));
        }
        whole
    }
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
        let (sender, commits) = mpsc::channel(WAITING_MAX);
        let follower =
            follow::run(self.log.clone(), checker, None, vec![sender], self.follow_progress.clone());
        let _follower = AbortOnDropHandle::new(tokio::spawn(follower));
        let (sender, mut ready) = mpsc::channel(READY_MAX);
        let maker = make_ready(commits, self.log.incarnation().to_owned(), sender);
        let _maker = AbortOnDropHandle::new(tokio::spawn(maker));
        self.set(Phase::Relaying);
        let mut pending = Pending::default();
        loop {
            let gathered = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Over::Stopped,
                gathered = self.gather(&mut pending, &mut ready) => gathered,
            };
            let published = match gathered {
                Ok(()) => self.publish(&mut pending, &mut end).await,
                Err(over) => Err(over),
            };
            if let Err(over) = published {
                return over;
            }
        }
    }

    /// Takes what is ready, until it fills a batch; waits only while there is nothing to publish.
    async fn gather(
        &self,
        pending: &mut Pending,
        ready: &mut mpsc::Receiver<Result<Ready, RelayError>>,
    ) -> Result<(), Over> {
        if pending.events.is_empty() {
            pending.add(ready.recv().await.ok_or_else(|| self.broken())??);
        }
        while pending.events.len() < BATCH_MAX
            && let Ok(next) = ready.try_recv()
        {
            pending.add(next?);
        }
        Ok(())
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

    /// Publishes one batch of what is not there yet.
    async fn publish(&self, pending: &mut Pending, end: &mut End) -> Result<(), Over> {
        let mut whole = pending.drop_published(end.place);
        let events = pending.events.make_contiguous();
        let batch = &events[..events.len().min(BATCH_MAX)];
        if let Some(last) = batch.last() {
            let (count, place) = (batch.len() as u64, Some(last.place));
            match self.published.append(end.guard, batch).await {
                Ok(sequence) => {
                    *end = End { guard: sequence, place };
                    self.progress.send_modify(|progress| progress.published += count);
                }
                Err(error) => self.look_again(error, end).await?,
            }
            whole = pending.drop_published(end.place).or(whole);
        }
        if let Some((relayed, stamp)) = whole {
            self.progress.send_modify(|progress| {
                progress.relayed = relayed;
                progress.stamp = stamp;
            });
        }
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

#[cfg(test)]
mod tests {
    use async_nats::HeaderMap;
    use bytes::Bytes;
    use seva_eventlog::commit::Position;

    use super::*;

    fn place(sequence: u64, event: u16) -> Place {
        Place { position: Position::of(sequence, 0), event }
    }

    /// A commit with so many events.
    fn ready(sequence: u64, count: u16) -> Ready {
        let event = |event| CloudEvent {
            place: place(sequence, event),
            subject: String::new(),
            headers: HeaderMap::new(),
            data: Bytes::new(),
        };
        Ready { events: (0..count).map(event).collect(), sequence, stamp: At(0) }
    }

    /// Two commits of three events, with an empty one after each.
    fn pending() -> Pending {
        let mut pending = Pending::default();
        for (sequence, count) in [(1, 3), (2, 0), (3, 3), (4, 0)] {
            pending.add(ready(sequence, count));
        }
        pending
    }

    #[test]
    fn a_commit_is_published_when_its_last_event_is_and_an_empty_one_with_what_is_before_it() {
        for (end, left, whole) in [
            (None, 6, None),
            (Some(place(1, 1)), 4, None),
            (Some(place(1, 2)), 3, Some(2)),
            (Some(place(3, 0)), 2, Some(2)),
            (Some(place(3, 2)), 0, Some(4)),
            (Some(place(9, 0)), 0, Some(4)),
        ] {
            let mut pending = pending();
            let passed = pending.drop_published(end);
            assert_eq!(pending.events.len(), left, "up to {end:?}");
            assert_eq!(passed.map(|(sequence, _)| sequence), whole, "up to {end:?}");
        }
    }

    #[test]
    fn an_empty_commit_waits_for_nothing() {
        let mut pending = Pending::default();
        pending.add(ready(1, 0));
        assert_eq!(pending.drop_published(None), Some((1, At(0))));
        assert!(pending.commits.is_empty());
    }
}
