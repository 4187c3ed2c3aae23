//! The nats-server this process brings along: found or fetched, started, watched, stopped.

mod child;
mod config;
mod find;
pub(crate) mod http;
mod monitor;
mod orphan;
mod version;

pub use child::{NatsServer, Options, StartError};
pub use find::{NotFound, find};
pub use http::Error as HttpError;
pub use monitor::{Error as MonitorError, sync_always};
