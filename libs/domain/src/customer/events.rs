//! What can have happened to a customer.

use serde::{Deserialize, Serialize, Serializer};

use crate::noun::{Unreadable, read_data};
use crate::values::{Actor, CustomerId, KeyId, Sealed, Token};

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

/// Why a person is to be forgotten.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ForgettingReason {
    ConsentWithdrawn,
    PersonAsked,
    RetentionOver,
    UnlawfullyKept,
}

/// Somebody asked that the person be forgotten.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ForgettingRequested {
    pub by: Actor,
    pub reason: ForgettingReason,
}

/// Why a person is not forgotten who was to be.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ForgettingDeclinedBecause {
    IdentityNotProven,
    LegalDuty,
    Withdrawn,
}

/// The person is not forgotten: what was asked for is off the table.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ForgettingDeclined {
    pub by: Actor,
    pub because: ForgettingDeclinedBecause,
}

/// Somebody else than who asked said that it is right: from here on the person's keys are being destroyed, and nothing is written for them any more.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ForgettingConfirmed {
    pub by: Actor,
    /// Every key of the person: whoever reads this holds none of them any longer.
    pub keys: Vec<KeyId>,
}

/// The person's keys are destroyed, and with them everything that was sealed under them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Forgotten {
    pub keys_destroyed: u32,
}

/// Why the law wants what is known of a person kept.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    AuthorityOrder,
    Bookkeeping,
    FraudInvestigation,
    Litigation,
}

/// The person may not be forgotten for as long as this stands.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct HoldPlaced {
    pub by: Actor,
    pub reason: HoldReason,
}

/// Why a hold stands no longer.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldLiftedBecause {
    MatterOver,
    PlacedInError,
}

/// What the person was held for is over.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct HoldLifted {
    pub by: Actor,
    /// Which hold: there may be several.
    pub reason: HoldReason,
    pub because: HoldLiftedBecause,
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
    /// `customer.forgetting_requested.v1`
    ForgettingRequested(ForgettingRequested),
    /// `customer.forgetting_declined.v1`
    ForgettingDeclined(ForgettingDeclined),
    /// `customer.forgetting_confirmed.v1`
    ForgettingConfirmed(ForgettingConfirmed),
    /// `customer.forgotten.v1`
    Forgotten(Forgotten),
    /// `customer.hold_placed.v1`
    HoldPlaced(HoldPlaced),
    /// `customer.hold_lifted.v1`
    HoldLifted(HoldLifted),
}

impl Event {
    /// The type on the wire.
    pub fn wire_type(&self) -> &'static str {
        match self {
            Event::Registered(_) => "customer.registered.v1",
            Event::IdentityAdded(_) => "customer.identity_added.v1",
            Event::KeyJoined(_) => "customer.key_joined.v1",
            Event::MergeProposed(_) => "customer.merge_proposed.v1",
            Event::ForgettingRequested(_) => "customer.forgetting_requested.v1",
            Event::ForgettingDeclined(_) => "customer.forgetting_declined.v1",
            Event::ForgettingConfirmed(_) => "customer.forgetting_confirmed.v1",
            Event::Forgotten(_) => "customer.forgotten.v1",
            Event::HoldPlaced(_) => "customer.hold_placed.v1",
            Event::HoldLifted(_) => "customer.hold_lifted.v1",
        }
    }

    /// Reads an event of any version ever written.
    pub fn read(event_type: &str, data: &str) -> Result<Event, Unreadable> {
        match event_type {
            "customer.registered.v1" => read_data(event_type, data).map(Event::Registered),
            "customer.identity_added.v1" => read_data(event_type, data).map(Event::IdentityAdded),
            "customer.key_joined.v1" => read_data(event_type, data).map(Event::KeyJoined),
            "customer.merge_proposed.v1" => read_data(event_type, data).map(Event::MergeProposed),
            "customer.forgetting_requested.v1" => read_data(event_type, data).map(Event::ForgettingRequested),
            "customer.forgetting_declined.v1" => read_data(event_type, data).map(Event::ForgettingDeclined),
            "customer.forgetting_confirmed.v1" => read_data(event_type, data).map(Event::ForgettingConfirmed),
            "customer.forgotten.v1" => read_data(event_type, data).map(Event::Forgotten),
            "customer.hold_placed.v1" => read_data(event_type, data).map(Event::HoldPlaced),
            "customer.hold_lifted.v1" => read_data(event_type, data).map(Event::HoldLifted),
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
            Event::ForgettingRequested(data) => data.serialize(serializer),
            Event::ForgettingDeclined(data) => data.serialize(serializer),
            Event::ForgettingConfirmed(data) => data.serialize(serializer),
            Event::Forgotten(data) => data.serialize(serializer),
            Event::HoldPlaced(data) => data.serialize(serializer),
            Event::HoldLifted(data) => data.serialize(serializer),
        }
    }
}
