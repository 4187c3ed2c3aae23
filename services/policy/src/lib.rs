//! Policy: keeps the company's service policy, version by version.

pub mod read_models;
mod reads;
mod rpc;
mod starter;

pub use rpc::Policy;
pub use starter::publish_starter;
