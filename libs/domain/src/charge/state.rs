//! What a charge and its refunds have become.

use serde::{Deserialize, Serialize};

use super::{Event, Line, LineKind, Registered};
use crate::values::{Actor, At, Minor, RefundId};

/// A charge, as far as decisions need it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum State {
    Absent,
    Registered(Charge),
}

/// A captured payment and what was or may be given back of it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Charge {
    pub registered: Registered,
    /// In the order requested or recorded.
    pub refunds: Vec<Refund>,
}

/// A refund of a charge.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Refund {
    pub id: RefundId,
    /// What each kind of line comes to; none stands twice.
    pub amounts: Vec<(LineKind, Minor)>,
    /// Who requested or recorded it.
    pub by: Actor,
    pub approvals: Vec<Actor>,
    pub phase: Phase,
}

/// What has become of a refund.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Phase {
    Requested,
    Approved,
    /// The provider is to pay it; without an outcome by `until` another attempt is made.
    Instructed {
        attempt: u16,
        until: At,
    },
    /// The attempt's outcome cannot be told.
    Unknown {
        attempt: u16,
        until: At,
    },
    Paid,
    Failed,
    Declined,
}

impl State {
    /// The charge, once there is one.
    pub fn charge(&self) -> Option<&Charge> {
        match self {
            State::Absent => None,
            State::Registered(charge) => Some(charge),
        }
    }
}

impl Charge {
    /// One of its refunds.
    pub fn refund(&self, id: RefundId) -> Option<&Refund> {
        self.refunds.iter().find(|refund| refund.id == id)
    }

    /// The refund that is neither settled nor declined: there is at most one.
    pub fn open_refund(&self) -> Option<&Refund> {
        self.refunds.iter().find(|refund| refund.phase.is_open())
    }

    /// What can still be given back: what was captured less everything that was or may be paid.
    pub fn refundable(&self) -> Minor {
        self.registered.captured.less(self.counted().map(Refund::total).sum())
    }

    /// What all refunds that were or may be paid come to, of one kind of line.
    pub fn given(&self, kind: LineKind) -> Minor {
        self.counted().map(|refund| refund.amount(kind)).sum()
    }

    fn counted(&self) -> impl Iterator<Item = &Refund> {
        self.refunds.iter().filter(|refund| refund.phase.counts())
    }

    fn with(mut self, id: RefundId, change: impl FnOnce(&mut Refund)) -> Charge {
        if let Some(refund) = self.refunds.iter_mut().find(|refund| refund.id == id) {
            change(refund);
        }
        self
    }
}

impl Refund {
    /// What its lines of one kind come to.
    pub fn amount(&self, kind: LineKind) -> Minor {
        self.amounts.iter().filter(|(other, _)| *other == kind).map(|(_, amount)| *amount).sum()
    }

    /// What it comes to.
    pub fn total(&self) -> Minor {
        self.amounts.iter().map(|(_, amount)| *amount).sum()
    }
}

impl Phase {
    /// Whether something is still to become of it.
    pub fn is_open(self) -> bool {
        match self {
            Phase::Requested | Phase::Approved | Phase::Instructed { .. } | Phase::Unknown { .. } => true,
            Phase::Paid | Phase::Failed | Phase::Declined => false,
        }
    }

    /// Whether its money is gone, or may be.
    fn counts(self) -> bool {
        self.is_open() || self == Phase::Paid
    }
}

/// What the lines of each kind come to.
pub(super) fn amounts(lines: &[Line]) -> Vec<(LineKind, Minor)> {
    let mut amounts: Vec<(LineKind, Minor)> = Vec::new();
    for line in lines {
        match amounts.iter_mut().find(|(kind, _)| *kind == line.kind) {
            Some((_, amount)) => *amount = amount.plus(line.amount),
            None => amounts.push((line.kind, line.amount)),
        }
    }
    amounts
}

/// What a charge becomes by an event.
pub fn evolve(state: State, event: &Event) -> State {
    let charge = match (state, event) {
        (_, Event::Registered(registered)) => {
            return State::Registered(Charge { registered: registered.clone(), refunds: Vec::new() });
        }
        (State::Absent, _) => return State::Absent,
        (State::Registered(charge), _) => charge,
    };
    State::Registered(refunded(charge, event))
}

fn refunded(mut charge: Charge, event: &Event) -> Charge {
    let moved = |charge: Charge, id: RefundId, phase: Phase| charge.with(id, |refund| refund.phase = phase);
    match event {
        Event::Registered(_) | Event::SecondApprovalRequired(_) | Event::AttemptLapsed(_) => charge,
        Event::RefundRequested(requested) => {
            charge.refunds.push(Refund {
                id: requested.refund,
                amounts: amounts(&requested.lines),
                by: requested.by.clone(),
                approvals: Vec::new(),
                phase: Phase::Requested,
            });
            charge
        }
        Event::RefundRecorded(recorded) => {
            charge.refunds.push(Refund {
                id: recorded.refund,
                amounts: amounts(&recorded.lines),
                by: recorded.by.clone(),
                approvals: Vec::new(),
                phase: Phase::Paid,
            });
            charge
        }
        Event::RefundDeclined(declined) => moved(charge, declined.refund, Phase::Declined),
        Event::ApprovalGiven(given) => {
            charge.with(given.refund, |refund| refund.approvals.push(given.by.clone()))
        }
        Event::RefundApproved(approved) => moved(charge, approved.refund, Phase::Approved),
        Event::RefundInstructed(instructed) => {
            let (attempt, until) = (instructed.attempt, instructed.until);
            moved(charge, instructed.refund, Phase::Instructed { attempt, until })
        }
        Event::RefundUnknown(unknown) => charge.with(unknown.refund, |refund| {
            if let Phase::Instructed { attempt, until } = refund.phase {
                refund.phase = Phase::Unknown { attempt, until };
            }
        }),
        Event::RefundPaid(paid) => moved(charge, paid.refund, Phase::Paid),
        Event::RefundFailed(failed) => moved(charge, failed.refund, Phase::Failed),
    }
}
