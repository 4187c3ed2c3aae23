//! What can happen to a customer.

use super::{Event, Identity, IdentityAdded, KeyJoined, MergeProposed, Registered, State};
use crate::values::{CustomerId, KeyId, Sealed};

/// How many identities one customer may have: far above any real person's, so that one noun stays small.
pub const IDENTITIES_MAX: usize = 64;

/// How many candidates a merge proposal names; the first ones in order of their ids.
pub const CANDIDATES_MAX: usize = 20;

/// What a customer is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    Register { key: KeyId, name: Option<Sealed>, identities: Vec<Identity> },
    AddIdentities { identities: Vec<Identity> },
    JoinKey { key: KeyId },
    ProposeMerge { candidates: Vec<CustomerId> },
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
}

impl Rejection {
    /// The stable reason that callers see.
    pub fn reason(&self) -> &'static str {
        match self {
            Rejection::NotRegistered => "NOT_REGISTERED",
            Rejection::AlreadyRegistered => "ALREADY_REGISTERED",
            Rejection::IdentityTaken { .. } => "IDENTITY_TAKEN",
            Rejection::TooManyIdentities => "TOO_MANY_IDENTITIES",
        }
    }
}

/// Decides what a command makes happen to a customer.
pub fn decide(state: &State, command: &Command) -> Result<Vec<Event>, Rejection> {
    let known = match (state, command) {
        (State::Absent, Command::Register { key, name, identities }) => {
            let registered = Event::Registered(Registered { key: *key, name: name.clone() });
            let mut events = vec![registered];
            events.extend(new_identities(&[], identities)?);
            return Ok(events);
        }
        (State::Known(_), Command::Register { .. }) => return Err(Rejection::AlreadyRegistered),
        (
            State::Absent,
            Command::AddIdentities { .. } | Command::JoinKey { .. } | Command::ProposeMerge { .. },
        ) => {
            return Err(Rejection::NotRegistered);
        }
        (
            State::Known(known),
            Command::AddIdentities { .. } | Command::JoinKey { .. } | Command::ProposeMerge { .. },
        ) => known,
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
