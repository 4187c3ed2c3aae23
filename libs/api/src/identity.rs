//! Keyed hashes of what callers send: names that tell nothing to whoever reads the log.

use hmac::{Hmac, Mac as _};
use seva_domain::values::{Actor, ImportId, RequestId, ThreadId, Token};
use seva_vault::{Purpose, Vault};
use sha2::Sha256;

use crate::pb::intake::v1::IdentityKind;

/// The process's hashing keys, the same in every process with the same master key.
#[derive(Clone)]
pub struct Identities {
    imports: [u8; 32],
    lookups: [u8; 32],
    requests: [u8; 32],
    threads: [u8; 32],
}

impl Identities {
    /// Derives the keys from the vault's master key.
    pub fn new(vault: &Vault) -> Identities {
        Identities {
            imports: vault.derived(Purpose::Imports),
            lookups: vault.derived(Purpose::Lookups),
            requests: vault.derived(Purpose::Requests),
            threads: vault.derived(Purpose::Threads),
        }
    }

    /// What the log knows a caller's request by.
    pub fn request(&self, caller: &Actor, request_id: &str) -> RequestId {
        RequestId::from_bytes(hash(
            &self.requests,
            &[b"request", caller.as_str().as_bytes(), request_id.as_bytes()],
        ))
    }

    /// What the log knows a row of a caller's import by.
    pub fn row(&self, caller: &Actor, import_key: &str, row_key: &str) -> RequestId {
        let parts = [b"row", caller.as_str().as_bytes(), import_key.as_bytes(), row_key.as_bytes()];
        RequestId::from_bytes(hash(&self.requests, &parts))
    }

    /// What the log knows a caller's import by.
    pub fn import(&self, caller: &Actor, import_key: &str) -> ImportId {
        ImportId::from_bytes(hash(&self.imports, &[caller.as_str().as_bytes(), import_key.as_bytes()]))
    }

    /// What the log knows a conversation by. Its name is the company's, so all callers mean the same one.
    pub fn thread(&self, name: &str) -> ThreadId {
        ThreadId::from_bytes(hash(&self.threads, &[name.as_bytes()]))
    }

    /// What a customer is looked up by, from a value that [`normalise`] gave.
    pub fn lookup(&self, kind: IdentityKind, normalised: &str) -> Token {
        Token::from_bytes(hash(&self.lookups, &[kind.as_str_name().as_bytes(), normalised.as_bytes()]))
    }
}

/// The one form of the ways in which people write the same identity, or what is wrong with it.
///
/// * account: without white space around it.
/// * e-mail: in lower case.
/// * handle: `network/name` in lower case, the name without a leading `@`.
/// * phone: its digits, with a `+` if it begins with one or with `00`.
pub fn normalise(kind: IdentityKind, value: &str) -> Result<String, &'static str> {
    let value = value.trim();
    match kind {
        IdentityKind::Account if value.is_empty() => Err("is empty"),
        IdentityKind::Account => Ok(value.to_owned()),
        IdentityKind::Email => {
            let parts =
                value.rsplit_once('@').filter(|(name, domain)| !name.is_empty() && !domain.is_empty());
            parts.map(|_| value.to_lowercase()).ok_or("is not an e-mail address: it should be `name@domain`")
        }
        IdentityKind::Handle => {
            let parts = value.split_once('/').map(|(network, name)| (network.trim(), name.trim()));
            let parts = parts.map(|(network, name)| (network, name.strip_prefix('@').unwrap_or(name)));
            match parts.filter(|(network, name)| !network.is_empty() && !name.is_empty()) {
                Some((network, name)) => Ok(format!("{}/{}", network.to_lowercase(), name.to_lowercase())),
                None => Err("is not a handle: it should be `network/name`"),
            }
        }
        IdentityKind::Phone => {
            let digits: String = value.chars().filter(char::is_ascii_digit).collect();
            let (plus, digits) = match digits.strip_prefix("00") {
                _ if value.starts_with('+') => ("+", digits.as_str()),
                Some(rest) => ("+", rest),
                None => ("", digits.as_str()),
            };
            if digits.is_empty() {
                Err("is not a telephone number: it has no digits")
            } else {
                Ok(format!("{plus}{digits}"))
            }
        }
        IdentityKind::Unspecified => Err("has no kind"),
    }
}

/// The first 16 bytes of the HMAC-SHA256 over length-framed parts.
fn hash(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut short = [0; 16];
    short.copy_from_slice(&hash.finalize().into_bytes()[..16]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use seva_vault::MasterKey;

    fn identities(master: u8) -> Identities {
        Identities::new(&Vault::in_memory(MasterKey::from_bytes([master; 32])))
    }

    #[test]
    fn a_request_is_known_by_who_asked_and_its_id() {
        let (ana, ben) = (Actor::parse("ana").unwrap(), Actor::parse("ben").unwrap());
        let here = identities(1);
        assert_eq!(here.request(&ana, "7"), identities(1).request(&ana, "7"), "in every process");
        assert_ne!(here.request(&ana, "7"), here.request(&ben, "7"));
        assert_ne!(here.request(&ana, "7"), here.request(&ana, "8"));
        assert_ne!(here.request(&ana, "7"), identities(2).request(&ana, "7"), "not without the key");
        assert_ne!(here.row(&ana, "ab", "c"), here.row(&ana, "a", "bc"), "no two rows run together");
        assert_ne!(here.import(&ana, "a"), here.import(&ben, "a"));
    }

    #[test]
    fn the_same_identity_is_found_however_it_is_written() {
        let of = |kind, value| normalise(kind, value).unwrap();
        assert_eq!(of(IdentityKind::Email, " Asha.Rao@Example.COM "), "asha.rao@example.com");
        assert_eq!(of(IdentityKind::Phone, "+91 (98) 765-43 210"), "+919876543210");
        assert_eq!(of(IdentityKind::Phone, "0091 98765 43210"), "+919876543210");
        assert_eq!(of(IdentityKind::Phone, "098765 43210"), "09876543210");
        assert_eq!(of(IdentityKind::Handle, "Twitter/@AshaRao"), "twitter/asharao");
        assert_eq!(of(IdentityKind::Account, " A-17 "), "A-17");
    }

    #[test]
    fn what_names_nobody_is_refused() {
        let wrong = [
            (IdentityKind::Account, "  "),
            (IdentityKind::Email, "asha"),
            (IdentityKind::Email, "@example.com"),
            (IdentityKind::Handle, "asha"),
            (IdentityKind::Handle, "twitter/@"),
            (IdentityKind::Phone, "call me"),
            (IdentityKind::Phone, "00"),
            (IdentityKind::Unspecified, "a"),
        ];
        for (kind, value) in wrong {
            assert!(normalise(kind, value).is_err(), "{kind:?} {value:?}");
        }
    }

    #[test]
    fn a_lookup_depends_on_the_kind() {
        let here = identities(1);
        assert_ne!(here.lookup(IdentityKind::Account, "7"), here.lookup(IdentityKind::Phone, "7"));
    }
}
