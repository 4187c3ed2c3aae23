//! HTTP/2 by hand: for what no client library would send.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long a server may take to answer or end a connection.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const GO_AWAY: u8 = 7;

/// Flags of a headers frame: nothing follows, and the headers are whole.
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A frame as it came.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// A connection over which frames go as they are written here.
pub(crate) struct Raw(TcpStream);

impl Raw {
    /// Connects and says the first words; nothing is read yet.
    pub(crate) async fn connect(url: &str) -> Raw {
        let address = url.strip_prefix("http://").expect("an address in the clear");
        let mut raw = Raw(TcpStream::connect(address).await.expect("the port is open"));
        raw.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("the port is open");
        raw.send(SETTINGS, 0, 0, &[]).await.expect("the port is open");
        raw
    }

    /// Sends a frame; an error is that the server has ended the connection.
    pub(crate) async fn send(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
    ) -> std::io::Result<()> {
        self.0.write_all(&frame(kind, flags, stream, payload)).await
    }

    /// Begins a call of a method, and leaves its body open or ends it.
    pub(crate) async fn call(&mut self, stream: u32, path: &str, ends: bool) -> std::io::Result<()> {
        let flags = END_HEADERS | if ends { END_STREAM } else { 0 };
        self.send(HEADERS, flags, stream, &head(path)).await
    }

    /// Begins several calls of a method in one write, so that the server has them all before it answers any, and leaves their bodies open.
    pub(crate) async fn call_at_once(&mut self, streams: &[u32], path: &str) -> std::io::Result<()> {
        let head = head(path);
        let frames = streams.iter().flat_map(|stream| frame(HEADERS, END_HEADERS, *stream, &head));
        self.0.write_all(&frames.collect::<Vec<u8>>()).await
    }

    /// The next frame; `None` once the server has ended the connection.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let reading = async {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let [a, b, c, kind, _, stream @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            self.0.read_exact(&mut payload).await.ok()?;
            Some(Frame { kind, stream: u32::from_be_bytes(stream), payload })
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("the server answers, or ends the connection")
    }
}

/// A frame as it goes.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The headers of a gRPC call, without compression.
fn head(path: &str) -> Vec<u8> {
    // `:method POST` and `:scheme http` are numbers of HPACK's own table; the others are written out, names by number where there is one.
    let mut head = vec![0x83, 0x86];
    let text = |head: &mut Vec<u8>, text: &str| {
        head.push(u8::try_from(text.len()).expect("a short text"));
        head.extend(text.as_bytes());
    };
    for (number, value) in [(0x04, path), (0x01, "localhost")] {
        head.push(number);
        text(&mut head, value);
    }
    for (name, value) in [("content-type", "application/grpc"), ("te", "trailers")] {
        head.push(0);
        text(&mut head, name);
        text(&mut head, value);
    }
    head
}
