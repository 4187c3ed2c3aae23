//! What can happen to the policy.

use super::{Document, Event, Finding, Published, State};

/// What the policy is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    Publish { document: String, reason: String },
}

/// Why the policy stays as it is.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Rejection {
    #[error("the document cannot be the policy: {} finding(s), the first at {}: {}", .findings.len(),
        .findings.first().map_or("", |f| f.path.as_str()), .findings.first().map_or("", |f| f.message.as_str()))]
    Invalid { findings: Vec<Finding> },
}

impl Rejection {
    /// The stable reason that callers see.
    pub fn reason(&self) -> &'static str {
        match self {
            Rejection::Invalid { .. } => "POLICY_INVALID",
        }
    }
}

/// Decides what a command makes happen to the policy. The document in force, published again, changes nothing.
pub fn decide(state: &State, command: &Command) -> Result<Vec<Event>, Rejection> {
    let Command::Publish { document, reason } = command;
    match state {
        State::InForce { document: current, .. } if current == document => return Ok(Vec::new()),
        State::Absent | State::InForce { .. } => {}
    }
    Document::parse(document).map_err(|findings| Rejection::Invalid { findings })?;
    let version = state.version() + 1;
    Ok(vec![Event::Published(Published { version, document: document.clone(), reason: reason.clone() })])
}
