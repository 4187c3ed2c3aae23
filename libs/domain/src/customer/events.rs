//! What can have happened to a customer.

use serde::{Deserialize, Serialize, Serializer};

use crate::noun::{Unreadable, read_data};
use crate::values::{CustomerId, KeyId, Sealed, Token};

/// What a customer can be known by.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityKind {
    Account,
    Email,
    Handle,
    Phone,
}

impl IdentityKind {
    /// Whether it can belong to one customer only, and so decides who a caller is.
    pub fn is_unique(self) -> bool {
        match self {
            IdentityKind::Account | IdentityKind::Handle => true,
            IdentityKind::Email | IdentityKind::Phone => false,
        }
    }
}

/// One thing a customer is known by.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Identity {
    pub kind: IdentityKind,
    /// Keyed hash of the normalised value: what it is found by.
    pub token: Token,
    /// The value as given.
    pub value: Sealed,
}

/// A customer became known.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Registered {
    /// The first of the customer's keys.
    pub key: KeyId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Sealed>,
}

/// One more way to know the customer.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct IdentityAdded {
    pub identity: Identity,
}

/// A text of this customer was sealed under a key of its own, before it was known whose it is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeyJoined {
    pub key: KeyId,
}

/// This customer may be the same person as others: several matched what the caller is known by, and nothing decided.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct MergeProposed {
    /// In order of their ids; at most [`super::CANDIDATES_MAX`].
    pub candidates: Vec<CustomerId>,
}

/// Something that happened to a customer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// `customer.registered.v1`
    Registered(Registered),
    /// `customer.identity_added.v1`
    IdentityAdded(IdentityAdded),
    /// `customer.key_joined.v1`
    KeyJoined(KeyJoined),
    /// `customer.merge_proposed.v1`
    MergeProposed(MergeProposed),
}

impl Event {
    /// The type on the wire.
    pub fn wire_type(&self) -> &'static str {
        match self {
            Event::Registered(_) => "customer.registered.v1",
            Event::IdentityAdded(_) => "customer.identity_added.v1",
            Event::KeyJoined(_) => "customer.key_joined.v1",
            Event::MergeProposed(_) => "customer.merge_proposed.v1",
        }
    }

    /// Reads an event of any version ever written.
    pub fn read(event_type: &str, data: &str) -> Result<Event, Unreadable> {
        match event_type {
            "customer.registered.v1" => read_data(event_type, data).map(Event::Registered),
            "customer.identity_added.v1" => read_data(event_type, data).map(Event::IdentityAdded),
            "customer.key_joined.v1" => read_data(event_type, data).map(Event::KeyJoined),
            "customer.merge_proposed.v1" => read_data(event_type, data).map(Event::MergeProposed),
            _ => Err(Unreadable::EventType { event_type: event_type.to_owned() }),
        }
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::Registered(data) => data.serialize(serializer),
            Event::IdentityAdded(data) => data.serialize(serializer),
            Event::KeyJoined(data) => data.serialize(serializer),
            Event::MergeProposed(data) => data.serialize(serializer),
        }
    }
}
