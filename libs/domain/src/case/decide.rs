//! What can happen to a case.

use super::{
    ConfirmedBy, Event, InteractionLogged, Linked, Opened, Reclassified, Reopened, ReopenedBecause,
    ResolutionConfirmed, ResolutionRejected, Resolved, State,
};
use crate::values::{
    At, CaseId, Channel, Classification, CustomerId, Direction, InteractionId, Kind, Sealed, ThreadId,
};

/// What a case is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// Log what was said; the first time opens the case.
    Log(Log),
    Link {
        to: CaseId,
    },
    Reclassify {
        to: Kind,
        reason: Option<Sealed>,
    },
    Resolve {
        resolution: Sealed,
    },
    Confirm,
    /// Silence lasted until the time the policy waits for.
    ConfirmBySilence,
    Reject {
        reason: Sealed,
    },
    Reopen {
        reason: Sealed,
    },
}

/// What was said, and with whom.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Log {
    pub interaction: InteractionId,
    pub customer: CustomerId,
    pub channel: Channel,
    pub direction: Direction,
    pub kind: Kind,
    pub thread: Option<ThreadId>,
    pub text: Sealed,
    pub classification: Classification,
}

/// Why a case stays as it is.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Rejection {
    #[error("the case does not exist")]
    Absent,
    #[error(
        "the case belongs to another customer: log this without the case, or with the customer it belongs to"
    )]
    OfAnotherCustomer,
    #[error("the case is closed: reopen it first")]
    Closed,
    #[error("the case is resolved already: reject the resolution or reopen the case to resolve it otherwise")]
    AlreadyResolved,
    #[error("the case is not resolved, so there is nothing to confirm or reject")]
    NotResolved,
}

impl Rejection {
    /// The stable reason that callers see.
    pub fn reason(&self) -> &'static str {
        match self {
            Rejection::Absent => "NOT_FOUND",
            Rejection::OfAnotherCustomer => "CASE_OF_ANOTHER_CUSTOMER",
            Rejection::Closed => "CASE_CLOSED",
            Rejection::AlreadyResolved => "ALREADY_RESOLVED",
            Rejection::NotResolved => "NOT_RESOLVED",
        }
    }
}

/// Decides what a command makes happen to a case.
pub fn decide(state: &State, command: &Command, at: At) -> Result<Vec<Event>, Rejection> {
    match command {
        Command::Log(log) => self::log(state, log),
        Command::Link { to } => match state {
            State::Absent => Err(Rejection::Absent),
            State::Open(_) | State::Resolved { .. } | State::Closed(_) => {
                Ok(vec![Event::Linked(Linked { to: *to })])
            }
        },
        Command::Reclassify { to, reason } => reclassify(state, *to, reason),
        Command::Resolve { resolution } => match state {
            State::Absent => Err(Rejection::Absent),
            State::Resolved { .. } => Err(Rejection::AlreadyResolved),
            State::Closed(_) => Err(Rejection::Closed),
            State::Open(_) => Ok(vec![Event::Resolved(Resolved { resolution: resolution.clone() })]),
        },
        Command::Confirm => match state {
            State::Absent => Err(Rejection::Absent),
            State::Open(_) => Err(Rejection::NotResolved),
            State::Closed(_) => Ok(Vec::new()),
            State::Resolved { .. } => Ok(confirmed(ConfirmedBy::Customer)),
        },
        Command::ConfirmBySilence => match state {
            State::Resolved { until: Some(until), .. } if *until <= at => Ok(confirmed(ConfirmedBy::Silence)),
            State::Absent | State::Open(_) | State::Resolved { .. } | State::Closed(_) => Ok(Vec::new()),
        },
        Command::Reject { reason } => match state {
            State::Absent => Err(Rejection::Absent),
            State::Open(_) => Err(Rejection::NotResolved),
            State::Closed(_) => Err(Rejection::Closed),
            State::Resolved { .. } => {
                Ok(vec![Event::ResolutionRejected(ResolutionRejected { reason: reason.clone() })])
            }
        },
        Command::Reopen { reason } => match state {
            State::Absent => Err(Rejection::Absent),
            State::Open(_) => Ok(Vec::new()),
            State::Resolved { .. } | State::Closed(_) => {
                let because = ReopenedBecause::Staff(reason.clone());
                Ok(vec![Event::Reopened(Reopened { because })])
            }
        },
    }
}

fn log(state: &State, log: &Log) -> Result<Vec<Event>, Rejection> {
    let logged = Event::InteractionLogged(InteractionLogged {
        interaction: log.interaction,
        customer: log.customer,
        channel: log.channel,
        direction: log.direction,
        kind: log.kind,
        text: log.text.clone(),
        classification: log.classification.clone(),
    });
    match state.matter() {
        Some(matter) if matter.customer != log.customer => Err(Rejection::OfAnotherCustomer),
        Some(_) => Ok(vec![logged]),
        None => {
            let opened =
                Opened { customer: log.customer, kind: log.kind, channel: log.channel, thread: log.thread };
            Ok(vec![Event::Opened(opened), logged])
        }
    }
}

fn reclassify(state: &State, to: Kind, reason: &Option<Sealed>) -> Result<Vec<Event>, Rejection> {
    let matter = match state {
        State::Absent => return Err(Rejection::Absent),
        State::Closed(_) => return Err(Rejection::Closed),
        State::Open(matter) | State::Resolved { matter, .. } => matter,
    };
    let Some(opening) = &matter.opening else { return Err(Rejection::Absent) };
    if matter.kind == to {
        return Ok(Vec::new());
    }
    Ok(vec![Event::Reclassified(Reclassified {
        from: matter.kind,
        to,
        reason: reason.clone(),
        customer: matter.customer,
        interaction: opening.interaction,
        text: opening.text.clone(),
        classification: opening.classification.clone(),
    })])
}

fn confirmed(by: ConfirmedBy) -> Vec<Event> {
    vec![Event::ResolutionConfirmed(ResolutionConfirmed { by })]
}
