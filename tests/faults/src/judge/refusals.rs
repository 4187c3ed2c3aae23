//! A refusal, or the answer that it is so already, was true when it was given.

use seva_domain::case::{self, Standing};
use seva_domain::noun::{Noun, State};
use seva_domain::values::{At, Department};
use seva_domain::{charge, escalation, suggestion};

use super::log::Facts;
use super::writes::recorded_at;
use super::{Attempt, End, Finding};
use crate::clock::Pace;
use crate::load::is_transient;
use crate::write::{Verb, Write};

/// A refusal rests on how its noun stood at some moment between the question and the answer, never before.
pub(super) fn judge(attempts: &[Attempt], facts: &Facts, pace: Pace) -> Finding {
    let mut finding = Finding::default();
    let acknowledged = acknowledged(attempts, facts.incarnation());
    for attempt in attempts {
        let Some(write) = attempt.write() else { continue };
        let Some(noun) = write.noun() else { continue };
        let known = acknowledged.partition_point(|(at, _)| *at < attempt.invoked);
        let from = known.checked_sub(1).map_or(0, |n| acknowledged[n].1);
        let stood = || facts.stood(noun, from, At(pace.at(attempt.answered)));
        let (is_true, answer) = match &attempt.end {
            End::Fail(reason) if !is_transient(reason) => {
                (stood().iter().any(|state| refuses(noun, state, write, reason)), reason.as_str())
            }
            End::Ok { .. } if recorded_at(&attempt.end, facts.incarnation()).is_none() => {
                (stood().iter().any(|state| is_so(state, write)), "that it is so already")
            }
            End::Fail(_) | End::Ok { .. } | End::Read { .. } | End::Unknown(_) => continue,
        };
        finding.check(is_true, || {
            let (marker, to) = (&write.marker, &attempt.to);
            format!(
                "{marker} ({:?}) was told {answer} by {to}; by what was acknowledged, {noun} stood in {} ways, last {:?}",
                write.verb,
                stood().len(),
                stood().last()
            )
        });
    }
    finding
}

/// Whether a refusal for this reason is what a noun answers that stands so. Reasons of other kinds may always be.
fn refuses(noun: Noun, state: &State, write: &Write, reason: &str) -> bool {
    if reason == "NOT_FOUND" {
        // What is raised lacks its case, which escalation hears of later than intake.
        return write.verb == Verb::Raise || *state == State::absent(&noun);
    }
    match state {
        State::Case(state) => case_refuses(state, write, reason),
        State::Charge(state) => charge_refuses(state, write, reason),
        State::Escalation(state) => escalation_refuses(state, reason),
        State::Suggestion(state) => suggestion_refuses(state, reason),
        State::Customer(_) | State::Import(_) | State::Policy(_) => true,
    }
}

fn case_refuses(state: &case::State, write: &Write, reason: &str) -> bool {
    let promise = write.of.parse().ok().and_then(|id| state.promise(id));
    let stands = |standing: Standing| promise.is_some_and(|promise| promise.standing == standing);
    match reason {
        "NOT_RESOLVED" => matches!(state, case::State::Open(_)),
        "ALREADY_RESOLVED" => matches!(state, case::State::Resolved { .. }),
        "CASE_CLOSED" => matches!(state, case::State::Closed(_)),
        "PROMISE_NOT_FOUND" => promise.is_none(),
        "PROMISE_BROKEN" => stands(Standing::Broken),
        "PROMISE_KEPT" => stands(Standing::Kept),
        "PROMISE_NOT_GIVEN" => stands(Standing::Refused),
        _ => true,
    }
}

fn charge_refuses(state: &charge::State, write: &Write, reason: &str) -> bool {
    let Some(charge) = state.charge() else { return false };
    let refund = write.of.parse().ok().and_then(|id| charge.refund(id));
    let amount = u64::try_from(write.number).unwrap_or_default();
    match reason {
        "REFUND_OPEN" => charge.open_refund().is_some(),
        "EXCEEDS_CAPTURED" => amount > charge.refundable().get(),
        "REFUND_NOT_FOUND" => refund.is_none(),
        "REFUND_DECIDED" => refund.is_some_and(|refund| refund.phase != charge::Phase::Requested),
        _ => true,
    }
}

fn escalation_refuses(state: &escalation::State, reason: &str) -> bool {
    let (is_waiting, is_accepted) =
        (matches!(state, escalation::State::Waiting { .. }), matches!(state, escalation::State::Accepted(_)));
    match reason {
        "ALREADY_ESCALATED" => is_waiting || is_accepted,
        "ALREADY_ACCEPTED" => is_accepted,
        "NOT_ACCEPTED" => is_waiting,
        "ESCALATION_OVER" => matches!(state, escalation::State::Over(_)),
        _ => true,
    }
}

fn suggestion_refuses(state: &suggestion::State, reason: &str) -> bool {
    let is_decided = matches!(state, suggestion::State::Decided { .. });
    match reason {
        "IN_TRIAGE" => {
            !is_decided && state.idea().is_some_and(|idea| idea.department == Department::triage())
        }
        "ALREADY_DECIDED" => is_decided,
        _ => true,
    }
}

/// Whether a noun that stands so answers that what is asked for is so already.
fn is_so(state: &State, write: &Write) -> bool {
    match (write.verb, state) {
        (Verb::Reopen, State::Case(state)) => matches!(state, case::State::Open(_)),
        (Verb::Confirm, State::Case(state)) => matches!(state, case::State::Closed(_)),
        (Verb::KeepPromise, State::Case(state)) => {
            let promise = write.of.parse().ok().and_then(|id| state.promise(id));
            promise.is_some_and(|promise| promise.standing == Standing::Kept)
        }
        (Verb::AcceptEscalation, State::Escalation(state)) => {
            matches!(state, escalation::State::Accepted(_))
        }
        (Verb::ApproveRefund, State::Charge(state)) => {
            let refund = write.of.parse().ok().and_then(|id| state.charge()?.refund(id));
            refund.is_some_and(|refund| refund.approvals.iter().any(|by| by.as_str() == write.actor()))
        }
        _ => true,
    }
}

/// When which sequence was known to stand in the log, each at least the one before it.
fn acknowledged(attempts: &[Attempt], incarnation: &str) -> Vec<(i64, u64)> {
    let recorded =
        |attempt: &Attempt| Some((attempt.answered, recorded_at(&attempt.end, incarnation)?.sequence()));
    let mut acknowledged: Vec<_> = attempts.iter().filter_map(recorded).collect();
    acknowledged.sort_unstable();
    let mut highest = 0;
    for (_, sequence) in &mut acknowledged {
        highest = highest.max(*sequence);
        *sequence = highest;
    }
    acknowledged
}
