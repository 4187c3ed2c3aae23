//! What is told of a customer outside the house: that there is one, never who it is.

use super::events::{self, Event, Identity, IdentityKind};
use crate::published::{one_of, published_types};
use crate::values::CustomerId;

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
        }
    }
}
