//! What a customer has become.

use serde::{Deserialize, Serialize};

use super::{Event, IdentityKind};
use crate::values::{KeyId, Token};

/// A customer, as far as decisions need it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum State {
    Absent,
    Known(Known),
}

/// A customer somebody has been in touch with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Known {
    /// All keys that this customer's texts are sealed under, the first one first.
    pub keys: Vec<KeyId>,
    /// What the customer is known by.
    pub identities: Vec<(IdentityKind, Token)>,
    /// Whether a merge is proposed, and so this person is not yet told from the candidates.
    pub unassigned: bool,
}

/// What a customer becomes by an event.
pub fn evolve(state: State, event: &Event) -> State {
    let mut known = match (state, event) {
        (State::Absent, Event::Registered(registered)) => {
            return State::Known(Known {
                keys: vec![registered.key],
                identities: Vec::new(),
                unassigned: false,
            });
        }
        (State::Absent, Event::IdentityAdded(_) | Event::KeyJoined(_) | Event::MergeProposed(_)) => {
            return State::Absent;
        }
        (
            State::Known(known),
            Event::Registered(_) | Event::IdentityAdded(_) | Event::KeyJoined(_) | Event::MergeProposed(_),
        ) => known,
    };
    match event {
        Event::Registered(_) => {}
        Event::IdentityAdded(added) => known.identities.push((added.identity.kind, added.identity.token)),
        Event::KeyJoined(joined) => known.keys.push(joined.key),
        Event::MergeProposed(_) => known.unassigned = true,
    }
    State::Known(known)
}
