//! What an import has become.

use serde::{Deserialize, Serialize};

use super::Event;

/// An import, as far as decisions need it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum State {
    Absent,
    Running,
    Closed,
}

/// What an import becomes by an event.
pub fn evolve(_: State, event: &Event) -> State {
    match event {
        Event::Started(_) => State::Running,
        Event::Closed(_) => State::Closed,
    }
}
