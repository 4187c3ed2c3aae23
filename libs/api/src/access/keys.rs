//! The keys of one issuer: read from a file or an address, kept, and read again when they have become old or a token names another.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use serde::Deserialize;
use seva_domain::values::At;
use tonic::codegen::http::Uri;

/// How long keys count when they cannot be read again.
const KEPT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How long is waited between two attempts to read a file again, and an address.
const FILE_RETRY: Duration = Duration::from_secs(1);
const URL_RETRY: Duration = Duration::from_secs(10);

/// How long an address may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// How large a set of keys may be, in bytes.
const SET_BYTES_MAX: usize = 64 * 1024;

/// The kinds of signatures that can count at all: none with a shared secret.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub enum Algorithm {
    #[serde(rename = "EdDSA")]
    EdDsa,
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "RS256")]
    Rs256,
}

impl Algorithm {
    pub(super) fn all() -> Vec<Algorithm> {
        vec![Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256]
    }

    /// The algorithm of that name.
    pub(super) fn parse(name: &str) -> Option<Algorithm> {
        match name {
            "EdDSA" => Some(Algorithm::EdDsa),
            "ES256" => Some(Algorithm::Es256),
            "RS256" => Some(Algorithm::Rs256),
            _ => None,
        }
    }

    /// The one algorithm that a key is for: the key decides, never the token.
    fn of(jwk: &Jwk) -> Option<Algorithm> {
        match &jwk.algorithm {
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
                Some(Algorithm::EdDsa)
            }
            AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
                Some(Algorithm::Es256)
            }
            AlgorithmParameters::RSA(_) => Some(Algorithm::Rs256),
            _ => None,
        }
    }
}

impl From<Algorithm> for jsonwebtoken::Algorithm {
    fn from(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
        match algorithm {
            Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
            Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        }
    }
}

/// Where keys are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Source {
    File(PathBuf),
    Url(Uri),
}

impl Source {
    /// An http(s) address, or else the name of a file in a folder.
    pub(super) fn parse(text: &str, folder: &Path) -> Result<Source, String> {
        if !text.contains("://") {
            return Ok(Source::File(folder.join(text)));
        }
        let uri: Uri = text.parse().map_err(|_| format!("`{text}` is no address"))?;
        match uri.scheme_str() {
            Some("http" | "https") => Ok(Source::Url(uri)),
            _ => Err(format!("`{text}` is neither a file nor an http(s) address")),
        }
    }

    fn retry(&self) -> Duration {
        match self {
            Source::File(_) => FILE_RETRY,
            Source::Url(_) => URL_RETRY,
        }
    }
}

/// A key that checks signatures.
pub(super) struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

/// Why there is no key of that name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NoKey {
    Unknown,
    /// The keys could not be read again for so long that none counts.
    TooOld,
}

type HttpClient = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

type Named = HashMap<String, Arc<Key>>;

/// The keys of one issuer.
pub(super) struct Keys {
    source: Source,
    refresh: Duration,
    /// For a source that is an address.
    client: Option<HttpClient>,
    // A lock, because every call looks in here; never held across an await.
    held: Mutex<Held>,
    /// Held by whoever reads the keys again: one at a time.
    reading: tokio::sync::Mutex<()>,
}

struct Held {
    named: Named,
    /// When they were read, and when it was last tried.
    read_at: At,
    tried_at: At,
    /// How often they have become others.
    generation: u64,
    ids: Vec<String>,
}

impl Keys {
    /// No keys yet.
    pub(super) fn new(source: Source, refresh: Duration) -> Result<Keys, std::io::Error> {
        let client = match &source {
            Source::File(_) => None,
            Source::Url(_) => Some(http_client()?),
        };
        let long_ago = At(i64::MIN);
        let held = Held {
            named: HashMap::new(),
            read_at: long_ago,
            tried_at: long_ago,
            generation: 0,
            ids: Vec::new(),
        };
        Ok(Keys { source, refresh, client, held: Mutex::new(held), reading: tokio::sync::Mutex::new(()) })
    }

    /// Reads them for the first time.
    pub(super) async fn open(&self, now: At) -> Result<(), String> {
        self.read(now).await
    }

    /// Whether its keys are in a file: that must be there from the first.
    pub(super) fn is_file(&self) -> bool {
        matches!(self.source, Source::File(_))
    }

    /// Reads them again if it is time to. Answers how often they have become others.
    pub(super) async fn generation(&self, now: At) -> u64 {
        let (is_due, generation) = {
            let held = self.lock();
            let is_due =
                since(held.read_at, now) >= self.refresh && since(held.tried_at, now) >= self.source.retry();
            (is_due, held.generation)
        };
        if !is_due {
            return generation;
        }
        // Whoever finds that somebody reads them already goes on with those that are there.
        let Ok(_reading) = self.reading.try_lock() else { return generation };
        self.read_or_warn(now).await;
        self.lock().generation
    }

