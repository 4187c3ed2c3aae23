//! What can happen to a charge.

use super::state::amounts;
use super::{
    ApprovalGiven, AttemptLapsed, Charge, DeclinedBecause, Event, Line, Phase, Refund, RefundDeclined,
    RefundFailed, RefundPaid, RefundRecorded, RefundRequested, RefundUnknown, Registered, State,
    UnknownBecause,
};
use crate::values::{Actor, At, Currency, Minor, Reference, RefundId, Sealed};

/// The most refunds that one charge can hold, declined and failed ones counted.
pub const REFUNDS_MAX: usize = 100;

/// What a charge is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    Register(Registered),
    RequestRefund {
        currency: Currency,
        requested: RefundRequested,
    },
    /// Say that a refund should be given.
    Approve(ApprovalGiven),
    Decline {
        refund: RefundId,
        by: Actor,
        reason: Sealed,
    },
    /// The provider has paid it.
    Pay {
        refund: RefundId,
        payout: Reference,
    },
    /// The provider will not pay it.
    Fail {
        refund: RefundId,
        code: Reference,
    },
    /// What became of an attempt cannot be told.
    LoseSight {
        refund: RefundId,
        attempt: u16,
        because: UnknownBecause,
    },
    /// An attempt's time is over.
    Lapse {
        refund: RefundId,
    },
    /// Record what was paid back before, or by another way.
    RecordRefund {
        currency: Currency,
        recorded: RefundRecorded,
    },
}

/// Why a charge stays as it is.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Rejection {
    #[error("the charge does not exist")]
    Absent,
    #[error("a charge of this reference is registered with other facts")]
    Differs,
    #[error("the charge was captured in {}: a refund is in the charge's currency", .captured.code())]
    OtherCurrency { captured: Currency },
    #[error("the refund is more than can still be given back on the charge: {} minor units", .refundable.get())]
    ExceedsCaptured { refundable: Minor },
    #[error("another refund of the charge is open: {open}")]
    RefundOpen { open: RefundId },
    #[error("the charge has no such refund")]
    UnknownRefund,
    #[error("the refund is decided already")]
    RefundDecided,
    #[error("the refund is settled otherwise already")]
    RefundSettled,
    #[error("the refund was not instructed, so nothing can have become of its payment")]
    NotInstructed,
    #[error("the charge holds {REFUNDS_MAX} refunds, which is the most")]
    TooManyRefunds,
}

impl Rejection {
    /// The stable reason that callers see.
    pub fn reason(&self) -> &'static str {
        match self {
            Rejection::Absent => "NOT_FOUND",
            Rejection::Differs => "CHARGE_DIFFERS",
            Rejection::OtherCurrency { .. } => "OTHER_CURRENCY",
            Rejection::ExceedsCaptured { .. } => "EXCEEDS_CAPTURED",
            Rejection::RefundOpen { .. } => "REFUND_OPEN",
            Rejection::UnknownRefund => "REFUND_NOT_FOUND",
            Rejection::RefundDecided => "REFUND_DECIDED",
            Rejection::RefundSettled => "REFUND_SETTLED",
            Rejection::NotInstructed => "REFUND_NOT_INSTRUCTED",
            Rejection::TooManyRefunds => "TOO_MANY_REFUNDS",
        }
    }
}

/// Decides what a command makes happen to a charge.
pub fn decide(state: &State, command: &Command, at: At) -> Result<Vec<Event>, Rejection> {
    let charge = match (state, command) {
        (State::Absent, Command::Register(registered)) => {
            return Ok(vec![Event::Registered(registered.clone())]);
        }
        (State::Registered(charge), Command::Register(registered)) => {
            // The key is no fact about the payment: whoever is asked for it again may have another at hand.
            let is_same =
                charge.registered == Registered { key: charge.registered.key, ..registered.clone() };
            return if is_same { Ok(Vec::new()) } else { Err(Rejection::Differs) };
        }
        (_, _) => state.charge().ok_or(Rejection::Absent)?,
    };
    match command {
        Command::Register(_) => Ok(Vec::new()),
        Command::RequestRefund { currency, requested } => request(charge, *currency, requested),
        Command::Approve(given) => approve(refund(charge, given.refund)?, given),
        Command::Decline { refund: id, by, reason } => match refund(charge, *id)?.phase {
            Phase::Requested => {
                let because = DeclinedBecause::Said { by: by.clone(), reason: reason.clone() };
                Ok(vec![Event::RefundDeclined(RefundDeclined { refund: *id, because })])
            }
            Phase::Approved
            | Phase::Instructed { .. }
            | Phase::Unknown { .. }
            | Phase::Paid
            | Phase::Failed
            | Phase::Declined => Err(Rejection::RefundDecided),
        },
        Command::Pay { refund: id, payout } => {
            let paid = Event::RefundPaid(RefundPaid { refund: *id, payout: payout.clone() });
            settle(refund(charge, *id)?, Phase::Paid, paid)
        }
        Command::Fail { refund: id, code } => {
            let failed = Event::RefundFailed(RefundFailed { refund: *id, code: code.clone() });
            settle(refund(charge, *id)?, Phase::Failed, failed)
        }
        Command::LoseSight { refund: id, attempt, because } => {
            let (refund, attempt, because) = (refund(charge, *id)?, *attempt, *because);
            Ok(lost_sight(refund, RefundUnknown { refund: *id, attempt, because }))
        }
        Command::Lapse { refund: id } => Ok(lapsed(refund(charge, *id)?, at)),
        Command::RecordRefund { currency, recorded } => record(charge, *currency, recorded),
    }
}

