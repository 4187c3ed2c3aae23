//! Callers who take up connections, each for as long as it may.

use std::net::SocketAddr;

use futures::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::tls::authority::Authority;
use crate::tls::{self, Tls};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn short() -> Limits {
    Limits {
        connections_max: 2,
        handshakes_max: 2,
        handshake_max: Duration::from_millis(200),
        silence_max: Duration::from_millis(200),
        stall_max: Duration::from_millis(200),
        age_max: Duration::from_secs(3600),
    }
}

async fn port(limits: Limits, tls: Option<Tls>) -> (Incoming, SocketAddr, Counters) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (addr, counters) = (listener.local_addr().unwrap(), Counters::default());
    (Incoming::new(listener, tls, limits, counters.clone()), addr, counters)
}

/// Waits until the other side has ended a connection.
async fn ended(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let reading = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest));
    // A reset is an end as well.
    let _reset = reading.await.expect("the connection is ended").is_err();
}

async fn next(incoming: &mut Incoming) -> Connection {
    tokio::time::timeout(PATIENCE, incoming.next()).await.unwrap().unwrap().unwrap()
}

#[tokio::test]
async fn one_connection_too_many_is_closed_and_the_next_one_taken_once_there_is_room() {
    let (mut incoming, addr, counters) = port(short(), None).await;
    let mut callers = Vec::new();
    let mut taken = Vec::new();
    for _ in 0..2 {
        callers.push(TcpStream::connect(addr).await.unwrap());
        taken.push(next(&mut incoming).await);
    }
    ended(&mut TcpStream::connect(addr).await.unwrap()).await;
    assert_eq!(counters.too_many.get(), 1);
    taken.pop();
    let _caller = TcpStream::connect(addr).await.unwrap();
    next(&mut incoming).await;
}

#[tokio::test]
async fn who_does_not_say_the_first_words_in_time_is_not_waited_for() {
    let (mut incoming, addr, _) = port(short(), None).await;
    let mut silent = TcpStream::connect(addr).await.unwrap();
    let mut connection = next(&mut incoming).await;
    silent.write_all(&PREFACE[..23]).await.unwrap();
    let mut heard = Vec::new();
    let error =
        tokio::time::timeout(PATIENCE, connection.read_to_end(&mut heard)).await.unwrap().unwrap_err();
    assert_eq!((error.kind(), heard.len()), (io::ErrorKind::TimedOut, 23));
    drop(connection);
    ended(&mut silent).await;

    let mut speaks = TcpStream::connect(addr).await.unwrap();
    let mut connection = next(&mut incoming).await;
    speaks.write_all(PREFACE).await.unwrap();
    connection.read_exact(&mut [0; 24]).await.unwrap();
    let more = tokio::time::timeout(Duration::from_secs(1), connection.read_u8()).await;
    assert!(more.is_err(), "it may be silent from now on: {more:?}");
}

#[tokio::test]
async fn a_connection_that_is_too_old_ends_though_its_peer_never_pauses() {
    let limits = Limits { age_max: Duration::from_millis(300), ..short() };
    let (mut incoming, addr, _) = port(limits, None).await;
    let mut busy = TcpStream::connect(addr).await.unwrap();
    let mut connection = next(&mut incoming).await;
    let talking = tokio::spawn(async move { while busy.write_all(PREFACE).await.is_ok() {} });
    let mut buffer = [0; 1024];
    let listening = async {
        loop {
            if let Err(error) = connection.read(&mut buffer).await {
                return error;
            }
        }
    };
    let error = tokio::time::timeout(PATIENCE, listening).await.unwrap();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    drop(connection);
    talking.await.unwrap();
}

#[tokio::test]
async fn who_takes_nothing_of_what_is_written_is_not_waited_for() {
    let (mut incoming, addr, _) = port(short(), None).await;
    let _never_reads = TcpStream::connect(addr).await.unwrap();
    let mut connection = next(&mut incoming).await;
    let chunk = vec![0; 64 * 1024];
    let writing = async {
        loop {
            if let Err(error) = connection.write_all(&chunk).await {
                return error;
            }
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, writing).await.unwrap().kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn handshakes_that_never_end_keep_nobody_out_for_long() {
    let folder = tempfile::tempdir().unwrap();
    let files = Authority::new().unwrap().issue(folder.path()).unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let tls = Tls::start(files, tls::Counters::default(), stop).unwrap();
    let limits = Limits { connections_max: 8, ..short() };
    let (_incoming, addr, counters) = port(limits, Some(tls)).await;
    let mut begun = Vec::new();
    for _ in 0..2 {
        begun.push(TcpStream::connect(addr).await.unwrap());
    }
    ended(&mut TcpStream::connect(addr).await.unwrap()).await;
    for stream in &mut begun {
        ended(stream).await;
    }
    assert_eq!((counters.too_many.get(), counters.handshakes_failed.get()), (1, 2));
}
