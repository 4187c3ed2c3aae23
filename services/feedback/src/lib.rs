//! Feedback: carries every suggestion to the department that can act on it, and brings the outcome back.

pub mod read_models;
mod reads;
mod rpc;

pub use rpc::Feedback;
