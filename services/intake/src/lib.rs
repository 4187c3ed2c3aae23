//! Intake: takes in every contact, and knows every customer and every case.

mod as_of;
mod eraser;
mod import;
pub mod read_models;
mod reads;
mod rpc;

pub use eraser::Eraser;
pub use rpc::Intake;
