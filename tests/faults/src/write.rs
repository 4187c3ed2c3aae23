//! The writes that clients ask for, in a form that the history can hold.

use serde::{Deserialize, Serialize};

/// What is asked for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    Log,
    Reclassify,
    Resolve,
    Confirm,
    Reject,
    Reopen,
    Capture,
    Acknowledge,
    Reroute,
    Adopt,
    Decline,
}

impl Verb {
    /// What can be asked of a case.
    pub const OF_CASES: [Verb; 5] =
        [Verb::Reclassify, Verb::Resolve, Verb::Confirm, Verb::Reject, Verb::Reopen];

    /// What can be asked of a suggestion.
    pub const OF_SUGGESTIONS: [Verb; 4] = [Verb::Acknowledge, Verb::Reroute, Verb::Adopt, Verb::Decline];

    /// Whether intake is asked; feedback otherwise.
    pub fn is_intakes(self) -> bool {
        match self {
            Verb::Log | Verb::Reclassify | Verb::Resolve | Verb::Confirm | Verb::Reject | Verb::Reopen => {
                true
            }
            Verb::Capture | Verb::Acknowledge | Verb::Reroute | Verb::Adopt | Verb::Decline => false,
        }
    }

    /// Whether another body can be told in the log: by the time that the caller says it happened.
    pub fn has_bodies(self) -> bool {
        matches!(self, Verb::Log | Verb::Capture)
    }
}

/// One request. Sent again it is the same, but for its body.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Write {
    pub verb: Verb,
    /// Names the request: its id, and its caller, whom the log shows.
    pub marker: String,
    /// Which body is sent under the id.
    pub body: u8,
    /// The case or the suggestion asked about, or the case that an interaction belongs to; may be empty.
    pub about: String,
    /// The account of the customer, for interactions.
    pub account: String,
    pub is_suggestion: bool,
    /// When it happened; each body says another time.
    pub occurred_at: i64,
}

impl Write {
    /// The same id, another body.
    pub fn with_other_body(&self) -> Write {
        Write { body: self.body + 1, occurred_at: self.occurred_at + 1, ..self.clone() }
    }
}
