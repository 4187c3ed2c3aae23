//! Every write over gRPC: what it does, what it refuses, that it happens once, and what is read back afterwards.

mod cases;
mod customers;
mod policy;
mod reads;
mod same_request;
mod suggestions;
