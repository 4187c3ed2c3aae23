//! One service's shard as this process knows it: its rows, the commits it folds, and the commit being gathered on top.
//!
//! The writer gathers commits with it, a process that catches up folds commits with it, and the simulator does both.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use seva_domain::desk::{Desk, Handled, Submission, Work};
use seva_domain::noun::{Noun, Rejection, State, Unreadable};
use seva_domain::plan::NoPlan;
use seva_domain::policy::Policy;
use seva_domain::record::Record;
use seva_domain::rows::{self, Delta, Due, Held, Lookup, Value, View};
use seva_domain::service::Service;
use seva_domain::values::At;

use crate::base::Base;
use crate::commit::{BYTES_MAX, Digest, RECORDS_MAX};
use crate::follow::{Chains, Followed};
use crate::layers::Layers;
use crate::planted::{self, Bug};
use crate::rowcodec;
use crate::store::{Change, Store, StoreError};

/// How many reactions to other services' records, and how many due times, one commit takes in before it is full.
pub const TAKEN_IN_MAX: usize = 128;

/// How large the reactions in one commit may be together before it is full, in bytes as written.
const TAKEN_IN_BYTES_MAX: usize = BYTES_MAX / 2;

/// How large a request's records may be together, with all that follows from them, in bytes as written.
pub const CASCADE_BYTES_MAX: usize = 256 * 1024;

/// How much larger than the record reacted to a reaction may be written, in bytes.
const REACTION_BYTES_EXTRA: usize = 512;

/// The shape of a shard's rows. A database of another shape is made anew from the log.
pub const FORMAT: u32 = 2;

/// How far a shard's rows are. Stands in the same batch as they do.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Checkpoint {
    pub format: u32,
    pub incarnation: String,
    /// Where to go on following: everything up to here is folded, taken in, or of no concern.
    pub resume: Chains,
    /// Sequence and digest of the shard's last commit folded. May lie after `resume`.
    pub tip: (u64, Digest),
    /// The time of that commit.
    pub at: At,
    /// How far other services' records were taken in by it.
    pub reacted_to: u64,
}

impl Checkpoint {
    /// Reads the checkpoint of a database; `None` if it is empty.
    pub fn read(store: &dyn Store) -> Result<Option<Checkpoint>, StoreError> {
        let Some(bytes) = store.get(rowcodec::CHECKPOINT)? else { return Ok(None) };
        let damaged = |_| StoreError("the checkpoint cannot be read".to_owned());
        serde_json::from_slice(&bytes).map(Some).map_err(damaged)
    }

    /// The checkpoint as a row.
    pub fn row(&self) -> Result<Change, StoreError> {
        let bytes = serde_json::to_vec(self).map_err(|error| StoreError(error.to_string()))?;
        Ok((rowcodec::CHECKPOINT.to_vec(), Some(bytes)))
    }
}

/// Why a shard cannot go on.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ShardError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the commit at {sequence} cannot be folded: {source}")]
    Unreadable { sequence: u64, source: Unreadable },
    #[error(
        "the commit at {sequence} holds a record that was passed over: this build does not fold its noun"
    )]
    PassedOver { sequence: u64 },
    #[error("the log is no longer followed")]
    Unfollowed,
}

/// A commit being gathered.
#[derive(Debug)]
pub struct Gathering {
    pub at: At,
    pub reacted_to: u64,
    /// The chains at `reacted_to`: where following goes on once this commit is stored.
    pub resume: Arc<Chains>,
    pub records: Vec<Arc<Record>>,
    /// The records as they will be written, joined by commas.
    pub written: Vec<u8>,
    /// Whether it takes no commands: it is large enough, or more must be taken in before the next command.
    pub is_full: bool,
    /// Whether it must be written even without records.
    pub is_due: bool,
}

impl Gathering {
    /// What other services wrote is taken in up to these chains only; more of it must be before the next command.
    fn stop_before(&mut self, chains: &Arc<Chains>) {
        self.reacted_to = chains.sequence;
        self.resume = Arc::clone(chains);
        self.is_full = true;
    }
}

