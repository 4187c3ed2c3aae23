//! Intake: takes in every contact, and knows every customer and every case.

pub mod read_models;
mod as_of;
mod import;
mod reads;
mod rpc;

pub use rpc::Intake;
