//! Development keys, and tokens signed with them: for the demo, for trying things out, and for tests. Never for a house that others can reach.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use clap::Args;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value, json};
use seva_api::access::Role;
use seva_domain::values::{Actor, At, Department};
use sha2::{Digest as _, Sha256};

use crate::house::system_clock;
use crate::{failure, output};

/// What tokens of a development key say of who issued them, and for whom.
pub const ISSUER: &str = "seva-development";
pub const AUDIENCE: &str = "seva";

/// The files in a folder of a development key.
pub const KEY_FILE: &str = "development.key";
pub const KEYS_FILE: &str = "keys.json";
pub const IDENTITY_FILE: &str = "identity.toml";

/// Options of `seva token`.
#[derive(Args, Debug)]
pub(crate) struct TokenArgs {
    /// Who the token is for: 1 to 64 of a-z, 0-9, `-`, `_`, `.`, `:`.
    subject: String,
    /// The folder of the development key; made, with an identity file for `seva serve`, if it is missing.
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// What they are; may be repeated.
    #[arg(long = "role", value_name = "ROLE", value_parser = role)]
    roles: Vec<Role>,
    /// Their department.
    #[arg(long, value_name = "ID")]
    department: Option<String>,
    /// Where they work.
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// For whom they act.
    #[arg(long, value_name = "SUBJECT")]
    acting_for: Option<String>,
    /// How long it is valid, in minutes.
    #[arg(long, value_name = "N", default_value_t = 480)]
    minutes: u32,
}

fn role(name: &str) -> Result<Role, String> {
    Role::parse(name).ok_or_else(|| format!("is no role: take {}", Role::ALL.map(Role::name).join(", ")))
}

/// Prints a token.
pub(crate) fn run(args: TokenArgs) -> anyhow::Result<ExitCode> {
    let TokenArgs { subject, keys, roles, department, site, acting_for, minutes } = args;
    for name in [Some(&subject), acting_for.as_ref()].into_iter().flatten() {
        if Actor::parse(name).is_none_or(|actor| actor.is_reserved()) {
            return Err(failure::usage(format!(
                "`{name}` is nobody's name: use 1 to 64 of a-z, 0-9, `-`, `_`, `.`, `:`"
            )));
        }
    }
    if department.as_deref().is_some_and(|name| Department::parse(name).is_none()) {
        return Err(failure::usage("a department is 1 to 32 of a-z, 0-9 and `_`".to_owned()));
    }
    let key = DevKey::keep(&keys)?;
    let person = Person { subject: &subject, roles: &roles, department, site, acting_for };
    output::say(&format!(
        "A token of the development key in {}: whoever has that key is anybody. Believe it on your own machine only.",
        keys.display()
    ));
    let valid = Duration::from_secs(u64::from(minutes) * 60);
    output::print(&key.mint(&person, (system_clock())(), valid)?);
    Ok(ExitCode::SUCCESS)
}

/// Who a token is for.
#[derive(Clone, Debug, Default)]
pub struct Person<'a> {
    pub subject: &'a str,
    pub roles: &'a [Role],
    pub department: Option<String>,
    pub site: Option<String>,
    pub acting_for: Option<String>,
}

impl Person<'_> {
    /// The claims of a token that is valid from now on for so long.
    pub fn claims(&self, now: At, valid: Duration) -> Map<String, Value> {
        let from = now.0.div_euclid(1_000_000);
        let until = from.saturating_add(i64::try_from(valid.as_secs()).unwrap_or(i64::MAX));
        let roles: Vec<&str> = self.roles.iter().map(|role| role.name()).collect();
        let mut claims = Map::new();
        for (name, value) in [
            ("iss", json!(ISSUER)),
            ("aud", json!(AUDIENCE)),
            ("sub", json!(self.subject)),
            ("nbf", json!(from)),
            ("exp", json!(until)),
            ("roles", json!(roles)),
            ("department", json!(self.department)),
            ("site", json!(self.site)),
            ("acting_for", json!(self.acting_for)),
        ] {
            if !value.is_null() {
                claims.insert(name.to_owned(), value);
            }
        }
        claims
    }
}

