//! Who may do what: every method for every role, every kind of bad token, the object rules, who reads texts, and what is recorded of it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit;
mod call;
mod forged;
mod keys;
mod matrix;
mod objects;
mod texts;
mod tokens;
