//! The business rules of customer service: no I/O, no clock, no randomness, no async, no logging.
//!
//! Each noun has a folder: what can have happened to it (`events`), what it has become (`state`), what can happen to it (`decide`),
//! what the policy makes of that (`rules`), what is told of it outside the house (`published`). `plan` turns a caller's request into
//! commands to nouns, `process` what one noun's record makes another do, `desk` puts them together into records.

pub mod case;
pub mod charge;
pub mod classify;
pub mod customer;
pub mod desk;
pub mod escalation;
pub mod import;
pub mod noun;
pub mod plan;
pub mod policy;
pub mod process;
pub mod published;
pub mod record;
pub mod rows;
pub mod service;
pub mod suggestion;
pub mod values;

#[cfg(test)]
mod cast;
#[cfg(test)]
mod desk_tests;
#[cfg(test)]
mod history_tests;
#[cfg(test)]
mod plan_tests;
#[cfg(test)]
mod properties;
