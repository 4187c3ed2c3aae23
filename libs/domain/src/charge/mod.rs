//! A charge: a payment that was captured, and the refunds inside it. It is the boundary of money: what is given back on it never passes
//! what was captured.
//!
//! A refund has lines: principal (what was paid too much or for nothing), consequential cost (what that cost the customer elsewhere, with a note of
//! the evidence), goodwill. It is requested, then approved or declined; the policy says what one person may approve alone, and how far
//! consequential cost and goodwill go. What is approved is instructed to the payment provider in the same record, under the refund's
//! id on every try; it ends paid or failed. While nobody can tell, it is unknown, and the provider is asked again. One refund of a charge is open at a
//! time. What was paid back before or elsewhere is recorded as it was, and nothing is instructed.

pub mod published;

mod decide;
mod events;
mod rules;
mod state;
#[cfg(test)]
mod tests;

pub use decide::{Command, REFUNDS_MAX, Rejection, decide};
pub use events::*;
pub use rules::{Payment, due, payment, rule, when_due};
pub use state::{Charge, Phase, Refund, State, evolve};
