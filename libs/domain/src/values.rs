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

    /// The instant so many minutes later; saturates at the end of time.
    pub fn plus_minutes(self, minutes: u32) -> At {
        At(self.0.saturating_add(i64::from(minutes) * 60_000_000))
    }

    /// The instant so many seconds later; saturates at the end of time.
    pub fn plus_seconds(self, seconds: u32) -> At {
        At(self.0.saturating_add(i64::from(seconds) * 1_000_000))
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
    /// A payment that was captured, and may be given back.
    ChargeId = "chg";
    /// Somebody the company serves.
    CustomerId = "cus";
    /// A history brought in from outside.
    ImportId = "imp";
    /// One contact, in one direction.
    InteractionId = "int";
    /// A key of the vault.
    KeyId = "key";
    /// Something a customer was told they can count on.
    PromiseId = "pro";
    /// What a record is known by, whoever writes it and however often.
    RecordId = "rec";
    /// Money to be given back. The payment provider knows the refund by it, on every try.
    RefundId = "rfd";
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

/// Who did something: an opaque id of 1 to 64 characters of `a-z 0-9 - _ . :`. Somebody who acts for somebody else is written `who/for-whom`.
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

    /// The one who acts for somebody else. Who acts for themselves is nobody else.
    pub fn acting_for(&self, other: &Actor) -> Actor {
        let (who, other) = (self.who(), other.who());
        if who == other { Actor(who.to_owned()) } else { Actor(format!("{who}/{other}")) }
    }

    /// Whether it is a name for nobody: who did not say, or what happens by itself.
    pub fn is_reserved(&self) -> bool {
        *self == Actor::anonymous() || *self == Actor::policy()
    }

    /// Whether somebody is behind both of them: acting, or acted for.
    pub fn shares_somebody_with(&self, other: &Actor) -> bool {
        self.0.split('/').any(|one| other.0.split('/').any(|another| one == another))
    }

    /// Who really acts.
    fn who(&self) -> &str {
        self.0.split('/').next().unwrap_or(&self.0)
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
        is_policy_id(id).then(|| Department(id.to_owned()))
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

/// A rung of an escalation ladder: 1 to 32 characters of `a-z 0-9 _`. Which there are is policy.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Rung(String);

impl Rung {
    /// Takes an id; `None` if it is not one.
    pub fn parse(id: &str) -> Option<Rung> {
        is_policy_id(id).then(|| Rung(id.to_owned()))
    }

    /// The id itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A kind of promise: 1 to 32 characters of `a-z 0-9 _`. Which the company can keep, and how soon, is policy.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct PromiseKind(String);

impl PromiseKind {
    /// Takes an id; `None` if it is not one.
    pub fn parse(id: &str) -> Option<PromiseKind> {
        is_policy_id(id).then(|| PromiseKind(id.to_owned()))
    }

    /// The id itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether something in a policy can be called so: 1 to 32 characters of `a-z 0-9 _`.
pub fn is_policy_id(id: &str) -> bool {
    (1..=32).contains(&id.len()) && id.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// What another system calls something: an order, a captured payment, a payout. 1 to 64 letters, digits and `- _ . : /`, so that it can
/// hardly name a person.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Reference(String);

impl Reference {
    /// Takes a reference; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Reference> {
        let is_legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'/');
        ((1..=64).contains(&text.len()) && text.bytes().all(is_legal)).then(|| Reference(text.to_owned()))
    }

    /// The reference itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A currency of ISO 4217 that has minor units.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The currency of three capital letters; `None` for what ISO 4217 does not list, or lists without minor units (gold, testing).
    pub fn parse(code: &str) -> Option<Currency> {
        let currency = iso_currency::Currency::from_code(code)?;
        currency.exponent()?;
        Some(Currency(currency))
    }

    /// Its three letters.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many digits of an amount stand behind the decimal point: 2 for EUR, 0 for JPY, 3 for KWD.
    pub fn digits(self) -> u16 {
        self.0.exponent().unwrap_or(0)
    }
}

impl Ord for Currency {
    fn cmp(&self, other: &Currency) -> std::cmp::Ordering {
        self.code().cmp(other.code())
    }
}

impl PartialOrd for Currency {
    fn partial_cmp(&self, other: &Currency) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Currency, D::Error> {
        let code = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Currency::parse(&code).ok_or_else(|| de::Error::custom("is not a currency code of ISO 4217"))
    }
}

/// An amount of money in minor units: cents of EUR, yen, thousandths of a dinar. Never less than nothing, and small enough to be added up.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Minor(u64);

/// The most that one amount may be, in minor units: a trillion. A million of them can be added without care.
pub const AMOUNT_MINOR_MAX: u64 = 1_000_000_000_000;

impl Minor {
    /// Nothing.
    pub const ZERO: Minor = Minor(0);

    /// Takes an amount of at most a trillion minor units.
    pub fn new(amount: u64) -> Option<Minor> {
        (amount <= AMOUNT_MINOR_MAX).then_some(Minor(amount))
    }

    /// The number of minor units.
    pub fn get(self) -> u64 {
        self.0
    }

    /// Both together.
    pub fn plus(self, other: Minor) -> Minor {
        Minor(self.0.saturating_add(other.0))
    }

    /// What is left of it, down to nothing.
    pub fn less(self, other: Minor) -> Minor {
        Minor(self.0.saturating_sub(other.0))
    }
}

impl From<Minor> for u64 {
    fn from(minor: Minor) -> u64 {
        minor.0
    }
}

impl TryFrom<u64> for Minor {
    type Error = &'static str;

    fn try_from(amount: u64) -> Result<Minor, &'static str> {
        Minor::new(amount).ok_or("is more than a trillion minor units")
    }
}

impl std::iter::Sum for Minor {
    fn sum<I: Iterator<Item = Minor>>(amounts: I) -> Minor {
        amounts.fold(Minor::ZERO, Minor::plus)
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

impl Kind {
    /// All kinds, in order of their names.
    pub const ALL: [Kind; 6] =
        [Kind::Complaint, Kind::Enquiry, Kind::Internal, Kind::Other, Kind::Refund, Kind::Suggestion];

    /// What it is called in documents.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Complaint => "complaint",
            Kind::Enquiry => "enquiry",
            Kind::Internal => "internal",
            Kind::Other => "other",
            Kind::Refund => "refund",
            Kind::Suggestion => "suggestion",
        }
    }
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