/// Requests were recorded by the commit at this sequence, which was not known while they were decided.
pub(crate) fn stored_at(delta: &mut Delta, sequence: u64) {
    for value in delta.values_mut().flatten() {
        if let Value::Request(seen) = value {
            seen.sequence = sequence;
        }
    }
}

/// What another service's commit holds that matters here.
#[derive(Debug)]
struct Pending {
    sequence: u64,
    records: Vec<Arc<Record>>,
    /// How many reactions it will lead to, and about how large they will be as written.
    reactions: usize,
    bytes: usize,
    /// The chains before it and after it.
    before: Arc<Chains>,
    after: Arc<Chains>,
}

impl Pending {
    /// What matters to a service in a commit of another, if anything does. What does not is let go of: what waits here may be long.
    fn of(service: Service, followed: &Followed) -> Option<Pending> {
        if followed.service == service {
            return None;
        }
        let (mut records, mut reactions, mut bytes) = (Vec::new(), 0, 0);
        for (_, record) in followed.commit.records() {
            let count: usize = service.processes().iter().map(|process| process.reactions_max(record)).sum();
            if count > 0 || service.folds(&record.noun) {
                records.push(Arc::clone(record));
            }
            if count > 0 {
                reactions += count;
                bytes += count * (written(std::slice::from_ref(record)).len() + REACTION_BYTES_EXTRA);
            }
        }
        let (before, after) = (Arc::clone(&followed.before), Arc::clone(&followed.after));
        let sequence = followed.sequence;
        (!records.is_empty()).then_some(Pending { sequence, records, reactions, bytes, before, after })
    }
}

/// A service's shard.
#[derive(Debug)]
pub struct Shard {
    service: Service,
    pub layers: Layers,
    /// Sequence and digest of the shard's last commit that is folded here.
    tip: (u64, Digest),
    at: At,
    reacted_to: u64,
    followed: Arc<Chains>,
    /// Other services' commits that matter here and that no commit of this shard has taken in yet.
    pending: VecDeque<Pending>,
    /// Time of the commit on its way, and how far it takes in; `None` if there is none.
    on_its_way: Option<(At, u64)>,
    /// The policy in force; `None`: not known, or there is none.
    policy: Option<Arc<Policy>>,
    /// No due time stands before this; `None`: not known.
    next_due: Option<At>,
    /// What the last commit was written into: as large as one gets, and empty.
    spare: Vec<u8>,
    incarnation: String,
}

impl Shard {
    /// Opens a service's shard over its database.
    pub fn open(service: Service, base: Arc<Base>, incarnation: &str) -> Result<Shard, StoreError> {
        let checkpoint = base.checkpoint()?.unwrap_or_default();
        Ok(Shard {
            service,
            layers: Layers::new(base),
            tip: checkpoint.tip,
            at: checkpoint.at,
            reacted_to: checkpoint.reacted_to,
            followed: Arc::new(checkpoint.resume),
            pending: VecDeque::new(),
            on_its_way: None,
            policy: None,
            next_due: None,
            spare: Vec::new(),
            incarnation: incarnation.to_owned(),
        })
    }

    /// Sequence and digest of the shard's last commit folded here: what the next commit is guarded by.
    pub fn tip(&self) -> (u64, Digest) {
        self.tip
    }

    /// The time of the shard's last commit.
    pub fn at(&self) -> At {
        self.at
    }

    /// The sequence of the last message followed.
    pub fn followed(&self) -> u64 {
        self.followed.sequence
    }

    /// Sequence up to which other services' records are taken in by commits that stand in the log.
    pub fn reacted(&self) -> u64 {
        self.pending.front().map_or(self.followed.sequence, |next| next.before.sequence)
    }

    /// Whether other services' records wait to be taken in, and the commit on its way does not.
    pub fn has_pending(&self) -> bool {
        let (_, taken_in) = self.newest();
        self.pending.back().is_some_and(|message| message.sequence > taken_in)
    }

    /// Takes note of a message that this shard does not own. Answers whether it must be taken in.
    pub fn note(&mut self, followed: &Arc<Followed>) -> bool {
        // The follower may begin before what these rows hold, for the sake of others.
        if followed.sequence <= self.followed.sequence {
            return false;
        }
        self.followed = Arc::clone(&followed.after);
        let pending = Pending::of(self.service, followed);
        let is_pending = pending.is_some();
        self.pending.extend(pending);
        is_pending
    }

