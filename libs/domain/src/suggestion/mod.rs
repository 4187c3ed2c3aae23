//! A suggestion: an idea from a customer or a member of staff, on its way to the department that can act on it.
//!
//! The policy's phrase tables route it the moment it is captured; what no phrase routes waits in triage for a person. It is in one
//! department's inbox at any moment. The department acknowledges it, adopts or declines it, and whoever gave it is told.

pub mod published;

mod decide;
mod events;
mod rules;
mod state;
#[cfg(test)]
mod tests;

pub use decide::{Command, Rejection, decide};
pub use events::*;
pub use rules::rule;
pub use state::{Idea, State, evolve};
