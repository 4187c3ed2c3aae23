//! One bounded HTTP exchange with a peer on loopback, over a connection of its own.
//!
//! No connection is kept and nothing is sent twice, so that an exchange without an answer is exactly one request that may have landed.
//! Redirects are not followed. There is no TLS.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

/// How large an answer may be, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Where a peer listens: `http://127.0.0.1:PORT`, and a path below which everything is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Peer {
    addr: SocketAddr,
    path: String,
}

/// The address is not one of plain HTTP on this machine.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not of the form http://127.0.0.1:PORT: without TLS only this machine is talked to")]
pub struct AddressError(String);

/// What a peer answered, whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// Why there is no whole answer. Whether the request landed is not known.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The request cannot be written in HTTP.
    #[error("the request cannot be written")]
    Unwritable(#[source] hyper::http::Error),
    /// No connection.
    #[error("no connection to {addr}")]
    Unreachable {
        /// Where it was tried.
        addr: SocketAddr,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The connection ended before the answer did, or what came is not HTTP.
    #[error("the connection broke")]
    Cut(#[source] hyper::Error),
    /// The body is too long, or it broke off.
    #[error("the answer's body broke off, or is longer than {ANSWER_BYTES_MAX} bytes")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The time was up.
    #[error("no whole answer within {} ms", .0.as_millis())]
    Late(Duration),
}

impl Peer {
    /// Reads an address.
    pub fn parse(url: &str) -> Result<Peer, AddressError> {
        let peer = || {
            let uri: Uri = url.parse().ok()?;
            let addr: SocketAddr = uri.authority()?.as_str().parse().ok()?;
            let is_plain = uri.scheme_str() == Some("http") && uri.query().is_none();
            let path = uri.path().trim_end_matches('/').to_owned();
            (is_plain && addr.ip().is_loopback()).then_some(Peer { addr, path })
        };
        peer().ok_or_else(|| AddressError(url.to_owned()))
    }

    /// Gets what is below this path.
    pub async fn get(&self, path: &str, within: Duration) -> Result<Answer, Broken> {
        self.exchange(Method::GET, path, &[], Bytes::new(), within).await
    }

    /// Posts a JSON text, with these headers.
    pub async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        json: Bytes,
        within: Duration,
    ) -> Result<Answer, Broken> {
        self.exchange(Method::POST, path, headers, json, within).await
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
        within: Duration,
    ) -> Result<Answer, Broken> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.path))
            .header(HOST, self.addr.to_string());
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).map_err(Broken::Unwritable)?;
        let answering = tokio::time::timeout(within, self.send(request));
        answering.await.unwrap_or(Err(Broken::Late(within)))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, Broken> {
        let addr = self.addr;
        let connected = async {
            let stream = TcpStream::connect(addr).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let stream = connected.await.map_err(|source| Broken::Unreachable { addr, source })?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(Broken::Cut)?;
        // The connection is driven beside the exchange and ends with it; what breaks it is told to the sender.
        let _driving = AbortOnDropHandle::new(tokio::spawn(connection));
        let answer = sender.send_request(request).await.map_err(Broken::Cut)?;
        let status = answer.status().as_u16();
        let body =
            Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(Broken::Body)?;
        Ok(Answer { status, body: body.to_bytes() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_on_this_machine_is_an_address() {
        for good in ["http://127.0.0.1:8080", "http://127.0.0.1:8080/", "http://[::1]:1/hooks"] {
            assert!(Peer::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "https://127.0.0.1:8080",
            "http://192.0.2.1:8080",
            "http://example.com",
            "http://127.0.0.1",
            "http://a@127.0.0.1:80",
            "http://127.0.0.1:80/?a=b",
            "127.0.0.1:8080",
            "",
        ] {
            let error = Peer::parse(bad).unwrap_err().to_string();
            assert!(error.contains("only this machine"), "{error}");
        }
    }
}
