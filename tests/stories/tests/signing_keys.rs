//! The key that tokens are signed with is rotated while calls come in: no call fails, and what the old key signed is worth nothing afterwards.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use seva::house::Options;
use seva::token::{DevKey, IDENTITY_FILE, KEYS_FILE, Person};
use seva_api::access::{AUTHORIZATION, Identity, Role};
use seva_api::pb::intake::v1::LogInteractionRequest;
use seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient;
use seva_domain::service::Service;
use seva_domain::values::At;
use seva_host::files;
use seva_stories::{House, Services, refused, say};
use seva_support::eventually;
use tonic::{Code, Request};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// By how much the services' clock is put forward until keys are read again, whatever for.
const A_WHILE: Duration = Duration::from_secs(15 * 60);

/// How many callers there are.
const CALLERS: usize = 4;

/// A token for Ana, signed by this key.
fn token(key: &DevKey) -> String {
    let ana = Person { subject: "agent:ana", roles: &[Role::Agent], ..Person::default() };
    key.mint(&ana, At(0), Duration::from_secs(200 * 365 * 24 * 60 * 60)).unwrap()
}

fn call(token: &str, n: u64) -> Request<LogInteractionRequest> {
    let mut request = Request::new(say::interaction(&format!("call {n}"), "asha", "Hello?"));
    request.metadata_mut().insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signing_key_is_rotated_under_load_and_no_call_fails() {
    let house = House::start().await;
    let [folder, other, data] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let (old, new) = (DevKey::keep(folder.path()).unwrap(), DevKey::keep(other.path()).unwrap());
    let believed = |keys: &[&DevKey]| {
        let keys: Vec<_> = keys.iter().map(|key| key.keys()["keys"][0].clone()).collect();
        let set = serde_json::json!({ "keys": keys }).to_string();
        files::write_whole(&folder.path().join(KEYS_FILE), &set).unwrap();
        house.clock().jump(A_WHILE);
    };
    let identity = Identity::read(&folder.path().join(IDENTITY_FILE)).unwrap();
    let data = data.path().to_owned();
    let services = vec![Service::Intake];
    let intake = Services::start(&Options { services, data, identity, ..house.options().clone() }).await;

    let (calls, is_over) = (&AtomicU64::new(1), &AtomicBool::new(false));
    let in_use = &Mutex::new(token(&old));
    let connection = || IntakeServiceClient::new(intake.connection(Service::Intake));
    eventually("it serves", PATIENCE, async || {
        connection().log_interaction(call(&token(&old), 0)).await.ok()
    })
    .await;
    let load = (0..CALLERS).map(|_| async {
        let mut client = connection();
        while !is_over.load(Ordering::Relaxed) {
            let token = in_use.lock().unwrap().clone();
            client.log_interaction(call(&token, calls.fetch_add(1, Ordering::Relaxed))).await.unwrap();
        }
    });
    let more_calls = async || {
        let before = calls.load(Ordering::Relaxed);
        eventually("more calls", PATIENCE, async || {
            (calls.load(Ordering::Relaxed) > before + 40).then_some(())
        })
        .await;
    };
    let rotating = async {
        more_calls().await;
        believed(&[&old, &new]);
        more_calls().await;
        *in_use.lock().unwrap() = token(&new);
        more_calls().await;
        believed(&[&new]);
        more_calls().await;
        is_over.store(true, Ordering::Relaxed);
    };
    futures::join!(rotating, futures::future::join_all(load));
    assert!(calls.load(Ordering::Relaxed) > 160);

    let late = refused(connection().log_interaction(call(&token(&old), u64::MAX)).await);
    assert_eq!((late.code, late.reason.as_str()), (Code::Unauthenticated, "UNAUTHENTICATED"));
    connection().log_interaction(call(&token(&new), u64::MAX)).await.unwrap();
    intake.stop().await;
    house.stop().await;
}
