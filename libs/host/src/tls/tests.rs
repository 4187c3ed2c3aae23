//! Certificates as they are read, and callers who cannot be greeted.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::authority::Authority;
use super::*;
use crate::incoming::{self, Incoming};

/// A port that speaks TLS and hands its connections to nobody, and its address.
async fn port(files: Files) -> (Incoming, std::net::SocketAddr) {
    let tls = Tls::start(files, Counters::default(), CancellationToken::new()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (Incoming::new(listener, Some(tls), incoming::Limits::default(), incoming::Counters::default()), addr)
}

/// All that a server answers to these bytes until it ends the connection.
async fn answered(addr: std::net::SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let reading = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer));
    // A reset is an end as well.
    let _reset = reading.await.expect("the server ends what it cannot greet").is_err();
    answer
}

/// The first message of a client that speaks TLS 1.2 at most, as OpenSSL writes it, or TLS 1.1 with that version in it.
fn hello(version: [u8; 2]) -> Vec<u8> {
    let body = [
        &version[..],
        &[7; 32],
        &[0],
        &[0, 4, 0xc0, 0x2b, 0x00, 0xff],
        &[1, 0],
        &[0, 37],
        // Curves, the form of points, signatures, and HTTP/2.
        &[0, 10, 0, 4, 0, 2, 0, 23],
        &[0, 11, 0, 2, 1, 0],
        &[0, 13, 0, 6, 0, 4, 4, 3, 8, 4],
        &[0, 16, 0, 5, 0, 3, 2, b'h', b'2'],
        &[0, 23, 0, 0],
    ]
    .concat();
    let length = |bytes: usize| [0, (bytes >> 8) as u8, bytes as u8];
    let message = [&[1][..], &length(body.len()), &body].concat();
    [&[22, 3, 1][..], &length(message.len())[1..], &message].concat()
}

#[tokio::test]
async fn who_speaks_an_older_tls_is_told_so_and_who_speaks_none_is_turned_away() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new().unwrap();
    let (_incoming, addr) = port(authority.issue(folder.path()).unwrap()).await;
    for version in [[3, 3], [3, 2]] {
        // A fatal alert: protocol_version.
        let answer = answered(addr, &hello(version)).await;
        assert!(answer.starts_with(&[21, 3, 3, 0, 2, 2, 70]), "{version:?}: {answer:?}");
    }
    let plain = answered(addr, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    assert!(plain.is_empty() || plain[0] == 21, "nothing but an alert: {plain:?}");
}

#[tokio::test]
async fn keys_are_for_their_owner_alone_and_an_unusable_pair_says_why() {
    use std::os::unix::fs::PermissionsExt as _;
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let authority = Authority::new().unwrap();
    let good = authority.issue(one.path()).unwrap();
    assert_eq!(std::fs::metadata(&good.key).unwrap().permissions().mode() & 0o777, 0o600);
    let foreign = authority.issue(other.path()).unwrap();
    let start = |certificate: &std::path::Path, key: &std::path::Path| {
        let files = Files { certificate: certificate.to_owned(), key: key.to_owned() };
        Tls::start(files, Counters::default(), CancellationToken::new())
    };
    assert!(start(&good.certificate, &good.key).is_ok());
    let error = |certificate, key| start(certificate, key).unwrap_err();
    assert!(matches!(error(&good.certificate, &foreign.key), Error::NoPair { .. }));
    assert!(matches!(error(&good.key, &good.key), Error::NotPem { what: "certificate", .. }));
    assert!(matches!(error(&good.certificate, &good.certificate), Error::NotPem { what: "private key", .. }));
    let missing = one.path().join("nothing");
    assert!(matches!(error(&missing, &good.key), Error::Read { .. }));
    std::fs::write(&foreign.certificate, vec![b'-'; 1024 * 1024 + 1]).unwrap();
    assert!(matches!(error(&foreign.certificate, &good.key), Error::TooLong { .. }));
}
