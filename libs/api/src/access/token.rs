//! Verifies bearer tokens: who signed them, for whom, when, and who they say calls.
//!
//! Whoever sends a bad one learns nothing from the answer; what was wrong with it is for the operator.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode};
use lru::LruCache;
use serde::Deserialize;
use serde_json::{Map, Value};
use seva_domain::values::{Actor, At, Department};
use sha2::{Digest as _, Sha256};
use tonic::codegen::http::HeaderMap;

use super::identity::{Identity, IdentityError, IssuerConfig};
use super::keys::{Algorithm, Keys, NoKey};
use super::principal::Principal;

/// The metadata that carries the token: `Bearer TOKEN`.
pub const AUTHORIZATION: &str = "authorization";

/// How long a token may be, in bytes.
const TOKEN_BYTES_MAX: usize = 4 * 1024;

/// How long the name of a key may be, in bytes.
const KEY_ID_BYTES_MAX: usize = 128;

/// How long the name of a site may be, in bytes.
const SITE_BYTES_MAX: usize = 64;

/// How far the clocks of issuers may be off, in seconds.
const LEEWAY_SECONDS: i64 = 30;

/// How many tokens are remembered after they were verified.
const REMEMBERED_MAX: NonZeroUsize = NonZeroUsize::new(8_192).expect("is not 0");

/// What is wrong with a token. For the operator: callers are told the same whatever it is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, thiserror::Error)]
pub enum BadToken {
    #[error("there is none")]
    Missing,
    #[error("there are several")]
    Several,
    #[error("the metadata is not `Bearer TOKEN`")]
    NotBearer,
    #[error("it is empty")]
    Empty,
    #[error("it is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    #[error("it is no JWT")]
    NotAToken,
    #[error("it asks for extensions that are not known")]
    Critical,
    #[error("its issuer is not configured")]
    UnknownIssuer,
    #[error("its algorithm does not count, or is not its key's")]
    Algorithm,
    #[error("it names no key, or in a way that no key is named")]
    NoKeyId,
    #[error("its key is not among the issuer's")]
    UnknownKey,
    #[error("the issuer's keys could not be read for too long")]
    KeysTooOld,
    #[error("its signature is wrong")]
    Signature,
    #[error("it is for another audience")]
    Audience,
    #[error("a claim that it must have is missing or malformed: exp, iss, aud, sub, and nbf or iat")]
    Claims,
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet")]
    NotYetValid,
    #[error(
        "its subject, or whom it acts for, is no id: see `claims` and `subject_prefix` in the configuration"
    )]
    Subject,
    #[error("its department or site is no name of one")]
    Place,
}

impl BadToken {
    /// The reason in audit records and log lines.
    pub fn reason(self) -> &'static str {
        match self {
            BadToken::Missing => "TOKEN_MISSING",
            BadToken::Several => "TOKEN_SEVERAL",
            BadToken::NotBearer => "TOKEN_NOT_BEARER",
            BadToken::Empty => "TOKEN_EMPTY",
            BadToken::TooLong => "TOKEN_TOO_LONG",
            BadToken::NotAToken => "TOKEN_NOT_A_JWT",
            BadToken::Critical => "TOKEN_CRITICAL_EXTENSION",
            BadToken::UnknownIssuer => "TOKEN_UNKNOWN_ISSUER",
            BadToken::Algorithm => "TOKEN_ALGORITHM",
            BadToken::NoKeyId => "TOKEN_NO_KEY_ID",
            BadToken::UnknownKey => "TOKEN_UNKNOWN_KEY",
            BadToken::KeysTooOld => "TOKEN_KEYS_TOO_OLD",
            BadToken::Signature => "TOKEN_SIGNATURE",
            BadToken::Audience => "TOKEN_AUDIENCE",
            BadToken::Claims => "TOKEN_CLAIMS",
            BadToken::Expired => "TOKEN_EXPIRED",
            BadToken::NotYetValid => "TOKEN_NOT_YET_VALID",
            BadToken::Subject => "TOKEN_SUBJECT",
            BadToken::Place => "TOKEN_PLACE",
        }
    }
}

/// Verifies tokens. All services of a process share one.
pub struct Verifier {
    issuers: Vec<Issuer>,
    // A lock, because every call looks in here; never held across an await.
    remembered: Mutex<LruCache<[u8; 32], Remembered>>,
}

struct Issuer {
    config: IssuerConfig,
    keys: Keys,
}

