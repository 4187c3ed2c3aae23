//! What a writer decides on: the database, commits it does not hold yet, the commit on its way, the commit being gathered.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use seva_domain::desk::apply_lookups;
use seva_domain::noun::Noun;
use seva_domain::rows::{Delta, Due, Held, Key, Lookup, Seen, Value, View};
use seva_domain::values::{At, ImportId, RequestId};

use crate::base::Base;
use crate::store::StoreError;

/// How many bytes of confirmed rows may wait for the database. Full, no more commands are taken.
pub const BACKLOG_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The layers of a shard, newest last. Where the database cannot be read, a view finds nothing, and the failure is kept to be asked for.
#[derive(Debug)]
pub struct Layers {
    base: Arc<Base>,
    confirmed: Confirmed,
    /// Rows of the commit on its way.
    pub in_flight: Delta,
    /// Rows of the commit being gathered.
    pub gathering: Delta,
    // A cell, because views are asked through shared references; the writer's task alone uses it.
    failure: RefCell<Option<StoreError>>,
}

/// Rows of commits that stand in the log, until the database holds them.
#[derive(Debug, Default)]
struct Confirmed {
    /// Each with the sequence of the commit that changed it last.
    rows: BTreeMap<Key, (Option<Value>, u64)>,
    commits: VecDeque<(u64, Vec<Key>, usize)>,
    bytes: usize,
}

impl Layers {
    /// Layers over a database.
    pub fn new(base: Arc<Base>) -> Layers {
        Layers {
            base,
            confirmed: Confirmed::default(),
            in_flight: Delta::new(),
            gathering: Delta::new(),
            failure: RefCell::new(None),
        }
    }

    /// Takes in the rows of a commit that stands in the log.
    pub fn confirm(&mut self, sequence: u64, delta: &Delta) {
        let mut keys = Vec::with_capacity(delta.len());
        let mut bytes = 0;
        for (key, value) in delta {
            bytes += size(value.as_ref());
            keys.push(key.clone());
            self.confirmed.rows.insert(key.clone(), (value.clone(), sequence));
        }
        self.confirmed.bytes += bytes;
        self.confirmed.commits.push_back((sequence, keys, bytes));
    }

    /// Lets go of what the database holds up to a sequence.
    pub fn evict(&mut self, held: u64) {
        while let Some((sequence, _, _)) = self.confirmed.commits.front() {
            if *sequence > held {
                break;
            }
            let Some((_, keys, bytes)) = self.confirmed.commits.pop_front() else { break };
            self.confirmed.bytes -= bytes;
            for key in keys {
                if self.confirmed.rows.get(&key).is_some_and(|(_, changed)| *changed <= held) {
                    self.confirmed.rows.remove(&key);
                }
            }
        }
    }

    /// About how many bytes of confirmed rows the database does not hold yet.
    pub fn backlog_bytes(&self) -> usize {
        self.confirmed.bytes
    }

    /// Why the database could not be read since this was last asked, if so.
    pub fn take_failure(&self) -> Option<StoreError> {
        self.failure.borrow_mut().take()
    }

    /// The first due times up to and including `until`, by every clock that runs: the wall's, and those of imports that are closed. In order, at
    /// most `limit`.
    pub fn due(&self, until: At, limit: usize) -> Vec<Due> {
        let mut due = self.due_by(None, until, limit);
        for noun in self.find(&Lookup::ClosedImports) {
            if let Noun::Import(import) = noun {
                due.extend(self.due_by(Some(import), until, limit));
            }
        }
        due.sort_unstable_by(|a, b| (a.at, a.noun, &a.name).cmp(&(b.at, b.noun, &b.name)));
        due.truncate(limit);
        due
    }

