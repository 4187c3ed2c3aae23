//! What can happen to a case.

use super::{
    ConfirmedBy, Event, InteractionLogged, Linked, Opened, Promise, PromiseBroken, PromiseKept,
    PromiseProposed, PromiseRenegotiated, Reclassified, Reopened, ReopenedBecause, ResolutionConfirmed,
    ResolutionRejected, Resolved, Standing, State,
};
use crate::values::{
    At, CaseId, Channel, Classification, CustomerId, Direction, InteractionId, Kind, PromiseId, PromiseKind,
    Sealed, ThreadId,
};

/// The most promises that one case can hold, kept and broken ones counted.
pub const PROMISES_MAX: usize = 100;

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
    /// Give the customer one's word.
    Promise {
        promise: PromiseId,
        kind: PromiseKind,
        due: At,
        text: Sealed,
    },
    KeepPromise {
        promise: PromiseId,
        note: Option<Sealed>,
    },
    RenegotiatePromise {
        promise: PromiseId,
        due: At,
        reason: Sealed,
    },
    /// A promise's time came.
    BreakPromise {
        promise: PromiseId,
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
    #[error("the case has no such promise")]
    UnknownPromise,
    #[error("the promise would be due already: promise something that is yet to come")]
    PromiseDuePast,
    #[error("the promise was broken at its time: what was done since does not keep it")]
    PromiseBroken,
    #[error("the promise was kept already")]
    PromiseKept,
    #[error("the promise was never given: the policy refused it")]
    PromiseNotGiven,
    #[error("the case holds {PROMISES_MAX} promises, which is the most")]
    TooManyPromises,
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
            Rejection::UnknownPromise => "PROMISE_NOT_FOUND",
            Rejection::PromiseDuePast => "PROMISE_DUE_PAST",
            Rejection::PromiseBroken => "PROMISE_BROKEN",
            Rejection::PromiseKept => "PROMISE_KEPT",
            Rejection::PromiseNotGiven => "PROMISE_NOT_GIVEN",
            Rejection::TooManyPromises => "TOO_MANY_PROMISES",
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
        Command::Promise { promise, kind, due, text } => {
            let proposed =
                PromiseProposed { promise: *promise, kind: kind.clone(), due: *due, text: text.clone() };
            propose(state, proposed, at)
        }
        Command::KeepPromise { promise, note } => keep(state, *promise, note),
        Command::RenegotiatePromise { promise, due, reason } => {
            renegotiate(state, *promise, *due, reason, at)
        }
        Command::BreakPromise { promise } => Ok(broken(state, *promise, at)),
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

fn propose(state: &State, proposed: PromiseProposed, at: At) -> Result<Vec<Event>, Rejection> {
    let matter = match state {
        State::Absent => return Err(Rejection::Absent),
        State::Closed(_) => return Err(Rejection::Closed),
        State::Open(matter) | State::Resolved { matter, .. } => matter,
    };
    if state.promise(proposed.promise).is_some() {
        return Ok(Vec::new());
    }
    if proposed.due <= at {
        return Err(Rejection::PromiseDuePast);
    }
    if matter.promises.len() >= PROMISES_MAX {
        return Err(Rejection::TooManyPromises);
    }
    Ok(vec![Event::PromiseProposed(proposed)])
}

/// A promise that is still to be kept, or why it is not; `None` if it was kept.
fn pending(state: &State, promise: PromiseId) -> Result<Option<&Promise>, Rejection> {
    if matches!(state, State::Absent) {
        return Err(Rejection::Absent);
    }
    let promise = state.promise(promise).ok_or(Rejection::UnknownPromise)?;
    match promise.standing {
        Standing::Pending => Ok(Some(promise)),
        Standing::Kept => Ok(None),
        Standing::Broken => Err(Rejection::PromiseBroken),
        Standing::Proposed | Standing::Refused => Err(Rejection::PromiseNotGiven),
    }
}

fn keep(state: &State, promise: PromiseId, note: &Option<Sealed>) -> Result<Vec<Event>, Rejection> {
    let kept = |_| Event::PromiseKept(PromiseKept { promise, note: note.clone() });
    Ok(pending(state, promise)?.map(kept).into_iter().collect())
}

fn renegotiate(
    state: &State,
    promise: PromiseId,
    due: At,
    reason: &Sealed,
    at: At,
) -> Result<Vec<Event>, Rejection> {
    let pending = pending(state, promise)?.ok_or(Rejection::PromiseKept)?;
    if pending.due == due {
        return Ok(Vec::new());
    }
    if due <= at {
        return Err(Rejection::PromiseDuePast);
    }
    let (from, reason) = (pending.due, reason.clone());
    Ok(vec![Event::PromiseRenegotiated(PromiseRenegotiated { promise, from, due, reason })])
}

/// A promise that was kept, or put off, is not broken.
fn broken(state: &State, id: PromiseId, at: At) -> Vec<Event> {
    let (Some(matter), Some(promise)) = (state.matter(), state.promise(id)) else { return Vec::new() };
    if promise.standing != Standing::Pending || promise.due > at {
        return Vec::new();
    }
    vec![Event::PromiseBroken(PromiseBroken {
        promise: id,
        kind: promise.kind.clone(),
        due: promise.due,
        customer: matter.customer,
        about: matter.kind,
    })]
}

fn confirmed(by: ConfirmedBy) -> Vec<Event> {
    vec![Event::ResolutionConfirmed(ResolutionConfirmed { by })]
}
