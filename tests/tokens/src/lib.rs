//! Tokens for tests: one development key for all of them, kept here in the open, and clients whose calls carry somebody's token.
//!
//! Whoever a test names has every role, unless it says otherwise: what it is about is then not permissions.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use seva::token::{DevKey, IDENTITY_FILE, Person};
use seva_api::access::{AUTHORIZATION, Identity, PURPOSE_KEY, Role};
use seva_domain::values::At;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

/// Who calls where a test names nobody.
pub const SOMEBODY: &str = "somebody";

/// From 1970 on, for 200 years: clocks of tests jump.
const VALID: Duration = Duration::from_secs(200 * 365 * 24 * 60 * 60);

/// What calls of a test go through: a connection, and a token for whoever makes them.
pub type Client = InterceptedService<Channel, Somebody>;

static KEY: LazyLock<DevKey> = LazyLock::new(|| {
    DevKey::parse(include_str!("../identity/development.key")).expect("the tests' key is one")
});

/// Signing costs more than looking up, and thousands of calls come from the same few.
static SIGNED: LazyLock<Mutex<HashMap<String, AsciiMetadataValue>>> = LazyLock::new(Mutex::default);

/// The tests' key.
pub fn key() -> &'static DevKey {
    &KEY
}

/// The file of identities that believes the tests' key.
pub fn identity_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("identity").join(IDENTITY_FILE)
}

/// What services of a test are started with.
///
/// # Panics
///
/// When the file is damaged.
pub fn identity() -> Identity {
    Identity::read(&identity_file()).expect("the tests' identities can be read")
}

/// A token for somebody with every role.
pub fn token(subject: &str) -> String {
    token_of(&Person { subject, roles: &Role::ALL, ..Person::default() })
}

/// A token for somebody.
///
/// # Panics
///
/// When it cannot be signed.
pub fn token_of(person: &Person<'_>) -> String {
    KEY.mint(person, At(0), VALID).expect("the tests' key signs")
}

/// A file with a token for somebody with every role, for programs.
///
/// # Panics
///
/// When it cannot be written.
pub fn token_file(folder: &Path, subject: &str) -> PathBuf {
    let file = folder.join(format!("{subject}.token"));
    std::fs::write(&file, token(subject)).expect("a file of the test's own can be written");
    file
}

/// A request of a caller by name, with every role.
///
/// # Panics
///
/// When a token cannot be sent.
pub fn as_actor<T>(subject: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(AUTHORIZATION, authorization(subject));
    request
}

/// A request of somebody.
///
/// # Panics
///
/// When a token cannot be sent.
pub fn as_person<T>(person: &Person<'_>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(AUTHORIZATION, bearer(&token_of(person)));
    request
}

/// Calls over a connection: whose token they lack, [`SOMEBODY`] makes, for the sake of service.
pub fn client(channel: Channel) -> Client {
    InterceptedService::new(channel, Somebody)
}

/// Puts a token and a purpose into calls that have none.
#[derive(Clone, Copy, Debug)]
pub struct Somebody;

impl Interceptor for Somebody {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        complete(request.metadata_mut());
        Ok(request)
    }
}

/// Puts a token and a purpose into metadata that has none.
pub fn complete(metadata: &mut MetadataMap) {
    if !metadata.contains_key(AUTHORIZATION) {
        metadata.insert(AUTHORIZATION, authorization(SOMEBODY));
    }
    if !metadata.contains_key(PURPOSE_KEY) {
        metadata.insert(PURPOSE_KEY, AsciiMetadataValue::from_static("service"));
    }
}

fn authorization(subject: &str) -> AsciiMetadataValue {
    let mut signed = SIGNED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = signed.get(subject) {
        return found.clone();
    }
    let value = bearer(&token(subject));
    signed.insert(subject.to_owned(), value.clone());
    value
}

fn bearer(token: &str) -> AsciiMetadataValue {
    AsciiMetadataValue::try_from(format!("Bearer {token}")).expect("a token is plain text")
}
