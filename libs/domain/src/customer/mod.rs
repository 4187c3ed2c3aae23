//! A customer: somebody the company serves, known by accounts, handles, e-mail addresses and telephone numbers.
//!
//! An account or a handle belongs to one customer; an e-mail address or a telephone number may be shared. Where several customers share what a
//! caller is known by and nothing decides, the caller is a person of their own, not yet assigned, and the
//! others are candidates for a merge that a person decides. Whatever names a customer is sealed under one of the customer's keys.

pub mod published;

mod decide;
mod events;
mod state;
#[cfg(test)]
mod tests;

pub use decide::{CANDIDATES_MAX, Command, IDENTITIES_MAX, Rejection, decide};
pub use events::*;
pub use state::{Known, State, evolve};