/// A token that was verified: by its digest, since a token is a secret.
#[derive(Clone)]
struct Remembered {
    issuer: usize,
    generation: u64,
    times: Times,
    principal: Arc<Principal>,
}

/// When a token is valid, in seconds since 1970.
#[derive(Clone, Copy)]
struct Times {
    from: i64,
    until: i64,
}

#[derive(Deserialize)]
struct Head {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Issued {
    #[serde(default)]
    iss: Option<String>,
}

impl Verifier {
    /// Reads the keys of every issuer. A file of keys must be there; an address may come up later.
    pub async fn open(identity: &Identity, now: At) -> Result<Verifier, IdentityError> {
        let mut issuers = Vec::with_capacity(identity.issuers.len());
        for config in &identity.issuers {
            let no_keys = |why: String| IdentityError::NoKeys { issuer: config.issuer.clone(), why };
            let source = config.source.clone().ok_or_else(|| no_keys("they are nowhere".to_owned()))?;
            let keys = Keys::new(source, config.refresh()).map_err(|error| no_keys(error.to_string()))?;
            match keys.open(now).await {
                Ok(()) => {}
                Err(why) if keys.is_file() => return Err(no_keys(why)),
                Err(why) => {
                    let issuer = &config.issuer;
                    tracing::warn!(
                        issuer,
                        why,
                        "The keys of an issuer cannot be read yet: its tokens do not count"
                    );
                }
            }
            issuers.push(Issuer { config: config.clone(), keys });
        }
        Ok(Verifier { issuers, remembered: Mutex::new(LruCache::new(REMEMBERED_MAX)) })
    }

    /// Who calls, by the token in a call's headers.
    pub async fn verify(&self, headers: &HeaderMap, now: At) -> Result<Arc<Principal>, BadToken> {
        let token = bearer(headers)?;
        let digest: [u8; 32] = Sha256::digest(token).into();
        if let Some(principal) = self.remembered(&digest, now).await? {
            return Ok(principal);
        }
        let verified = self.verify_anew(token, now).await?;
        let principal = Arc::clone(&verified.principal);
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner).put(digest, verified);
        Ok(principal)
    }

    async fn remembered(&self, digest: &[u8; 32], now: At) -> Result<Option<Arc<Principal>>, BadToken> {
        let found = self.remembered.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned();
        let Some(Remembered { issuer, generation, times, principal }) = found else { return Ok(None) };
        let keys = &self.issuers[issuer].keys;
        // Keys that are others now, or too old: it is verified anew.
        if keys.generation(now).await != generation || keys.are_too_old(now) {
            return Ok(None);
        }
        times.check(now)?;
        Ok(Some(principal))
    }

    async fn verify_anew(&self, token: &str, now: At) -> Result<Remembered, BadToken> {
        let parts: Vec<&str> = token.split('.').collect();
        let [head, claims, _signature] = parts.as_slice() else { return Err(BadToken::NotAToken) };
        let head: Head = json(head)?;
        let Issued { iss } = json(claims)?;
        if head.crit.is_some() {
            return Err(BadToken::Critical);
        }
        let iss = iss.ok_or(BadToken::Claims)?;
        let issuer = self.issuers.iter().position(|issuer| issuer.config.issuer == iss);
        let issuer = issuer.ok_or(BadToken::UnknownIssuer)?;
        let Issuer { config, keys } = &self.issuers[issuer];
        let algorithm = Algorithm::parse(&head.alg).ok_or(BadToken::Algorithm)?;
        if !config.algorithms.contains(&algorithm) {
            return Err(BadToken::Algorithm);
        }
        let id = head.kid.filter(|id| (1..=KEY_ID_BYTES_MAX).contains(&id.len()));
        let id = id.ok_or(BadToken::NoKeyId)?;
        // Before the key: whoever reads the keys again meanwhile makes what follows be verified once more.
        let generation = keys.generation(now).await;
        let key = keys.find(&id, now).await?;
        if key.algorithm != algorithm {
            return Err(BadToken::Algorithm);
        }
        let mut validation = Validation::new(algorithm.into());
        validation.set_issuer(&[&config.issuer]);
        validation.set_audience(&[&config.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // By the house's clock, below.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let claims =
            decode::<Map<String, Value>>(token, &key.key, &validation).map_err(|error| bad(&error))?.claims;
        let times = Times::of(&claims)?;
        times.check(now)?;
        let principal = Arc::new(principal(&claims, config)?);
        Ok(Remembered { issuer, generation, times, principal })
    }
}

impl From<NoKey> for BadToken {
    fn from(none: NoKey) -> BadToken {
        match none {
            NoKey::Unknown => BadToken::UnknownKey,
            NoKey::TooOld => BadToken::KeysTooOld,
        }
    }
}

impl Times {
    /// When it begins: `nbf`, or `iat` where the issuer gives none.
    fn of(claims: &Map<String, Value>) -> Result<Times, BadToken> {
        let from = seconds(claims.get("nbf").or(claims.get("iat")))?;
        Ok(Times { from, until: seconds(claims.get("exp"))? })
    }

    fn check(self, now: At) -> Result<(), BadToken> {
        let now = now.0.div_euclid(1_000_000);
        if now >= self.until.saturating_add(LEEWAY_SECONDS) {
            return Err(BadToken::Expired);
        }
        if now < self.from.saturating_sub(LEEWAY_SECONDS) {
            return Err(BadToken::NotYetValid);
        }
        Ok(())
    }
}

/// Seconds since 1970; issuers may write fractions.
fn seconds(value: Option<&Value>) -> Result<i64, BadToken> {
    let value = value.ok_or(BadToken::Claims)?;
    let whole = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64));
    whole.ok_or(BadToken::Claims)
}

