//! Read models: folding the log into rows that answer questions, and keeping those rows right. On sled, or in memory.

pub mod database;
pub mod engine;
pub mod model;
pub mod projector;
pub mod rebuild;
mod tree;
