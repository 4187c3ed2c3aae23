//! Keys at an address: asked for once in a while, whoever asks for unknown ones, and good for a day after the address has gone.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use seva::house::system_clock;
use seva::token::{AUDIENCE, DevKey, ISSUER, Person};
use seva_api::access::{BadToken, Identity, IssuerConfig, Role, Verifier};
use seva_domain::values::At;
use tonic::codegen::http::HeaderMap;

/// An address with the keys of the tests, and how often it was asked.
async fn address() -> (String, Arc<AtomicUsize>, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let answer = axum::routing::get(move || async move {
        counted.fetch_add(1, Ordering::SeqCst);
        // So that nothing answers any more once the server is gone.
        ([("connection", "close")], seva_tokens::key().keys().to_string())
    });
    let router = axum::Router::new().route("/keys", answer);
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, asked, server)
}

fn carrying(token: &str) -> HeaderMap {
    HeaderMap::from_iter([("authorization".parse().unwrap(), format!("Bearer {token}").parse().unwrap())])
}

fn later(at: At, by: Duration) -> At {
    At(at.0 + i64::try_from(by.as_micros()).unwrap())
}

#[tokio::test]
async fn the_last_keys_count_for_a_day_and_unknown_ones_are_asked_for_once_in_a_while() {
    let (url, asked, server) = address().await;
    let issuer = IssuerConfig::plain(ISSUER, AUDIENCE, &url);
    let identity = Identity::new(vec![issuer], Path::new(".")).unwrap();
    let now = (system_clock())();
    let verifier = Verifier::open(&identity, now).await.unwrap();
    let good = carrying(&seva_tokens::token("agent-7"));
    assert_eq!(verifier.verify(&good, now).await.unwrap().subject.as_str(), "agent-7");
    assert_eq!(asked.load(Ordering::SeqCst), 1);

    let folder = tempfile::tempdir().unwrap();
    let stranger = DevKey::keep(folder.path()).unwrap();
    let person = Person { subject: "agent-7", roles: &[Role::Agent], ..Person::default() };
    let unknown = carrying(&stranger.mint(&person, now, Duration::from_secs(3_600)).unwrap());
    let soon = later(now, Duration::from_secs(11));
    for _ in 0..100 {
        assert_eq!(verifier.verify(&unknown, soon).await.unwrap_err(), BadToken::UnknownKey);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2, "a hundred unknown keys, one question");

    server.abort();
    assert!(server.await.unwrap_err().is_cancelled());
    let hours = |count: u64| later(now, Duration::from_secs(count * 3_600));
    verifier.verify(&good, hours(1)).await.expect("the address is down, the last keys count");
    verifier.verify(&good, hours(23)).await.expect("still");
    let fresh = carrying(&seva_tokens::token("agent-8"));
    assert_eq!(verifier.verify(&fresh, hours(25)).await.unwrap_err(), BadToken::KeysTooOld);
    assert_eq!(
        verifier.verify(&good, hours(25)).await.unwrap_err(),
        BadToken::KeysTooOld,
        "one seen before, too"
    );
}
