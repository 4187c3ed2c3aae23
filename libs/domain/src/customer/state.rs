//! What a customer has become.

use serde::{Deserialize, Serialize};

use super::{Event, ForgettingReason, HoldReason, IdentityKind};
use crate::values::{Actor, KeyId, Token};

/// A customer, as far as decisions need it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum State {
    Absent,
    Known(Known),
    /// That they be forgotten is confirmed: these keys are to be destroyed, and what the customer was known by is known no more.
    BeingForgotten {
        keys: Vec<KeyId>,
    },
    /// Somebody was here; nothing tells who.
    Forgotten,
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
    /// Who asked that they be forgotten, while nobody has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgetting: Option<Asked>,
    /// What they are held for, in order; none twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<HoldReason>,
}

/// That a person be forgotten was asked for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Asked {
    pub by: Actor,
    pub reason: ForgettingReason,
}

impl State {
    /// The customer, while somebody knows who it is.
    pub fn known(&self) -> Option<&Known> {
        match self {
            State::Known(known) => Some(known),
            State::Absent | State::BeingForgotten { .. } | State::Forgotten => None,
        }
    }

    /// Whether nothing is written for them any more.
    pub fn is_forgotten(&self) -> bool {
        match self {
            State::BeingForgotten { .. } | State::Forgotten => true,
            State::Absent | State::Known(_) => false,
        }
    }

    fn with(self, change: impl FnOnce(&mut Known)) -> State {
        let mut state = self;
        match &mut state {
            State::Known(known) => change(known),
            State::Absent | State::BeingForgotten { .. } | State::Forgotten => {}
        }
        state
    }
}

/// What a customer becomes by an event.
pub fn evolve(state: State, event: &Event) -> State {
    match event {
        Event::Registered(registered) => match state {
            State::Absent => State::Known(Known {
                keys: vec![registered.key],
                identities: Vec::new(),
                unassigned: false,
                forgetting: None,
                holds: Vec::new(),
            }),
            State::Known(_) | State::BeingForgotten { .. } | State::Forgotten => state,
        },
        Event::IdentityAdded(added) => {
            state.with(|known| known.identities.push((added.identity.kind, added.identity.token)))
        }
        Event::KeyJoined(joined) => state.with(|known| known.keys.push(joined.key)),
        Event::MergeProposed(_) => state.with(|known| known.unassigned = true),
        Event::ForgettingRequested(requested) => state.with(|known| {
            known.forgetting = Some(Asked { by: requested.by.clone(), reason: requested.reason });
        }),
        Event::ForgettingDeclined(_) => state.with(|known| known.forgetting = None),
        Event::ForgettingConfirmed(confirmed) => match state {
            State::Known(_) => State::BeingForgotten { keys: confirmed.keys.clone() },
            State::Absent | State::BeingForgotten { .. } | State::Forgotten => state,
        },
        Event::Forgotten(_) => match state {
            State::BeingForgotten { .. } => State::Forgotten,
            State::Absent | State::Known(_) | State::Forgotten => state,
        },
        Event::HoldPlaced(placed) => state.with(|known| {
            known.holds.push(placed.reason);
            known.holds.sort_unstable();
        }),
        Event::HoldLifted(lifted) => state.with(|known| known.holds.retain(|held| *held != lifted.reason)),
    }
}
