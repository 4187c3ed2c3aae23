//! Every write over gRPC: what it does, what it refuses, that it happens once, and what is read back afterwards.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cases;
mod customers;
mod policy;
mod reads;
mod same_request;
mod suggestions;
