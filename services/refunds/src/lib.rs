//! Refunds: gives money back, once, to where it came from.

pub mod provider;
