//! What only a vault in NATS promises: keys shared by processes, kept over restarts, gone when erased.

use std::path::Path;
use std::time::Duration;

use async_nats::jetstream::context::{Context, ContextBuilder};
use seva_domain::service::Service;
use seva_rights::Identity;
use seva_support::{TestNats, eventually};
use seva_vault::{Error, MasterKey, Opened, Vault};

use crate::{MASTER, request};

/// Who opens vaults here.
pub(crate) const SERVICE: Identity = Identity::Service(Service::Intake);

/// How long a test waits for an answer that comes, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a test waits for an answer that does not come.
const IMPATIENCE: Duration = Duration::from_secs(1);

/// A server on which the stream of the keys is made.
pub(crate) async fn server() -> TestNats {
    let server = seva_support::nats().await;
    Vault::set_up(&context(&server, Identity::Operator).await, 1).await.unwrap();
    server
}

async fn waiting(server: &TestNats, identity: Identity, patience: Duration) -> Context {
    let options = server.connect_as(identity).request_timeout(Some(patience));
    let client = options.connect(server.url()).await.unwrap();
    ContextBuilder::new().timeout(patience).build(client)
}

pub(crate) async fn context(server: &TestNats, identity: Identity) -> Context {
    waiting(server, identity, PATIENCE).await
}

/// The vault as one more process opens it, one that may erase.
pub(crate) async fn connect(server: &TestNats, master: [u8; 32]) -> Result<Vault, Error> {
    let keeper = context(server, Identity::Keeper).await;
    Vault::connect(context(server, SERVICE).await, Some(keeper), MasterKey::from_bytes(master)).await
}

/// A vault, with keys made ahead, that soon gives up on a store that does not answer.
async fn impatient(server: &TestNats) -> Vault {
    let look = || async {
        let master = MasterKey::from_bytes(MASTER);
        let vault = Vault::connect(waiting(server, SERVICE, IMPATIENCE).await, None, master).await.ok()?;
        vault.fresh().await.ok()?;
        Some(vault)
    };
    eventually("an impatient vault", PATIENCE, look).await
}

async fn messages(context: &Context) -> u64 {
    let mut stream = context.get_stream("SEVA_KEYS").await.unwrap();
    stream.info().await.unwrap().state.messages
}

async fn messages_become(server: &TestNats, expected: u64) {
    let context = context(server, Identity::Operator).await;
    let look = || async { (messages(&context).await == expected).then_some(()) };
    eventually(&format!("{expected} messages in the stream"), PATIENCE, look).await;
}

#[tokio::test]
async fn another_process_opens_what_one_sealed() {
    let server = server().await;
    let one = connect(&server, MASTER).await.unwrap();
    let key = one.fresh().await.unwrap();
    let sealed = one.seal(key, request(), "text", "shared").await.unwrap();

    let other = connect(&server, MASTER).await.unwrap();
    assert_eq!(other.open(&sealed).await.unwrap(), Opened::Clear("shared".to_owned()));
    assert_eq!(other.mac(key, b"body").await.unwrap(), one.mac(key, b"body").await.unwrap());
    assert_ne!(other.fresh().await.unwrap(), key);
}

#[tokio::test]
async fn another_master_key_is_refused() {
    let server = server().await;
    let (first, second) = tokio::join!(connect(&server, MASTER), connect(&server, MASTER));
    for started in [first, second] {
        started.unwrap_or_else(|error| panic!("two that start at once agree: {error}"));
    }
    let error = connect(&server, [8; 32]).await.err().unwrap();
    assert!(matches!(error, Error::WrongMasterKey), "{error}");
    connect(&server, MASTER).await.unwrap();
}

#[tokio::test]
async fn of_two_master_keys_at_once_one_wins() {
    let server = server().await;
    let (one, other) = tokio::join!(connect(&server, MASTER), connect(&server, [8; 32]));
    assert!(one.is_ok() != other.is_ok());
}

#[tokio::test]
async fn a_stream_that_would_lose_keys_is_refused() {
    let server = seva_support::nats().await;
    let config = async_nats::jetstream::stream::Config {
        name: "SEVA_KEYS".to_owned(),
        subjects: vec!["seva.key.*".to_owned()],
        max_age: Duration::from_secs(3600),
        max_messages_per_subject: 1,
        ..Default::default()
    };
    context(&server, Identity::Operator).await.create_stream(config).await.unwrap();
    let error = connect(&server, MASTER).await.err().unwrap();
    assert!(matches!(error, Error::Misconfigured(_)), "{error}");
}

#[tokio::test]
async fn a_stream_whose_keys_can_be_written_over_is_closed_to_that_when_it_is_set_up_again() {
    let server = seva_support::nats().await;
    let operator = context(&server, Identity::Operator).await;
    let config = async_nats::jetstream::stream::Config {
        name: "SEVA_KEYS".to_owned(),
        subjects: vec!["seva.key.*".to_owned(), "seva.keycheck".to_owned()],
        max_messages_per_subject: 1,
        allow_direct: true,
        allow_atomic_publish: true,
        ..Default::default()
    };
    operator.create_stream(config).await.unwrap();
    // A rotation that died leaves it so: services go on all the same.
    let key = connect(&server, MASTER).await.unwrap().fresh().await.unwrap();
    let subject = format!("seva.key.{}", key.to_string().trim_start_matches("key_"));
    let service = context(&server, SERVICE).await;
    service.publish(subject.clone(), "another".into()).await.unwrap().await.unwrap();
    Vault::set_up(&operator, 1).await.unwrap();
    assert!(service.publish(subject, "yet another".into()).await.unwrap().await.is_err());
}

