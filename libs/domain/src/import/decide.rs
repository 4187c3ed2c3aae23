//! What can happen to an import.

use super::{Closed, Event, Started, State};

/// What an import is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    Start,
    Close { recorded: u64, already_recorded: u64, refused: u64 },
}

/// Decides what a command makes happen to an import. A sending that brought nothing new leaves a closed import as it is.
pub fn decide(state: &State, command: &Command) -> Vec<Event> {
    match (state, command) {
        (State::Absent, Command::Start) => vec![Event::Started(Started {})],
        (State::Running | State::Closed, Command::Start) | (State::Absent, Command::Close { .. }) => {
            Vec::new()
        }
        (State::Closed, Command::Close { recorded: 0, .. }) => Vec::new(),
        (State::Running | State::Closed, Command::Close { recorded, already_recorded, refused }) => {
            let (recorded, already_recorded, refused) = (*recorded, *already_recorded, *refused);
            vec![Event::Closed(Closed { recorded, already_recorded, refused })]
        }
    }
}
