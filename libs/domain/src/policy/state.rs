//! What the policy has become.

use serde::{Deserialize, Serialize};

use super::Event;

/// The policy, as far as decisions need it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum State {
    Absent,
    InForce { version: u64, document: String },
}

impl State {
    /// The version in force; 0 before there is one.
    pub fn version(&self) -> u64 {
        match self {
            State::Absent => 0,
            State::InForce { version, .. } => *version,
        }
    }
}

/// What the policy becomes by an event.
pub fn evolve(_: State, event: &Event) -> State {
    match event {
        Event::Published(published) => {
            State::InForce { version: published.version, document: published.document.clone() }
        }
    }
}
