//! Records: one decision on one noun, as it stands in the log.

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::noun::{Event, Noun, Unreadable};
use crate::values::{Actor, At, ImportId, KeyId, RecordId, RequestId, Token};

/// What made an event.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// People or systems did it.
    Fact,
    /// The policy made it of a fact.
    Rule,
}

/// An event and what made it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    pub origin: Origin,
    pub event: Event,
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("type", self.event.wire_type())?;
        map.serialize_entry("origin", &self.origin)?;
        map.serialize_entry("data", &self.event)?;
        map.end()
    }
}

/// Which request a record answers, and how to tell whether a later one is the same.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Request {
    /// Keyed hash of the caller and the caller's request id.
    pub id: RequestId,
    /// The key that `digest` was made under.
    pub key: KeyId,
    /// Keyed hash of the request as the caller sent it.
    pub digest: Token,
}

/// What a record follows from, where no caller asked for it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A record of the same commit, by its index there.
    Here(u16),
    /// A record of another commit.
    Record(RecordId),
    /// A due time was reached.
    Due(At),
}

/// Which step of which process a record is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Step {
    pub process: String,
    pub name: String,
    pub n: u16,
}

/// One decision on one noun.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// What it is known by: never where it stands.
    pub id: RecordId,
    pub noun: Noun,
    /// This is the noun's record number so many, counted from 1.
    pub rev: u64,
    /// At least one.
    pub events: Vec<Entry>,
    pub request: Option<Request>,
    pub actor: Actor,
    /// The policy version in force; 0 before there is one.
    pub policy: u64,
    /// When it happened, as the caller said.
    pub occurred_at: At,
    /// What rules reckon with.
    pub effective_at: At,
    /// When it was written.
    pub recorded_at: At,
    pub cause: Option<Cause>,
    pub step: Option<Step>,
    /// How many causes stand between this record and what a caller or a due time began.
    pub depth: u16,
    /// The import that brought it.
    pub import: Option<ImportId>,
}

impl Record {
    /// The identity of the n-th thing that a caller's request did.
    pub fn id_of_fact(request: RequestId, n: u16) -> RecordId {
        RecordId::derive(&[b"fact", request.bytes(), &n.to_be_bytes()])
    }

    /// The identity of a step that a process takes because of a record.
    pub fn id_of_step(cause: RecordId, process: &str, name: &str, n: u16) -> RecordId {
        RecordId::derive(&[b"step", cause.bytes(), process.as_bytes(), name.as_bytes(), &n.to_be_bytes()])
    }

    /// The identity of what a due time does to a noun.
    pub fn id_of_due(noun: &Noun, name: &str, due: At) -> RecordId {
        RecordId::derive(&[b"due", &noun.key(), name.as_bytes(), &due.0.to_be_bytes()])
    }
}

#[derive(Serialize)]
struct Written<'a> {
    id: RecordId,
    noun: &'static str,
    noun_id: String,
    rev: u64,
    events: &'a [Entry],
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Request>,
    actor: &'a Actor,
    policy: u64,
    occurred_at: At,
    effective_at: At,
    recorded_at: At,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: &'a Option<Step>,
    depth: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    import: Option<ImportId>,
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Record {
            id,
            noun,
            rev,
            events,
            request,
            actor,
            policy,
            occurred_at,
            effective_at,
            recorded_at,
            cause,
            step,
            depth,
            import,
        } = self;
        Written {
            id: *id,
            noun: noun.name(),
            noun_id: noun.id(),
            rev: *rev,
            events,
            request: *request,
            actor,
            policy: *policy,
            occurred_at: *occurred_at,
            effective_at: *effective_at,
            recorded_at: *recorded_at,
            cause: *cause,
            step,
            depth: *depth,
            import: *import,
        }
        .serialize(serializer)
    }
}

/// A record as it was read, its events not yet understood.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unread<'a> {
    id: RecordId,
    noun: &'a str,
    noun_id: &'a str,
    rev: u64,
    #[serde(borrow)]
    events: Vec<UnreadEntry<'a>>,
    #[serde(default)]
    request: Option<Request>,
    actor: Actor,
    policy: u64,
    occurred_at: At,
    effective_at: At,
    recorded_at: At,
    #[serde(default)]
    cause: Option<Cause>,
    #[serde(default)]
    step: Option<Step>,
    depth: u16,
    #[serde(default)]
    import: Option<ImportId>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UnreadEntry<'a> {
    #[serde(rename = "type")]
    event_type: &'a str,
    origin: Origin,
    #[serde(borrow)]
    data: &'a RawValue,
}

impl Unread<'_> {
    /// What the noun is called, for readers that pass over nouns they do not fold.
    pub fn noun(&self) -> &str {
        self.noun
    }

    /// Understands the events, of any version ever written.
    pub fn read(self) -> Result<Record, Unreadable> {
        let noun = Noun::parse(self.noun, self.noun_id)?;
        let read = |entry: UnreadEntry<'_>| {
            let event = Event::read(entry.event_type, entry.data.get())?;
            Ok(Entry { origin: entry.origin, event })
        };
        let events = self.events.into_iter().map(read).collect::<Result<Vec<_>, Unreadable>>()?;
        Ok(Record {
            id: self.id,
            noun,
            rev: self.rev,
            events,
            request: self.request,
            actor: self.actor,
            policy: self.policy,
            occurred_at: self.occurred_at,
            effective_at: self.effective_at,
            recorded_at: self.recorded_at,
            cause: self.cause,
            step: self.step,
            depth: self.depth,
            import: self.import,
        })
    }
}
