//! What the policy makes of a refund, what happens to one by itself, and what its record makes the payment provider do.

use super::{
    ApprovalGiven, AttemptLapsed, Charge, Command, DeclinedBecause, Event, LineKind, Phase, Refund,
    RefundApproved, RefundDeclined, RefundInstructed, RefundRequested, SecondApprovalRequired, State,
};
use crate::policy::Policy;
use crate::policy::refund::RefundRules;
use crate::record::Record;
use crate::rows::Dues;
use crate::values::{At, Currency, Minor, Reference, RefundId};

/// What the name of an attempt's end begins with; the refund's id follows.
const LAPSES: &str = "attempt_lapses/";

/// The wait between attempts doubles so many times at most.
const DOUBLINGS_MAX: u16 = 8;

/// What the policy makes of a fact, given the state that the fact led to.
pub fn rule(state: &State, fact: &Event, policy: &Policy, at: At) -> Vec<Event> {
    let Some(charge) = state.charge() else { return Vec::new() };
    let rules = &policy.document.refund;
    match fact {
        Event::RefundRequested(requested) => over_limit(charge, requested, rules).into_iter().collect(),
        Event::ApprovalGiven(given) => approved(charge, given, rules, at),
        Event::AttemptLapsed(lapsed) => again(charge, lapsed, rules, at).into_iter().collect(),
        Event::Registered(_)
        | Event::RefundDeclined(_)
        | Event::SecondApprovalRequired(_)
        | Event::RefundApproved(_)
        | Event::RefundInstructed(_)
        | Event::RefundUnknown(_)
        | Event::RefundPaid(_)
        | Event::RefundFailed(_)
        | Event::RefundRecorded(_) => Vec::new(),
    }
}

/// Consequential cost and goodwill have limits of their own, for all refunds of a charge together.
fn over_limit(charge: &Charge, requested: &RefundRequested, rules: &RefundRules) -> Option<Event> {
    let refund = charge.refund(requested.refund)?;
    let limits = rules.limits(charge.registered.currency);
    let above = |kind, up_to| {
        let would_be = charge.given(kind);
        (refund.amount(kind) > Minor::ZERO && would_be > up_to).then_some((up_to, would_be))
    };
    let because = if let Some((up_to, would_be)) = above(LineKind::Consequential, limits.consequential_up_to)
    {
        DeclinedBecause::ConsequentialAbove { up_to, would_be }
    } else if let Some((up_to, would_be)) = above(LineKind::Goodwill, limits.goodwill_up_to) {
        DeclinedBecause::GoodwillAbove { up_to, would_be }
    } else {
        return None;
    };
    Some(Event::RefundDeclined(RefundDeclined { refund: refund.id, because }))
}

/// One person may give little alone; more needs somebody who did not request it, neither for themselves nor for somebody else.
fn approved(charge: &Charge, given: &ApprovalGiven, rules: &RefundRules, at: At) -> Vec<Event> {
    let Some(refund) = charge.refund(given.refund) else { return Vec::new() };
    let (amount, alone_up_to) = (refund.total(), rules.limits(charge.registered.currency).alone_up_to);
    if given.by.shares_somebody_with(&refund.by) && amount > alone_up_to {
        let refund = refund.id;
        return vec![Event::SecondApprovalRequired(SecondApprovalRequired { refund, alone_up_to })];
    }
    let approved = RefundApproved { refund: refund.id, amount, alone_up_to };
    vec![Event::RefundApproved(approved), instructed(charge, refund, 1, rules, at)]
}

/// What has no outcome is tried again for as long as it takes, less and less often.
fn again(charge: &Charge, lapsed: &AttemptLapsed, rules: &RefundRules, at: At) -> Option<Event> {
    let refund = charge.refund(lapsed.refund)?;
    Some(instructed(charge, refund, lapsed.attempt.saturating_add(1), rules, at))
}

fn instructed(charge: &Charge, refund: &Refund, attempt: u16, rules: &RefundRules, at: At) -> Event {
    let doublings = u32::from(attempt.saturating_sub(1).min(DOUBLINGS_MAX));
    let wait = rules.outcome_within_seconds.saturating_mul(1 << doublings);
    Event::RefundInstructed(RefundInstructed {
        refund: refund.id,
        reference: charge.registered.reference.clone(),
        currency: charge.registered.currency,
        amount: refund.total(),
        attempt,
        until: at.plus_seconds(wait),
    })
}

/// When something happens to a charge by itself: attempts that have no outcome lapse.
pub fn due(state: &State) -> Dues {
    let refunds = state.charge().map_or(&[][..], |charge| &charge.refunds);
    let lapses = refunds.iter().filter_map(|refund| match refund.phase {
        Phase::Instructed { until, .. } | Phase::Unknown { until, .. } => {
            Some((until, format!("{LAPSES}{}", refund.id).into()))
        }
        Phase::Requested | Phase::Approved | Phase::Paid | Phase::Failed | Phase::Declined => None,
    });
    lapses.collect()
}

/// The command that a due time reached stands for.
pub fn when_due(name: &str) -> Option<Command> {
    let refund = name.strip_prefix(LAPSES)?.parse().ok()?;
    Some(Command::Lapse { refund })
}

/// What the payment provider is to be told because of a record, by the process whose commit carries it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Payment {
    pub refund: RefundId,
    pub reference: Reference,
    pub currency: Currency,
    pub amount: Minor,
    /// From the second on the provider is asked first.
    pub attempt: u16,
}

/// What the payment provider is to be told because of a record. History that was brought in pays nothing.
pub fn payment(record: &Record) -> Option<Payment> {
    if record.import.is_some() {
        return None;
    }
    record.events.iter().find_map(|entry| match &entry.event {
        crate::noun::Event::Charge(Event::RefundInstructed(instructed)) => Some(Payment {
            refund: instructed.refund,
            reference: instructed.reference.clone(),
            currency: instructed.currency,
            amount: instructed.amount,
            attempt: instructed.attempt,
        }),
        _ => None,
    })
}
