//! What leaves the house: the published shape of every event, and the catalogue of them.
//!
//! A published type holds nothing but [`Open`] values: ids, kinds, codes, numbers, times. Sealed texts and keyed hashes are none, so a
//! person's words have no way out, whoever adds an event. Each noun says in its `published.rs` what is told of its events, naming every
//! field that is left out.

mod open;
mod time;

pub use open::{Open, Row, Sha256};
pub use time::Time;

pub(crate) use open::one_of;

use serde::Serialize;

use crate::noun::Event;
use crate::{case, charge, customer, escalation, import, policy, suggestion};

/// What is told of an event outside the house.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Published {
    Case(case::published::Told),
    Charge(charge::published::Told),
    Customer(customer::published::Told),
    Escalation(escalation::published::Told),
    Import(import::published::Told),
    Policy(policy::published::Told),
    Suggestion(suggestion::published::Told),
}

impl From<&Event> for Published {
    fn from(event: &Event) -> Published {
        match event {
            Event::Case(event) => Published::Case(event.into()),
            Event::Charge(event) => Published::Charge(event.into()),
            Event::Customer(event) => Published::Customer(event.into()),
            Event::Escalation(event) => Published::Escalation(event.into()),
            Event::Import(event) => Published::Import(event.into()),
            Event::Policy(event) => Published::Policy(event.into()),
            Event::Suggestion(event) => Published::Suggestion(event.into()),
        }
    }
}

impl Published {
    /// The event's type on the wire: `case.opened.v1`.
    pub fn wire_type(&self) -> &'static str {
        match self {
            Published::Case(event) => event.wire_type(),
            Published::Charge(event) => event.wire_type(),
            Published::Customer(event) => event.wire_type(),
            Published::Escalation(event) => event.wire_type(),
            Published::Import(event) => event.wire_type(),
            Published::Policy(event) => event.wire_type(),
            Published::Suggestion(event) => event.wire_type(),
        }
    }
}

/// Every type of event that is published, noun by noun, in the order in which each noun lists them.
pub fn catalogue() -> Vec<Described<Published>> {
    let nouns = [
        named(case::published::catalogue(), Published::Case),
        named(charge::published::catalogue(), Published::Charge),
        named(customer::published::catalogue(), Published::Customer),
        named(escalation::published::catalogue(), Published::Escalation),
        named(import::published::catalogue(), Published::Import),
        named(policy::published::catalogue(), Published::Policy),
        named(suggestion::published::catalogue(), Published::Suggestion),
    ];
    nouns.concat()
}

fn named<P>(of_noun: Vec<Described<P>>, noun: fn(P) -> Published) -> Vec<Described<Published>> {
    let described = of_noun.into_iter().map(|Described { wire_type, meaning, fields, example }| Described {
        wire_type,
        meaning,
        fields,
        example: noun(example),
    });
    described.collect()
}

/// A type of event, for people who subscribe to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Described<P> {
    pub wire_type: &'static str,
    /// What has happened when it is published.
    pub meaning: &'static str,
    pub fields: Vec<Field>,
    pub example: P,
}

/// A field of a published event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Field {
    pub name: &'static str,
    /// What stands there: `a number`.
    pub is: String,
    /// What it says.
    pub meaning: &'static str,
}

/// Defines the published types of a noun: each with its meaning, its type on the wire, and fields that are [`Open`].
// A macro, because a type, its place in the catalogue and the proof that each of its fields is open must not be able to differ.
macro_rules! published_types {
    ($(
        $(#[doc = $meaning:literal])+
        $name:ident = $wire_type:literal {
            $( $(#[doc = $says:literal])+ $field:ident: $is:ty, )*
        }
    )+) => {
        $(
            $(#[doc = $meaning])+
            #[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
            pub struct $name {
                $( $(#[doc = $says])+ pub $field: $is, )*
            }
        )+

        /// What is told of an event of this noun.
        #[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
        #[serde(untagged)]
        pub enum Told {
            $( $(#[doc = $meaning])+ $name($name), )+
        }

        impl Told {
            /// The event's type on the wire.
            pub fn wire_type(&self) -> &'static str {
                match self {
                    $( Told::$name(_) => $wire_type, )+
                }
            }
        }

        /// Every type of event of this noun, described.
        pub(crate) fn catalogue() -> Vec<crate::published::Described<Told>> {
            vec![$( crate::published::Described {
                wire_type: $wire_type,
                meaning: concat!($($meaning),+).trim_ascii(),
                fields: vec![$( crate::published::Field {
                    name: stringify!($field),
                    is: <$is as crate::published::Open>::is(),
                    meaning: concat!($($says),+).trim_ascii(),
                } ),*],
                example: Told::$name($name { $( $field: crate::published::Open::example() ),* }),
            } ),+]
        }
    };
}

pub(crate) use published_types;
