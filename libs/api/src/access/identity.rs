//! The configuration of identities: which issuers are believed, and what their claims mean here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::keys::{Algorithm, Source};
use super::principal::Role;

/// Whom a house believes.
#[derive(Clone, Debug)]
pub struct Identity {
    pub(super) issuers: Vec<IssuerConfig>,
}

/// One issuer of tokens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// What its tokens call it: the claim `iss`.
    pub issuer: String,
    /// Whom its tokens must be for: one value of the claim `aud`.
    pub audience: String,
    /// Where its keys are: a file beside the configuration, or an http(s) address.
    pub jwks: String,
    /// Which signatures count.
    #[serde(default = "Algorithm::all")]
    pub algorithms: Vec<Algorithm>,
    /// After how long the keys are read again, in seconds: a key that was taken away counts so much longer.
    #[serde(default = "refresh_seconds")]
    pub refresh_seconds: u32,
    /// What its subjects begin with here. With several issuers each needs one of its own, so that no two people become one.
    #[serde(default)]
    pub subject_prefix: String,
    /// Where in a token what stands; names of claims, or paths such as `realm_access.roles`.
    #[serde(default)]
    pub claims: Claims,
    /// What its words for roles mean; a word that is a role's own name needs no entry once this is empty.
    #[serde(default)]
    pub roles: BTreeMap<String, String>,
    #[serde(skip)]
    pub(super) source: Option<Source>,
    #[serde(skip)]
    pub(super) role_of: BTreeMap<String, Role>,
}

/// Where in a token what stands.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Claims {
    pub subject: String,
    /// A text, or a list of texts.
    pub roles: String,
    pub department: String,
    pub site: String,
    /// For whom the subject acts.
    pub acting_for: String,
}

impl Default for Claims {
    fn default() -> Claims {
        Claims {
            subject: "sub".to_owned(),
            roles: "roles".to_owned(),
            department: "department".to_owned(),
            site: "site".to_owned(),
            acting_for: "acting_for".to_owned(),
        }
    }
}

fn refresh_seconds() -> u32 {
    300
}

/// Why a configuration of identities cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// It cannot be read.
    #[error("{} cannot be read: name a file with --identity FILE or SEVA_IDENTITY", .path.display())]
    Unreadable {
        /// The file that was to be read.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{} is no configuration of identities", .path.display())]
    Malformed {
        /// The file that was read.
        path: PathBuf,
        /// What is wrong, with its line.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// It says something that cannot be.
    #[error("the configuration of identities cannot be used: {0}")]
    Wrong(String),
    /// The keys of an issuer cannot be had.
    #[error("the keys of the issuer {issuer} cannot be had: {why}")]
    NoKeys {
        /// Whose.
        issuer: String,
        /// What is wrong, and with what.
        why: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    issuer: Vec<IssuerConfig>,
}

impl Identity {
    /// Reads a file; names of other files in it are looked for beside it.
    pub fn read(path: &Path) -> Result<Identity, IdentityError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| IdentityError::Unreadable { path: path.to_owned(), source })?;
        let file: File = toml::from_str(&text)
            .map_err(|source| IdentityError::Malformed { path: path.to_owned(), source: Box::new(source) })?;
        Identity::new(file.issuer, path.parent().unwrap_or(Path::new(".")))
    }

    /// Checks what was configured; names of files are looked for in `folder`.
    pub fn new(mut issuers: Vec<IssuerConfig>, folder: &Path) -> Result<Identity, IdentityError> {
        let wrong = |what: String| Err(IdentityError::Wrong(what));
        if issuers.is_empty() {
            return wrong(
                "it names no issuer: add `[[issuer]]` with `issuer`, `audience` and `jwks`".to_owned(),
            );
        }
        let mut names = BTreeSet::new();
        let mut prefixes = BTreeSet::new();
        for issuer in &mut issuers {
            let name = issuer.issuer.clone();
            if name.is_empty() || issuer.audience.is_empty() {
                return wrong("an issuer has an empty `issuer` or `audience`".to_owned());
            }
            if !names.insert(name.clone()) {
                return wrong(format!("the issuer {name} stands twice"));
            }
            if !prefixes.insert(issuer.subject_prefix.clone()) {
                return wrong(format!("{name} needs a `subject_prefix` that no other issuer has"));
            }
            if issuer.algorithms.is_empty() || issuer.refresh_seconds == 0 {
                return wrong(format!("{name} has no `algorithms`, or `refresh_seconds` of 0"));
            }
            let source = Source::parse(&issuer.jwks, folder);
            issuer.source = Some(source.map_err(|why| IdentityError::NoKeys { issuer: name.clone(), why })?);
            for (word, role) in &issuer.roles {
                let Some(role) = Role::parse(role) else {
                    return wrong(format!("{name} maps to `{role}`, which is no role of Seva"));
                };
                issuer.role_of.insert(word.clone(), role);
            }
            if issuer.role_of.is_empty() {
                issuer.role_of = Role::ALL.into_iter().map(|role| (role.name().to_owned(), role)).collect();
            }
        }
        Ok(Identity { issuers })
    }
}

impl IssuerConfig {
    /// An issuer whose words are Seva's own: what a development key and tests use.
    pub fn plain(issuer: &str, audience: &str, jwks: &str) -> IssuerConfig {
        IssuerConfig {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            jwks: jwks.to_owned(),
            algorithms: Algorithm::all(),
            refresh_seconds: refresh_seconds(),
            subject_prefix: String::new(),
            claims: Claims::default(),
            roles: BTreeMap::new(),
            source: None,
            role_of: BTreeMap::new(),
        }
    }

    pub(super) fn refresh(&self) -> Duration {
        Duration::from_secs(self.refresh_seconds.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Identity, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.toml");
        std::fs::write(&path, text).unwrap();
        Identity::read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn an_issuer_is_configured_with_what_its_words_mean() {
        let identity = read(
            r#"
            [[issuer]]
            issuer = "https://id.example.com"
            audience = "seva"
            jwks = "https://id.example.com/keys"
            algorithms = ["ES256"]
            claims = { roles = "realm_access.roles" }
            roles = { "CS Team" = "agent", "CS Leads" = "supervisor" }
            "#,
        );
        let issuer = identity.unwrap().issuers.remove(0);
        assert_eq!(issuer.role_of["CS Leads"], Role::Supervisor);
        assert_eq!(
            (issuer.claims.subject.as_str(), issuer.claims.roles.as_str()),
            ("sub", "realm_access.roles")
        );
        assert_eq!(issuer.algorithms, [Algorithm::Es256]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_what_to_do() {
        let issuer = "[[issuer]]\nissuer = \"a\"\naudience = \"seva\"\njwks = \"keys.json\"\n";
        for (text, said) in [
            (String::new(), "names no issuer"),
            (format!("{issuer}colour = 1"), "is no configuration"),
            (format!("{issuer}roles = {{ x = \"king\" }}"), "`king`"),
            (format!("{issuer}{issuer}"), "stands twice"),
            (format!("{issuer}{}", issuer.replace("\"a\"", "\"b\"")), "subject_prefix"),
            (format!("{issuer}algorithms = [\"HS256\"]"), "is no configuration"),
            (issuer.replace("keys.json", "ftp://keys"), "ftp"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
