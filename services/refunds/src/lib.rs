//! Refunds: gives money back, once, to where it came from.

mod payer;
mod planted;
pub mod provider;
pub mod read_models;
mod reads;
mod rpc;

pub use payer::{Payer, WAITING_MAX};
pub use rpc::Refunds;
