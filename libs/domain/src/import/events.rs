//! What can have happened to an import.

use serde::{Deserialize, Serialize, Serializer};

use crate::noun::{Unreadable, read_data};

/// A history began to come in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Started {}

/// All of it has come in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Closed {
    /// Rows recorded by this sending.
    pub recorded: u64,
    /// Rows that an earlier sending had recorded.
    pub already_recorded: u64,
    /// Rows refused.
    pub refused: u64,
}

/// Something that happened to an import.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// `import.started.v1`
    Started(Started),
    /// `import.closed.v1`
    Closed(Closed),
}

impl Event {
    /// The type on the wire.
    pub fn wire_type(&self) -> &'static str {
        match self {
            Event::Started(_) => "import.started.v1",
            Event::Closed(_) => "import.closed.v1",
        }
    }

    /// Reads an event of any version ever written.
    pub fn read(event_type: &str, data: &str) -> Result<Event, Unreadable> {
        match event_type {
            "import.started.v1" => read_data(event_type, data).map(Event::Started),
            "import.closed.v1" => read_data(event_type, data).map(Event::Closed),
            _ => Err(Unreadable::EventType { event_type: event_type.to_owned() }),
        }
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::Started(data) => data.serialize(serializer),
            Event::Closed(data) => data.serialize(serializer),
        }
    }
}
