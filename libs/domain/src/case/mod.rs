//! A case: one matter with one customer, over its life. It holds what was said, and how it ended.
//!
//! The first interaction opens it. Staff resolve it; the customer confirms (it is closed) or rejects (it is open again); a
//! customer who says nothing for as long as the policy waits has confirmed by silence. A customer who writes again to a case that is
//! resolved or closed reopens it. What it is about may be corrected until it is closed.
//!
//! Staff give their word in it: the policy says whether the company can keep it, and then it ends in exactly one way: kept, or broken by
//! itself at its time; the time may be put off while it is pending.

pub mod published;

mod decide;
mod events;
mod rules;
mod state;
#[cfg(test)]
mod tests;

pub use decide::{Command, Log, PROMISES_MAX, Rejection, decide};
pub use events::*;
pub use rules::{CONFIRM_BY_SILENCE, due, rule, when_due};
pub use state::{Matter, Opening, Promise, Standing, State, evolve};
