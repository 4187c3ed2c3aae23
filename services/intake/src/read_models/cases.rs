//! What happened in each case, and which are not finished? One row a case, the timeline of each customer, and lists of unfinished cases.
//!
//! Keys: `c` case; `f` see [`super::forgettings`]; `k` kind opened-at case; `u` customer opened-at case; `r` see [`super::places`]; `p` see [`super::promises`];
//! `t` see [`super::timeline`].

use prost::Message as _;
use seva_api::intake::{channel_of, kind_of};
use seva_api::open::sealed_text;
use seva_api::parse::timestamp;
use seva_api::pb::common::v1::CaseKind;
use seva_api::pb::intake::v1::{Case, CasePhase, PromisePhase};
use seva_domain::case::Event as CaseEvent;
use seva_domain::noun::{Event, Noun};
use seva_domain::record::Record;
use seva_domain::values::{At, CaseId, CustomerId, Direction};
use seva_eventlog::commit::Position;
use seva_readmodel::model::{FoldError, ReadModel, Rows, expect_next};

use super::places::Places;
use super::{forgettings, promises, timeline};

/// The read model's name.
pub const NAME: &str = "cases.v2";

/// The read model.
pub struct Cases;

impl ReadModel for Cases {
    fn name(&self) -> &'static str {
        NAME
    }

    fn fold(&self, rows: &mut Rows<'_>, record: &Record, at: Position) -> Result<(), FoldError> {
        let id = match record.noun {
            Noun::Case(id) => id,
            Noun::Customer(customer) => return forgettings::fold(rows, record, customer),
            Noun::Charge(_) | Noun::Escalation(_) | Noun::Import(_) | Noun::Policy | Noun::Suggestion(_) => {
                return Ok(());
            }
        };
        let before: Option<Case> = rows.get(&case_key(id))?;
        expect_next(record, before.as_ref().map_or(0, |row| row.rev))?;
        let listed_before = before.as_ref().map(|row| list_keys(row, id)).unwrap_or_default();
        let row = apply(before.clone(), record, id);
        let listed_after = list_keys(&row, id);
        if listed_before != listed_after {
            listed_before.into_iter().for_each(|key| rows.remove(key));
            let channel = vec![u8::try_from(row.channel).unwrap_or(0)];
            listed_after.into_iter().for_each(|key| rows.put_bytes(key, channel.clone()));
        }
        if let Ok(customer) = row.customer_id.parse::<CustomerId>() {
            promises::list(rows, before.as_ref(), &row, customer);
            timeline::fold(rows, record, &row, customer, at);
        }
        let places = Places::read(rows, id)?.with(rows, id, at);
        put(rows, id, &row, &places);
        Ok(())
    }
}

/// The key of a case's row.
pub fn case_key(case: CaseId) -> Vec<u8> {
    [b"c", case.bytes().as_slice()].concat()
}

/// Sets a case's row: its message, and behind it the places of its latest records.
pub(crate) fn put(rows: &mut Rows<'_>, id: CaseId, case: &Case, places: &Places) {
    let mut bytes = case.encode_to_vec();
    bytes.extend(places.encode_to_vec());
    rows.put_bytes(case_key(id), bytes);
}

/// What the keys of a customer's unfinished cases begin with; they order by when each was opened.
pub fn of_customer_prefix(customer: CustomerId) -> Vec<u8> {
    [b"u", customer.bytes().as_slice()].concat()
}

/// What the keys of unfinished cases of one kind begin with; they order by when each was opened.
pub(crate) fn open_prefix(kind: CaseKind) -> Vec<u8> {
    vec![b'k', u8::try_from(i32::from(kind)).unwrap_or(0)]
}

/// An instant as eight bytes that order like it.
pub(crate) fn at_key(at: At) -> [u8; 8] {
    (at.0 ^ i64::MIN).to_be_bytes()
}