    /// The key of that name. One that is not known is looked for where the keys come from, once in a while.
    pub(super) async fn find(&self, id: &str, now: At) -> Result<Arc<Key>, NoKey> {
        if let Some(found) = self.held(id, now)? {
            return Ok(found);
        }
        let asked = now;
        let _reading = self.reading.lock().await;
        // Another call may have read them while this one waited.
        if let Some(found) = self.held(id, now)? {
            return Ok(found);
        }
        if since(self.lock().tried_at, asked) < self.source.retry() {
            return Err(NoKey::Unknown);
        }
        self.read_or_warn(now).await;
        self.held(id, now)?.ok_or(NoKey::Unknown)
    }

    /// Whether they could not be read again for so long that none counts.
    pub(super) fn are_too_old(&self, now: At) -> bool {
        let held = self.lock();
        !held.named.is_empty() && since(held.read_at, now) > KEPT_MAX
    }

    fn held(&self, id: &str, now: At) -> Result<Option<Arc<Key>>, NoKey> {
        if self.are_too_old(now) {
            return Err(NoKey::TooOld);
        }
        Ok(self.lock().named.get(id).cloned())
    }

    async fn read_or_warn(&self, now: At) {
        if let Err(why) = self.read(now).await {
            tracing::warn!(
                why,
                "The keys of an issuer cannot be read again; those read last count for up to 24 h"
            );
        }
    }

    async fn read(&self, now: At) -> Result<(), String> {
        self.lock().tried_at = now;
        let bytes = match &self.source {
            Source::File(path) => {
                let read = tokio::fs::read(path).await;
                read.map_err(|error| format!("{} cannot be read: {error}", path.display()))?
            }
            Source::Url(uri) => {
                let asked = tokio::time::timeout(ANSWER_TIMEOUT, self.get(uri)).await;
                asked.map_err(|_| format!("{uri} does not answer"))??
            }
        };
        let (named, mut ids) = parse(&bytes)?;
        ids.sort();
        let mut held = self.lock();
        if held.ids != ids {
            held.generation += 1;
            tracing::info!(keys = ids.len(), "The keys of an issuer were read, and are others than before");
        }
        held.named = named;
        held.ids = ids;
        held.read_at = now;
        Ok(())
    }

    async fn get(&self, uri: &Uri) -> Result<Vec<u8>, String> {
        let broken = |error: &dyn std::fmt::Display| format!("{uri} cannot be asked: {error}");
        let client = self.client.as_ref().ok_or_else(|| format!("{uri} cannot be asked"))?;
        let answer = client.get(uri.clone()).await.map_err(|error| broken(&error))?;
        if !answer.status().is_success() {
            return Err(format!("{uri} answers {}", answer.status()));
        }
        let body = Limited::new(answer.into_body(), SET_BYTES_MAX).collect().await;
        Ok(body.map_err(|error| broken(&error))?.to_bytes().to_vec())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that believes the certificates which the machine does, or those that `SSL_CERT_FILE` names.
fn http_client() -> Result<HttpClient, std::io::Error> {
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())?
        .https_or_http()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

/// The keys of a set that can check signatures, by their names, and what tells one set from another.
fn parse(bytes: &[u8]) -> Result<(Named, Vec<String>), String> {
    if bytes.len() > SET_BYTES_MAX {
        return Err(format!("a set of keys is longer than {SET_BYTES_MAX} bytes"));
    }
    let set: JwkSet = serde_json::from_slice(bytes).map_err(|error| format!("is no set of keys: {error}"))?;
    let mut named = HashMap::new();
    let mut told_by = Vec::new();
    for jwk in &set.keys {
        let is_for_signatures = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
        let (Some(id), Some(algorithm), true) = (&jwk.common.key_id, Algorithm::of(jwk), is_for_signatures)
        else {
            continue;
        };
        let Ok(key) = DecodingKey::from_jwk(jwk) else { continue };
        if named.insert(id.clone(), Arc::new(Key { algorithm, key })).is_some() {
            return Err(format!("two keys are called `{id}`"));
        }
        told_by.push(serde_json::to_string(jwk).map_err(|error| error.to_string())?);
    }
    if named.is_empty() {
        return Err("holds no key with a `kid` for EdDSA, ES256 or RS256".to_owned());
    }
    Ok((named, told_by))
}

/// How much later; nothing if it is not.
fn since(at: At, now: At) -> Duration {
    Duration::from_micros(u64::try_from(now.0.saturating_sub(at.0)).unwrap_or(0))
}
