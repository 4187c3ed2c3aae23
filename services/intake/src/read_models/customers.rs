//! Who is this customer? One row a customer: what they are called, how they are known, who they may be.

use seva_api::erasing::erase;
use seva_api::intake::identity_kind_of;
use seva_api::open::sealed_text;
use seva_api::parse::timestamp;
use seva_api::pb::intake::v1::{Customer, CustomerIdentity};
use seva_domain::customer::Event as CustomerEvent;
use seva_domain::noun::{Event, Noun};
use seva_domain::record::Record;
use seva_eventlog::commit::Position;
use seva_readmodel::model::{FoldError, ReadModel, Rows, expect_next};

/// The read model's name.
pub const NAME: &str = "customers.v1";

/// The read model.
pub struct Customers;

impl ReadModel for Customers {
    fn name(&self) -> &'static str {
        NAME
    }

    fn fold(&self, rows: &mut Rows<'_>, record: &Record, _: Position) -> Result<(), FoldError> {
        let Noun::Customer(id) = record.noun else { return Ok(()) };
        let key = id.bytes().to_vec();
        let mut row: Customer = rows.get(&key)?.unwrap_or_default();
        expect_next(record, row.rev)?;
        row.customer_id = id.to_string();
        row.rev = record.rev;
        for entry in &record.events {
            // A customer's record holds a customer's events.
            if let Event::Customer(event) = &entry.event {
                apply(&mut row, event, record);
            }
        }
        rows.put(key, &row);
        Ok(())
    }
}

fn apply(row: &mut Customer, event: &CustomerEvent, record: &Record) {
    match event {
        CustomerEvent::Registered(registered) => {
            row.name = registered.name.as_ref().map(sealed_text);
            row.registered_at = Some(timestamp(record.effective_at));
        }
        CustomerEvent::IdentityAdded(added) => row.identities.push(CustomerIdentity {
            kind: identity_kind_of(added.identity.kind).into(),
            value: Some(sealed_text(&added.identity.value)),
        }),
        CustomerEvent::KeyJoined(_) => {}
        CustomerEvent::MergeProposed(proposed) => {
            row.merge_candidate_ids = proposed.candidates.iter().map(ToString::to_string).collect();
        }
        // Somebody was here: how many names they had stays, and none of them.
        CustomerEvent::ForgettingConfirmed(_) => {
            erase(row);
        }
        CustomerEvent::ForgettingRequested(_)
        | CustomerEvent::ForgettingDeclined(_)
        | CustomerEvent::Forgotten(_)
        | CustomerEvent::HoldPlaced(_)
        | CustomerEvent::HoldLifted(_) => {}
    }
}
