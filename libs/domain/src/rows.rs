//! What a shard knows, as rows: the state of each noun, what nouns are found by, requests seen, due times. All of it folds from records.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::customer::{self, IdentityKind};
use crate::import;
use crate::noun::{Noun, State, Unreadable};
use crate::record::{Record, Request};
use crate::values::{At, CustomerId, ImportId, RequestId, ThreadId, Token};

/// A noun's state, and how far its history has come.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Held {
    pub rev: u64,
    /// The latest time its rules have reckoned with.
    pub at: At,
    /// The import whose history it still is: it made the noun, and nothing of the present has happened to it since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<ImportId>,
    pub state: State,
}

/// A question that nouns are found by.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Lookup {
    /// Imports whose history has come in.
    ClosedImports,
    /// Customers whose keys are to be destroyed.
    BeingForgotten,
    /// Customers known by this.
    Identity(IdentityKind, Token),
    /// Unfinished cases of a customer that belong to no thread.
    Joinable(CustomerId),
    /// Cases of a conversation.
    Thread(ThreadId),
}

/// A request seen before, and where its first record stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seen {
    pub request: Request,
    /// Sequence of the commit; 0 while it is not confirmed.
    pub sequence: u64,
    /// The record's index in the commit.
    pub index: u16,
}

/// Something that will happen by itself.
///
/// What is still an import's history reckons with that import's clock, which stands until the import is closed: the rows that say what happened
/// before a due time may not have come in yet.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Due {
    /// The import by whose clock it is due; `None` is the clock on the wall.
    pub clock: Option<ImportId>,
    pub at: At,
    pub noun: Noun,
    pub name: String,
}

/// What will happen to a noun by itself: when, and what.
pub type Dues = Vec<(At, Cow<'static, str>)>;

/// The name of a row.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Key {
    Due(Due),
    Lookup(Lookup, Noun),
    Noun(Noun),
    Request(RequestId),
}

/// A row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    Noun(Arc<Held>),
    Request(Seen),
    /// The key says it all.
    Present,
}

/// Rows that change; `None` is a row that goes.
pub type Delta = BTreeMap<Key, Option<Value>>;

/// What decisions can ask of a shard.
pub trait View {
    /// A noun's state and how far it is, if anything happened to it.
    fn held(&self, noun: &Noun) -> Option<Arc<Held>>;

    /// The nouns found by a look-up, in their order.
    fn find(&self, lookup: &Lookup) -> Vec<Noun>;

    /// A request, if it left a record.
    fn seen(&self, request: &RequestId) -> Option<Seen>;
}

/// Folds a record into the rows it changes. `index` is its place in its commit, `sequence` the commit's, 0 if not known yet.
/// Fails if the record is not the noun's next.
pub fn fold(
    delta: &mut Delta,
    before: Option<&Held>,
    record: &Record,
    sequence: u64,
    index: u16,
) -> Result<(), Unreadable> {
    let mut state = before.map_or_else(|| State::absent(&record.noun), |held| held.state.clone());
    for entry in &record.events {
        state = state.evolve(&entry.event, record.effective_at);
    }
    fold_to(delta, before, record, state, sequence, index)
}

/// Folds a record whose noun's state afterwards is known already.
pub(crate) fn fold_to(
    delta: &mut Delta,
    before: Option<&Held>,
    record: &Record,
    new: State,
    sequence: u64,
    index: u16,
) -> Result<(), Unreadable> {
    let expected = before.map_or(0, |held| held.rev) + 1;
    if record.rev != expected {
        return Err(Unreadable::Rev { noun: record.noun.to_string(), expected, found: record.rev });
    }
    let absent;
    let old = match before {
        Some(held) => &held.state,
        None => {
            absent = State::absent(&record.noun);
            &absent
        }
    };
    let (found_before, found_after) = (lookups(old), lookups(&new));
    for lookup in found_before.iter().filter(|lookup| !found_after.contains(lookup)) {
        delta.insert(Key::Lookup(*lookup, record.noun), None);
    }
    for lookup in found_after.iter().filter(|lookup| !found_before.contains(lookup)) {
        delta.insert(Key::Lookup(*lookup, record.noun), Some(Value::Present));
    }
    let import = match before {
        None => record.import,
        Some(held) => held.import.filter(|_| record.import.is_some()),
    };
    let due_before = dues(old, record.noun, before.and_then(|held| held.import));
    let due_after = dues(&new, record.noun, import);
    let gone = due_before.iter().filter(|gone| !due_after.contains(gone));
    delta.extend(gone.map(|gone| (Key::Due(gone.clone()), None)));
    let added = due_after.iter().filter(|added| !due_before.contains(added));
    delta.extend(added.map(|added| (Key::Due(added.clone()), Some(Value::Present))));
    if let Some(request) = record.request {
        let seen = Value::Request(Seen { request, sequence, index });
        delta.entry(Key::Request(request.id)).or_insert(Some(seen));
    }
    let held = Held { rev: record.rev, at: record.effective_at, import, state: new };
    delta.insert(Key::Noun(record.noun), Some(Value::Noun(Arc::new(held))));
    Ok(())
}

fn dues(state: &State, noun: Noun, clock: Option<ImportId>) -> Vec<Due> {
    let due = |(at, name): (At, Cow<'static, str>)| Due { clock, at, noun, name: name.into_owned() };
    state.due().into_iter().map(due).collect()
}

fn lookups(state: &State) -> Vec<Lookup> {
    match state {
        State::Import(import::State::Closed) => vec![Lookup::ClosedImports],
        State::Customer(customer::State::Known(known)) => {
            known.identities.iter().map(|(kind, token)| Lookup::Identity(*kind, *token)).collect()
        }
        State::Customer(customer::State::BeingForgotten { .. }) => vec![Lookup::BeingForgotten],
        State::Case(case) => {
            let lookup = case.matter().and_then(|matter| match matter.thread {
                Some(thread) => Some(Lookup::Thread(thread)),
                None => case.is_unfinished().then_some(Lookup::Joinable(matter.customer)),
            });
            lookup.into_iter().collect()
        }
        State::Charge(_)
        | State::Customer(customer::State::Absent | customer::State::Forgotten)
        | State::Escalation(_)
        | State::Import(import::State::Absent | import::State::Running)
        | State::Policy(_)
        | State::Suggestion(_) => Vec::new(),
    }
}
