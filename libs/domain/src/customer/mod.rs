//! A customer: somebody the company serves, known by accounts, handles, e-mail addresses and telephone numbers.
//!
//! An account or a handle belongs to one customer; an e-mail address or a telephone number may be shared. Where several customers share what a
//! caller is known by and nothing decides, the caller is a person of their own, not yet assigned, and the
//! others are candidates for a merge that a person decides. Whatever names a customer is sealed under one of the customer's keys.
//!
//! A customer can be forgotten: one person asks, another confirms, and no legal hold may stand. From then on nothing finds the customer and nothing
//! is written for them; all their keys are destroyed, which is recorded in turn. There is no way back. Whoever comes again with the same
//! account, handle, address or number is somebody new.

pub mod published;

mod decide;
mod events;
mod forgetting;
mod state;
#[cfg(test)]
mod tests;

pub use decide::{CANDIDATES_MAX, Command, IDENTITIES_MAX, Rejection, decide};
pub use events::*;
pub use forgetting::Forgetting;
pub use state::{Asked, Known, State, evolve};
