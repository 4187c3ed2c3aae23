//! What can happen to an escalation.

use super::{Accepted, Declined, Ended, EndedBecause, Event, Raised, Resolved, State, Unanswered};
use crate::values::{At, Rung, Sealed};

/// What an escalation is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    Raise(Raised),
    Accept,
    Decline {
        reason: Sealed,
    },
    Resolve {
        resolution: Sealed,
    },
    /// The deadline of the rung it is on came.
    GoUnanswered,
    /// The case it is about is closed.
    End,
}

/// Why an escalation stays as it is.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Rejection {
    #[error("the case was never escalated")]
    Absent,
    #[error("the case is escalated already: see its history for the rung it is on")]
    AlreadyEscalated,
    #[error("the escalation was accepted already: resolve it")]
    AlreadyAccepted,
    #[error("nobody has accepted the escalation yet: accept it first")]
    NotAccepted,
    #[error("the escalation is over: raise it again if the case still needs somebody higher")]
    Over,
    #[error("the ladder for this kind of case has no rung `{}`", .rung.as_str())]
    UnknownRung { rung: Rung },
}

impl Rejection {
    /// The stable reason that callers see.
    pub fn reason(&self) -> &'static str {
        match self {
            Rejection::Absent => "NOT_FOUND",
            Rejection::AlreadyEscalated => "ALREADY_ESCALATED",
            Rejection::AlreadyAccepted => "ALREADY_ACCEPTED",
            Rejection::NotAccepted => "NOT_ACCEPTED",
            Rejection::Over => "ESCALATION_OVER",
            Rejection::UnknownRung { .. } => "UNKNOWN_RUNG",
        }
    }
}

/// Decides what a command makes happen to an escalation.
pub fn decide(state: &State, command: &Command, at: At) -> Result<Vec<Event>, Rejection> {
    match command {
        Command::Raise(raised) => match state {
            State::Waiting { .. } | State::Accepted(_) => Err(Rejection::AlreadyEscalated),
            State::Absent | State::Over(_) => Ok(vec![Event::Raised(raised.clone())]),
        },
        Command::Accept => match state {
            State::Absent => Err(Rejection::Absent),
            State::Over(_) => Err(Rejection::Over),
            State::Accepted(_) => Ok(Vec::new()),
            State::Waiting { .. } => Ok(vec![Event::Accepted(Accepted {})]),
        },
        Command::Decline { reason } => match state {
            State::Absent => Err(Rejection::Absent),
            State::Over(_) => Err(Rejection::Over),
            State::Accepted(_) => Err(Rejection::AlreadyAccepted),
            State::Waiting { .. } => Ok(vec![Event::Declined(Declined { reason: reason.clone() })]),
        },
        Command::Resolve { resolution } => match state {
            State::Absent => Err(Rejection::Absent),
            State::Over(_) => Err(Rejection::Over),
            State::Waiting { .. } => Err(Rejection::NotAccepted),
            State::Accepted(_) => Ok(vec![Event::Resolved(Resolved { resolution: resolution.clone() })]),
        },
        Command::GoUnanswered => Ok(unanswered(state, at)),
        Command::End => match state {
            State::Absent | State::Over(_) => Ok(Vec::new()),
            State::Waiting { .. } | State::Accepted(_) => {
                Ok(vec![Event::Ended(Ended { because: EndedBecause::CaseClosed })])
            }
        },
    }
}

/// An escalation that was answered in time, or went elsewhere, did not go unanswered.
fn unanswered(state: &State, at: At) -> Vec<Event> {
    let State::Waiting { climb, answer_by: Some(answer_by) } = state else { return Vec::new() };
    match climb.rungs.last() {
        Some(rung) if *answer_by <= at => {
            vec![Event::Unanswered(Unanswered { rung: rung.clone(), answer_by: *answer_by })]
        }
        Some(_) | None => Vec::new(),
    }
}
