//! The policy: what the company's managers have written down about how it serves, as data that the other nouns' rules read.
//!
//! One document, published as a version. A version is never changed; the newest is in force.

pub mod document;
pub mod escalation;
pub mod promise;
pub mod published;
pub mod refund;

mod decide;
#[cfg(test)]
mod document_tests;
mod events;
mod state;
#[cfg(test)]
mod tests;

pub use decide::{Command, Rejection, decide};
pub use document::{Document, Finding, STARTER};
pub use events::*;
pub use state::{State, evolve};

/// A version of the policy, ready to be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Counts from 1.
    pub version: u64,
    pub document: Document,
}

impl Policy {
    /// The policy of a state, if one was ever published and can be read.
    pub fn of(state: &State) -> Option<Policy> {
        match state {
            State::Absent => None,
            State::InForce { version, document } => {
                let document = Document::parse(document).ok()?;
                Some(Policy { version: *version, document })
            }
        }
    }
}
