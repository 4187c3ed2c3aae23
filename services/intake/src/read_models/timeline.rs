//! The timeline of each customer: one row an interaction or step, in order of when it happened, then of when it was logged.
//!
//! Key: `t` customer, occurred-at, position, number of the event.

use seva_api::intake::{channel_of, direction_of, kind_of};
use seva_api::open::sealed_text;
use seva_api::parse::timestamp;
use seva_api::pb::common::v1::Text;
use seva_api::pb::intake::v1::timeline_entry::What;
use seva_api::pb::intake::v1::{Case, CaseStep, InteractionEntry, TimelineEntry};
use seva_domain::case::{Event as CaseEvent, ReopenedBecause};
use seva_domain::noun::Event;
use seva_domain::record::{Origin, Record};
use seva_domain::values::{Actor, CustomerId};
use seva_eventlog::commit::Position;
use seva_readmodel::model::Rows;

use super::cases::at_key;

/// What the keys of a customer's timeline begin with.
pub(crate) fn prefix(customer: CustomerId) -> Vec<u8> {
    [b"t", customer.bytes().as_slice()].concat()
}

/// Adds a record's events to the timeline of the case's customer.
pub(crate) fn fold(rows: &mut Rows<'_>, record: &Record, case: &Case, customer: CustomerId, at: Position) {
    let is_opening = record.rev == 1;
    for (n, entry) in (0_u8..).zip(&record.events) {
        let Event::Case(event) = &entry.event else { continue };
        let Some(what) = what(event, is_opening) else { continue };
        let actor = match entry.origin {
            Origin::Fact => &record.actor,
            Origin::Rule => &Actor::policy(),
        };
        let row = TimelineEntry {
            case_id: case.case_id.clone(),
            occurred_at: Some(timestamp(record.occurred_at)),
            recorded_at: Some(timestamp(record.recorded_at)),
            actor: actor.as_str().to_owned(),
            what: Some(what),
            // The sequence and index are the log's; the token is made where it is answered.
            position: String::new(),
        };
        let mut key = prefix(customer);
        key.extend(at_key(record.occurred_at));
        key.extend(at.key());
        key.push(n);
        rows.put(key, &row);
    }
}

/// The position that a timeline's key holds.
pub(crate) fn position_of(key: &[u8]) -> Option<Position> {
    let bytes: [u8; 8] = key.get(25..33)?.try_into().ok()?;
    Some(Position::from_key(bytes))
}

fn what(event: &CaseEvent, is_opening: bool) -> Option<What> {
    let step =
        |note: Option<Text>| Some(What::Step(CaseStep { event_type: event.wire_type().to_owned(), note }));
    match event {
        CaseEvent::InteractionLogged(logged) => Some(What::Interaction(InteractionEntry {
            interaction_id: logged.interaction.to_string(),
            channel: channel_of(logged.channel).into(),
            direction: direction_of(logged.direction).into(),
            language: logged.classification.language.as_str().to_owned(),
            kind: kind_of(logged.kind).into(),
            text: Some(sealed_text(&logged.text)),
            case_opened: is_opening,
        })),
        // An opening stands in the interaction that opened it; a link and a wait are no news to the customer.
        CaseEvent::Opened(_) | CaseEvent::Linked(_) | CaseEvent::ConfirmationAwaited(_) => None,
        CaseEvent::Reclassified(reclassified) => step(reclassified.reason.as_ref().map(sealed_text)),
        CaseEvent::Resolved(resolved) => step(Some(sealed_text(&resolved.resolution))),
        CaseEvent::ResolutionConfirmed(_) => step(None),
        CaseEvent::ResolutionRejected(rejected) => step(Some(sealed_text(&rejected.reason))),
        CaseEvent::Reopened(reopened) => match &reopened.because {
            ReopenedBecause::CustomerWroteAgain => step(None),
            ReopenedBecause::Staff(reason) => step(Some(sealed_text(reason))),
        },
        // The words stand in the proposal; that it stands is told by nothing else following.
        CaseEvent::PromiseProposed(proposed) => step(Some(sealed_text(&proposed.text))),
        CaseEvent::PromiseMade(_) => None,
        CaseEvent::PromiseRefused(_) | CaseEvent::PromiseBroken(_) => step(None),
        CaseEvent::PromiseKept(kept) => step(kept.note.as_ref().map(sealed_text)),
        CaseEvent::PromiseRenegotiated(renegotiated) => step(Some(sealed_text(&renegotiated.reason))),
    }
}
