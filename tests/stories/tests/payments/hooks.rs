//! Webhooks: a hint to ask where they are signed, fresh and new, and nothing otherwise.

use std::net::Ipv4Addr;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use serde_json::json;
use seva_refunds::provider::webhook::{Receiver, Refusal, SIGNATURE_HEADER, Secret, TOLERANCE_S, sign};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use seva_stories::provider::{PATIENCE, Provider, code, instruction, reference};

const SECRET: &str = "a secret between the two";

/// Where the provider's webhooks arrive: the signature and the body of each.
struct Ear {
    url: String,
    heard: mpsc::Receiver<(String, Bytes)>,
    _listening: AbortOnDropHandle<()>,
}

impl Ear {
    async fn open() -> Ear {
        let (tell, heard) = mpsc::channel(100);
        let take = move |headers: HeaderMap, body: Bytes| async move {
            let signature = headers[SIGNATURE_HEADER].to_str().expect("a signature is text").to_owned();
            tell.send((signature, body)).await.expect("the ear is open");
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let url = format!("http://{}/hooks/payments", listener.local_addr().expect("a port has an address"));
        let router = Router::new().route("/hooks/payments", post(take));
        let listening =
            tokio::spawn(async move { axum::serve(listener, router).await.expect("the ear listens") });
        Ear { url, heard, _listening: AbortOnDropHandle::new(listening) }
    }

    async fn next(&mut self) -> (String, Bytes) {
        timeout(PATIENCE, self.heard.recv()).await.expect("a webhook comes in time").expect("the ear is open")
    }
}

/// A provider that tells its webhooks to an ear.
async fn telling() -> (Provider, Ear, TempDir) {
    let ear = Ear::open().await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let secret = folder.path().join("webhook.secret");
    std::fs::write(&secret, SECRET).expect("a file can be written");
    let secret = secret.to_str().expect("the folder's name is text");
    let options = ["--webhook", &ear.url, "--webhook-secret-file", secret];
    (Provider::start_with(&options).await, ear, folder)
}

fn receiver() -> Receiver {
    Receiver::new(Secret::new(SECRET).expect("a secret long enough"))
}

#[expect(clippy::disallowed_methods, reason = "the provider signs with the machine's time")]
fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    i64::try_from(since.as_secs()).expect("it is long before the end of time")
}

#[tokio::test]
async fn a_webhook_is_a_hint_to_ask_and_asking_tells() {
    let (provider, mut ear, _folder) = telling().await;
    let mut receiver = receiver();
    provider.misbehave(json!({"pending": {"after_ms": 1}})).await;
    provider.client().instruct(&instruction("rfd_1")).await.unwrap();
    let (signature, body) = ear.next().await;
    let hint = receiver.take(&signature, &body, now_s()).unwrap();
    assert_eq!(hint.key, "rfd_1");
    reference(provider.client().ask(&hint.key).await.unwrap().unwrap());
    provider.misbehave(json!({"decline": {"code": "card_expired"}})).await;
    provider.client().instruct(&instruction("rfd_2")).await.unwrap();
    let (signature, body) = ear.next().await;
    let hint = receiver.take(&signature, &body, now_s()).unwrap();
    assert_eq!(code(provider.client().ask(&hint.key).await.unwrap().unwrap()), "card_expired");
}

#[tokio::test]
async fn a_webhook_that_is_told_twice_is_taken_once() {
    let (provider, mut ear, _folder) = telling().await;
    let mut receiver = receiver();
    provider.misbehave(json!("tell_twice")).await;
    provider.client().instruct(&instruction("rfd_1")).await.unwrap();
    let (signature, body) = ear.next().await;
    assert!(receiver.take(&signature, &body, now_s()).is_ok());
    let (signature, body) = ear.next().await;
    assert_eq!(receiver.take(&signature, &body, now_s()), Err(Refusal::Replayed));
    assert_eq!(provider.payouts().await, ["rfd_1"]);
}

#[tokio::test]
async fn forged_and_old_webhooks_are_refused() {
    let (provider, mut ear, _folder) = telling().await;
    provider.client().instruct(&instruction("rfd_1")).await.unwrap();
    let (signature, body) = ear.next().await;
    let mut receiver = receiver();
    assert_eq!(receiver.take(&signature, &body, now_s() + TOLERANCE_S + 60), Err(Refusal::Stale));
    let forged = body.iter().map(|byte| if *byte == b'1' { b'2' } else { *byte }).collect::<Vec<u8>>();
    assert_eq!(receiver.take(&signature, &forged, now_s()), Err(Refusal::Forged));
    let stranger = Secret::new("a secret of somebody else").unwrap();
    let signed_by_stranger = sign(&stranger, now_s(), &forged);
    assert_eq!(receiver.take(&signed_by_stranger, &forged, now_s()), Err(Refusal::Forged));
    assert!(receiver.take(&signature, &body, now_s()).is_ok());
}
