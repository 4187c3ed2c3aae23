//! History: what leaves the house. The relay follows the log and publishes every event of it, in order, for whoever subscribes.
//!
//! It owns no noun and has no shard: all it knows is the log and the stream it writes.

pub mod catalogue;
pub mod cloud_event;
mod operations;
mod percent;
pub mod relay;
mod resume;
pub mod stream;

pub use operations::Operations;
