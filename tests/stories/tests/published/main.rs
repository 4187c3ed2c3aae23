//! The published stream: what the log says, in its order, once, whatever happens to the relay; and what others can do with it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod importing;
mod kept;
mod program;
mod restarts;
mod stops;
mod stream;
