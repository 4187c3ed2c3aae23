//! The values that nouns share: instants, ids, sealed texts, languages, actors.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// An instant: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct At(pub i64);

impl At {
    /// The instant so many whole days later; saturates at the end of time.
    pub fn plus_days(self, days: u16) -> At {
        At(self.0.saturating_add(i64::from(days) * 86_400_000_000))
    }
}

/// Says that a text is not an id of the kind asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("is not an id: it should be `{prefix}_` and 32 hexadecimal digits")]
pub struct NotAnId {
    /// What ids of this kind begin with.
    pub prefix: &'static str,
}

// A macro, because ten identical newtypes with their text form are harder to keep alike than one.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(Uuid);

        impl $name {
            /// What the text form begins with, before the `_`.
            pub const PREFIX: &'static str = $prefix;

            /// Names the bytes given as an id of this kind.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The id that follows from these parts: the same parts give the same id, for ever.
            pub fn derive(parts: &[&[u8]]) -> Self {
                Self::from_bytes(digest16($prefix, parts))
            }

            /// The id's 16 bytes.
            pub fn bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.as_simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let wrong = NotAnId { prefix: $prefix };
                let hex = text.strip_prefix(concat!($prefix, "_")).ok_or(wrong)?;
                if hex.len() != 32 || hex.bytes().any(|b| !matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                    return Err(wrong);
                }
                Uuid::try_parse(hex).map(Self).map_err(|_| wrong)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(|e| de::Error::custom(format_args!("`{text}` {e}")))
            }
        }
    )*};
}

ids! {
    /// A matter over its life.
    CaseId = "cas";
    /// Somebody the company serves.
    CustomerId = "cus";
    /// A history brought in from outside.
    ImportId = "imp";
    /// One contact, in one direction.
    InteractionId = "int";
    /// A key of the vault.
    KeyId = "key";
    /// What a record is known by, whoever writes it and however often.
    RecordId = "rec";
    /// A caller's request: a keyed hash of who asked and of the request id given.
    RequestId = "req";
    /// An idea from a customer or a member of staff.
    SuggestionId = "sug";
    /// A conversation as the caller names it: a keyed hash of that name.
    ThreadId = "thr";
    /// A keyed hash of something a customer is known by, or of a request's body.
    Token = "tok";
}

/// The first 16 bytes of the SHA-256 over a purpose and length-framed parts.
pub fn digest16(purpose: &str, parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update((purpose.len() as u64).to_be_bytes());
    hash.update(purpose);
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut short = [0; 16];
    short.copy_from_slice(&hash.finalize()[..16]);
    short
}

/// A text under its person's key: the domain moves it and never reads it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Sealed {
    /// The key that opens it.
    pub key: KeyId,
    /// The request that brought it and the field it stood in, authenticated with it: `req_…/field`.
    pub context: String,
    /// Nonce and ciphertext in base64 (standard alphabet, no padding).
    pub data: String,
}

/// A language as BCP 47 names it, in lower case: `en`, `hi`, `pt-br`; `und` where nobody could tell.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Language(String);

impl Language {
    /// The language that nobody could tell.
    pub fn undetermined() -> Language {
        Language("und".to_owned())
    }

    /// Takes a BCP 47 tag of 2 to 35 letters, digits and hyphens; `None` for anything else.
    pub fn parse(tag: &str) -> Option<Language> {
        let well_formed = (2..=35).contains(&tag.len())
            && tag
                .split('-')
                .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
            && tag
                .split('-')
                .next()
                .is_some_and(|first| first.len() >= 2 && first.bytes().all(|b| b.is_ascii_alphabetic()));
        well_formed.then(|| Language(tag.to_ascii_lowercase()))
    }

    /// The whole tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag without region or script: `pt` of `pt-br`.
    pub fn primary(&self) -> &str {
        self.0.split('-').next().unwrap_or(&self.0)
    }
}

/// Who did something: an opaque id of 1 to 64 characters of `a-z 0-9 - _ . :`.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Actor(String);

impl Actor {
    /// Whoever did not say who they are.
    pub fn anonymous() -> Actor {
        Actor("anonymous".to_owned())
    }

    /// What acts when a due time is reached or a process reacts.
    pub fn policy() -> Actor {
        Actor("policy".to_owned())
    }

    /// Takes an opaque id; `None` if it is not one.
    pub fn parse(id: &str) -> Option<Actor> {
        let well_formed = (1..=64).contains(&id.len())
            && id.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b':'));
        well_formed.then(|| Actor(id.to_owned()))
    }

    /// The id itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A department's id: 1 to 32 characters of `a-z 0-9 _`. Which there are is policy.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Department(String);

impl Department {
    /// Where what no phrase routes is read by a person.
    pub fn triage() -> Department {
        Department("triage".to_owned())
    }

    /// Takes an id; `None` if it is not one.
    pub fn parse(id: &str) -> Option<Department> {
        let well_formed =
            (1..=32).contains(&id.len()) && id.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        well_formed.then(|| Department(id.to_owned()))
    }

    /// The id itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is where what no phrase routes is read by a person.
    pub fn is_triage(&self) -> bool {
        self.0 == "triage"
    }
}

/// How a contact reached the company.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Chat,
    Email,
    InStore,
    MobileApp,
    Other,
    Phone,
    Post,
    Referral,
    Social,
    Survey,
    Web,
}

/// Which way a contact went.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the customer.
    Inbound,
    /// To the customer.
    Outbound,
}

/// What a matter is about.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Complaint,
    Enquiry,
    Internal,
    Other,
    Refund,
    Suggestion,
}

/// What the phrase tables found in a text: nothing in it is the customer's own words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Classification {
    /// Given by the caller, else detected.
    pub language: Language,
    /// The version of the policy whose tables were used.
    pub policy: u64,
    /// The first row that fired; none where only the default row does.
    pub hit: Option<Hit>,
}

/// A row of a phrase table that fired.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Hit {
    /// The table's language, or `any`.
    pub table: String,
    /// The row's id within the table.
    pub row: String,
    /// The policy's own phrase that was found.
    pub phrase: String,
}