#[tokio::test]
async fn without_the_stream_it_is_said_what_makes_it() {
    let server = seva_support::nats().await;
    let error = connect(&server, MASTER).await.err().unwrap();
    assert!(matches!(error, Error::NoStream) && error.to_string().contains("nats-setup"), "{error}");
}

#[tokio::test]
async fn who_is_not_the_keeper_cannot_erase() {
    let server = server().await;
    let context = context(&server, SERVICE).await;
    let vault = Vault::connect(context.clone(), None, MasterKey::from_bytes(MASTER)).await.unwrap();
    let key = vault.fresh().await.unwrap();
    let sealed = vault.seal(key, request(), "text", "still there").await.unwrap();
    assert!(matches!(vault.erase(key).await, Err(Error::NoKeeper)));
    // Nor can it write over one.
    let subject = format!("seva.key.{}", key.to_string().trim_start_matches("key_"));
    let overwritten = context.publish(subject, "".into()).await.unwrap().await;
    assert!(overwritten.is_err(), "a key is written once");
    // A service that takes itself for the keeper is refused by the server.
    let impostor = waiting(&server, SERVICE, IMPATIENCE).await;
    let vault = Vault::connect(context, Some(impostor), MasterKey::from_bytes(MASTER)).await.unwrap();
    assert!(matches!(vault.erase(key).await, Err(Error::Unavailable(_))));
    let other = connect(&server, MASTER).await.unwrap();
    assert_eq!(other.open(&sealed).await.unwrap(), Opened::Clear("still there".to_owned()));
}

#[tokio::test]
async fn keys_are_made_ahead_in_slabs() {
    let server = server().await;
    let vault = connect(&server, MASTER).await.unwrap();
    // The check and the first slab; the next one when half of that is given out.
    messages_become(&server, 501).await;
    for _ in 0..249 {
        vault.fresh().await.unwrap();
    }
    messages_become(&server, 501).await;
    vault.fresh().await.unwrap();
    messages_become(&server, 1_001).await;
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_an_error_and_nothing_is_called_erased() {
    let mut server = server().await;
    let (one, other) = (impatient(&server).await, impatient(&server).await);
    let key = one.fresh().await.unwrap();
    let sealed = one.seal(key, request(), "text", "still there").await.unwrap();
    server.kill9().await.unwrap();

    assert!(one.seal(key, request(), "text", "no I/O").await.is_ok(), "under a key used lately");
    assert_eq!(one.open(&sealed).await.unwrap(), Opened::Clear("still there".to_owned()));
    assert!(matches!(other.open(&sealed).await, Err(Error::Unavailable(_))));
    assert!(matches!(other.mac(key, b"body").await, Err(Error::Unavailable(_))));

    server.restart().await.unwrap();
    let look = || async { other.open(&sealed).await.ok() };
    let opened = eventually("the store answers again", Duration::from_secs(20), look).await;
    assert_eq!(opened, Opened::Clear("still there".to_owned()));
}

#[tokio::test]
async fn the_pool_fills_again_after_the_store_was_away() {
    let mut server = server().await;
    let vault = impatient(&server).await;
    server.kill9().await.unwrap();
    for _ in 1..500 {
        vault.fresh().await.unwrap();
    }
    assert!(
        matches!(vault.fresh().await, Err(Error::Unavailable(_))),
        "nothing is given out that is not stored"
    );
    server.restart().await.unwrap();
    let key = eventually("a key", Duration::from_secs(30), || async { vault.fresh().await.ok() }).await;
    let sealed = vault.seal(key, request(), "text", "stored").await.unwrap();
    let other = connect(&server, MASTER).await.unwrap();
    assert_eq!(other.open(&sealed).await.unwrap(), Opened::Clear("stored".to_owned()));
}

#[tokio::test]
async fn an_erased_key_is_nowhere_on_disk() {
    let mut server = server().await;
    let vault = connect(&server, MASTER).await.unwrap();
    let key = vault.fresh().await.unwrap();
    let subject = format!("seva.key.{}", key.to_string().trim_start_matches("key_"));
    let stream = context(&server, Identity::Operator).await.get_stream("SEVA_KEYS").await.unwrap();
    let wrapped = stream.direct_get_last_for_subject(subject.as_str()).await.unwrap().payload;
    assert!(is_below(server.folder(), &wrapped), "the search finds what is there");

    vault.erase(key).await.unwrap();
    server.stop().await.unwrap();
    assert!(!is_below(server.folder(), &wrapped));
    server.restart().await.unwrap();
    let sealed = Vault::in_memory(MasterKey::from_bytes(MASTER));
    let of_nobody = sealed.fresh().await.unwrap();
    let mut sealed = sealed.seal(of_nobody, request(), "text", "anything").await.unwrap();
    sealed.key = key;
    let other = connect(&server, MASTER).await.unwrap();
    assert_eq!(other.open(&sealed).await.unwrap(), Opened::Erased);
}

/// Whether the bytes stand in any file below a folder.
fn is_below(folder: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            is_below(&path, bytes)
        } else {
            std::fs::read(&path)
                .is_ok_and(|content| content.windows(bytes.len()).any(|window| window == bytes))
        }
    })
}
