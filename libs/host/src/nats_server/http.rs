//! One bounded HTTP GET, enough for a monitoring page and no more.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a page may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How large an answer may be.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// What a page answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Why a page could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is not one of plain HTTP.
    #[error("{url} is not an address of the form http://HOST:PORT; correct it")]
    Address {
        /// The address given.
        url: String,
    },
    /// What answers does not speak HTTP.
    #[error("{url} does not answer in HTTP; check that it is a monitoring address")]
    NotHttp {
        /// The page asked for.
        url: String,
    },
    /// Nothing answered in time.
    #[error("{url} did not answer within {} s; check the server behind it", PATIENCE.as_secs())]
    Slow {
        /// The page asked for.
        url: String,
    },
    /// The connection failed.
    #[error("{url} cannot be reached; check that the server is running")]
    Unreachable {
        /// The page asked for.
        url: String,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

/// Asks `base` (`http://host:port`) for `path`.
pub(crate) async fn get(base: &str, path: &str) -> Result<Answer, Error> {
    let host = base
        .strip_prefix("http://")
        .map(|rest| rest.trim_end_matches('/'))
        .filter(|host| !host.is_empty() && !host.contains(['/', '\r', '\n', ' ']))
        .ok_or_else(|| Error::Address { url: base.to_owned() })?;
    let url = format!("http://{host}{path}");
    match tokio::time::timeout(PATIENCE, exchange(host, path)).await {
        Err(_elapsed) => Err(Error::Slow { url }),
        Ok(Err(source)) => Err(Error::Unreachable { url, source }),
        Ok(Ok(bytes)) => parse(&bytes).ok_or(Error::NotHttp { url }),
    }
}

async fn exchange(host: &str, path: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(host).await?;
    // HTTP/1.0 so that the server closes the connection and never answers in chunks.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut words = head.lines().next()?.split(' ');
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    Some(Answer { status: words.next()?.parse().ok()?, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_split_into_status_and_body() {
        let answer = parse(b"HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\n{}\r\n\r\n").unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (503, "{}\r\n\r\n"));
        assert!(parse(b"INFO {}\r\n\r\n").is_none());
    }

    #[tokio::test]
    async fn a_wrong_address_is_named() {
        for wrong in ["nats://127.0.0.1:4222", "http://", "http://a b"] {
            let error = get(wrong, "/varz").await.unwrap_err().to_string();
            assert!(error.starts_with(wrong), "{error}");
        }
    }
}