/// A key that signs tokens.
pub struct DevKey {
    signing: EncodingKey,
    public: Vec<u8>,
    /// What it is called in the set of keys.
    pub id: String,
}

impl DevKey {
    /// The key of a folder; a folder without one gets one, with its set of keys and an identity file.
    pub fn keep(folder: &Path) -> anyhow::Result<DevKey> {
        let file = folder.join(KEY_FILE);
        if !file.exists() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            let made =
                Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8().map(|pkcs8| pem(pkcs8.as_ref())));
            write_secret(&file, &made.map_err(|_| anyhow!("no key can be made"))?)?;
        }
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let key = DevKey::parse(&text).with_context(|| format!("{} holds no Ed25519 key", file.display()))?;
        // What is there already may name more than this key.
        for (name, text) in [(KEYS_FILE, key.keys().to_string()), (IDENTITY_FILE, identity_file())] {
            let path = folder.join(name);
            if !path.exists() {
                seva_host::files::write_whole(&path, &text)?;
            }
        }
        Ok(key)
    }

    /// Reads a key in PKCS #8, written as PEM.
    pub fn parse(pem: &str) -> anyhow::Result<DevKey> {
        let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
        let pkcs8 = STANDARD.decode(base64)?;
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|_| anyhow!("it is another kind of key"))?;
        let public = pair.public_key().as_ref().to_vec();
        let id = Sha256::digest(&public)[..8].iter().fold("dev-".to_owned(), |mut id, byte| {
            // Writing to a text cannot fail.
            let _written = write!(id, "{byte:02x}");
            id
        });
        Ok(DevKey { signing: EncodingKey::from_ed_der(&pkcs8), public, id })
    }

    /// Its public half, as a set of keys.
    pub fn keys(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(&self.public);
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.id, "x": x}]})
    }

    /// A token for somebody, valid from now on for so long.
    pub fn mint(&self, person: &Person<'_>, now: At, valid: Duration) -> anyhow::Result<String> {
        self.sign(&self.header(), &person.claims(now, valid))
    }

    /// The header of its tokens.
    pub fn header(&self) -> Header {
        Header { kid: Some(self.id.clone()), ..Header::new(Algorithm::EdDSA) }
    }

    /// Signs whatever claims.
    pub fn sign(&self, header: &Header, claims: &Map<String, Value>) -> anyhow::Result<String> {
        Ok(jsonwebtoken::encode(header, claims, &self.signing)?)
    }
}

/// An identity file that believes the development key beside it.
fn identity_file() -> String {
    format!("[[issuer]]\nissuer = \"{ISSUER}\"\naudience = \"{AUDIENCE}\"\njwks = \"{KEYS_FILE}\"\n")
}

fn pem(der: &[u8]) -> String {
    let mut text = "-----BEGIN PRIVATE KEY-----\n".to_owned();
    let base64 = STANDARD.encode(der);
    for line in base64.as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text + "-----END PRIVATE KEY-----\n"
}

/// Writes a file that nobody else may read, anew if it is there.
pub(crate) fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let write = || {
        match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_keeps_its_key_and_nobody_else_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = DevKey::keep(folder.path()).unwrap();
        assert_eq!(DevKey::keep(folder.path()).unwrap().id, first.id);
        let mode = fs::metadata(folder.path().join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_ne!(DevKey::keep(&folder.path().join("another")).unwrap().id, first.id);
    }

    #[tokio::test]
    async fn the_house_believes_its_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let key = DevKey::keep(folder.path()).unwrap();
        let now = (system_clock())();
        let person = Person {
            subject: "agent-12",
            roles: &[Role::Agent, Role::RefundApprover],
            department: Some("product".to_owned()),
            ..Person::default()
        };
        let token = key.mint(&person, now, Duration::from_secs(60)).unwrap();
        let identity = seva_api::access::Identity::read(&folder.path().join(IDENTITY_FILE)).unwrap();
        let verifier = seva_api::access::Verifier::open(&identity, now).await.unwrap();
        let request = tonic::metadata::MetadataMap::new();
        let mut headers = request.into_headers();
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        let principal = verifier.verify(&headers, now).await.unwrap();
        assert_eq!(principal.actor().as_str(), "agent-12");
        assert!(principal.is_one_of(&[Role::RefundApprover]));
    }
}
