//! What can have happened to a suggestion.

use serde::{Deserialize, Serialize, Serializer};

use crate::noun::{Unreadable, read_data};
use crate::values::{CaseId, Classification, CustomerId, Department, Hit, InteractionId, Sealed};

/// Somebody had an idea.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Captured {
    pub text: Sealed,
    pub classification: Classification,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interaction: Option<InteractionId>,
}

/// The policy chose a department.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Routed {
    pub department: Department,
    /// The version of the policy whose tables were used.
    pub policy: u64,
    /// The row that fired; none where only the default row did.
    pub hit: Option<Hit>,
}

/// The department has seen it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Acknowledged {}

/// It belonged elsewhere.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Rerouted {
    pub from: Department,
    pub to: Department,
    pub reason: Sealed,
}

/// The department will do it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Adopted {
    pub plan: Sealed,
}

/// The department will not do it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Declined {
    pub reason: Sealed,
}

/// Who can be told what became of a suggestion.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    Customer,
    Representative,
}

/// Somebody was told what became of it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct OutcomeReported {
    pub to: Audience,
    pub message: Sealed,
}

/// Something that happened to a suggestion.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// `suggestion.captured.v1`
    Captured(Captured),
    /// `suggestion.routed.v1`
    Routed(Routed),
    /// `suggestion.acknowledged.v1`
    Acknowledged(Acknowledged),
    /// `suggestion.rerouted.v1`
    Rerouted(Rerouted),
    /// `suggestion.adopted.v1`
    Adopted(Adopted),
    /// `suggestion.declined.v1`
    Declined(Declined),
    /// `suggestion.outcome_reported.v1`
    OutcomeReported(OutcomeReported),
}

impl Event {
    /// The type on the wire.
    pub fn wire_type(&self) -> &'static str {
        match self {
            Event::Captured(_) => "suggestion.captured.v1",
            Event::Routed(_) => "suggestion.routed.v1",
            Event::Acknowledged(_) => "suggestion.acknowledged.v1",
            Event::Rerouted(_) => "suggestion.rerouted.v1",
            Event::Adopted(_) => "suggestion.adopted.v1",
            Event::Declined(_) => "suggestion.declined.v1",
            Event::OutcomeReported(_) => "suggestion.outcome_reported.v1",
        }
    }

    /// Reads an event of any version ever written.
    pub fn read(event_type: &str, data: &str) -> Result<Event, Unreadable> {
        match event_type {
            "suggestion.captured.v1" => read_data(event_type, data).map(Event::Captured),
            "suggestion.routed.v1" => read_data(event_type, data).map(Event::Routed),
            "suggestion.acknowledged.v1" => read_data(event_type, data).map(Event::Acknowledged),
            "suggestion.rerouted.v1" => read_data(event_type, data).map(Event::Rerouted),
            "suggestion.adopted.v1" => read_data(event_type, data).map(Event::Adopted),
            "suggestion.declined.v1" => read_data(event_type, data).map(Event::Declined),
            "suggestion.outcome_reported.v1" => read_data(event_type, data).map(Event::OutcomeReported),
            _ => Err(Unreadable::EventType { event_type: event_type.to_owned() }),
        }
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::Captured(data) => data.serialize(serializer),
            Event::Routed(data) => data.serialize(serializer),
            Event::Acknowledged(data) => data.serialize(serializer),
            Event::Rerouted(data) => data.serialize(serializer),
            Event::Adopted(data) => data.serialize(serializer),
            Event::Declined(data) => data.serialize(serializer),
            Event::OutcomeReported(data) => data.serialize(serializer),
        }
    }
}
