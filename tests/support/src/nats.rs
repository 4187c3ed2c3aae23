//! A nats-server for one test: its own folder, its own ports, gone when the test ends. It runs under the rights that every server of ours does.

use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::path::Path;

use async_nats::{Client, ConnectOptions};
use nkeys::KeyPair;
use seva_host::nats_server::{NatsServer, Options};
use seva_rights::{Identity, Seeds};
use tempfile::TempDir;

/// A nats-server in a temporary folder; it can be used like a [`NatsServer`].
pub struct TestNats {
    // Dropped before its folder is removed.
    server: NatsServer,
    seeds: Seeds,
    /// Of a user beside the table, for harm done on purpose.
    harm: KeyPair,
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

    /// Returns the seeds of all identities.
    pub fn seeds(&self) -> &Seeds {
        &self.seeds
    }

    /// Returns how an identity connects, to this server or through a proxy before it.
    ///
    /// # Panics
    ///
    /// When the seed cannot be read.
    pub fn connect_as(&self, identity: Identity) -> ConnectOptions {
        self.seeds.connect_as(identity).unwrap_or_else(|error| panic!("{identity:?} cannot connect: {error}"))
    }

    /// Connects as an identity.
    ///
    /// # Panics
    ///
    /// When the server does not let it in.
    pub async fn connect(&self, identity: Identity) -> Client {
        let connected = self.connect_as(identity).connect(self.server.url()).await;
        connected.unwrap_or_else(|error| panic!("{identity:?} cannot connect: {error}"))
    }

    /// Connects as somebody who may do everything, which no identity may: for a test that does harm on purpose.
    ///
    /// # Panics
    ///
    /// When the server does not let it in.
    pub async fn connect_to_harm(&self) -> Client {
        let seed = self.harm.seed().unwrap_or_else(|error| panic!("a pair made here has a seed: {error}"));
        let connected = ConnectOptions::with_nkey(seed).connect(self.server.url()).await;
        connected.unwrap_or_else(|error| panic!("no connection that may do everything: {error}"))
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
    let harm = KeyPair::new_user();
    let seeds = Seeds::make(folder.path().join("seeds")).unwrap_or_else(|error| panic!("{error}"));
    let accounts = seeds.accounts(&[harm.public_key()]).unwrap_or_else(|error| panic!("{error}"));
    let server = NatsServer::start(Options { accounts, ..Options::new(folder.path()) })
        .await
        .unwrap_or_else(|error| panic!("no nats-server for this test: {error}"));
    TestNats { server, seeds, harm, folder }
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

    #[tokio::test]
    async fn nobody_is_let_in_without_a_seed_of_this_server() {
        let (server, other) = tokio::join!(nats(), nats());
        assert!(async_nats::connect(server.url()).await.is_err(), "an address is not enough");
        for identity in Identity::ALL {
            server.connect(identity).await;
            let connected = other.connect_as(identity).connect(server.url()).await;
            assert!(connected.is_err(), "{identity:?} of another server");
        }
    }
}
