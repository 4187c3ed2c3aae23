//! The writer's task: takes commands, decides them into the commit being gathered, and says what it is doing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use seva_domain::desk::Handled;
use seva_domain::plan::NoPlan;
use seva_domain::policy::Policy;
use seva_domain::rows::{Key, Seen, View};
use seva_domain::service::Service;
use seva_domain::values::At;
use tokio::sync::{mpsc, watch};

use super::round::{Acked, Held, InFlight, hand_back, outcome};
use super::storing::ToStore;
use super::{Answer, Ask, Parts, Phase, Progress, Unavailable};
use crate::commit::RECORDS_MAX;
use crate::layers::BACKLOG_BYTES_MAX;
use crate::planted::{self, Bug};
use crate::shard::{Gathering, Shard, ShardError};
use crate::store::StoreError;

/// A due time is fired so soon at the earliest: one that cannot be fired must not keep the writer busy.
const DUE_WAIT_MIN: Duration = Duration::from_millis(5);

/// How often others get the turn before a commit is sent, at most.
const TURNS_MAX: usize = 8;

/// The writer at work.
pub(super) struct Task {
    pub(super) shard: Shard,
    pub(super) parts: Parts,
    pub(super) commands: mpsc::Receiver<Ask>,
    /// Commands to be decided again, before any new one.
    pub(super) waiting: VecDeque<Ask>,
    pub(super) gathering: Option<Gathering>,
    pub(super) answers: Vec<(Ask, Held)>,
    pub(super) in_flight: Option<InFlight>,
    /// Commits of this process that stand in the log and were not followed yet.
    pub(super) acked: VecDeque<Acked>,
    pub(super) to_store: mpsc::Sender<ToStore>,
    pub(super) stored: watch::Receiver<Result<u64, StoreError>>,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) policy: watch::Sender<Option<Arc<Policy>>>,
    pub(super) is_caught_up: bool,
    pub(super) stopped: Option<String>,
}

impl Task {
    pub(super) async fn run(mut self) -> Result<(), ShardError> {
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
            self.drain_commands().await;
        }
    }

    /// Takes what was asked meanwhile. Where a commit could be sent at once, those who are about to ask get the turn first, as long as more come: a
    /// commit costs the server and all its readers about the same whatever it holds.
    async fn drain_commands(&mut self) {
        for _ in 0..TURNS_MAX {
            let before = self.waiting.len();
            while self.takes_commands()
                && let Ok(ask) = self.commands.try_recv()
            {
                self.waiting.push_back(ask);
            }
            if self.in_flight.is_some() || self.waiting.len() == before {
                return;
            }
            tokio::task::yield_now().await;
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
    pub(super) fn drop_gathering(&mut self, refusal: &Unavailable) {
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

    pub(super) fn now(&self) -> At {
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
            next_due: self.shard.next_due(),
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
            Ok(Some(Handled::Recorded)) => Held::Recorded { first, count: gathering.records.len() - first },
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
}