    /// Folds a commit of this shard that stands in the log and was not gathered here. Answers the rows it changes.
    pub fn fold(&mut self, followed: &Followed) -> Result<Delta, ShardError> {
        let mut delta = Delta::new();
        let sequence = followed.sequence;
        for message in self.pending.iter().take_while(|m| m.sequence <= followed.commit.reacted_to) {
            for record in message.records.iter().filter(|record| self.service.folds(&record.noun)) {
                let before = self.before(&delta, &record.noun);
                rows::fold(&mut delta, before.as_deref(), &foreign(record), 0, 0)
                    .map_err(|source| ShardError::Unreadable { sequence: message.sequence, source })?;
            }
        }
        for (index, record) in (0..).zip(&followed.commit.records) {
            let record = record.as_ref().ok_or(ShardError::PassedOver { sequence })?;
            let before = self.before(&delta, &record.noun);
            rows::fold(&mut delta, before.as_deref(), record, sequence, index)
                .map_err(|source| ShardError::Unreadable { sequence, source })?;
        }
        self.check()?;
        self.land(followed.commit.at, followed.commit.reacted_to, sequence, followed.digest, &delta);
        Ok(delta)
    }

    /// What was gathered last stands in the log, record for record: its rows are part of the state.
    pub fn stands(&mut self, followed: &Followed) {
        let mut delta = std::mem::take(&mut self.layers.gathering);
        stored_at(&mut delta, followed.sequence);
        self.land(followed.commit.at, followed.commit.reacted_to, followed.sequence, followed.digest, &delta);
    }

    /// Makes rows of a commit that stands in the log part of the state.
    pub fn land(&mut self, at: At, reacted_to: u64, sequence: u64, digest: Digest, delta: &Delta) {
        self.on_its_way = None;
        self.layers.confirm(sequence, delta);
        if planted::is(Bug::UnfoldedRowsEvicted) {
            self.layers.evict(sequence);
        }
        self.touched(delta);
        self.tip = (sequence, digest);
        self.at = at;
        self.reacted_to = reacted_to;
        while self.pending.front().is_some_and(|message| message.sequence <= reacted_to) {
            self.pending.pop_front();
        }
    }

    /// How far the rows are once those of the shard's last commit are in the database.
    pub fn checkpoint(&self) -> Checkpoint {
        let resume = match self.pending.front() {
            Some(next) => next.before.as_ref(),
            None => self.followed.as_ref(),
        };
        self.checkpoint_at(resume)
    }

    /// How far the rows are once those of the shard's last commit are in the database, going on from where that commit had reacted to.
    pub fn checkpoint_at(&self, resume: &Chains) -> Checkpoint {
        Checkpoint {
            format: FORMAT,
            incarnation: self.incarnation.clone(),
            resume: resume.clone(),
            tip: self.tip,
            at: self.at,
            reacted_to: self.reacted_to,
        }
    }

    /// The policy in force on top of everything gathered.
    pub fn policy(&mut self) -> Option<Arc<Policy>> {
        if self.policy.is_none() {
            let held = self.layers.held(&Noun::Policy)?;
            let State::Policy(state) = &held.state else { return None };
            self.policy = Policy::of(state).map(Arc::new);
        }
        self.policy.clone()
    }

    /// When something is due next by itself, if anything is.
    pub fn next_due(&mut self) -> Option<At> {
        if self.next_due.is_none() {
            let first = self.layers.due(At(i64::MAX), 1).first().map(|due| due.at);
            self.next_due = Some(first.unwrap_or(At(i64::MAX)));
        }
        self.next_due.filter(|at| *at != At(i64::MAX))
    }

    /// Begins a commit at a time: takes in what other services wrote up to `until` and fires every due time reached.
    ///
    /// What is taken in and fired follows from `at` and the commit's `reacted_to` alone, so that the simulator does the same.
    pub fn begin(&mut self, at: At, until: u64) -> Result<Gathering, ShardError> {
        let (newest, taken_in) = self.newest();
        let mut gathering = Gathering {
            at: at.max(newest),
            reacted_to: until.max(taken_in),
            resume: Arc::clone(&self.followed),
            records: Vec::new(),
            written: std::mem::take(&mut self.spare),
            is_full: false,
            is_due: false,
        };
        if self.take_in_pending(&mut gathering, taken_in, until)? {
            self.fire_reached(&mut gathering)?;
        }
        self.check()?;
        Ok(gathering)
    }

