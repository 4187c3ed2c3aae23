//! What can have happened to a charge.

use serde::{Deserialize, Serialize, Serializer};

use crate::noun::{Unreadable, read_data};
use crate::values::{Actor, At, CaseId, Currency, CustomerId, KeyId, Minor, Reference, RefundId, Sealed};

/// How it was paid.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    BankTransfer,
    Card,
    Cash,
    DirectDebit,
    Other,
    Voucher,
    Wallet,
}

/// A payment was captured.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Registered {
    /// What the payment provider calls it.
    pub reference: Reference,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Reference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseId>,
    pub method: Method,
    pub currency: Currency,
    pub captured: Minor,
    /// The key that every text about it is sealed under.
    pub key: KeyId,
}

/// What a part of a refund is for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// What the charge's wrong cost the customer elsewhere.
    Consequential,
    /// A gift, to make up for it.
    Goodwill,
    /// What was paid too much, or for nothing.
    Principal,
}

/// A part of a refund.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Line {
    pub kind: LineKind,
    pub amount: Minor,
    /// What shows that it cost that; consequential cost has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Sealed>,
}

/// Somebody wants money given back.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RefundRequested {
    pub refund: RefundId,
    pub by: Actor,
    pub lines: Vec<Line>,
    pub reason: Sealed,
}

/// Why a refund is not given.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclinedBecause {
    /// All of the charge's consequential cost together is more than the policy covers.
    ConsequentialAbove { up_to: Minor, would_be: Minor },
    /// All of the charge's goodwill together is more than the policy gives.
    GoodwillAbove { up_to: Minor, would_be: Minor },
    /// Somebody said so.
    Said { by: Actor, reason: Sealed },
}

/// It is not given.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RefundDeclined {
    pub refund: RefundId,
    pub because: DeclinedBecause,
}

/// Somebody says that it should be given.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ApprovalGiven {
    pub refund: RefundId,
    pub by: Actor,
}

/// It is more than one person may give alone: somebody else must approve it too.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SecondApprovalRequired {
    pub refund: RefundId,
    /// The policy's number that this follows from.
    pub alone_up_to: Minor,
}

/// It is given.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RefundApproved {
    pub refund: RefundId,
    pub amount: Minor,
    /// The policy's number that this follows from.
    pub alone_up_to: Minor,
}

/// The payment provider is to pay it: the process that wrote this makes the call, under the refund's id. From the second attempt on it asks first
/// whether the provider knows of it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RefundInstructed {
    pub refund: RefundId,
    pub reference: Reference,
    pub currency: Currency,
    pub amount: Minor,
    /// Counts from 1.
    pub attempt: u16,
    /// Without an outcome by then, another attempt is made.
    pub until: At,
}

/// An attempt had no outcome in its time.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AttemptLapsed {
    pub refund: RefundId,
    pub attempt: u16,
}

/// Why nobody can tell what became of a payment.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownBecause {
    /// The provider did not answer, or not so that it could be understood.
    NoAnswer,
    /// The provider has it, and has not decided.
    Pending,
}

/// Nobody can tell yet whether it is paid.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RefundUnknown {
    pub refund: RefundId,
    pub attempt: u16,
    pub because: UnknownBecause,
}

/// The provider has paid it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RefundPaid {
    pub refund: RefundId,
    /// What the provider calls the payout.
    pub payout: Reference,
}

/// The provider will not pay it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RefundFailed {
    pub refund: RefundId,
    /// The provider's code.
    pub code: Reference,
}

/// It was paid back before the charge was known here, or by another way: nothing is instructed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RefundRecorded {
    pub refund: RefundId,
    pub by: Actor,
    pub lines: Vec<Line>,
    /// What the other system calls the payout.
    pub payout: Reference,
}