    fn due_by(&self, clock: Option<ImportId>, until: At, limit: usize) -> Vec<Due> {
        let mut due: BTreeMap<Due, bool> = BTreeMap::new();
        let newer = || {
            self.overlays().filter_map(|(key, value)| match key {
                Key::Due(found) if found.clock == clock => Some((found, value.is_some())),
                Key::Due(_) | Key::Lookup(..) | Key::Noun(_) | Key::Request(_) => None,
            })
        };
        // Rows that newer layers take away must not crowd out later ones.
        let gone = newer().filter(|(_, stands)| !stands).count();
        let rows = self.try_base(|base| base.due(clock, limit + gone)).unwrap_or_default();
        due.extend(rows.into_iter().map(|found| (found, true)));
        due.extend(newer().map(|(found, stands)| (found.clone(), stands)));
        let standing = due.into_iter().filter(|(found, stands)| *stands && found.at <= until);
        standing.map(|(found, _)| found).take(limit).collect()
    }

    /// Rows of due times in the layers over the database, oldest layer first.
    fn overlays(&self) -> impl Iterator<Item = (&Key, Option<&Value>)> {
        // Due times order first among keys, so each layer's stand at its beginning.
        let confirmed = self.confirmed.rows.iter().map(|(key, (value, _))| (key, value.as_ref()));
        let confirmed = confirmed.take_while(|(key, _)| matches!(key, Key::Due(_)));
        let newer = [&self.in_flight, &self.gathering].into_iter().flat_map(|delta| {
            let rows = delta.iter().map(|(key, value)| (key, value.as_ref()));
            rows.take_while(|(key, _)| matches!(key, Key::Due(_)))
        });
        confirmed.chain(newer)
    }

    fn overlay(&self, key: &Key) -> Option<Option<&Value>> {
        if let Some(value) = self.gathering.get(key) {
            return Some(value.as_ref());
        }
        if let Some(value) = self.in_flight.get(key) {
            return Some(value.as_ref());
        }
        self.confirmed.rows.get(key).map(|(value, _)| value.as_ref())
    }

    fn try_base<T>(&self, read: impl FnOnce(&Base) -> Result<T, StoreError>) -> Option<T> {
        match read(self.base.as_ref()) {
            Ok(value) => Some(value),
            Err(error) => {
                self.failure.borrow_mut().get_or_insert(error);
                None
            }
        }
    }
}

impl View for Layers {
    fn held(&self, noun: &Noun) -> Option<Arc<Held>> {
        let key = Key::Noun(*noun);
        match self.overlay(&key) {
            Some(Some(Value::Noun(held))) => Some(Arc::clone(held)),
            Some(_) => None,
            None => self.try_base(|base| base.held(noun)).flatten(),
        }
    }

    fn find(&self, lookup: &Lookup) -> Vec<Noun> {
        let mut nouns = self.try_base(|base| base.find(lookup)).map_or_else(Vec::new, |found| found.to_vec());
        let least = Noun::Case(seva_domain::values::CaseId::from_bytes([0; 16]));
        for (key, (value, _)) in self.confirmed.rows.range(Key::Lookup(*lookup, least)..) {
            match key {
                Key::Lookup(found, noun) if found == lookup => {
                    nouns.retain(|other| other != noun);
                    if value.is_some() {
                        nouns.push(*noun);
                    }
                }
                Key::Due(_) | Key::Lookup(..) | Key::Noun(_) | Key::Request(_) => break,
            }
        }
        apply_lookups(&mut nouns, &self.in_flight, lookup);
        apply_lookups(&mut nouns, &self.gathering, lookup);
        nouns
    }

    fn seen(&self, request: &RequestId) -> Option<Seen> {
        let key = Key::Request(*request);
        match self.overlay(&key) {
            Some(Some(Value::Request(seen))) => Some(*seen),
            Some(_) => None,
            None => self.try_base(|base| base.seen(request)).flatten(),
        }
    }
}

/// About what a row weighs in memory.
fn size(value: Option<&Value>) -> usize {
    match value {
        Some(Value::Noun(_)) => 1_024,
        Some(Value::Request(_)) => 256,
        Some(Value::Present) | None => 192,
    }
}
