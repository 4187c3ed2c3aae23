//! What is told of an import outside the house.

use super::events::{self, Event};
use crate::published::published_types;

published_types! {
    /// A history began to come in.
    Started = "import.started.v1" {}

    /// All of it has come in.
    Closed = "import.closed.v1" {
        /// Rows recorded by this sending.
        recorded: u64,
        /// Rows that an earlier sending had recorded.
        already_recorded: u64,
        /// Rows refused.
        refused: u64,
    }
}

impl From<&Event> for Told {
    fn from(event: &Event) -> Told {
        match event {
            Event::Started(events::Started {}) => Told::Started(Started {}),
            Event::Closed(events::Closed { recorded, already_recorded, refused }) => Told::Closed(Closed {
                recorded: *recorded,
                already_recorded: *already_recorded,
                refused: *refused,
            }),
        }
    }
}
