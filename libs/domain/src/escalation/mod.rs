//! An escalation: a case that needs somebody higher. There is at most one per case, under the case's id.
//!
//! Staff or the customer raise it, or a broken promise does. The policy's ladder for the case's kind says which rung it is placed on and
//! how soon that rung must answer. A rung accepts it and resolves it, or declines it with a reason. What nobody answers climbs by
//! itself at its deadline; above the top rung there is nobody, so there it waits without one. Raised again, it is never placed below a
//! rung that has seen it. When the case is closed the escalation is over.

pub mod published;

mod decide;
mod events;
mod rules;
mod state;
#[cfg(test)]
mod tests;

pub use decide::{Command, Rejection, decide};
pub use events::*;
pub use rules::{due, rule, when_due};
pub use state::{Climb, State, evolve};
