//! Connections as they come in: counted, greeted by TLS where there is TLS, and ended when their time is over.
//!
//! Whatever a caller does before its first request costs a bounded number of connections, each for a bounded time, and keeps nobody else
//! from being accepted.

mod connection;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

pub use self::connection::Connection;
use self::connection::{Io, Patience};
use crate::tls::Tls;

/// How many connections may wait until the server takes them.
const WAITING_MAX: usize = 64;

/// How long accepting rests after the operating system refused it, for instance because no file handles are left.
const REFUSED_REST: Duration = Duration::from_millis(50);

/// What connections are held to, each port for itself.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many connections there may be at once; one more is closed at once.
    pub connections_max: usize,
    /// How many TLS handshakes may be under way at once; one more is closed at once.
    pub handshakes_max: usize,
    /// How long a TLS handshake may take.
    pub handshake_max: Duration,
    /// How long a connection may be silent before its first bytes.
    pub silence_max: Duration,
    /// How long what is written may wait until the peer takes any of it.
    pub stall_max: Duration,
    /// How long a connection may last, whatever is under way then.
    pub age_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1024,
            handshakes_max: 128,
            handshake_max: Duration::from_secs(5),
            silence_max: Duration::from_secs(10),
            stall_max: Duration::from_secs(30),
            age_max: Duration::from_secs(35 * 60),
        }
    }
}

/// Counts connections that did not become one.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    too_many: Counter,
    handshakes_failed: Counter,
}

impl Counters {
    /// Adds the counters to `registry`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "connections_refused",
            "Connections closed at once: too many of them, or of their handshakes",
            self.too_many.clone(),
        );
        registry.register(
            "tls_handshakes_failed",
            "Connections that did not get through the TLS handshake",
            self.handshakes_failed.clone(),
        );
    }
}

/// The connections of one port, for a server to take. Dropping it closes the port.
#[derive(Debug)]
pub struct Incoming {
    connections: mpsc::Receiver<Connection>,
    _accepting: AbortOnDropHandle<()>,
}

impl Incoming {
    /// Accepts from now on. Must be called inside a tokio runtime.
    pub fn new(listener: TcpListener, tls: Option<Tls>, limits: Limits, counters: Counters) -> Incoming {
        let (sender, connections) = mpsc::channel(WAITING_MAX);
        let permits = Arc::new(Semaphore::new(limits.connections_max));
        let door = Door { tls, limits, counters, permits, sender, handshakes: JoinSet::new() };
        Incoming { connections, _accepting: AbortOnDropHandle::new(tokio::spawn(door.accept(listener))) }
    }
}

impl Stream for Incoming {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.connections.poll_recv(cx).map(|connection| connection.map(Ok))
    }
}

/// Stands at one port.
struct Door {
    tls: Option<Tls>,
    limits: Limits,
    counters: Counters,
    permits: Arc<Semaphore>,
    sender: mpsc::Sender<Connection>,
    handshakes: JoinSet<()>,
}

impl Door {
    async fn accept(mut self, listener: TcpListener) {
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => self.admit(stream).await,
                    Err(error) => {
                        tracing::warn!(error = &error as &dyn std::error::Error, "a connection could not be accepted");
                        tokio::time::sleep(REFUSED_REST).await;
                    }
                },
                Some(_) = self.handshakes.join_next(), if !self.handshakes.is_empty() => {}
            }
        }
    }

    /// Hands a connection to the server, after its handshake where there is one.
    async fn admit(&mut self, stream: TcpStream) {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            self.counters.too_many.inc();
            return;
        };
        // Without it answers wait 40 ms for an acknowledgement. A peer that is gone already is noticed when it is read from.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = &error as &dyn std::error::Error, "a connection is gone already");
        }
        let patience = Patience::new(&self.limits);
        match &self.tls {
            None => {
                let connection = Connection::new(Io::Plain(stream), patience, permit);
                // A server that takes no more connections is about to end.
                let _is_gone = self.sender.send(connection).await.is_err();
            }
            Some(tls) if self.handshakes.len() < self.limits.handshakes_max => {
                let greeting = greet(tls.clone(), stream, patience, permit, self.limits.handshake_max);
                let (sender, counters) = (self.sender.clone(), self.counters.clone());
                self.handshakes.spawn(async move {
                    match greeting.await {
                        Ok(connection) => {
                            let _is_gone = sender.send(connection).await.is_err();
                        }
                        Err(error) => {
                            counters.handshakes_failed.inc();
                            tracing::debug!(error = &error as &dyn std::error::Error, "no TLS handshake");
                        }
                    }
                });
            }
            Some(_) => {
                self.counters.too_many.inc();
            }
        }
    }
}

async fn greet(
    tls: Tls,
    stream: TcpStream,
    patience: Patience,
    permit: OwnedSemaphorePermit,
    within: Duration,
) -> io::Result<Connection> {
    let greeted = tokio::time::timeout(within, tls.acceptor().accept(stream)).await;
    let stream = greeted.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok(Connection::new(Io::Tls(Box::new(stream)), patience, permit))
}

#[cfg(test)]
mod tests;
