//! The values that may leave the house, and how each is described to whoever reads it.

use std::fmt;

use serde::{Serialize, Serializer};
use sha2::Digest as _;

use crate::values::{
    Actor, CaseId, Channel, Currency, CustomerId, Department, Direction, Hit, ImportId, InteractionId, Kind,
    Language, Minor, PromiseId, PromiseKind, Reference, RefundId, Rung, SuggestionId,
};

/// A value that says nothing of what a person said, is called or is reached by.
///
/// A sealed text is none:
/// ```compile_fail,E0277
/// fn leaves_the_house<T: seva_domain::published::Open>() {}
/// leaves_the_house::<seva_domain::values::Sealed>();
/// ```
/// Nor is a keyed hash of what somebody is known by:
/// ```compile_fail,E0277
/// fn leaves_the_house<T: seva_domain::published::Open>() {}
/// leaves_the_house::<seva_domain::values::Token>();
/// ```
/// Nor is any text at all:
/// ```compile_fail,E0277
/// fn leaves_the_house<T: seva_domain::published::Open>() {}
/// leaves_the_house::<String>();
/// ```
/// An id is one:
/// ```
/// fn leaves_the_house<T: seva_domain::published::Open>() {}
/// leaves_the_house::<Option<seva_domain::values::CaseId>>();
/// ```
pub trait Open: Serialize {
    /// What stands there, in words: `a number`.
    fn is() -> String;

    /// One that can be shown; always the same.
    fn example() -> Self;
}

impl Open for u16 {
    fn is() -> String {
        "a number".to_owned()
    }

    fn example() -> u16 {
        14
    }
}

impl Open for u32 {
    fn is() -> String {
        "a number".to_owned()
    }

    fn example() -> u32 {
        1_440
    }
}

impl Open for u64 {
    fn is() -> String {
        "a number".to_owned()
    }

    fn example() -> u64 {
        120
    }
}

impl<T: Open> Open for Option<T> {
    fn is() -> String {
        format!("{}, or null", T::is())
    }

    fn example() -> Option<T> {
        Some(T::example())
    }
}

impl<T: Open> Open for Vec<T> {
    fn is() -> String {
        format!("a list, of {} each", T::is())
    }

    fn example() -> Vec<T> {
        vec![T::example()]
    }
}

/// Says of ids that they are open. Keys, requests, threads and tokens are ids too, and are left out: they hash what callers sent.
// A macro, because the same seven lines for each id are harder to keep alike than one.
macro_rules! open_ids {
    ($($id:ident = $example:literal,)*) => {$(
        impl Open for $id {
            fn is() -> String {
                format!("an id, `{}_…`", $id::PREFIX)
            }

            fn example() -> $id {
                $id::from_bytes([$example; 16])
            }
        }
    )*};
}

open_ids! {
    CaseId = 1,
    CustomerId = 2,
    ImportId = 3,
    InteractionId = 4,
    SuggestionId = 5,
    PromiseId = 6,
    RefundId = 7,
}

/// Says of an enumeration without contents that it is open, naming every value: one that is missing here breaks the build.
// A macro, because a list and a match of the same values must not be able to differ.
macro_rules! one_of {
    ($of:ident: $first:ident $(, $other:ident)*) => {
        impl crate::published::Open for $of {
            fn is() -> String {
                let written = [$of::$first $(, $of::$other)*].map(|value| serde_json::to_string(&value));
                let names: Vec<String> = written.into_iter().flatten().map(|name| name.replace('"', "`")).collect();
                format!("one of {}", names.join(", "))
            }

            fn example() -> $of {
                match $of::$first {
                    $of::$first $(| $of::$other)* => $of::$first,
                }
            }
        }
    };
}

pub(crate) use one_of;

one_of!(Channel: Chat, Email, InStore, MobileApp, Other, Phone, Post, Referral, Social, Survey, Web);
one_of!(Direction: Inbound, Outbound);
one_of!(Kind: Complaint, Enquiry, Internal, Other, Refund, Suggestion);

impl Open for Language {
    fn is() -> String {
        "a language as BCP 47 names it, `und` where nobody could tell".to_owned()
    }

    fn example() -> Language {
        Language::parse("pt-br").unwrap_or_else(Language::undetermined)
    }
}

/// Says of names of one form that they are open: none can hold what a person is called or wrote.
// A macro, because the same ten lines for each are harder to keep alike than one.
macro_rules! open_names {
    ($($name:ident = $example:literal, $is:literal;)*) => {$(
        impl Open for $name {
            fn is() -> String {
                $is.to_owned()
            }

            fn example() -> $name {
                $name::parse($example).expect("an example is one")
            }
        }
    )*};
}

open_names! {
    Actor = "agent-7", "an opaque id of whoever did it";
    Currency = "EUR", "a currency of ISO 4217";
    PromiseKind = "callback", "a kind of promise of the policy";
    Reference = "ch_3Nf1", "what another system calls it";
    Rung = "team_lead", "a rung of the policy's ladder";
}

impl Open for Minor {
    fn is() -> String {
        "an amount in the currency's minor units".to_owned()
    }

    fn example() -> Minor {
        Minor::new(1_250).unwrap_or_default()
    }
}

impl Open for Department {
    fn is() -> String {
        "a department's id; `triage` where a person decides".to_owned()
    }

    fn example() -> Department {
        Department::parse("delivery").unwrap_or_else(Department::triage)
    }
}

/// A row of the policy's phrase tables: `table/row`. The phrase itself stays in the house.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    table: String,
    row: String,
}

impl From<&Hit> for Row {
    fn from(hit: &Hit) -> Row {
        let Hit { table, row, phrase: _ } = hit;
        Row { table: table.clone(), row: row.clone() }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.table, self.row)
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Open for Row {
    fn is() -> String {
        "a row of the policy's phrase tables, `table/row`".to_owned()
    }

    fn example() -> Row {
        Row { table: "en".to_owned(), row: "delivery".to_owned() }
    }
}

/// The SHA-256 of something that stays in the house.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Sha256 {
        Sha256(sha2::Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Open for Sha256 {
    fn is() -> String {
        "a SHA-256, as 64 hexadecimal digits".to_owned()
    }

    fn example() -> Sha256 {
        Sha256::of(b"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_described_as_it_is_written() {
        assert_eq!(Direction::is(), "one of `inbound`, `outbound`");
        assert_eq!(Option::<CaseId>::is(), "an id, `cas_…`, or null");
        assert!(Channel::is().contains("`in_store`"), "{}", Channel::is());
    }

    #[test]
    fn a_row_is_told_without_its_phrase() {
        let hit =
            Hit { table: "en".to_owned(), row: "delivery".to_owned(), phrase: "arrived late".to_owned() };
        assert_eq!(serde_json::to_string(&Row::from(&hit)).unwrap(), r#""en/delivery""#);
    }
}
