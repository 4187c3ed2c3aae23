//! Every decoder and parser that is fed from outside: nothing makes one panic, and what is read back is what was written.
//!
//! Each target runs for a second. `BOLERO_RANDOM_TEST_TIME_MS=600000 BOLERO_RANDOM_ITERATIONS=1000000000` makes it ten minutes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod commits;
mod policies;
mod requests;
mod tokens;
mod webhooks;