/// The one token that a call carries.
fn bearer(headers: &HeaderMap) -> Result<&str, BadToken> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(BadToken::Missing)?;
    if values.next().is_some() {
        return Err(BadToken::Several);
    }
    let text = value.to_str().map_err(|_| BadToken::NotBearer)?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(if text.is_empty() { BadToken::Empty } else { BadToken::NotBearer });
    }
    match token.len() {
        0 => Err(BadToken::Empty),
        1..=TOKEN_BYTES_MAX => Ok(token),
        _ => Err(BadToken::TooLong),
    }
}

/// A part of a token that is not verified yet.
fn json<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, BadToken> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| BadToken::NotAToken)?;
    serde_json::from_slice(&bytes).map_err(|_| BadToken::NotAToken)
}

fn bad(error: &jsonwebtoken::errors::Error) -> BadToken {
    match error.kind() {
        ErrorKind::InvalidSignature => BadToken::Signature,
        ErrorKind::InvalidAudience => BadToken::Audience,
        ErrorKind::InvalidIssuer => BadToken::UnknownIssuer,
        ErrorKind::InvalidAlgorithm => BadToken::Algorithm,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => BadToken::Claims,
        _ => BadToken::NotAToken,
    }
}

/// Who a verified token says calls.
fn principal(claims: &Map<String, Value>, config: &IssuerConfig) -> Result<Principal, BadToken> {
    let at = |path: &str| find(claims, path);
    let id = |value: &Value| {
        let named = value.as_str().filter(|name| !name.is_empty()).ok_or(BadToken::Subject)?;
        let actor = Actor::parse(&format!("{}{named}", config.subject_prefix));
        actor.filter(|actor| !actor.is_reserved()).ok_or(BadToken::Subject)
    };
    let subject = id(at(&config.claims.subject).ok_or(BadToken::Subject)?)?;
    let acting_for = at(&config.claims.acting_for).map(id).transpose()?.filter(|other| *other != subject);
    let words: BTreeSet<&str> = match at(&config.claims.roles) {
        Some(Value::String(word)) => word.split_whitespace().collect(),
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect(),
        _ => BTreeSet::new(),
    };
    // What the configuration does not know gives nothing.
    let roles = words.into_iter().filter_map(|word| config.role_of.get(word).copied()).collect();
    let department = at(&config.claims.department)
        .map(|name| name.as_str().and_then(Department::parse).ok_or(BadToken::Place))
        .transpose()?;
    let site = at(&config.claims.site)
        .map(|name| name.as_str().filter(|name| name.len() <= SITE_BYTES_MAX).ok_or(BadToken::Place))
        .transpose()?
        .map(str::to_owned);
    Ok(Principal { subject, acting_for, roles, department, site })
}

/// A claim by its name, or by a path through claims.
fn find<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(found) = claims.get(path) {
        return Some(found);
    }
    let mut steps = path.split('.');
    let first = claims.get(steps.next()?)?;
    steps.try_fold(first, |value, step| value.get(step))
}
