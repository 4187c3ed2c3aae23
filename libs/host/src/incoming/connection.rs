//! One connection, plain or under TLS, which ends by itself when its peer is silent, takes nothing, or has been there for too long.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::Limits;

/// How long the words are that every HTTP/2 connection begins with, in bytes. After them the server asks by itself whether anybody is there.
const PREFACE_BYTES: usize = 24;

/// What the bytes go through.
#[derive(Debug)]
pub(super) enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Io {
    fn tcp(&self) -> &TcpStream {
        match self {
            Io::Plain(stream) => stream,
            Io::Tls(stream) => stream.get_ref().0,
        }
    }
}

/// How long a connection is waited for, from when it was accepted.
#[derive(Debug)]
pub(super) struct Patience {
    silence_ends: Instant,
    age_ends: Instant,
    stall_max: Duration,
}

impl Patience {
    pub(super) fn new(limits: &Limits) -> Patience {
        let now = Instant::now();
        Patience {
            silence_ends: now + limits.silence_max,
            age_ends: now + limits.age_max,
            stall_max: limits.stall_max,
        }
    }
}

/// A connection that a server may take. Dropping it makes room for another.
#[derive(Debug)]
pub struct Connection {
    io: Io,
    patience: Patience,
    /// Until when it may go on as it is: before its first words until its silence ends, then until its age does.
    ends: Pin<Box<Sleep>>,
    /// How many bytes of its first words are missing.
    unsaid: usize,
    /// Until when the peer must have taken something of what is written.
    stalls: Option<Pin<Box<Sleep>>>,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    pub(super) fn new(io: Io, patience: Patience, permit: OwnedSemaphorePermit) -> Connection {
        let ends = Box::pin(tokio::time::sleep_until(patience.silence_ends));
        Connection { io, patience, ends, unsaid: PREFACE_BYTES, stalls: None, _permit: permit }
    }

    /// What became of reading so many bytes: an end where they did not come in time.
    fn read(
        &mut self,
        cx: &mut Context<'_>,
        bytes: usize,
        read: Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        if self.unsaid > 0 && bytes > 0 {
            self.unsaid = self.unsaid.saturating_sub(bytes);
            if self.unsaid == 0 {
                self.ends.as_mut().reset(self.patience.age_ends);
            }
        }
        // Asked also where something came: a peer that never pauses has no more time than another.
        match self.ends.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => read,
        }
    }

    /// What became of a write: an end where the peer took none of it for too long.
    fn written<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalls = None;
            return written;
        }
        let stall_max = self.patience.stall_max;
        let stalls = self.stalls.get_or_insert_with(|| Box::pin(tokio::time::sleep(stall_max)));
        match stalls.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Io::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        };
        self.read(cx, buffer.filled().len() - before, read)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Io::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        };
        self.written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
            Io::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
        };
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.io {
            Io::Plain(stream) => stream.is_write_vectored(),
            Io::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Io::Tls(stream) => Pin::new(stream).poll_flush(cx),
        };
        self.written(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Io::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        };
        self.written(cx, shut)
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.io.tcp().connect_info()
    }
}
