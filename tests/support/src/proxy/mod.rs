//! A TCP proxy that loses, holds and cuts, to try what a client makes of an answer that never came.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

/// How many bytes are moved at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// What becomes of bytes in one direction.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Flow {
    /// They are passed on.
    #[default]
    Pass,
    /// They are lost.
    Cut,
    /// They are kept until the flow passes again.
    Hold,
}

/// What the network is like now.
#[derive(Clone, Copy, Debug, Default)]
struct Weather {
    requests: Flow,
    replies: Flow,
    /// Connections made under an older number are closed.
    severed: u64,
}

#[derive(Debug, Default)]
struct Counts {
    requests_cut_bytes: AtomicU64,
    requests_held_bytes: AtomicU64,
    replies_cut_bytes: AtomicU64,
}

/// A proxy on loopback before one server. Every change holds at once, also for open connections;
/// dropping the proxy closes everything.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    weather: watch::Sender<Weather>,
    counts: Arc<Counts>,
    _accepting: AbortOnDropHandle<()>,
}

impl Proxy {
    /// Opens a proxy before `upstream`; a server that is down may come back later.
    ///
    /// # Panics
    ///
    /// When no loopback port can be opened.
    pub async fn start(upstream: SocketAddr) -> Self {
        let opened = async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            io::Result::Ok((listener.local_addr()?, listener))
        };
        let (addr, listener) = opened.await.unwrap_or_else(|error| panic!("no port for a proxy: {error}"));
        let (weather, _) = watch::channel(Weather::default());
        let counts = Arc::new(Counts::default());
        let accepting = tokio::spawn(accept(listener, upstream, weather.clone(), Arc::clone(&counts)));
        Self { addr, weather, counts, _accepting: AbortOnDropHandle::new(accepting) }
    }

    /// Returns the address for clients.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Loses what the server sends from now on: the request lands and its answer is lost.
    pub fn cut_replies(&self) {
        self.weather.send_modify(|weather| weather.replies = Flow::Cut);
    }

    /// Loses what clients send from now on: the request never lands.
    pub fn cut_requests(&self) {
        self.weather.send_modify(|weather| weather.requests = Flow::Cut);
    }

    /// Keeps what clients send from now on: the request lands when [`Proxy::release`] is called,
    /// also when its client has given up and closed the connection.
    pub fn hold_requests(&self) {
        self.weather.send_modify(|weather| weather.requests = Flow::Hold);
    }

    /// Lets what is held flow, in order, and passes requests again. Replies stay as they are.
    pub fn release(&self) {
        self.weather.send_modify(|weather| weather.requests = Flow::Pass);
    }

    /// Passes everything again. Connections that lost bytes are closed, as what follows the gap
    /// would be garbage; the others go on, and what was held flows.
    pub fn heal(&self) {
        self.weather.send_modify(|weather| {
            weather.requests = Flow::Pass;
            weather.replies = Flow::Pass;
        });
    }

    /// Closes every open connection; what is held on them is lost. New ones are taken as before.
    pub fn sever(&self) {
        self.weather.send_modify(|weather| weather.severed += 1);
    }

    /// Returns how many bytes from clients were lost so far.
    pub fn requests_cut_bytes(&self) -> u64 {
        self.counts.requests_cut_bytes.load(Ordering::SeqCst)
    }

    /// Returns how many bytes from clients were ever held so far, released ones included.
    pub fn requests_held_bytes(&self) -> u64 {
        self.counts.requests_held_bytes.load(Ordering::SeqCst)
    }

    /// Returns how many bytes from the server were lost so far: more than before means that an
    /// answer was given and did not arrive.
    pub fn replies_cut_bytes(&self) -> u64 {
        self.counts.replies_cut_bytes.load(Ordering::SeqCst)
    }
}

async fn accept(
    listener: TcpListener,
    upstream: SocketAddr,
    weather: watch::Sender<Weather>,
    counts: Arc<Counts>,
) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        connections.spawn(connect(client, upstream, weather.subscribe(), Arc::clone(&counts)));
    }
}

