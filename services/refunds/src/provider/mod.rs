//! The payment provider, as refunds see it: it is instructed under a key, and asked under the same key.
//!
//! Money moves at the provider's, not here. So an instruction is in the log before the provider hears it, its key is the refund's id on
//! every try, and only the provider's own word under that key says what became of it. What nobody can tell is [`Unknown`]: never a failure,
//! never a reason for a new key. It is settled by asking.
//!
//! The provider speaks plain HTTP on loopback, which is what the sandbox does. A provider elsewhere needs TLS and credentials: neither is
//! here yet, and any other address is refused.

pub mod exchange;
mod http;
pub mod webhook;
mod wire;

pub use self::http::PaymentProvider;

/// What the provider is to do: give this much of a captured payment back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Instruction {
    /// The refund's id: the idempotency key, the same on every try.
    pub key: String,
    /// The provider's own reference of the captured payment.
    pub charge: String,
    /// How much, in the currency's smallest unit.
    pub amount_minor: i64,
    /// ISO 4217, in capitals.
    pub currency: String,
}

/// What the provider says of a refund.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Settlement {
    /// The money is on its way back.
    Paid {
        /// The provider's name for the refund.
        reference: String,
    },
    /// No money has moved, and none will under this key.
    Failed {
        /// Stable: 1 to 64 of a-z, 0-9 and `_`, for example `insufficient_funds`.
        code: String,
        /// The provider's sentence, clipped; for people.
        reason: String,
    },
    /// The provider has the instruction and has not decided. Ask again.
    Pending,
}

/// Nobody can tell whether money moved: no answer, a late one, or one that cannot be used. Ask under the same key.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    /// Nothing answered in time.
    #[error("the payment provider did not answer within {within_ms} ms")]
    Late {
        /// How long was waited.
        within_ms: u64,
    },
    /// No connection, or it broke before the answer was whole.
    #[error("the payment provider gave no whole answer")]
    NoAnswer(#[source] exchange::Broken),
    /// There is an answer, but it is not one of this contract.
    #[error("the payment provider's answer ({status}) cannot be used: {what}")]
    Unreadable {
        /// Its HTTP status.
        status: u16,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The provider answers that it cannot say now: down, too busy, or not willing to talk to this caller.
    #[error("the payment provider turned the call away with {status}")]
    TurnedAway {
        /// Its HTTP status.
        status: u16,
    },
}

/// Why an instruction has no settlement.
#[derive(Debug, thiserror::Error)]
pub enum Unsettled {
    /// Nobody can tell whether money moved.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// The provider knows the key with another body. What that body paid stands: this is a mistake on this side, for a person to look at.
    #[error("the payment provider has another instruction under the key {key}")]
    ChangedBody {
        /// The key, which is the refund's id.
        key: String,
    },
}
