//! How a Seva process lives: its NATS server, child processes, logs, metrics, connections, limits, shutdown and published addresses.
//!
//! Nothing here knows the business: this crate depends on no other crate of the workspace.

mod chance;
pub mod child;
pub mod endpoints;
pub mod files;
pub mod incoming;
pub mod layers;
pub mod metrics;
pub mod nats_server;
pub mod shutdown;
pub mod telemetry;
pub mod tls;
