//! What stands before the services, met over real sockets: each limit bites, says so, and leaves the server well.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod limits;
mod raw;
mod tls;

use std::time::Duration;

use seva_stories::Services;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// One of the process's numbers, as its page shows it; 0 where it is not there.
async fn number(services: &Services, name: &str) -> u64 {
    let url = services.metrics();
    let (host, path) = url.strip_prefix("http://").and_then(|url| url.split_once('/')).expect("a url");
    let mut stream = TcpStream::connect(host).await.expect("the page answers");
    let request = format!("GET /{path} HTTP/1.0\r\nhost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the page answers");
    let mut page = String::new();
    stream.read_to_string(&mut page).await.expect("the page is text");
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().expect("a number"))
}
