//! What was said about forgetting each customer, and what became unreadable: part of the rows of cases.
//!
//! Key: `f` customer. When somebody is forgotten, every text of theirs goes out of the rows of cases here.

use std::collections::BTreeSet;

use seva_api::erasing::erase;
use seva_api::forgetting::{decline_of, hold_of, reason_of};
use seva_api::parse::timestamp;
use seva_api::pb::intake::v1::timeline_entry::What;
use seva_api::pb::intake::v1::{Case, Forgetting, ForgettingPhase, LegalHold, Promise, TimelineEntry};
use seva_domain::customer::Event as CustomerEvent;
use seva_domain::noun::Event;
use seva_domain::record::Record;
use seva_domain::values::{CaseId, CustomerId};
use seva_readmodel::model::{FoldError, Rows};

use super::places::Places;
use super::{cases, promises, timeline};

/// The key of what was said about forgetting a customer.
pub(crate) fn key(customer: CustomerId) -> Vec<u8> {
    [b"f", customer.bytes().as_slice()].concat()
}

/// Folds what a customer's record says about forgetting them; most say nothing.
pub(crate) fn fold(rows: &mut Rows<'_>, record: &Record, customer: CustomerId) -> Result<(), FoldError> {
    for entry in &record.events {
        // A customer's record holds a customer's events.
        let Event::Customer(event) = &entry.event else { continue };
        match event {
            CustomerEvent::Registered(_)
            | CustomerEvent::IdentityAdded(_)
            | CustomerEvent::KeyJoined(_)
            | CustomerEvent::MergeProposed(_) => {}
            CustomerEvent::ForgettingRequested(_)
            | CustomerEvent::ForgettingDeclined(_)
            | CustomerEvent::ForgettingConfirmed(_)
            | CustomerEvent::Forgotten(_)
            | CustomerEvent::HoldPlaced(_)
            | CustomerEvent::HoldLifted(_) => {
                let mut row: Forgetting = rows.get(&key(customer))?.unwrap_or_default();
                row.customer_id = customer.to_string();
                apply(&mut row, event, record);
                if let CustomerEvent::ForgettingConfirmed(_) = event {
                    (row.interactions_erased, row.texts_erased) = erase_all(rows, customer)?;
                }
                rows.put(key(customer), &row);
            }
        }
    }
    Ok(())
}

fn apply(row: &mut Forgetting, event: &CustomerEvent, record: &Record) {
    let at = Some(timestamp(record.recorded_at));
    match event {
        CustomerEvent::Registered(_)
        | CustomerEvent::IdentityAdded(_)
        | CustomerEvent::KeyJoined(_)
        | CustomerEvent::MergeProposed(_) => {}
        CustomerEvent::ForgettingRequested(requested) => {
            row.phase = ForgettingPhase::Asked.into();
            row.reason = reason_of(requested.reason).into();
            row.asked_by = requested.by.as_str().to_owned();
            row.asked_at = at;
        }
        CustomerEvent::ForgettingDeclined(declined) => {
            row.phase = ForgettingPhase::Declined.into();
            row.declined_by = declined.by.as_str().to_owned();
            row.declined_because = decline_of(declined.because).into();
            row.declined_at = at;
        }
        CustomerEvent::ForgettingConfirmed(confirmed) => {
            row.phase = ForgettingPhase::Confirmed.into();
            row.confirmed_by = confirmed.by.as_str().to_owned();
            row.confirmed_at = at;
        }
        CustomerEvent::Forgotten(forgotten) => {
            row.phase = ForgettingPhase::Forgotten.into();
            row.keys_destroyed = forgotten.keys_destroyed;
            row.forgotten_at = at;
        }
        CustomerEvent::HoldPlaced(placed) => row.holds.push(LegalHold {
            reason: hold_of(placed.reason).into(),
            placed_by: placed.by.as_str().to_owned(),
            placed_at: at,
        }),
        CustomerEvent::HoldLifted(lifted) => {
            let lifted = i32::from(hold_of(lifted.reason));
            row.holds.retain(|hold| hold.reason != lifted);
        }
    }
}

/// Erases every text of a customer in the rows of cases. Answers how many interactions, and how many texts that a case's story tells.
fn erase_all(rows: &mut Rows<'_>, customer: CustomerId) -> Result<(u64, u64), FoldError> {
    let (mut interactions, mut texts) = (0, 0);
    let mut of_customer: BTreeSet<CaseId> = BTreeSet::new();
    for (key, _) in rows.scan(&timeline::prefix(customer))? {
        let Some(mut entry) = rows.get::<TimelineEntry>(&key)? else { continue };
        of_customer.extend(entry.case_id.parse::<CaseId>());
        interactions += u64::from(matches!(entry.what, Some(What::Interaction(_))));
        texts += erase(&mut entry);
        rows.put(key, &entry);
    }
    for case in of_customer {
        if let Some(mut row) = rows.get::<Case>(&cases::case_key(case))? {
            erase(&mut row);
            let places = Places::read(rows, case)?;
            cases::put(rows, case, &row, &places);
        }
    }
    for (key, _) in rows.scan(&promises::prefix(customer))? {
        if let Some(mut promise) = rows.get::<Promise>(&key)? {
            erase(&mut promise);
            rows.put(key, &promise);
        }
    }
    Ok((interactions, texts))
}
