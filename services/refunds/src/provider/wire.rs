//! What stands in the provider's bodies, and what it means.

use serde::{Deserialize, Serialize};

use super::Settlement;

/// How much of the provider's sentence is kept, in characters.
const REASON_CHARS_MAX: usize = 200;

/// How long a code or a reference may be.
const TOKEN_CHARS_MAX: usize = 64;

/// The body of an instruction.
#[derive(Debug, Serialize)]
pub(super) struct Body<'a> {
    pub(super) charge: &'a str,
    pub(super) amount_minor: i64,
    pub(super) currency: &'a str,
}

/// A refund as the provider shows it. Fields that it may add are left alone.
#[derive(Debug, Deserialize)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) idempotency_key: String,
    pub(super) charge: String,
    pub(super) amount_minor: i64,
    pub(super) currency: String,
    status: Phase,
    failure: Option<Failure>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    Failed,
    Paid,
    Pending,
}

#[derive(Debug, Deserialize)]
struct Failure {
    code: String,
    reason: String,
}

/// All refunds under one key: one or none.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
    pub(super) data: Vec<Refund>,
}

/// A refusal.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    error: Failure,
}

impl Refund {
    /// What this says of the refund; `None` where it contradicts itself.
    pub(super) fn settlement(self) -> Option<Settlement> {
        match (self.status, self.failure) {
            (Phase::Paid, None) if is_reference(&self.id) => Some(Settlement::Paid { reference: self.id }),
            (Phase::Pending, None) => Some(Settlement::Pending),
            (Phase::Failed, Some(failure)) => failure.settlement(),
            (Phase::Paid | Phase::Pending | Phase::Failed, _) => None,
        }
    }
}

impl Refusal {
    pub(super) fn code(&self) -> &str {
        &self.error.code
    }

    /// What this says of the refund; `None` where the code is none.
    pub(super) fn settlement(self) -> Option<Settlement> {
        self.error.settlement()
    }
}

impl Failure {
    fn settlement(self) -> Option<Settlement> {
        let Failure { code, reason } = self;
        let is_code = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let is_usable = !code.is_empty() && code.len() <= TOKEN_CHARS_MAX && code.chars().all(is_code);
        let clip = |c: char| if c.is_control() { ' ' } else { c };
        let reason = reason.chars().take(REASON_CHARS_MAX).map(clip).collect();
        is_usable.then_some(Settlement::Failed { code, reason })
    }
}

fn is_reference(id: &str) -> bool {
    !id.is_empty() && id.len() <= TOKEN_CHARS_MAX && id.chars().all(|c| c.is_ascii_graphic())
}
