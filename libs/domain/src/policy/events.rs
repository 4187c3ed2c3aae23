//! What can have happened to the policy.

use serde::{Deserialize, Serialize, Serializer};

use crate::noun::{Unreadable, read_data};

/// A document became the policy.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Published {
    /// Counts from 1.
    pub version: u64,
    /// The TOML document as its authors wrote it.
    pub document: String,
    /// Why, for the handbook: names no person.
    pub reason: String,
}

/// Something that happened to the policy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// `policy.published.v1`
    Published(Published),
}

impl Event {
    /// The type on the wire.
    pub fn wire_type(&self) -> &'static str {
        match self {
            Event::Published(_) => "policy.published.v1",
        }
    }

    /// Reads an event of any version ever written.
    pub fn read(event_type: &str, data: &str) -> Result<Event, Unreadable> {
        match event_type {
            "policy.published.v1" => read_data(event_type, data).map(Event::Published),
            _ => Err(Unreadable::EventType { event_type: event_type.to_owned() }),
        }
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::Published(data) => data.serialize(serializer),
        }
    }
}
