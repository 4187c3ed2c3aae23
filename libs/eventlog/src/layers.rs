//! What a writer decides on: the database, commits it does not hold yet, the commit on its way, the commit being gathered.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use seva_domain::desk::apply_lookups;
use seva_domain::noun::Noun;
use seva_domain::rows::{Delta, Due, Held, Key, Lookup, Seen, Value, View};
use seva_domain::values::{At, CaseId, ImportId, RequestId};

use crate::base::Base;
use crate::store::StoreError;

/// How many bytes of confirmed rows may wait for the database. Full, no more commands are taken.
pub const BACKLOG_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How many due times are read from the database at once.
const DUE_ROWS: usize = 32;

/// No noun orders before it.
const LEAST: Noun = Noun::Case(CaseId::from_bytes([0; 16]));

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

    /// Lets go of what only a database needs: marks of rows that are gone, and which commit is to be stored next. For layers without one.
    pub fn settle(&mut self) {
        for (_, keys, _) in self.confirmed.commits.drain(..) {
            for key in keys {
                if self.confirmed.rows.get(&key).is_some_and(|(value, _)| value.is_none()) {
                    self.confirmed.rows.remove(&key);
                }
            }
        }
        self.confirmed.bytes = 0;
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
        let mut rows = self.rows_due(clock).take_while(|due| due.at <= until).peekable();
        let mut newer = self.newer_due(clock).take_while(|(due, _)| due.at <= until).peekable();
        let mut due = Vec::new();
        while due.len() < limit {
            let Some(found) = newer.peek().map(|(found, _)| *found) else {
                due.extend(rows.by_ref().take(limit - due.len()));
                break;
            };
            if let Some(row) = rows.next_if(|row| row < found) {
                due.push(row);
                continue;
            }
            // What a newer layer says of a row counts.
            rows.next_if(|row| row == found);
            due.extend(newer.next().filter(|(_, stands)| *stands).map(|(found, _)| found.clone()));
        }
        due
    }

    /// A clock's due times as the database has them, in order.
    fn rows_due(&self, clock: Option<ImportId>) -> impl Iterator<Item = Due> {
        let (mut rows, mut last, mut is_end) = (Vec::new().into_iter(), None, false);
        std::iter::from_fn(move || {
            if rows.len() == 0 && !is_end {
                let read = self.try_base(|base| base.due(clock, last.as_ref(), DUE_ROWS));
                let read = read.unwrap_or_default();
                is_end = read.len() < DUE_ROWS;
                last = read.last().cloned();
                rows = read.into_iter();
            }
            rows.next()
        })
    }

    /// What the layers over the database say of a clock's due times, in order: whether each stands. The newest has the last word.
    fn newer_due(&self, clock: Option<ImportId>) -> impl Iterator<Item = (&Due, bool)> {
        let first = Key::Due(Due { clock, at: At(i64::MIN), noun: LEAST, name: String::new() });
        let confirmed = self.confirmed.rows.range(&first..).map(|(key, (value, _))| (key, value.is_some()));
        let mut confirmed = confirmed.map_while(move |row| due_row(clock, row)).peekable();
        let mut newer = [&self.in_flight, &self.gathering].map(|delta| {
            let rows = delta.range(&first..).map(|(key, value)| (key, value.is_some()));
            rows.map_while(move |row| due_row(clock, row)).peekable()
        });
        std::iter::from_fn(move || {
            let heads = newer.iter_mut().map(|layer| layer.peek()).chain([confirmed.peek()]);
            let next = heads.flatten().map(|(due, _)| *due).min()?;
            let mut said = confirmed.next_if(|(due, _)| *due == next);
            for layer in &mut newer {
                said = layer.next_if(|(due, _)| *due == next).or(said);
            }
            said
        })
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
        for (key, (value, _)) in self.confirmed.rows.range(Key::Lookup(*lookup, LEAST)..) {
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

/// A row of a layer, and whether it stands, if it is a due time by this clock.
fn due_row(clock: Option<ImportId>, (key, stands): (&Key, bool)) -> Option<(&Due, bool)> {
    match key {
        Key::Due(due) if due.clock == clock => Some((due, stands)),
        Key::Due(_) | Key::Lookup(..) | Key::Noun(_) | Key::Request(_) => None,
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

#[cfg(test)]
mod tests {
    use seva_domain::values::ChargeId;

    use super::*;
    use crate::shard::Checkpoint;
    use crate::store::MemoryStore;

    fn due(at: i64, noun: Noun) -> Due {
        Due { clock: None, at: At(at), noun, name: "promise".to_owned() }
    }

    fn case(at: i64, n: u8) -> Due {
        due(at, Noun::Case(CaseId::from_bytes([n; 16])))
    }

    fn charge(at: i64, n: u8) -> Due {
        due(at, Noun::Charge(ChargeId::from_bytes([n; 16])))
    }

    fn rows(stands: bool, dues: impl IntoIterator<Item = Due>) -> Delta {
        dues.into_iter().map(|due| (Key::Due(due), stands.then_some(Value::Present))).collect()
    }

    #[test]
    fn what_is_due_is_what_the_newest_layer_says_in_order() {
        let base = Arc::new(Base::new(Arc::new(MemoryStore::default())));
        let many = (0..100).map(|n| case(n, 1)).chain([charge(5, 1), case(5, 2)]);
        base.apply(&rows(true, many), &Checkpoint::default()).unwrap();
        let mut layers = Layers::new(base);
        layers.confirm(1, &rows(false, (0..70).map(|n| case(n, 1))));
        layers.confirm(2, &rows(true, [case(3, 1), charge(4, 1)]));
        layers.in_flight = rows(false, [case(3, 1), case(71, 1)]);
        layers.gathering = rows(true, [case(200, 1), case(71, 1)]);

        let first = [charge(4, 1), case(5, 2), charge(5, 1), case(70, 1), case(71, 1), case(72, 1)];
        assert_eq!(layers.due(At(i64::MAX), 6), first);
        assert_eq!(layers.due(At(70), 128), first[..4]);
        assert_eq!(layers.due(At(1_000), 128).len(), 4 + 29 + 1);
    }

    #[test]
    fn layers_without_a_database_keep_no_mark_of_what_is_gone() {
        let mut layers = Layers::new(Arc::new(Base::new(Arc::new(MemoryStore::default()))));
        layers.confirm(1, &rows(true, [case(1, 1), case(2, 1)]));
        layers.settle();
        layers.confirm(2, &rows(false, [case(1, 1)]));
        layers.settle();
        assert_eq!(layers.due(At(i64::MAX), 2), [case(2, 1)]);
        assert_eq!((layers.confirmed.rows.len(), layers.backlog_bytes()), (1, 0));
    }
}
