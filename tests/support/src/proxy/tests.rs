//! The proxy before a server that answers everything with the same bytes and remembers them.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::timeout;

use super::*;
use crate::eventually;

const SOON: Duration = Duration::from_secs(5);
const A_WHILE: Duration = Duration::from_millis(100);

/// An echo server and what has landed there, over all connections.
struct Echo {
    landed: Arc<Mutex<Vec<u8>>>,
    proxy: Proxy,
    _serving: AbortOnDropHandle<()>,
}

impl Echo {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let proxy = Proxy::start(listener.local_addr().unwrap()).await;
        let landed = Arc::new(Mutex::new(Vec::new()));
        let memory = Arc::clone(&landed);
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(echo(stream, Arc::clone(&memory)));
            }
        });
        Self { landed, proxy, _serving: AbortOnDropHandle::new(serving) }
    }

    async fn connect(&self) -> TcpStream {
        let mut client = TcpStream::connect(self.proxy.addr()).await.unwrap();
        exchange(&mut client, b"hello").await;
        self.landed.lock().unwrap().clear();
        client
    }

    fn landed(&self) -> Vec<u8> {
        self.landed.lock().unwrap().clone()
    }

    async fn lands(&self, bytes: &[u8]) {
        eventually("the request lands", SOON, || async { (self.landed() == bytes).then_some(()) }).await;
    }
}

async fn echo(mut stream: TcpStream, memory: Arc<Mutex<Vec<u8>>>) {
    let mut chunk = [0; 256];
    while let Ok(count @ 1..) = stream.read(&mut chunk).await {
        memory.lock().unwrap().extend_from_slice(&chunk[..count]);
        if stream.write_all(&chunk[..count]).await.is_err() {
            return;
        }
    }
}

async fn receive(client: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    timeout(SOON, client.read_exact(&mut bytes)).await.unwrap().unwrap();
    bytes
}

async fn exchange(client: &mut TcpStream, bytes: &[u8]) {
    client.write_all(bytes).await.unwrap();
    assert_eq!(receive(client, bytes.len()).await, bytes);
}

async fn assert_silent(client: &mut TcpStream) {
    assert!(timeout(A_WHILE, client.read_u8()).await.is_err());
}

async fn assert_closed(client: &mut TcpStream) {
    assert!(timeout(SOON, client.read_u8()).await.unwrap().is_err());
}

#[tokio::test]
async fn bytes_pass_both_ways() {
    let server = Echo::start().await;
    let mut client = server.connect().await;
    let long = vec![7; 1_000_000];
    let (mut from_server, mut to_server) = client.split();
    let mut back = vec![0; long.len()];
    let (sent, received) = tokio::join!(to_server.write_all(&long), from_server.read_exact(&mut back));
    sent.unwrap();
    received.unwrap();
    assert!(back == long);
}

#[tokio::test]
async fn a_cut_reply_is_lost_though_its_request_landed() {
    let server = Echo::start().await;
    let mut client = server.connect().await;
    server.proxy.cut_replies();
    client.write_all(b"pay").await.unwrap();
    server.lands(b"pay").await;
    let lost = || async { (server.proxy.replies_cut_bytes() == 3).then_some(()) };
    eventually("the reply is lost", SOON, lost).await;
    assert_silent(&mut client).await;

    server.proxy.heal();
    assert_closed(&mut client).await;
    exchange(&mut server.connect().await, b"again").await;
}

#[tokio::test]
async fn a_cut_request_never_lands() {
    let server = Echo::start().await;
    let mut client = server.connect().await;
    server.proxy.cut_requests();
    client.write_all(b"pay").await.unwrap();
    let lost = || async { (server.proxy.requests_cut_bytes() == 3).then_some(()) };
    eventually("the request is lost", SOON, lost).await;
    server.proxy.heal();
    assert_closed(&mut client).await;
    assert_eq!(server.landed(), b"");
}

#[tokio::test]
async fn a_held_request_lands_on_release_and_is_answered() {
    let server = Echo::start().await;
    let mut client = server.connect().await;
    server.proxy.hold_requests();
    client.write_all(b"one").await.unwrap();
    client.write_all(b"two").await.unwrap();
    assert_silent(&mut client).await;
    assert_eq!((server.landed(), server.proxy.requests_held_bytes()), (Vec::new(), 6));
    server.proxy.release();
    assert_eq!(receive(&mut client, 6).await, b"onetwo");
    exchange(&mut client, b"three").await;
}

#[tokio::test]
async fn a_held_request_lands_later_though_its_client_has_gone() {
    let server = Echo::start().await;
    let mut client = server.connect().await;
    server.proxy.hold_requests();
    client.write_all(b"late").await.unwrap();
    let held = || async { (server.proxy.requests_held_bytes() == 4).then_some(()) };
    eventually("the request is held", SOON, held).await;
    drop(client);
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(server.landed(), b"");
    server.proxy.release();
    server.lands(b"late").await;
}

#[tokio::test]
async fn healing_keeps_connections_that_lost_nothing() {
    let server = Echo::start().await;
    let mut client = server.connect().await;
    server.proxy.cut_replies();
    server.proxy.heal();
    exchange(&mut client, b"still here").await;
}

#[tokio::test]
async fn severing_closes_what_is_open_and_takes_new_connections() {
    let server = Echo::start().await;
    let mut client = server.connect().await;
    server.proxy.sever();
    assert_closed(&mut client).await;
    exchange(&mut server.connect().await, b"new").await;
}

#[tokio::test]
async fn dropping_the_proxy_closes_everything() {
    let Echo { proxy, _serving, .. } = Echo::start().await;
    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    exchange(&mut client, b"hello").await;
    drop(proxy);
    assert_closed(&mut client).await;
}
