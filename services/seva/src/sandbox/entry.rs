//! What stands in the ledger, a line an entry: these are kept, so they only ever grow.

use serde::{Deserialize, Serialize};

/// An instruction as it came in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Order {
    #[serde(rename = "idempotency_key")]
    pub(super) key: String,
    pub(super) charge: String,
    pub(super) amount_minor: i64,
    pub(super) currency: String,
}

/// What became of a refund.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub(super) enum Outcome {
    Paid,
    Failed {
        code: String,
    },
    Pending {
        /// What happens by itself, and when; without it, it waits to be told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        then: Option<Then>,
    },
}

/// How a pending refund ends by itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Then {
    /// Milliseconds since 1970.
    pub(super) at_ms: i64,
    /// Why it fails; without it, it is paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
}

/// A line of the ledger.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "entry")]
pub(super) enum Entry {
    /// So much was captured: refunds of the charge stay within it.
    Captured { charge: String, amount_minor: i64, currency: String },
    /// An instruction was taken; the outcome is what it was answered, and ever will be.
    Instructed {
        id: String,
        #[serde(flatten)]
        order: Order,
        outcome: Outcome,
    },
    /// A pending refund has ended.
    Settled { id: String, outcome: Outcome },
}

impl Outcome {
    /// How a pending refund ends: failed with a code, else paid.
    pub(super) fn settled(code: Option<String>) -> Outcome {
        code.map_or(Outcome::Paid, |code| Outcome::Failed { code })
    }
}
