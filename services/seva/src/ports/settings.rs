//! What ports are opened with.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use seva_host::tls::Files;

use crate::failure;

/// What ports are opened with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server's certificate; without one callers speak in the clear, on loopback only.
    pub tls: Option<Files>,
    /// How often one caller may call, in the long run; twice as many calls at once.
    pub calls_per_second: NonZeroU32,
    /// What connections and calls are held to.
    pub limits: Limits,
}

/// What the connections and calls of one port are held to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many calls are worked on at once; one more is refused, never queued.
    pub calls_at_once: NonZeroUsize,
    /// How many connections there may be.
    pub connections: usize,
    /// How many calls one connection may have open at once.
    pub streams: u32,
    /// How large the headers of one call may be together, in bytes.
    pub headers_bytes: u32,
    /// After how long a silent connection is asked whether anybody is there, and how long the answer may take.
    pub keepalive: Duration,
    /// How long a connection may last before its client is asked to make a new one.
    pub age: Duration,
    /// How long a connection may go on after that, for the calls that are under way.
    pub grace: Duration,
}

impl Limits {
    /// How many calls are worked on at once where nothing else is said: as many as keep a writer busy. More would only wait longer.
    pub const CALLS_AT_ONCE: NonZeroUsize = NonZeroUsize::new(256).unwrap();
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            calls_at_once: Limits::CALLS_AT_ONCE,
            connections: 1024,
            streams: 200,
            headers_bytes: 16 * 1024,
            keepalive: Duration::from_secs(20),
            age: Duration::from_secs(30 * 60),
            grace: Duration::from_secs(5 * 60),
        }
    }
}

impl Settings {
    /// How often one caller may call where nothing else is said: more than a company's systems ask, less than would stop all others.
    pub const CALLS_PER_SECOND: NonZeroU32 = NonZeroU32::new(5_000).unwrap();

    /// Refuses an address that other machines reach where what is said there would be in the clear. Who calls is verified everywhere.
    pub(crate) fn check(&self, listen: SocketAddr) -> anyhow::Result<()> {
        if listen.ip().is_loopback() || self.tls.is_some() {
            return Ok(());
        }
        Err(failure::usage(format!(
            "{listen} is no loopback address: a port that other machines reach needs a certificate (--tls-cert and --tls-key)"
        )))
    }
}

impl Default for Settings {
    fn default() -> Settings {
        let (calls_per_second, limits) = (Settings::CALLS_PER_SECOND, Limits::default());
        Settings { tls: None, calls_per_second, limits }
    }
}
