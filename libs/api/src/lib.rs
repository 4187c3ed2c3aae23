//! The edge of every service: what is said over gRPC, and how it becomes values of the domain and back.

pub mod access;
pub mod brought;
pub mod codec;
pub mod edge;
pub mod erasing;
pub mod escalation;
pub mod feedback;
pub mod forgetting;
pub mod identity;
pub mod intake;
pub mod known;
pub mod open;
pub mod operations;
pub mod parse;
pub mod pb;
pub mod policy;
pub mod reflection;
pub mod refunds;
pub mod replayed;
pub mod status;

/// The longest request message that a service takes, in bytes.
pub const REQUEST_BYTES_MAX: usize = 256 * 1024;
