//! What can happen to a customer.

use super::{
    Event, Forgetting, Forgotten, Identity, IdentityAdded, KeyJoined, MergeProposed, Registered, State,
    forgetting,
};
use crate::values::{CustomerId, KeyId, Sealed};

/// How many identities one customer may have: far above any real person's, so that one noun stays small.
pub const IDENTITIES_MAX: usize = 64;

/// How many candidates a merge proposal names; the first ones in order of their ids.
pub const CANDIDATES_MAX: usize = 20;

/// What a customer is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    Register {
        key: KeyId,
        name: Option<Sealed>,
        identities: Vec<Identity>,
    },
    AddIdentities {
        identities: Vec<Identity>,
    },
    JoinKey {
        key: KeyId,
    },
    ProposeMerge {
        candidates: Vec<CustomerId>,
    },
    Forgetting(Forgetting),
    /// Every key of a person who is being forgotten was destroyed.
    RecordForgotten,
}

/// Why a customer stays as it is.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Rejection {
    #[error("the customer is not registered")]
    NotRegistered,
    #[error("the customer is registered already")]
    AlreadyRegistered,
    #[error("this {kind} belongs to another customer", kind = match .kind {
        super::IdentityKind::Account => "account",
        super::IdentityKind::Email => "e-mail address",
        super::IdentityKind::Handle => "handle",
        super::IdentityKind::Phone => "telephone number",
    })]
    IdentityTaken { kind: super::IdentityKind },
    #[error("a customer can be known by at most {IDENTITIES_MAX} identities")]
    TooManyIdentities,
    #[error("the customer was forgotten: nothing is written for them any more")]
    Forgotten,
    #[error("the law wants what is known of the customer kept: lift every hold first")]
    Held,
    #[error("nobody has asked that the customer be forgotten")]
    NotAsked,
    #[error("who asked that a customer be forgotten cannot confirm it: a second person must")]
    SecondPersonNeeded,
    #[error("that the customer be forgotten was not confirmed")]
    NotConfirmed,
}

impl Rejection {
    /// The stable reason that callers see.
    pub fn reason(&self) -> &'static str {
        match self {
            Rejection::NotRegistered => "NOT_REGISTERED",
            Rejection::AlreadyRegistered => "ALREADY_REGISTERED",
            Rejection::IdentityTaken { .. } => "IDENTITY_TAKEN",
            Rejection::TooManyIdentities => "TOO_MANY_IDENTITIES",
            Rejection::Forgotten => "CUSTOMER_FORGOTTEN",
            Rejection::Held => "LEGAL_HOLD",
            Rejection::NotAsked => "FORGETTING_NOT_ASKED",
            Rejection::SecondPersonNeeded => "SECOND_PERSON_NEEDED",
            Rejection::NotConfirmed => "FORGETTING_NOT_CONFIRMED",
        }
    }
}

/// Decides what a command makes happen to a customer.
pub fn decide(state: &State, command: &Command) -> Result<Vec<Event>, Rejection> {
    let known = match state {
        State::Known(known) => known,
        State::Absent => return register(command),
        State::BeingForgotten { keys } => return forget(keys.len(), command),
        State::Forgotten => return forgotten(command),
    };
    match command {
        Command::Register { .. } => Err(Rejection::AlreadyRegistered),
        Command::AddIdentities { identities } => new_identities(&known.identities, identities),
        Command::JoinKey { key } if known.keys.contains(key) => Ok(Vec::new()),
        Command::JoinKey { key } => Ok(vec![Event::KeyJoined(KeyJoined { key: *key })]),
        Command::ProposeMerge { .. } if known.unassigned => Ok(Vec::new()),
        Command::ProposeMerge { candidates } => {
            let candidates = candidates.iter().copied().take(CANDIDATES_MAX).collect();
            Ok(vec![Event::MergeProposed(MergeProposed { candidates })])
        }
        Command::Forgetting(said) => forgetting::decide(known, said),
        Command::RecordForgotten => Err(Rejection::NotConfirmed),
    }
}

fn register(command: &Command) -> Result<Vec<Event>, Rejection> {
    match command {
        Command::Register { key, name, identities } => {
            let mut events = vec![Event::Registered(Registered { key: *key, name: name.clone() })];
            events.extend(new_identities(&[], identities)?);
            Ok(events)
        }
        Command::AddIdentities { .. }
        | Command::JoinKey { .. }
        | Command::ProposeMerge { .. }
        | Command::Forgetting(_)
        | Command::RecordForgotten => Err(Rejection::NotRegistered),
    }
}

/// A person who is being forgotten can only become forgotten.
fn forget(keys: usize, command: &Command) -> Result<Vec<Event>, Rejection> {
    match command {
        Command::RecordForgotten => {
            let keys_destroyed = u32::try_from(keys).unwrap_or(u32::MAX);
            Ok(vec![Event::Forgotten(Forgotten { keys_destroyed })])
        }
        Command::Register { .. }
        | Command::AddIdentities { .. }
        | Command::JoinKey { .. }
        | Command::ProposeMerge { .. }
        | Command::Forgetting(_) => forgotten(command),
    }
}

/// Nothing happens to a person who was forgotten; that they be forgotten is so already.
fn forgotten(command: &Command) -> Result<Vec<Event>, Rejection> {
    match command {
        Command::RecordForgotten
        | Command::Forgetting(Forgetting::Ask { .. } | Forgetting::Confirm { .. }) => Ok(Vec::new()),
        Command::Register { .. }
        | Command::AddIdentities { .. }
        | Command::JoinKey { .. }
        | Command::ProposeMerge { .. }
        | Command::Forgetting(
            Forgetting::Decline { .. } | Forgetting::Hold { .. } | Forgetting::Lift { .. },
        ) => Err(Rejection::Forgotten),
    }
}

fn new_identities(
    known: &[(super::IdentityKind, crate::values::Token)],
    given: &[Identity],
) -> Result<Vec<Event>, Rejection> {
    let mut seen = known.to_vec();
    let mut events = Vec::new();
    for identity in given {
        let who = (identity.kind, identity.token);
        if !seen.contains(&who) {
            seen.push(who);
            events.push(Event::IdentityAdded(IdentityAdded { identity: identity.clone() }));
        }
    }
    if seen.len() > IDENTITIES_MAX {
        return Err(Rejection::TooManyIdentities);
    }
    Ok(events)
}
