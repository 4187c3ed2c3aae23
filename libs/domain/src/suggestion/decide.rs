//! What can happen to a suggestion.

use super::{Acknowledged, Adopted, Audience, Captured, Declined, Event, OutcomeReported, Rerouted, State};
use crate::values::{Department, Sealed};

/// What a suggestion is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    Capture(Captured),
    Acknowledge,
    Reroute { to: Department, reason: Sealed },
    Adopt { plan: Sealed },
    Decline { reason: Sealed },
    ReportOutcome { to: Audience, message: Sealed },
}

/// Why a suggestion stays as it is.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Rejection {
    #[error("the suggestion does not exist")]
    Absent,
    #[error("the suggestion is adopted or declined already")]
    AlreadyDecided,
    #[error("the suggestion is neither adopted nor declined yet, so there is no outcome to report")]
    NotDecided,
    #[error("the suggestion is in triage: reroute it to the department that will do it first")]
    InTriage,
    #[error("the policy in force has no department `{}`: take one of its departments, or triage", .department.as_str())]
    UnknownDepartment { department: Department },
    #[error("the suggestion is in another department's inbox")]
    OtherDepartment,
}

impl Rejection {
    /// The stable reason that callers see.
    pub fn reason(&self) -> &'static str {
        match self {
            Rejection::Absent => "NOT_FOUND",
            Rejection::AlreadyDecided => "ALREADY_DECIDED",
            Rejection::NotDecided => "NOT_DECIDED",
            Rejection::InTriage => "IN_TRIAGE",
            Rejection::UnknownDepartment { .. } => "UNKNOWN_DEPARTMENT",
            Rejection::OtherDepartment => "OTHER_DEPARTMENT",
        }
    }
}

/// Decides what a command makes happen to a suggestion.
pub fn decide(state: &State, command: &Command) -> Result<Vec<Event>, Rejection> {
    let idea = match (state, command) {
        (State::Absent, Command::Capture(captured)) => return Ok(vec![Event::Captured(captured.clone())]),
        (_, Command::Capture(_)) => return Ok(Vec::new()),
        (_, _) => state.idea().ok_or(Rejection::Absent)?,
    };
    let is_decided = matches!(state, State::Decided { .. });
    match command {
        Command::ReportOutcome { to, message } => match state {
            State::Decided { told, .. } if told.contains(to) => Ok(Vec::new()),
            State::Decided { .. } => {
                Ok(vec![Event::OutcomeReported(OutcomeReported { to: *to, message: message.clone() })])
            }
            State::Absent | State::Waiting(_) | State::Acknowledged(_) => Err(Rejection::NotDecided),
        },
        _ if is_decided => Err(Rejection::AlreadyDecided),
        Command::Capture(_) => Ok(Vec::new()),
        Command::Acknowledge => match state {
            State::Acknowledged(_) => Ok(Vec::new()),
            State::Absent | State::Waiting(_) | State::Decided { .. } => {
                Ok(vec![Event::Acknowledged(Acknowledged {})])
            }
        },
        Command::Reroute { to, .. } if *to == idea.department => Ok(Vec::new()),
        Command::Reroute { to, reason } => {
            let from = idea.department.clone();
            Ok(vec![Event::Rerouted(Rerouted { from, to: to.clone(), reason: reason.clone() })])
        }
        Command::Adopt { .. } if idea.department.is_triage() => Err(Rejection::InTriage),
        Command::Adopt { plan } => Ok(vec![Event::Adopted(Adopted { plan: plan.clone() })]),
        Command::Decline { reason } => Ok(vec![Event::Declined(Declined { reason: reason.clone() })]),
    }
}
