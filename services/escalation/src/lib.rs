//! Escalation: brings a case to somebody higher, and sees to it that somebody answers.

pub mod read_models;
mod reads;
mod rpc;

pub use rpc::Escalations;
