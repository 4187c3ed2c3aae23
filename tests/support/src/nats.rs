//! A nats-server for one test: its own folder, its own ports, gone when the test ends.

use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::path::Path;

use seva_host::nats_server::{NatsServer, Options};
use tempfile::TempDir;

/// A nats-server in a temporary folder; it can be used like a [`NatsServer`].
#[derive(Debug)]
pub struct TestNats {
    // Dropped before its folder is removed.
    server: NatsServer,
    folder: TempDir,
}

impl TestNats {
    /// Returns the folder, to look at what the server stored.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the address clients connect to, to put a [`crate::Proxy`] before it.
    pub fn addr(&self) -> SocketAddr {
        let url = self.server.url();
        let host = url.strip_prefix("nats://").unwrap_or(&url);
        host.parse().unwrap_or_else(|error| panic!("{url} holds no socket address: {error}"))
    }
}

impl Deref for TestNats {
    type Target = NatsServer;

    fn deref(&self) -> &NatsServer {
        &self.server
    }
}

impl DerefMut for TestNats {
    fn deref_mut(&mut self) -> &mut NatsServer {
        &mut self.server
    }
}

/// Starts a durable nats-server for one test.
///
/// # Panics
///
/// When there is none to start; the message says how to get one.
pub async fn nats() -> TestNats {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
    let server = NatsServer::start(Options::new(folder.path()))
        .await
        .unwrap_or_else(|error| panic!("no nats-server for this test: {error}"));
    TestNats { server, folder }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;

    use super::*;
    use crate::Proxy;

    #[tokio::test]
    async fn two_tests_have_two_servers_and_leave_no_folder() {
        let (first, second) = tokio::join!(nats(), nats());
        assert_ne!(first.addr(), second.addr());
        let folder = first.folder().to_owned();
        drop(first);
        assert!(!folder.exists());
    }

    #[tokio::test]
    async fn a_server_greets_through_the_proxy() {
        let server = nats().await;
        let proxy = Proxy::start(server.addr()).await;
        let mut greeting = [0; 5];
        TcpStream::connect(proxy.addr()).await.unwrap().read_exact(&mut greeting).await.unwrap();
        assert_eq!(&greeting, b"INFO ");
    }
}
