//! Where is each suggestion, and what waits in each inbox? One row a suggestion, one list a department, one count a department.
//!
//! Keys: `s` suggestion; `i` department, zero, captured-at, suggestion; `n` department; `k` and `g` see [`seva_api::erasing`].

use seva_api::erasing;
use seva_api::feedback::audience_of;
use seva_api::open::sealed_text;
use seva_api::parse::timestamp;
use seva_api::pb::feedback::v1::{
    Audience, DepartmentCounts, Routing, Suggestion, SuggestionPhase, SuggestionStep,
};
use seva_domain::noun::{Event, Noun};
use seva_domain::record::{Origin, Record};
use seva_domain::suggestion::Event as SuggestionEvent;
use seva_domain::values::{Actor, Department, Sealed, SuggestionId};
use seva_eventlog::commit::Position;
use seva_readmodel::model::{FoldError, ReadModel, Rows, expect_next};

/// The read model's name.
pub const NAME: &str = "suggestions.v2";

/// What the keys of all counts begin with.
pub const COUNTS: &[u8] = b"n";

/// The read model.
pub struct Suggestions;

impl ReadModel for Suggestions {
    fn name(&self) -> &'static str {
        NAME
    }

    fn fold(&self, rows: &mut Rows<'_>, record: &Record, _: Position) -> Result<(), FoldError> {
        let Noun::Suggestion(id) = record.noun else { return erasing::fold::<Suggestion>(rows, record) };
        let before: Option<Suggestion> = rows.get(&suggestion_key(id))?;
        expect_next(record, before.as_ref().map_or(0, |row| row.rev))?;
        let mut row = apply(before.clone().unwrap_or_default(), record, id);
        let (listed_before, listed_after) =
            (before.as_ref().and_then(|b| inbox_key(b, id)), inbox_key(&row, id));
        if listed_before != listed_after {
            listed_before.into_iter().for_each(|key| rows.remove(key));
            listed_after.into_iter().for_each(|key| rows.put_bytes(key, Vec::new()));
        }
        if let Some(before) = &before {
            count(rows, before, |n| *n = n.saturating_sub(1))?;
        }
        count(rows, &row, |n| *n += 1)?;
        erasing::put(rows, suggestion_key(id), &mut row)
    }
}

/// The key of a suggestion's row.
pub fn suggestion_key(suggestion: SuggestionId) -> Vec<u8> {
    [b"s", suggestion.bytes().as_slice()].concat()
}

/// What the keys of a department's inbox begin with; they order by when each suggestion was captured.
pub fn inbox_prefix(department: &str) -> Vec<u8> {
    [b"i", department.as_bytes(), &[0]].concat()
}

/// What waits for the department: nothing that it has adopted or declined.
fn inbox_key(row: &Suggestion, id: SuggestionId) -> Option<Vec<u8>> {
    match SuggestionPhase::try_from(row.phase) {
        Ok(SuggestionPhase::Waiting | SuggestionPhase::Acknowledged) => {
            let at =
                row.captured_at.as_ref().map_or(0, |at| at.seconds * 1_000_000 + i64::from(at.nanos) / 1_000);
            let mut key = inbox_prefix(&row.department);
            key.extend((at ^ i64::MIN).to_be_bytes());
            key.extend(id.bytes());
            Some(key)
        }
        Ok(SuggestionPhase::Adopted | SuggestionPhase::Declined | SuggestionPhase::Unspecified) | Err(_) => {
            None
        }
    }
}

/// Changes the counts that a suggestion belongs to.
fn count(rows: &mut Rows<'_>, row: &Suggestion, change: impl Fn(&mut u64)) -> Result<(), FoldError> {
    let key = [COUNTS, row.department.as_bytes()].concat();
    let mut counts: DepartmentCounts = rows.get(&key)?.unwrap_or_default();
    counts.department = row.department.clone();
    match SuggestionPhase::try_from(row.phase) {
        Ok(SuggestionPhase::Waiting) => change(&mut counts.waiting),
        Ok(SuggestionPhase::Acknowledged) => change(&mut counts.acknowledged),
        Ok(SuggestionPhase::Adopted) => change(&mut counts.adopted),
        Ok(SuggestionPhase::Declined) => change(&mut counts.declined),
        Ok(SuggestionPhase::Unspecified) | Err(_) => {}
    }
    if row.told.contains(&i32::from(Audience::Customer)) {
        change(&mut counts.customers_told);
    }
    rows.put(key, &counts);
    Ok(())
}

fn apply(mut row: Suggestion, record: &Record, id: SuggestionId) -> Suggestion {
    row.suggestion_id = id.to_string();
    row.rev = record.rev;
    for entry in &record.events {
        let Event::Suggestion(event) = &entry.event else { continue };
        let note = apply_event(&mut row, event, record);
        let actor = match entry.origin {
            Origin::Fact => record.actor.clone(),
            Origin::Rule => Actor::policy(),
        };
        row.way.push(SuggestionStep {
            event_type: event.wire_type().to_owned(),
            at: Some(timestamp(record.effective_at)),
            actor: actor.as_str().to_owned(),
            department: row.department.clone(),
            note: note.map(sealed_text),
        });
    }
    row
}

fn apply_event<'a>(row: &mut Suggestion, event: &'a SuggestionEvent, record: &Record) -> Option<&'a Sealed> {
    match event {
        SuggestionEvent::Captured(captured) => {
            row.department = Department::triage().as_str().to_owned();
            row.phase = SuggestionPhase::Waiting.into();
            row.text = Some(sealed_text(&captured.text));
            row.language = captured.classification.language.as_str().to_owned();
            row.customer_id = captured.customer.map(|id| id.to_string()).unwrap_or_default();
            row.case_id = captured.case.map(|id| id.to_string()).unwrap_or_default();
            row.interaction_id = captured.interaction.map(|id| id.to_string()).unwrap_or_default();
            row.captured_at = Some(timestamp(record.effective_at));
            None
        }
        SuggestionEvent::Routed(routed) => {
            row.department = routed.department.as_str().to_owned();
            let hit = routed.hit.clone();
            let (table, line, phrase) = hit.map(|hit| (hit.table, hit.row, hit.phrase)).unwrap_or_default();
            let department = row.department.clone();
            row.routing =
                Some(Routing { department, policy_version: routed.policy, table, row: line, phrase });
            None
        }
        SuggestionEvent::Acknowledged(_) => {
            row.phase = SuggestionPhase::Acknowledged.into();
            None
        }
        SuggestionEvent::Rerouted(rerouted) => {
            row.department = rerouted.to.as_str().to_owned();
            row.phase = SuggestionPhase::Waiting.into();
            Some(&rerouted.reason)
        }
        SuggestionEvent::Adopted(adopted) => {
            row.phase = SuggestionPhase::Adopted.into();
            Some(&adopted.plan)
        }
        SuggestionEvent::Declined(declined) => {
            row.phase = SuggestionPhase::Declined.into();
            Some(&declined.reason)
        }
        SuggestionEvent::OutcomeReported(reported) => {
            row.told.push(audience_of(reported.to).into());
            Some(&reported.message)
        }
    }
}
