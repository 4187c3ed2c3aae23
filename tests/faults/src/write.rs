//! The writes that clients ask for, in a form that the history can hold.

use serde::{Deserialize, Serialize};
use seva_domain::noun::Noun;
use seva_domain::service::Service;

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    #[default]
    Log,
    Reclassify,
    Resolve,
    Confirm,
    Reject,
    Reopen,
    MakePromise,
    KeepPromise,
    PutOffPromise,
    Capture,
    Acknowledge,
    Reroute,
    Adopt,
    Decline,
    Raise,
    AcceptEscalation,
    DeclineEscalation,
    ResolveEscalation,
    RegisterCharge,
    RequestRefund,
    ApproveRefund,
    DeclineRefund,
}

impl Verb {
    /// What can be asked of a case.
    pub const OF_CASES: [Verb; 5] =
        [Verb::Reclassify, Verb::Resolve, Verb::Confirm, Verb::Reject, Verb::Reopen];

    /// What can be asked of a suggestion.
    pub const OF_SUGGESTIONS: [Verb; 4] = [Verb::Acknowledge, Verb::Reroute, Verb::Adopt, Verb::Decline];

    /// What can be asked of an escalation; most are raised and left alone, so that they climb.
    pub const OF_ESCALATIONS: [Verb; 6] = [
        Verb::Raise,
        Verb::Raise,
        Verb::Raise,
        Verb::AcceptEscalation,
        Verb::DeclineEscalation,
        Verb::ResolveEscalation,
    ];

    /// Who is asked.
    pub fn service(self) -> Service {
        match self {
            Verb::Log
            | Verb::Reclassify
            | Verb::Resolve
            | Verb::Confirm
            | Verb::Reject
            | Verb::Reopen
            | Verb::MakePromise
            | Verb::KeepPromise
            | Verb::PutOffPromise => Service::Intake,
            Verb::Capture | Verb::Acknowledge | Verb::Reroute | Verb::Adopt | Verb::Decline => {
                Service::Feedback
            }
            Verb::Raise | Verb::AcceptEscalation | Verb::DeclineEscalation | Verb::ResolveEscalation => {
                Service::Escalation
            }
            Verb::RegisterCharge | Verb::RequestRefund | Verb::ApproveRefund | Verb::DeclineRefund => {
                Service::Refunds
            }
        }
    }

    /// Whether another body can be told in the log: by the time that the caller says it happened, by a due time, or by an amount.
    pub fn has_bodies(self) -> bool {
        matches!(
            self,
            Verb::Log
                | Verb::Capture
                | Verb::MakePromise
                | Verb::Raise
                | Verb::RegisterCharge
                | Verb::RequestRefund
        )
    }
}

/// One request. Sent again it is the same, but for its body.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Write {
    pub verb: Verb,
    /// Names the request: its id, and its caller where nobody else is named.
    pub marker: String,
    /// Who asks, if that is somebody who asked before.
    pub by: String,
    /// Which body is sent under the id.
    pub body: u8,
    /// The case, the suggestion or the charge asked about, or the case that an interaction belongs to; may be empty.
    pub about: String,
    /// The promise, or the refund, or what the provider calls the charge.
    pub of: String,
    /// The account of the customer, for interactions; the customer, for charges.
    pub account: String,
    /// ISO 4217.
    pub currency: String,
    /// A promise's due time, or an amount in minor units.
    pub number: i64,
    pub is_suggestion: bool,
    /// When it happened; each body says another time.
    pub occurred_at: i64,
}

impl Write {
    /// The same id, another body.
    pub fn with_other_body(&self) -> Write {
        Write {
            body: self.body + 1,
            occurred_at: self.occurred_at + 1,
            number: self.number + 1,
            ..self.clone()
        }
    }

    /// Who asks, as the log shows it.
    pub fn actor(&self) -> &str {
        if self.by.is_empty() { &self.marker } else { &self.by }
    }

    /// The noun whose state refusals rest on; `None` where it is not there yet.
    pub fn noun(&self) -> Option<Noun> {
        let name = match self.verb.service() {
            Service::Escalation => "escalation",
            Service::Feedback => "suggestion",
            Service::Intake => "case",
            Service::Refunds => "charge",
            Service::Policy => return None,
        };
        Noun::parse(name, &self.about).ok()
    }
}
