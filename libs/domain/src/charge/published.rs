//! What is told of a charge and its refunds outside the house.

use serde::Serialize;

use super::events::{self, Event, LineKind, Method, UnknownBecause};
use crate::published::{Open, Time, one_of, published_types};
use crate::values::{Actor, CaseId, Currency, CustomerId, Minor, Reference, RefundId};

/// Why a refund is not given.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclinedBecause {
    ConsequentialAbove,
    GoodwillAbove,
    Said,
}

one_of!(DeclinedBecause: ConsequentialAbove, GoodwillAbove, Said);
one_of!(LineKind: Consequential, Goodwill, Principal);
one_of!(Method: BankTransfer, Card, Cash, DirectDebit, Other, Voucher, Wallet);
one_of!(UnknownBecause: NoAnswer, Pending);

/// A part of a refund, without what shows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Line {
    pub kind: LineKind,
    pub amount: Minor,
}

impl Open for Line {
    fn is() -> String {
        format!("`kind`, {}, and `amount`, {}", LineKind::is(), Minor::is())
    }

    fn example() -> Line {
        Line { kind: LineKind::Principal, amount: Minor::example() }
    }
}

impl From<&events::Line> for Line {
    fn from(line: &events::Line) -> Line {
        let events::Line { kind, amount, evidence: _ } = line;
        Line { kind: *kind, amount: *amount }
    }
}

published_types! {
    /// A payment was captured.
    Registered = "charge.registered.v1" {
        /// What the payment provider calls it.
        reference: Reference,
        /// The order it paid for; null where none is known.
        order: Option<Reference>,
        /// Whose it is; null where nobody knows.
        customer: Option<CustomerId>,
        /// The case in which it came up; null where there is none.
        case: Option<CaseId>,
        /// How it was paid.
        method: Method,
        /// The currency of this and of everything given back on it.
        currency: Currency,
        /// How much was captured.
        captured: Minor,
    }

    /// Somebody wants money given back.
    RefundRequested = "charge.refund_requested.v1" {
        /// The refund.
        refund: RefundId,
        /// Who requests it, an opaque id.
        by: Actor,
        /// What it is for.
        lines: Vec<Line>,
    }

    /// It is not given.
    RefundDeclined = "charge.refund_declined.v1" {
        /// The refund.
        refund: RefundId,
        /// Why: a limit of the policy, or somebody said so.
        because: DeclinedBecause,
        /// The limit; null where somebody said so.
        up_to: Option<Minor>,
    }

    /// Somebody says that it should be given.
    ApprovalGiven = "charge.approval_given.v1" {
        /// The refund.
        refund: RefundId,
        /// Who says so, an opaque id.
        by: Actor,
    }

    /// It is more than one person may give alone.
    SecondApprovalRequired = "charge.second_approval_required.v1" {
        /// The refund.
        refund: RefundId,
        /// The policy's number that this follows from.
        alone_up_to: Minor,
    }

    /// It is given.
    RefundApproved = "charge.refund_approved.v1" {
        /// The refund.
        refund: RefundId,
        /// How much.
        amount: Minor,
        /// The policy's number that this follows from.
        alone_up_to: Minor,
    }

    /// The payment provider is to pay it.
    RefundInstructed = "charge.refund_instructed.v1" {
        /// The refund.
        refund: RefundId,
        /// What the provider calls the payment.
        reference: Reference,
        /// The currency.
        currency: Currency,
        /// How much.
        amount: Minor,
        /// How often the provider was told or asked by then.
        attempt: u16,
        /// Without an outcome by then, another attempt is made.
        until: Time,
    }

    /// An attempt had no outcome in its time.
    AttemptLapsed = "charge.attempt_lapsed.v1" {
        /// The refund.
        refund: RefundId,
        /// Which attempt.
        attempt: u16,
    }

    /// Nobody can tell yet whether it is paid.
    RefundUnknown = "charge.refund_unknown.v1" {
        /// The refund.
        refund: RefundId,
        /// Which attempt.
        attempt: u16,
        /// Why.
        because: UnknownBecause,
    }

    /// The provider has paid it.
    RefundPaid = "charge.refund_paid.v1" {
        /// The refund.
        refund: RefundId,
        /// What the provider calls the payout.
        payout: Reference,
    }

    /// The provider will not pay it.
    RefundFailed = "charge.refund_failed.v1" {
        /// The refund.
        refund: RefundId,
        /// The provider's code.
        code: Reference,
    }

    /// It was paid back before, or by another way.
    RefundRecorded = "charge.refund_recorded.v1" {
        /// The refund.
        refund: RefundId,
        /// Who recorded it, an opaque id.
        by: Actor,
        /// What it was for.
        lines: Vec<Line>,
        /// What the other system calls the payout.
        payout: Reference,
    }
}

