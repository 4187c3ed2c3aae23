//! The log: commits, the writer that makes them, following them, and running them again. On JetStream and in memory.

pub mod base;
pub mod commit;
pub mod consumer;
pub mod follow;
pub mod jetstream;
pub mod layers;
pub mod log;
pub mod memory;
mod planted;
pub mod rowcodec;
pub mod shard;
pub mod simulate;
pub mod store;
pub mod writer;