fn list_keys(row: &Case, id: CaseId) -> Vec<Vec<u8>> {
    let is_unfinished =
        row.phase == i32::from(CasePhase::Open) || row.phase == i32::from(CasePhase::Resolved);
    let Ok(customer) = row.customer_id.parse::<CustomerId>() else { return Vec::new() };
    if !is_unfinished {
        return Vec::new();
    }
    let opened = row.opened_at.as_ref().map_or(0, |at| at.seconds * 1_000_000 + i64::from(at.nanos) / 1_000);
    let tail = [at_key(At(opened)).as_slice(), id.bytes()].concat();
    [open_prefix(row.kind()), of_customer_prefix(customer)]
        .into_iter()
        .map(|prefix| [prefix, tail.clone()].concat())
        .collect()
}

/// What a case's row becomes by a record: the same now and for any moment of the past.
pub fn apply(before: Option<Case>, record: &Record, id: CaseId) -> Case {
    let mut row = before.unwrap_or_default();
    row.case_id = id.to_string();
    row.rev = record.rev;
    for entry in &record.events {
        // A case's record holds a case's events.
        if let Event::Case(event) = &entry.event {
            apply_event(&mut row, event, record);
        }
    }
    row
}

fn apply_event(row: &mut Case, event: &CaseEvent, record: &Record) {
    match event {
        CaseEvent::Opened(opened) => {
            row.customer_id = opened.customer.to_string();
            row.kind = kind_of(opened.kind).into();
            row.channel = channel_of(opened.channel).into();
            row.phase = CasePhase::Open.into();
            row.opened_at = Some(timestamp(record.occurred_at));
        }
        CaseEvent::Linked(linked) => row.linked_case_ids.push(linked.to.to_string()),
        CaseEvent::InteractionLogged(logged) => {
            row.interactions += 1;
            let at = timestamp(record.occurred_at);
            let is_later = row.last_interaction_at.as_ref().is_none_or(|last| later(&at, last));
            if is_later {
                row.last_interaction_at = Some(at);
            }
            let is_inbound = logged.direction == Direction::Inbound;
            // What was said to the customer opens a case only until they say something; until then it has no language.
            if row.opening.is_none() || is_inbound && row.language.is_empty() {
                row.opening = Some(sealed_text(&logged.text));
            }
            if is_inbound {
                row.language = logged.classification.language.as_str().to_owned();
            }
        }
        CaseEvent::Reclassified(reclassified) => row.kind = kind_of(reclassified.to).into(),
        CaseEvent::Resolved(resolved) => {
            row.phase = CasePhase::Resolved.into();
            row.resolution = Some(sealed_text(&resolved.resolution));
        }
        CaseEvent::ConfirmationAwaited(_) => {}
        CaseEvent::ResolutionConfirmed(_) => row.phase = CasePhase::Closed.into(),
        CaseEvent::ResolutionRejected(_) | CaseEvent::Reopened(_) => {
            row.phase = CasePhase::Open.into();
            row.times_reopened += 1;
            row.resolution = None;
        }
        CaseEvent::PromiseProposed(proposed) => {
            row.promises.push(promises::proposed(proposed, record, &row.case_id))
        }
        CaseEvent::PromiseMade(made) => {
            promises::change(row, made.promise, |promise| promise.phase = PromisePhase::Pending.into());
        }
        CaseEvent::PromiseRefused(refused) => {
            promises::change(row, refused.promise, |promise| promise.phase = PromisePhase::Refused.into());
        }
        CaseEvent::PromiseKept(kept) => {
            promises::change(row, kept.promise, |promise| promise.phase = PromisePhase::Kept.into());
        }
        CaseEvent::PromiseRenegotiated(renegotiated) => {
            promises::change(row, renegotiated.promise, |promise| {
                promise.due_at = Some(timestamp(renegotiated.due));
                promise.times_renegotiated += 1;
            });
        }
        CaseEvent::PromiseBroken(broken) => {
            promises::change(row, broken.promise, |promise| promise.phase = PromisePhase::Broken.into());
        }
    }
}

fn later(a: &prost_types::Timestamp, b: &prost_types::Timestamp) -> bool {
    (a.seconds, a.nanos) > (b.seconds, b.nanos)
}