/// Something that happened to a charge.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// `charge.registered.v1`
    Registered(Registered),
    /// `charge.refund_requested.v1`
    RefundRequested(RefundRequested),
    /// `charge.refund_declined.v1`
    RefundDeclined(RefundDeclined),
    /// `charge.approval_given.v1`
    ApprovalGiven(ApprovalGiven),
    /// `charge.second_approval_required.v1`
    SecondApprovalRequired(SecondApprovalRequired),
    /// `charge.refund_approved.v1`
    RefundApproved(RefundApproved),
    /// `charge.refund_instructed.v1`
    RefundInstructed(RefundInstructed),
    /// `charge.attempt_lapsed.v1`
    AttemptLapsed(AttemptLapsed),
    /// `charge.refund_unknown.v1`
    RefundUnknown(RefundUnknown),
    /// `charge.refund_paid.v1`
    RefundPaid(RefundPaid),
    /// `charge.refund_failed.v1`
    RefundFailed(RefundFailed),
    /// `charge.refund_recorded.v1`
    RefundRecorded(RefundRecorded),
}

impl Event {
    /// The type on the wire.
    pub fn wire_type(&self) -> &'static str {
        match self {
            Event::Registered(_) => "charge.registered.v1",
            Event::RefundRequested(_) => "charge.refund_requested.v1",
            Event::RefundDeclined(_) => "charge.refund_declined.v1",
            Event::ApprovalGiven(_) => "charge.approval_given.v1",
            Event::SecondApprovalRequired(_) => "charge.second_approval_required.v1",
            Event::RefundApproved(_) => "charge.refund_approved.v1",
            Event::RefundInstructed(_) => "charge.refund_instructed.v1",
            Event::AttemptLapsed(_) => "charge.attempt_lapsed.v1",
            Event::RefundUnknown(_) => "charge.refund_unknown.v1",
            Event::RefundPaid(_) => "charge.refund_paid.v1",
            Event::RefundFailed(_) => "charge.refund_failed.v1",
            Event::RefundRecorded(_) => "charge.refund_recorded.v1",
        }
    }

    /// Reads an event of any version ever written.
    pub fn read(event_type: &str, data: &str) -> Result<Event, Unreadable> {
        match event_type {
            "charge.registered.v1" => read_data(event_type, data).map(Event::Registered),
            "charge.refund_requested.v1" => read_data(event_type, data).map(Event::RefundRequested),
            "charge.refund_declined.v1" => read_data(event_type, data).map(Event::RefundDeclined),
            "charge.approval_given.v1" => read_data(event_type, data).map(Event::ApprovalGiven),
            "charge.second_approval_required.v1" => {
                read_data(event_type, data).map(Event::SecondApprovalRequired)
            }
            "charge.refund_approved.v1" => read_data(event_type, data).map(Event::RefundApproved),
            "charge.refund_instructed.v1" => read_data(event_type, data).map(Event::RefundInstructed),
            "charge.attempt_lapsed.v1" => read_data(event_type, data).map(Event::AttemptLapsed),
            "charge.refund_unknown.v1" => read_data(event_type, data).map(Event::RefundUnknown),
            "charge.refund_paid.v1" => read_data(event_type, data).map(Event::RefundPaid),
            "charge.refund_failed.v1" => read_data(event_type, data).map(Event::RefundFailed),
            "charge.refund_recorded.v1" => read_data(event_type, data).map(Event::RefundRecorded),
            _ => Err(Unreadable::EventType { event_type: event_type.to_owned() }),
        }
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::Registered(data) => data.serialize(serializer),
            Event::RefundRequested(data) => data.serialize(serializer),
            Event::RefundDeclined(data) => data.serialize(serializer),
            Event::ApprovalGiven(data) => data.serialize(serializer),
            Event::SecondApprovalRequired(data) => data.serialize(serializer),
            Event::RefundApproved(data) => data.serialize(serializer),
            Event::RefundInstructed(data) => data.serialize(serializer),
            Event::AttemptLapsed(data) => data.serialize(serializer),
            Event::RefundUnknown(data) => data.serialize(serializer),
            Event::RefundPaid(data) => data.serialize(serializer),
            Event::RefundFailed(data) => data.serialize(serializer),
            Event::RefundRecorded(data) => data.serialize(serializer),
        }
    }
}
