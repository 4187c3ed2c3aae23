//! Where is each escalation, and what waits on each rung? One row an escalation, with every step of its way; one list a rung, and one of all.
//!
//! Keys: `e` case; `q` rung, zero, on-rung-since, case; `a` on-rung-since, case; `k` and `g` see [`seva_api::erasing`].

use seva_api::erasing;
use seva_api::intake::kind_of;
use seva_api::open::sealed_text;
use seva_api::parse::timestamp;
use seva_api::pb::escalation::v1::{Escalation, EscalationPhase, EscalationStep, RaisedBy};
use seva_domain::escalation::{self, Event as EscalationEvent};
use seva_domain::noun::{Event, Noun};
use seva_domain::record::{Cause, Origin, Record};
use seva_domain::values::{Actor, At, CaseId, Department, Rung, Sealed};
use seva_eventlog::commit::Position;
use seva_readmodel::model::{FoldError, ReadModel, Rows, expect_next};

/// The read model's name.
pub const NAME: &str = "escalations.v2";

/// The read model.
pub struct Escalations;

impl ReadModel for Escalations {
    fn name(&self) -> &'static str {
        NAME
    }

    fn fold(&self, rows: &mut Rows<'_>, record: &Record, _: Position) -> Result<(), FoldError> {
        let Noun::Escalation(id) = record.noun else { return erasing::fold::<Escalation>(rows, record) };
        let before: Option<Escalation> = rows.get(&escalation_key(id))?;
        expect_next(record, before.as_ref().map_or(0, |row| row.rev))?;
        let mut row = apply(before.clone().unwrap_or_default(), record, id);
        let listed_before = before.as_ref().map(|row| queue_keys(row, id)).unwrap_or_default();
        let listed_after = queue_keys(&row, id);
        if listed_before != listed_after {
            listed_before.into_iter().for_each(|key| rows.remove(key));
            listed_after.into_iter().for_each(|key| rows.put_bytes(key, Vec::new()));
        }
        erasing::put(rows, escalation_key(id), &mut row)
    }
}

/// The key of an escalation's row.
pub fn escalation_key(case: CaseId) -> Vec<u8> {
    [b"e", case.bytes().as_slice()].concat()
}

/// What the keys of a rung's queue begin with, or of all; they order by since when each is on its rung.
pub fn queue_prefix(rung: Option<&str>) -> Vec<u8> {
    match rung {
        Some(rung) => [b"q", rung.as_bytes(), &[0]].concat(),
        None => b"a".to_vec(),
    }
}

/// What is waited for, or was accepted and is not settled.
fn queue_keys(row: &Escalation, id: CaseId) -> Vec<Vec<u8>> {
    match row.phase() {
        EscalationPhase::Waiting | EscalationPhase::Accepted => {}
        EscalationPhase::Resolved
        | EscalationPhase::Declined
        | EscalationPhase::Ended
        | EscalationPhase::Unspecified => return Vec::new(),
    }
    let since = row.on_rung_since.as_ref();
    let since = since.map_or(0, |at| at.seconds * 1_000_000 + i64::from(at.nanos) / 1_000);
    let tail = [(since ^ i64::MIN).to_be_bytes().as_slice(), id.bytes()].concat();
    [queue_prefix(Some(&row.rung)), queue_prefix(None)]
        .into_iter()
        .map(|prefix| [prefix, tail.clone()].concat())
        .collect()
}

fn apply(mut row: Escalation, record: &Record, id: CaseId) -> Escalation {
    row.case_id = id.to_string();
    row.rev = record.rev;
    for entry in &record.events {
        let Event::Escalation(event) = &entry.event else { continue };
        let note = apply_event(&mut row, event, record);
        let is_by_itself = entry.origin == Origin::Rule || matches!(record.cause, Some(Cause::Due(_)));
        let actor = if is_by_itself { Actor::policy() } else { record.actor.clone() };
        row.history.push(EscalationStep {
            event_type: event.wire_type().to_owned(),
            at: Some(timestamp(record.effective_at)),
            actor: actor.as_str().to_owned(),
            rung: row.rung.clone(),
            note: note.map(sealed_text),
        });
    }
    row
}

fn apply_event<'a>(row: &mut Escalation, event: &'a EscalationEvent, record: &Record) -> Option<&'a Sealed> {
    let at = record.effective_at;
    match event {
        EscalationEvent::Raised(raised) => {
            row.customer_id = raised.customer.to_string();
            row.kind = kind_of(raised.kind).into();
            row.phase = EscalationPhase::Waiting.into();
            row.raised_by = raised_by_of(raised.by).into();
            row.promise_id = match raised.by {
                escalation::RaisedBy::BrokenPromise(promise) => promise.to_string(),
                escalation::RaisedBy::Customer | escalation::RaisedBy::Staff => String::new(),
            };
            row.raised_at = Some(timestamp(at));
            row.on_rung_since = Some(timestamp(at));
            row.reason = raised.reason.as_ref().map(sealed_text);
            row.exhausted = false;
            row.times_raised += 1;
            raised.reason.as_ref()
        }
        EscalationEvent::Placed(placed) => {
            row.ladder = placed.ladder.clone();
            on_rung(row, &placed.rung, &placed.department, placed.answer_by, at);
            None
        }
        EscalationEvent::Climbed(climbed) => {
            on_rung(row, &climbed.to, &climbed.department, climbed.answer_by, at);
            row.times_climbed += 1;
            None
        }
        EscalationEvent::Unanswered(_) => {
            row.answer_by = None;
            None
        }
        EscalationEvent::Exhausted(_) => {
            row.exhausted = true;
            None
        }
        EscalationEvent::Accepted(_) => {
            row.phase = EscalationPhase::Accepted.into();
            row.answer_by = None;
            None
        }
        EscalationEvent::Declined(declined) => {
            row.phase = EscalationPhase::Declined.into();
            row.answer_by = None;
            Some(&declined.reason)
        }
        EscalationEvent::Resolved(resolved) => {
            row.phase = EscalationPhase::Resolved.into();
            Some(&resolved.resolution)
        }
        EscalationEvent::Ended(_) => {
            row.phase = EscalationPhase::Ended.into();
            row.answer_by = None;
            None
        }
    }
}

fn on_rung(row: &mut Escalation, rung: &Rung, department: &Department, answer_by: At, since: At) {
    row.rung = rung.as_str().to_owned();
    row.department = department.as_str().to_owned();
    row.answer_by = Some(timestamp(answer_by));
    row.on_rung_since = Some(timestamp(since));
}

fn raised_by_of(by: escalation::RaisedBy) -> RaisedBy {
    match by {
        escalation::RaisedBy::BrokenPromise(_) => RaisedBy::BrokenPromise,
        escalation::RaisedBy::Customer => RaisedBy::Customer,
        escalation::RaisedBy::Staff => RaisedBy::Staff,
    }
}
