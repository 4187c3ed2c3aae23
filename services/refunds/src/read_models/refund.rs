//! What becomes of a refund in the row of its charge.

use seva_api::open::sealed_text;
use seva_api::parse::timestamp;
use seva_api::pb::common::v1::Money;
use seva_api::pb::refunds::v1::{Charge, Line, Refund, RefundPhase, RefundStep};
use seva_api::refunds::{line_kind_of, policy_decline};
use seva_domain::charge::{self, DeclinedBecause, Event as ChargeEvent};
use seva_domain::record::Record;
use seva_domain::values::{Actor, RefundId, Sealed};

/// Applies an event about a refund, and adds it to the refund's history.
pub(super) fn apply(row: &mut Charge, event: &ChargeEvent, actor: &str, record: &Record) {
    let (id, note) = match event {
        ChargeEvent::Registered(_) => return,
        ChargeEvent::RefundRequested(requested) => {
            let refund = fresh(row, requested.refund, &requested.lines, &requested.by, record);
            let reason = Some(sealed_text(&requested.reason));
            row.refunds.push(Refund { phase: RefundPhase::Requested.into(), reason, ..refund });
            (requested.refund, Some(&requested.reason))
        }
        ChargeEvent::RefundRecorded(recorded) => {
            let refund = fresh(row, recorded.refund, &recorded.lines, &recorded.by, record);
            let payout = recorded.payout.as_str().to_owned();
            let settled_at = Some(timestamp(record.occurred_at));
            row.refunds.push(Refund { phase: RefundPhase::Paid.into(), payout, settled_at, ..refund });
            (recorded.refund, None)
        }
        ChargeEvent::RefundDeclined(declined) => {
            settle(row, declined.refund, RefundPhase::Declined, record);
            change(row, declined.refund, |refund| refund.decline = policy_decline(&declined.because));
            (declined.refund, said(&declined.because))
        }
        ChargeEvent::ApprovalGiven(given) => {
            change(row, given.refund, |refund| refund.approved_by.push(given.by.as_str().to_owned()));
            (given.refund, None)
        }
        ChargeEvent::SecondApprovalRequired(required) => (required.refund, None),
        ChargeEvent::RefundApproved(approved) => (approved.refund, None),
        ChargeEvent::RefundInstructed(instructed) => {
            change(row, instructed.refund, |refund| {
                refund.phase = RefundPhase::Instructed.into();
                refund.attempts = u32::from(instructed.attempt);
            });
            (instructed.refund, None)
        }
        ChargeEvent::AttemptLapsed(lapsed) => (lapsed.refund, None),
        ChargeEvent::RefundUnknown(unknown) => {
            change(row, unknown.refund, |refund| refund.phase = RefundPhase::Unknown.into());
            (unknown.refund, None)
        }
        ChargeEvent::RefundPaid(paid) => {
            settle(row, paid.refund, RefundPhase::Paid, record);
            change(row, paid.refund, |refund| refund.payout = paid.payout.as_str().to_owned());
            (paid.refund, None)
        }
        ChargeEvent::RefundFailed(failed) => {
            settle(row, failed.refund, RefundPhase::Failed, record);
            change(row, failed.refund, |refund| refund.failure_code = failed.code.as_str().to_owned());
            (failed.refund, None)
        }
    };
    let step = RefundStep {
        event_type: event.wire_type().to_owned(),
        at: Some(timestamp(record.effective_at)),
        actor: actor.to_owned(),
        note: note.map(sealed_text),
    };
    change(row, id, |refund| refund.history.push(step));
}

fn fresh(row: &Charge, id: RefundId, lines: &[charge::Line], by: &Actor, record: &Record) -> Refund {
    let currency = row.captured.as_ref().map(|money| money.currency.clone()).unwrap_or_default();
    let amount_minor = lines.iter().map(|line| line.amount.get()).sum();
    let line = |line: &charge::Line| Line {
        kind: line_kind_of(line.kind).into(),
        amount_minor: line.amount.get(),
        evidence: line.evidence.as_ref().map(sealed_text),
    };
    Refund {
        refund_id: id.to_string(),
        charge_id: row.charge_id.clone(),
        total: Some(Money { currency, amount_minor }),
        lines: lines.iter().map(line).collect(),
        requested_by: by.as_str().to_owned(),
        requested_at: Some(timestamp(record.occurred_at)),
        ..Refund::default()
    }
}

fn said(because: &DeclinedBecause) -> Option<&Sealed> {
    match because {
        DeclinedBecause::Said { reason, .. } => Some(reason),
        DeclinedBecause::ConsequentialAbove { .. } | DeclinedBecause::GoodwillAbove { .. } => None,
    }
}

fn settle(row: &mut Charge, id: RefundId, phase: RefundPhase, record: &Record) {
    change(row, id, |refund| {
        refund.phase = phase.into();
        refund.settled_at = Some(timestamp(record.effective_at));
    });
}

fn change(row: &mut Charge, id: RefundId, change: impl FnOnce(&mut Refund)) {
    let id = id.to_string();
    if let Some(refund) = row.refunds.iter_mut().find(|refund| refund.refund_id == id) {
        change(refund);
    }
}