    /// Takes in messages after `taken_in` and up to `until`, as far as they fit. Answers whether due times may be fired then.
    fn take_in_pending(
        &mut self,
        gathering: &mut Gathering,
        taken_in: u64,
        until: u64,
    ) -> Result<bool, ShardError> {
        // Taken out while it is walked: taking in changes the rest of the shard.
        let pending = std::mem::take(&mut self.pending);
        let waits = |message: &&Pending| message.sequence > taken_in && message.sequence <= until;
        let mut may_fire = true;
        let mut result = Ok(());
        for message in pending.iter().filter(waits) {
            let is_too_much = gathering.records.len() + message.reactions > RECORDS_MAX
                || gathering.written.len() + message.bytes > BYTES_MAX;
            if is_too_much && !gathering.records.is_empty() {
                gathering.stop_before(&message.before);
                break;
            }
            result = message
                .records
                .iter()
                .try_for_each(|record| self.take_in(gathering, message.sequence, record));
            gathering.is_due = true;
            if gathering.records.len() >= TAKEN_IN_MAX || gathering.written.len() >= TAKEN_IN_BYTES_MAX {
                gathering.stop_before(&message.after);
                may_fire = false;
            }
            if !may_fire || result.is_err() {
                break;
            }
        }
        self.pending = pending;
        result.map(|()| may_fire)
    }

    fn fire_reached(&mut self, gathering: &mut Gathering) -> Result<(), ShardError> {
        if self.next_due().is_none_or(|due| due > gathering.at) {
            return Ok(());
        }
        let due = self.layers.due(gathering.at, TAKEN_IN_MAX);
        gathering.is_full |= due.len() >= TAKEN_IN_MAX;
        due.iter().try_for_each(|due| self.fire(gathering, due))
    }

    /// Decides a request in the commit being gathered. On an error, or when it is so already, nothing is added. `None`: it is for the next
    /// commit, this one has no room for what would be added.
    pub fn handle(
        &mut self,
        gathering: &mut Gathering,
        submission: &Submission,
    ) -> Result<Option<Handled>, NoPlan> {
        let policy = self.policy();
        let mut desk = self.desk(policy, gathering);
        let handled = desk.handle(submission)?;
        let work = desk.finish();
        let written = written(&work.records);
        if written.len() > CASCADE_BYTES_MAX {
            return Err(NoPlan::Rejected(Rejection::TooMuch("more than 256 KiB")));
        }
        let is_too_much = gathering.records.len() + work.records.len() > RECORDS_MAX
            || gathering.written.len() + 1 + written.len() > BYTES_MAX;
        if is_too_much && !gathering.records.is_empty() {
            gathering.is_full = true;
            return Ok(None);
        }
        self.add_written(gathering, work, &written);
        Ok(Some(handled))
    }

    /// Runs the facts of one request again in the commit being gathered.
    pub fn rerun(&mut self, gathering: &mut Gathering, facts: &[Arc<Record>]) -> Result<(), Rejection> {
        let policy = self.policy();
        let mut desk = self.desk(policy, gathering);
        desk.rerun(facts)?;
        let work = desk.finish();
        self.add(gathering, work);
        Ok(())
    }

    /// Fails if the database could not be read since this was last asked.
    pub fn check(&self) -> Result<(), StoreError> {
        self.layers.take_failure().map_or(Ok(()), Err)
    }

    /// The commit gathered is on its way: the next one gathers on top of it.
    pub fn send(&mut self, gathering: &Gathering) {
        self.layers.in_flight = std::mem::take(&mut self.layers.gathering);
        self.on_its_way = Some((gathering.at, gathering.reacted_to));
    }

    /// Takes back what a commit was written into, for the next one: memory of that size costs more to get than to keep.
    pub fn take_back(&mut self, mut written: Vec<u8>) {
        written.clear();
        self.spare = written;
    }

