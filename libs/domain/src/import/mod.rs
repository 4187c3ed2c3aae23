//! An import: a history brought in from outside, under a name of its own, so that it can be sent again.
//!
//! What it brings reckons with the time it happened, not with the time it came in. Sending it again under its name starts nothing new.

pub mod published;

mod decide;
mod events;
mod state;
#[cfg(test)]
mod tests;

pub use decide::{Command, decide};
pub use events::*;
pub use state::{State, evolve};