/// Serves one client until it is severed or both directions have ended.
async fn connect(
    client: TcpStream,
    upstream: SocketAddr,
    mut weather: watch::Receiver<Weather>,
    counts: Arc<Counts>,
) {
    let born = weather.borrow_and_update().severed;
    let Ok(server) = TcpStream::connect(upstream).await else {
        return;
    };
    // Small messages must not wait for each other.
    if client.set_nodelay(true).and(server.set_nodelay(true)).is_err() {
        return;
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let lossy = Arc::new(AtomicBool::new(false));
    let seen = weather.clone();
    let pump = |direction| Pump {
        direction,
        weather: seen.clone(),
        counts: Arc::clone(&counts),
        lossy: Arc::clone(&lossy),
        held: Vec::new(),
    };
    let over = async {
        let ended = weather.wait_for(|now| {
            let passes = now.requests != Flow::Cut && now.replies != Flow::Cut;
            now.severed != born || (passes && lossy.load(Ordering::SeqCst))
        });
        drop(ended.await);
    };
    let both = async {
        tokio::join!(
            pump(Direction::Requests).run(from_client, to_server),
            pump(Direction::Replies).run(from_server, to_client),
        )
    };
    tokio::select! {
        biased;
        () = over => {}
        _ = both => {}
    }
}

#[derive(Clone, Copy, Debug)]
enum Direction {
    Requests,
    Replies,
}

impl Direction {
    fn flow(self, now: &Weather) -> Flow {
        match self {
            Self::Requests => now.requests,
            Self::Replies => now.replies,
        }
    }
}

/// Moves bytes in one direction of one connection.
struct Pump {
    direction: Direction,
    weather: watch::Receiver<Weather>,
    counts: Arc<Counts>,
    /// Set once bytes were lost on the connection.
    lossy: Arc<AtomicBool>,
    held: Vec<u8>,
}

impl Pump {
    async fn run(mut self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut ended = false;
        loop {
            if self.flow() == Flow::Pass && !self.held.is_empty() {
                let held = std::mem::take(&mut self.held);
                to.write_all(&held).await?;
                continue;
            }
            if ended && self.held.is_empty() {
                return to.shutdown().await;
            }
            tokio::select! {
                biased;
                changed = self.weather.changed() => changed.map_err(io::Error::other)?,
                read = from.read(&mut chunk), if !ended => {
                    // Closing, in order or not, ends what comes in, not what is still held.
                    let count = read.unwrap_or(0);
                    ended = count == 0;
                    self.forward(chunk.get(..count).unwrap_or_default(), &mut to).await?;
                }
            }
        }
    }

    fn flow(&mut self) -> Flow {
        self.direction.flow(&self.weather.borrow_and_update())
    }

    /// Returns how to treat `bytes` now, and marks the connection if they are to be lost.
    fn judge(&mut self, bytes: &[u8]) -> Flow {
        // Marked while the weather cannot change, so that healing sees every gap.
        let now = self.weather.borrow_and_update();
        let flow = self.direction.flow(&now);
        if flow == Flow::Cut && !bytes.is_empty() {
            self.lossy.store(true, Ordering::SeqCst);
        }
        flow
    }

    async fn forward(&mut self, bytes: &[u8], to: &mut OwnedWriteHalf) -> io::Result<()> {
        let count = bytes.len() as u64;
        match self.judge(bytes) {
            Flow::Pass => {
                self.held.extend_from_slice(bytes);
                let ready = std::mem::take(&mut self.held);
                to.write_all(&ready).await
            }
            Flow::Cut => {
                let counter = match self.direction {
                    Direction::Requests => &self.counts.requests_cut_bytes,
                    Direction::Replies => &self.counts.replies_cut_bytes,
                };
                counter.fetch_add(count, Ordering::SeqCst);
                Ok(())
            }
            Flow::Hold => {
                self.held.extend_from_slice(bytes);
                self.counts.requests_held_bytes.fetch_add(count, Ordering::SeqCst);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