impl From<&Event> for Told {
    fn from(event: &Event) -> Told {
        match event {
            Event::Registered(registered) => Told::Registered(registered.into()),
            Event::RefundRequested(events::RefundRequested { refund, by, lines, reason: _ }) => {
                let lines = lines.iter().map(Line::from).collect();
                Told::RefundRequested(RefundRequested { refund: *refund, by: by.clone(), lines })
            }
            Event::RefundDeclined(declined) => Told::RefundDeclined(declined.into()),
            Event::ApprovalGiven(events::ApprovalGiven { refund, by }) => {
                Told::ApprovalGiven(ApprovalGiven { refund: *refund, by: by.clone() })
            }
            Event::SecondApprovalRequired(events::SecondApprovalRequired { refund, alone_up_to }) => {
                let (refund, alone_up_to) = (*refund, *alone_up_to);
                Told::SecondApprovalRequired(SecondApprovalRequired { refund, alone_up_to })
            }
            Event::RefundApproved(events::RefundApproved { refund, amount, alone_up_to }) => {
                let (refund, amount, alone_up_to) = (*refund, *amount, *alone_up_to);
                Told::RefundApproved(RefundApproved { refund, amount, alone_up_to })
            }
            Event::RefundInstructed(instructed) => Told::RefundInstructed(instructed.into()),
            Event::AttemptLapsed(events::AttemptLapsed { refund, attempt }) => {
                Told::AttemptLapsed(AttemptLapsed { refund: *refund, attempt: *attempt })
            }
            Event::RefundUnknown(events::RefundUnknown { refund, attempt, because }) => {
                let (refund, attempt, because) = (*refund, *attempt, *because);
                Told::RefundUnknown(RefundUnknown { refund, attempt, because })
            }
            Event::RefundPaid(events::RefundPaid { refund, payout }) => {
                Told::RefundPaid(RefundPaid { refund: *refund, payout: payout.clone() })
            }
            Event::RefundFailed(events::RefundFailed { refund, code }) => {
                Told::RefundFailed(RefundFailed { refund: *refund, code: code.clone() })
            }
            Event::RefundRecorded(events::RefundRecorded { refund, by, lines, payout }) => {
                let lines = lines.iter().map(Line::from).collect();
                let (refund, by, payout) = (*refund, by.clone(), payout.clone());
                Told::RefundRecorded(RefundRecorded { refund, by, lines, payout })
            }
        }
    }
}

impl From<&events::Registered> for Registered {
    fn from(registered: &events::Registered) -> Registered {
        let events::Registered { reference, order, customer, case, method, currency, captured, key: _ } =
            registered;
        Registered {
            reference: reference.clone(),
            order: order.clone(),
            customer: *customer,
            case: *case,
            method: *method,
            currency: *currency,
            captured: *captured,
        }
    }
}

impl From<&events::RefundDeclined> for RefundDeclined {
    fn from(declined: &events::RefundDeclined) -> RefundDeclined {
        let events::RefundDeclined { refund, because } = declined;
        let (because, up_to) = match because {
            events::DeclinedBecause::ConsequentialAbove { up_to, would_be: _ } => {
                (DeclinedBecause::ConsequentialAbove, Some(*up_to))
            }
            events::DeclinedBecause::GoodwillAbove { up_to, would_be: _ } => {
                (DeclinedBecause::GoodwillAbove, Some(*up_to))
            }
            events::DeclinedBecause::Said { by: _, reason: _ } => (DeclinedBecause::Said, None),
        };
        RefundDeclined { refund: *refund, because, up_to }
    }
}

impl From<&events::RefundInstructed> for RefundInstructed {
    fn from(instructed: &events::RefundInstructed) -> RefundInstructed {
        let events::RefundInstructed { refund, reference, currency, amount, attempt, until } = instructed;
        RefundInstructed {
            refund: *refund,
            reference: reference.clone(),
            currency: *currency,
            amount: *amount,
            attempt: *attempt,
            until: Time(*until),
        }
    }
}
