//! How a commit comes to stand in the log, and what the log says: acknowledged, refused, unknown, written by another process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt as _;
use seva_domain::charge;
use seva_domain::record::Record;
use seva_domain::rows::Delta;

use super::round::{Acked, InFlight, OnItsWay, Outcome, answer, answer_all, assemble};
use super::storing::ToStore;
use super::task::Task;
use super::{Answer, Ask, SKEW_MAX, Unavailable};
use crate::commit::{Commit, Digest, Position};
use crate::follow::Followed;
use crate::layers::BACKLOG_BYTES_MAX;
use crate::log::AppendError;
use crate::planted::{self, Bug};
use crate::shard::{Checkpoint, Gathering, ShardError, stored_at};
use crate::store::StoreError;

/// How long a refused writer waits to be shown who wrote, before it asks the log.
const REFUSED_WAIT: Duration = Duration::from_millis(500);

/// How long an append without a known outcome waits before it is sent again.
const UNKNOWN_WAIT: Duration = Duration::from_millis(200);

/// How many messages are taken in at once before commands are looked at again.
const FOLLOW_BATCH_MAX: usize = 64;

/// How many messages may be followed without a commit of this shard before the checkpoint is moved on alone.
const CHECKPOINT_EVERY: u64 = 4_096;

impl Task {
    /// Sends the commit gathered on its way, if none is.
    pub(super) fn launch(&mut self) {
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
        self.shard.take_back(written);
        let digest = Digest::of(&bytes);
        let commit = Arc::new(commit);
        self.parts.own.remember(digest, Arc::clone(&commit), bytes.len());
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
    pub(super) fn settle(&mut self, outcome: Outcome) {
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
        stored_at(&mut delta, sequence);
        self.shard.land(commit.at, commit.reacted_to, sequence, digest, &delta);
        answer_all(answers, &commit.records, sequence);
        self.pay(&commit.records);
        let checkpoint = self.shard.checkpoint_at(&resume);
        self.acked.push_back(Acked { sequence, digest, delta, checkpoint, sent, was_unknown: is_unknown });
    }

    /// Hands on what the payment provider is to be told because of records that this process wrote.
    fn pay(&self, records: &[Arc<Record>]) {
        let Some(payments) = &self.parts.payments else { return };
        for payment in records.iter().filter_map(|record| charge::payment(record)) {
            if payments.try_send(payment).is_err() {
                tracing::warn!("a payment waits for its next attempt: too many are on their way");
            }
        }
    }

    /// Takes in a message of the log and those that came with it: what is decided before they are would be decided again.
    pub(super) async fn follow_all(&mut self, first: Arc<Followed>) -> Result<(), ShardError> {
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

    pub(super) fn evict(&mut self) -> Result<(), ShardError> {
        let held = self.stored.borrow_and_update().clone()?;
        self.shard.layers.evict(held);
        Ok(())
    }
}
