//! What can have happened to an escalation.

use serde::{Deserialize, Serialize, Serializer};

use crate::noun::{Unreadable, read_data};
use crate::values::{At, CustomerId, Department, Kind, PromiseId, Rung, Sealed};

/// Who or what raised it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RaisedBy {
    BrokenPromise(PromiseId),
    Customer,
    Staff,
}

/// The case needs somebody higher.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Raised {
    pub by: RaisedBy,
    pub customer: CustomerId,
    /// What the case is about: decides the ladder.
    pub kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Sealed>,
    /// The rung asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rung: Option<Rung>,
}

/// The policy's ladder says who answers it, and by when.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Placed {
    pub ladder: String,
    pub rung: Rung,
    pub department: Department,
    pub answer_by: At,
    /// The policy's number that this follows from.
    pub answer_within_minutes: u32,
}

/// The rung takes it on.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Accepted {}

/// The rung answers that it is not for anybody higher.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Declined {
    pub reason: Sealed,
}

/// The rung's deadline passed without an answer.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Unanswered {
    pub rung: Rung,
    pub answer_by: At,
}

/// It goes to the next rung.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Climbed {
    pub from: Rung,
    pub to: Rung,
    pub department: Department,
    pub answer_by: At,
    /// The policy's number that this follows from.
    pub answer_within_minutes: u32,
}

/// There is no rung above: it stays where it is, overdue, until somebody answers.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Exhausted {
    pub rung: Rung,
}

/// The rung that took it on has settled it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Resolved {
    pub resolution: Sealed,
}

/// Why it is over without having been settled by a rung.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBecause {
    CaseClosed,
}

/// It is over.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Ended {
    pub because: EndedBecause,
}

/// Something that happened to an escalation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// `escalation.raised.v1`
    Raised(Raised),
    /// `escalation.placed.v1`
    Placed(Placed),
    /// `escalation.accepted.v1`
    Accepted(Accepted),
    /// `escalation.declined.v1`
    Declined(Declined),
    /// `escalation.unanswered.v1`
    Unanswered(Unanswered),
    /// `escalation.climbed.v1`
    Climbed(Climbed),
    /// `escalation.exhausted.v1`
    Exhausted(Exhausted),
    /// `escalation.resolved.v1`
    Resolved(Resolved),
    /// `escalation.ended.v1`
    Ended(Ended),
}

impl Event {
    /// The type on the wire.
    pub fn wire_type(&self) -> &'static str {
        match self {
            Event::Raised(_) => "escalation.raised.v1",
            Event::Placed(_) => "escalation.placed.v1",
            Event::Accepted(_) => "escalation.accepted.v1",
            Event::Declined(_) => "escalation.declined.v1",
            Event::Unanswered(_) => "escalation.unanswered.v1",
            Event::Climbed(_) => "escalation.climbed.v1",
            Event::Exhausted(_) => "escalation.exhausted.v1",
            Event::Resolved(_) => "escalation.resolved.v1",
            Event::Ended(_) => "escalation.ended.v1",
        }
    }

    /// Reads an event of any version ever written.
    pub fn read(event_type: &str, data: &str) -> Result<Event, Unreadable> {
        match event_type {
            "escalation.raised.v1" => read_data(event_type, data).map(Event::Raised),
            "escalation.placed.v1" => read_data(event_type, data).map(Event::Placed),
            "escalation.accepted.v1" => read_data(event_type, data).map(Event::Accepted),
            "escalation.declined.v1" => read_data(event_type, data).map(Event::Declined),
            "escalation.unanswered.v1" => read_data(event_type, data).map(Event::Unanswered),
            "escalation.climbed.v1" => read_data(event_type, data).map(Event::Climbed),
            "escalation.exhausted.v1" => read_data(event_type, data).map(Event::Exhausted),
            "escalation.resolved.v1" => read_data(event_type, data).map(Event::Resolved),
            "escalation.ended.v1" => read_data(event_type, data).map(Event::Ended),
            _ => Err(Unreadable::EventType { event_type: event_type.to_owned() }),
        }
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::Raised(data) => data.serialize(serializer),
            Event::Placed(data) => data.serialize(serializer),
            Event::Accepted(data) => data.serialize(serializer),
            Event::Declined(data) => data.serialize(serializer),
            Event::Unanswered(data) => data.serialize(serializer),
            Event::Climbed(data) => data.serialize(serializer),
            Event::Exhausted(data) => data.serialize(serializer),
            Event::Resolved(data) => data.serialize(serializer),
            Event::Ended(data) => data.serialize(serializer),
        }
    }
}