fn refund(charge: &Charge, id: RefundId) -> Result<&Refund, Rejection> {
    charge.refund(id).ok_or(Rejection::UnknownRefund)
}

/// What stands against giving back these lines.
fn fits(charge: &Charge, currency: Currency, lines: &[Line]) -> Result<(), Rejection> {
    let (captured, refundable) = (charge.registered.currency, charge.refundable());
    if currency != captured {
        return Err(Rejection::OtherCurrency { captured });
    }
    if charge.refunds.len() >= REFUNDS_MAX {
        return Err(Rejection::TooManyRefunds);
    }
    let total: Minor = amounts(lines).into_iter().map(|(_, amount)| amount).sum();
    if total > refundable { Err(Rejection::ExceedsCaptured { refundable }) } else { Ok(()) }
}

fn request(
    charge: &Charge,
    currency: Currency,
    requested: &RefundRequested,
) -> Result<Vec<Event>, Rejection> {
    if charge.refund(requested.refund).is_some() {
        return Ok(Vec::new());
    }
    if let Some(open) = charge.open_refund() {
        return Err(Rejection::RefundOpen { open: open.id });
    }
    fits(charge, currency, &requested.lines)?;
    Ok(vec![Event::RefundRequested(requested.clone())])
}

fn record(charge: &Charge, currency: Currency, recorded: &RefundRecorded) -> Result<Vec<Event>, Rejection> {
    if charge.refund(recorded.refund).is_some() {
        return Ok(Vec::new());
    }
    fits(charge, currency, &recorded.lines)?;
    Ok(vec![Event::RefundRecorded(recorded.clone())])
}

/// Who has approved once has approved.
fn approve(refund: &Refund, given: &ApprovalGiven) -> Result<Vec<Event>, Rejection> {
    if refund.approvals.contains(&given.by) {
        return Ok(Vec::new());
    }
    match refund.phase {
        Phase::Requested => Ok(vec![Event::ApprovalGiven(given.clone())]),
        Phase::Approved
        | Phase::Instructed { .. }
        | Phase::Unknown { .. }
        | Phase::Paid
        | Phase::Failed
        | Phase::Declined => Err(Rejection::RefundDecided),
    }
}

/// What the provider says of a payment ends it once: whichever attempt it answers.
fn settle(refund: &Refund, to: Phase, settled: Event) -> Result<Vec<Event>, Rejection> {
    match refund.phase {
        Phase::Instructed { .. } | Phase::Unknown { .. } => Ok(vec![settled]),
        phase if phase == to => Ok(Vec::new()),
        Phase::Paid | Phase::Failed => Err(Rejection::RefundSettled),
        Phase::Requested | Phase::Approved | Phase::Declined => Err(Rejection::NotInstructed),
    }
}

/// An attempt that another has followed, or that is settled, is not lost sight of any more.
fn lost_sight(refund: &Refund, unknown: RefundUnknown) -> Vec<Event> {
    match refund.phase {
        Phase::Instructed { attempt, .. } if attempt == unknown.attempt => {
            vec![Event::RefundUnknown(unknown)]
        }
        Phase::Requested
        | Phase::Approved
        | Phase::Instructed { .. }
        | Phase::Unknown { .. }
        | Phase::Paid
        | Phase::Failed
        | Phase::Declined => Vec::new(),
    }
}

fn lapsed(refund: &Refund, at: At) -> Vec<Event> {
    match refund.phase {
        Phase::Instructed { attempt, until } | Phase::Unknown { attempt, until } if until <= at => {
            vec![Event::AttemptLapsed(AttemptLapsed { refund: refund.id, attempt })]
        }
        Phase::Requested
        | Phase::Approved
        | Phase::Instructed { .. }
        | Phase::Unknown { .. }
        | Phase::Paid
        | Phase::Failed
        | Phase::Declined => Vec::new(),
    }
}
