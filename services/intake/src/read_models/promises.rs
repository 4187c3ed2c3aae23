//! What was promised to each customer and is still to be kept, the next due first: part of the rows of cases.
//!
//! Key: `p` customer, due-at, promise. The promises of a case stand in the case's row.

use seva_api::open::sealed_text;
use seva_api::parse::timestamp;
use seva_api::pb::intake::v1::{Case, Promise, PromisePhase};
use seva_domain::case::PromiseProposed;
use seva_domain::record::Record;
use seva_domain::values::{At, CustomerId, PromiseId};
use seva_readmodel::model::Rows;

use super::cases::at_key;

/// What the keys of a customer's pending promises begin with.
pub(crate) fn prefix(customer: CustomerId) -> Vec<u8> {
    [b"p", customer.bytes().as_slice()].concat()
}

/// A promise that the policy has not answered yet.
pub(crate) fn proposed(proposed: &PromiseProposed, record: &Record, case_id: &str) -> Promise {
    Promise {
        promise_id: proposed.promise.to_string(),
        case_id: case_id.to_owned(),
        kind: proposed.kind.as_str().to_owned(),
        phase: PromisePhase::Unspecified.into(),
        due_at: Some(timestamp(proposed.due)),
        text: Some(sealed_text(&proposed.text)),
        made_by: record.actor.as_str().to_owned(),
        made_at: Some(timestamp(record.occurred_at)),
        times_renegotiated: 0,
    }
}

/// Changes a promise of a case.
pub(crate) fn change(row: &mut Case, promise: PromiseId, change: impl FnOnce(&mut Promise)) {
    let id = promise.to_string();
    if let Some(found) = row.promises.iter_mut().find(|promise| promise.promise_id == id) {
        change(found);
    }
}

/// Brings the list of the customer's pending promises to where the case is.
pub(crate) fn list(rows: &mut Rows<'_>, before: Option<&Case>, after: &Case, customer: CustomerId) {
    let was = before.map_or(&[][..], |case| &case.promises);
    if was == after.promises {
        return;
    }
    for promise in was {
        key(promise, customer).into_iter().for_each(|key| rows.remove(key));
    }
    for promise in &after.promises {
        key(promise, customer).into_iter().for_each(|key| rows.put(key, promise));
    }
}

/// The key of a promise that is still to be kept.
fn key(promise: &Promise, customer: CustomerId) -> Option<Vec<u8>> {
    if promise.phase != i32::from(PromisePhase::Pending) {
        return None;
    }
    let id: PromiseId = promise.promise_id.parse().ok()?;
    let due = promise.due_at.as_ref().map_or(0, |at| at.seconds * 1_000_000 + i64::from(at.nanos) / 1_000);
    Some([prefix(customer).as_slice(), &at_key(At(due)), id.bytes()].concat())
}
