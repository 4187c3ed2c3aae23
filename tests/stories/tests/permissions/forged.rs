//! The ways in which a token can be bad.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value, json};
use seva::token::{DevKey, Person};
use seva_api::access::Role;
use seva_domain::values::At;

/// A bad token, or several: what the call carries, and what the operator is told of it.
pub(crate) struct Forged {
    pub(crate) what: &'static str,
    /// The values of the header `authorization`.
    pub(crate) authorization: Vec<String>,
    pub(crate) reason: &'static str,
}

/// All of them but the revoked key. `now` is the house's time.
pub(crate) fn all(key: &DevKey, other: &DevKey, now: At) -> Vec<Forged> {
    let person = Person { subject: "agent-7", roles: &Role::ALL, ..Person::default() };
    let hour = Duration::from_secs(3_600);
    let claims = || person.claims(now, hour);
    let changed = |name: &str, value: Value| {
        let mut claims = claims();
        claims.insert(name.to_owned(), value);
        claims
    };
    let signed = |claims: &Map<String, Value>| key.sign(&key.header(), claims).unwrap();
    let good = signed(&claims());
    let [_, body, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let with_head = |head: Value| format!("{}.{body}.{signature}", encoded(&head));
    let named = |kid: &str| {
        let header = Header { kid: Some(kid.to_owned()), ..key.header() };
        key.sign(&header, &claims()).unwrap()
    };
    let by_other = other.sign(&key.header(), &claims()).unwrap();
    let mut without_subject = claims();
    without_subject.remove("sub");
    let raised = encoded(&Value::Object(changed("sub", json!("director"))));
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[10] ^= 1;
    let bent = URL_SAFE_NO_PAD.encode(bytes);
    let public = key.keys()["keys"][0]["x"].as_str().unwrap().to_owned();
    let secret = EncodingKey::from_secret(&URL_SAFE_NO_PAD.decode(public).unwrap());
    let shared = Header { kid: Some(key.id.clone()), ..Header::new(Algorithm::HS256) };
    let by_secret = jsonwebtoken::encode(&shared, &claims(), &secret).unwrap();
    let seconds = now.0 / 1_000_000;
    let head = &good[..good.find('.').unwrap()];
    let one =
        |what, token: String, reason| Forged { what, authorization: vec![format!("Bearer {token}")], reason };
    let several = vec![format!("Bearer {good}"), format!("Bearer {good}")];
    vec![
        Forged { what: "none", authorization: Vec::new(), reason: "TOKEN_MISSING" },
        Forged { what: "empty", authorization: vec![String::new()], reason: "TOKEN_EMPTY" },
        one("not a JWT", "open-sesame".to_owned(), "TOKEN_NOT_A_JWT"),
        one("expired", signed(&changed("exp", json!(seconds - 61))), "TOKEN_EXPIRED"),
        one("not yet valid", signed(&changed("nbf", json!(seconds + 600))), "TOKEN_NOT_YET_VALID"),
        one("wrong issuer", signed(&changed("iss", json!("https://evil.example"))), "TOKEN_UNKNOWN_ISSUER"),
        one("wrong audience", signed(&changed("aud", json!("payroll"))), "TOKEN_AUDIENCE"),
        one("unknown key id", named("dev-0000000000000000"), "TOKEN_UNKNOWN_KEY"),
        one("wrong key", by_other, "TOKEN_SIGNATURE"),
        one("algorithm none", with_head(json!({"alg": "none", "kid": key.id})), "TOKEN_ALGORITHM"),
        one("HS with the public key", by_secret, "TOKEN_ALGORITHM"),
        one("unlisted algorithm", with_head(json!({"alg": "PS256", "kid": key.id})), "TOKEN_ALGORITHM"),
        one("another key's algorithm", with_head(json!({"alg": "ES256", "kid": key.id})), "TOKEN_ALGORITHM"),
        one("tampered claims", format!("{head}.{raised}.{signature}"), "TOKEN_SIGNATURE"),
        one("tampered signature", format!("{head}.{body}.{bent}"), "TOKEN_SIGNATURE"),
        one("missing subject", signed(&without_subject), "TOKEN_CLAIMS"),
        Forged { what: "duplicated header", authorization: several, reason: "TOKEN_SEVERAL" },
        one("oversized", signed(&changed("ballast", json!("x".repeat(5_000)))), "TOKEN_TOO_LONG"),
        one("kid with path tricks", named("../../../../dev/null"), "TOKEN_UNKNOWN_KEY"),
        one(
            "critical extension",
            with_head(json!({"alg": "EdDSA", "kid": key.id, "crit": ["x"]})),
            "TOKEN_CRITICAL_EXTENSION",
        ),
    ]
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}
