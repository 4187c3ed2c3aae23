//! Read models: folding the log into rows that answer questions, and keeping those rows right. On sled, or in memory.

#[cfg(test)]
mod cast;
mod cleaning;
pub mod database;
#[cfg(test)]
mod database_tests;
pub mod engine;
#[cfg(test)]
mod engine_tests;
pub mod forgotten;
mod generation;
pub mod model;
mod planted;
pub mod projector;
#[cfg(test)]
mod projector_tests;
pub mod rebuild;
#[cfg(test)]
mod store_tests;
mod tree;
