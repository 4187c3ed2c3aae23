//! What is told of a customer outside the house: that there is one, never who it is.

use super::events::{
    self, Event, ForgettingDeclinedBecause, ForgettingReason, HoldLiftedBecause, HoldReason, Identity,
    IdentityKind,
};
use crate::published::{one_of, published_types};
use crate::values::{Actor, CustomerId};

one_of!(ForgettingDeclinedBecause: IdentityNotProven, LegalDuty, Withdrawn);
one_of!(ForgettingReason: ConsentWithdrawn, PersonAsked, RetentionOver, UnlawfullyKept);
one_of!(HoldLiftedBecause: MatterOver, PlacedInError);
one_of!(HoldReason: AuthorityOrder, Bookkeeping, FraudInvestigation, Litigation);
one_of!(IdentityKind: Account, Email, Handle, Phone);

published_types! {
    /// A customer became known.
    Registered = "customer.registered.v1" {}

    /// One more way to know the customer.
    IdentityAdded = "customer.identity_added.v1" {
        /// What kind of thing the customer is known by.
        kind: IdentityKind,
    }

    /// A text of this customer was sealed under a key of its own, before it was known whose it is.
    KeyJoined = "customer.key_joined.v1" {}

    /// This customer may be the same person as others: several matched what the caller is known by, and nothing decided.
    MergeProposed = "customer.merge_proposed.v1" {
        /// The others, in order of their ids.
        candidates: Vec<CustomerId>,
    }

    /// Somebody asked that the customer be forgotten.
    ForgettingRequested = "customer.forgetting_requested.v1" {
        /// Who asked.
        by: Actor,
        /// Why.
        reason: ForgettingReason,
    }

    /// The customer is not forgotten: what was asked for is off the table.
    ForgettingDeclined = "customer.forgetting_declined.v1" {
        /// Who declined.
        by: Actor,
        /// Why.
        because: ForgettingDeclinedBecause,
    }

    /// Somebody else than who asked said that it is right: nothing is written for the customer any more.
    ForgettingConfirmed = "customer.forgetting_confirmed.v1" {
        /// Who confirmed.
        by: Actor,
    }

    /// The customer is forgotten: what named or quoted them can be read by nobody any more.
    Forgotten = "customer.forgotten.v1" {
        /// How many keys their texts were sealed under.
        keys_destroyed: u32,
    }

    /// The law wants what is known of the customer kept: they are not forgotten for as long as this stands.
    HoldPlaced = "customer.hold_placed.v1" {
        /// Who placed it.
        by: Actor,
        /// What for.
        reason: HoldReason,
    }

    /// What the customer was held for is over.
    HoldLifted = "customer.hold_lifted.v1" {
        /// Who lifted it.
        by: Actor,
        /// What it was placed for.
        reason: HoldReason,
        /// Why it is over.
        because: HoldLiftedBecause,
    }
}

impl From<&Event> for Told {
    fn from(event: &Event) -> Told {
        match event {
            Event::Registered(events::Registered { key: _, name: _ }) => Told::Registered(Registered {}),
            Event::IdentityAdded(events::IdentityAdded { identity }) => {
                let Identity { kind, token: _, value: _ } = identity;
                Told::IdentityAdded(IdentityAdded { kind: *kind })
            }
            Event::KeyJoined(events::KeyJoined { key: _ }) => Told::KeyJoined(KeyJoined {}),
            Event::MergeProposed(events::MergeProposed { candidates }) => {
                Told::MergeProposed(MergeProposed { candidates: candidates.clone() })
            }
            Event::ForgettingRequested(events::ForgettingRequested { by, reason }) => {
                Told::ForgettingRequested(ForgettingRequested { by: by.clone(), reason: *reason })
            }
            Event::ForgettingDeclined(events::ForgettingDeclined { by, because }) => {
                Told::ForgettingDeclined(ForgettingDeclined { by: by.clone(), because: *because })
            }
            Event::ForgettingConfirmed(events::ForgettingConfirmed { by, keys: _ }) => {
                Told::ForgettingConfirmed(ForgettingConfirmed { by: by.clone() })
            }
            Event::Forgotten(events::Forgotten { keys_destroyed }) => {
                Told::Forgotten(Forgotten { keys_destroyed: *keys_destroyed })
            }
            Event::HoldPlaced(events::HoldPlaced { by, reason }) => {
                Told::HoldPlaced(HoldPlaced { by: by.clone(), reason: *reason })
            }
            Event::HoldLifted(events::HoldLifted { by, reason, because }) => {
                Told::HoldLifted(HoldLifted { by: by.clone(), reason: *reason, because: *because })
            }
        }
    }
}