    /// Forgets the commit being gathered, and the one on its way if asked to.
    pub fn discard(&mut self, and_in_flight: bool) {
        let mut gone = std::mem::take(&mut self.layers.gathering);
        if and_in_flight {
            self.on_its_way = None;
            gone.append(&mut self.layers.in_flight);
        }
        self.touched(&gone);
    }

    /// Time of the newest commit, on its way or not, and how far it takes in.
    fn newest(&self) -> (At, u64) {
        self.on_its_way.unwrap_or((self.at, self.reacted_to))
    }

    fn take_in(
        &mut self,
        gathering: &mut Gathering,
        sequence: u64,
        record: &Record,
    ) -> Result<(), ShardError> {
        let policy = self.policy();
        let mut desk = self.desk(policy, gathering);
        if self.service.folds(&record.noun) {
            desk.fold_foreign(&foreign(record))
                .map_err(|source| ShardError::Unreadable { sequence, source })?;
        }
        if let Err(rejection) = desk.take_in(record) {
            tracing::error!(%rejection, record.id = %record.id, "a reaction was left out");
            return Ok(());
        }
        planted::take_in_again(&mut desk, record);
        let work = desk.finish();
        self.add(gathering, work);
        Ok(())
    }

    fn fire(&mut self, gathering: &mut Gathering, due: &Due) -> Result<(), ShardError> {
        let policy = self.policy();
        let mut desk = self.desk(policy, gathering);
        if let Err(rejection) = desk.fire(due) {
            tracing::error!(%rejection, noun = %due.noun, due = due.name, "a due time was left out");
            return Ok(());
        }
        let work = desk.finish();
        let again = planted::done_again(&work.records);
        self.add(gathering, work);
        if let Some(again) = again
            && let Err(rejection) = self.rerun(gathering, &[again])
        {
            tracing::error!(%rejection, "what was done again was left out");
        }
        Ok(())
    }

    fn desk<'a>(&'a self, policy: Option<Arc<Policy>>, gathering: &Gathering) -> Desk<'a> {
        let first_index = u16::try_from(gathering.records.len()).unwrap_or(u16::MAX);
        Desk::new(&self.layers, self.service, policy, gathering.at, first_index)
    }

    fn add(&mut self, gathering: &mut Gathering, work: Work) {
        let written = written(&work.records);
        self.add_written(gathering, work, &written);
    }

    fn add_written(&mut self, gathering: &mut Gathering, work: Work, written: &[u8]) {
        self.touched(&work.delta);
        self.layers.gathering.extend(work.delta);
        if !gathering.written.is_empty() && !written.is_empty() {
            gathering.written.push(b',');
        }
        gathering.written.extend_from_slice(written);
        gathering.records.extend(work.records);
        gathering.is_full |= gathering.records.len() >= RECORDS_MAX || gathering.written.len() >= BYTES_MAX;
    }

    fn before(&self, delta: &Delta, noun: &Noun) -> Option<Arc<Held>> {
        match delta.get(&rows::Key::Noun(*noun)) {
            Some(Some(Value::Noun(held))) => Some(Arc::clone(held)),
            Some(_) | None => self.layers.held(noun),
        }
    }

    /// What is kept at hand of rows that change is looked up again.
    fn touched(&mut self, delta: &Delta) {
        if delta.contains_key(&rows::Key::Noun(Noun::Policy)) {
            self.policy = None;
        }
        // Due times order first among keys, and behind them the imports whose clocks run.
        let changes_due =
            |key| matches!(key, &rows::Key::Due(_) | &rows::Key::Lookup(Lookup::ClosedImports, _));
        if delta.keys().next().is_some_and(changes_due) {
            self.next_due = None;
        }
    }
}

/// A record of another service as it is folded here: its request was made there, and is not remembered here.
fn foreign(record: &Record) -> Record {
    Record { request: None, ..record.clone() }
}

/// Records as they are written, joined by commas.
fn written(records: &[Arc<Record>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in records {
        if !bytes.is_empty() {
            bytes.push(b',');
        }
        let written = serde_json::to_writer(&mut bytes, record.as_ref());
        // Writing to memory fails for no value of these types.
        debug_assert!(written.is_ok());
    }
    bytes
}
