//! Putting services together and running them: what `seva serve` does, for whoever starts services in a process of their own.

pub mod health;
pub mod house;
pub mod metrics;
