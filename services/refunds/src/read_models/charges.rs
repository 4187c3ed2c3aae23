//! What was captured, and what was given back of it? One row a charge with its refunds, lists of refunds, and totals by currency.
//!
//! Keys: `c` charge; `r` refund (holds the charge's id); `p` phase requested-at refund; `u` customer requested-at refund; `o` order, zero, requested-at
//! refund; `n` currency; `k` and `g` see [`seva_api::erasing`].

use seva_api::erasing;
use seva_api::parse::timestamp;
use seva_api::pb::common::v1::Money;
use seva_api::pb::refunds::v1::{Charge, CurrencyTotals, Refund, RefundPhase};
use seva_api::refunds::method_of;
use seva_domain::charge::Event as ChargeEvent;
use seva_domain::noun::{Event, Noun};
use seva_domain::record::{Cause, Entry, Origin, Record};
use seva_domain::values::{Actor, ChargeId, CustomerId, RefundId};
use seva_eventlog::commit::Position;
use seva_readmodel::model::{FoldError, ReadModel, Rows, expect_next};

use super::refund;

/// The read model's name.
pub const NAME: &str = "charges.v2";

/// What the keys of all totals begin with.
pub const TOTALS: &[u8] = b"n";

/// The read model.
pub struct Charges;

impl ReadModel for Charges {
    fn name(&self) -> &'static str {
        NAME
    }

    fn fold(&self, rows: &mut Rows<'_>, record: &Record, _: Position) -> Result<(), FoldError> {
        let Noun::Charge(id) = record.noun else { return erasing::fold::<Charge>(rows, record) };
        let before: Option<Charge> = rows.get(&charge_key(id))?;
        expect_next(record, before.as_ref().map_or(0, |row| row.rev))?;
        let mut row = apply(before.clone().unwrap_or_default(), record, id);
        list(rows, before.as_ref(), &row, id);
        total(rows, before.as_ref(), &row)?;
        erasing::put(rows, charge_key(id), &mut row)
    }
}

/// The key of a charge's row.
pub fn charge_key(charge: ChargeId) -> Vec<u8> {
    [b"c", charge.bytes().as_slice()].concat()
}

/// The key of the row that says which charge a refund belongs to.
pub fn refund_key(refund: RefundId) -> Vec<u8> {
    [b"r", refund.bytes().as_slice()].concat()
}

/// What the keys of refunds in a phase begin with; they order by when each was requested.
pub fn phase_prefix(phase: RefundPhase) -> Vec<u8> {
    vec![b'p', u8::try_from(i32::from(phase)).unwrap_or(0)]
}

/// What the keys of a customer's refunds begin with.
pub fn of_customer_prefix(customer: CustomerId) -> Vec<u8> {
    [b"u", customer.bytes().as_slice()].concat()
}

/// What the keys of an order's refunds begin with.
pub fn of_order_prefix(order: &str) -> Vec<u8> {
    [b"o", order.as_bytes(), &[0]].concat()
}

fn apply(mut row: Charge, record: &Record, id: ChargeId) -> Charge {
    row.charge_id = id.to_string();
    row.rev = record.rev;
    for entry in &record.events {
        let Event::Charge(event) = &entry.event else { continue };
        match event {
            ChargeEvent::Registered(registered) => {
                let currency = registered.currency.code().to_owned();
                let captured = Money { currency, amount_minor: registered.captured.get() };
                row.reference = registered.reference.as_str().to_owned();
                row.order = registered.order.as_ref().map(|o| o.as_str().to_owned()).unwrap_or_default();
                row.customer_id = registered.customer.map(|id| id.to_string()).unwrap_or_default();
                row.case_id = registered.case.map(|id| id.to_string()).unwrap_or_default();
                row.method = method_of(registered.method).into();
                row.captured = Some(captured);
                row.captured_at = Some(timestamp(record.occurred_at));
            }
            event => refund::apply(&mut row, event, actor(record, entry).as_str(), record),
        }
    }
    row.refundable = row.captured.as_ref().map(|captured| Money {
        currency: captured.currency.clone(),
        amount_minor: captured.amount_minor.saturating_sub(counted(&row)),
    });
    row
}

/// Who did it: a rule and a deadline are the policy's.
fn actor(record: &Record, entry: &Entry) -> Actor {
    let is_by_itself = entry.origin == Origin::Rule || matches!(record.cause, Some(Cause::Due(_)));
    if is_by_itself { Actor::policy() } else { record.actor.clone() }
}

/// What was or may be paid.
fn counted(row: &Charge) -> u64 {
    let counts = |refund: &&Refund| is_open(refund) || refund.phase() == RefundPhase::Paid;
    row.refunds.iter().filter(counts).map(amount).sum()
}

fn is_open(refund: &Refund) -> bool {
    matches!(refund.phase(), RefundPhase::Requested | RefundPhase::Instructed | RefundPhase::Unknown)
}

fn amount(refund: &Refund) -> u64 {
    refund.total.as_ref().map_or(0, |total| total.amount_minor)
}

/// Brings the lists of refunds to where the charge is.
fn list(rows: &mut Rows<'_>, before: Option<&Charge>, after: &Charge, id: ChargeId) {
    let was = before.map_or(&[][..], |charge| &charge.refunds);
    for refund in &after.refunds {
        let old = was.iter().find(|old| old.refund_id == refund.refund_id);
        if old.is_some_and(|old| old.phase == refund.phase) {
            continue;
        }
        let Ok(refund_id) = refund.refund_id.parse::<RefundId>() else { continue };
        let at = refund.requested_at.as_ref();
        let at = at.map_or(0, |at| at.seconds * 1_000_000 + i64::from(at.nanos) / 1_000);
        let tail = [(at ^ i64::MIN).to_be_bytes().as_slice(), refund_id.bytes()].concat();
        match old {
            Some(old) => rows.remove([phase_prefix(old.phase()), tail.clone()].concat()),
            None => {
                rows.put_bytes(refund_key(refund_id), id.bytes().to_vec());
                if let Ok(customer) = after.customer_id.parse::<CustomerId>() {
                    rows.put_bytes([of_customer_prefix(customer), tail.clone()].concat(), Vec::new());
                }
                if !after.order.is_empty() {
                    rows.put_bytes([of_order_prefix(&after.order), tail.clone()].concat(), Vec::new());
                }
            }
        }
        rows.put_bytes([phase_prefix(refund.phase()), tail].concat(), Vec::new());
    }
}

/// Brings the currency's totals to where the charge is.
fn total(rows: &mut Rows<'_>, before: Option<&Charge>, after: &Charge) -> Result<(), FoldError> {
    let Some(captured) = &after.captured else { return Ok(()) };
    let key = [TOTALS, captured.currency.as_bytes()].concat();
    let mut totals: CurrencyTotals = rows.get(&key)?.unwrap_or_default();
    totals.currency = captured.currency.clone();
    if let Some(before) = before {
        count(&mut totals, before, |n, by| *n = n.saturating_sub(by));
    }
    count(&mut totals, after, |n, by| *n += by);
    rows.put(key, &totals);
    Ok(())
}

fn count(totals: &mut CurrencyTotals, charge: &Charge, change: impl Fn(&mut u64, u64)) {
    change(&mut totals.charges, 1);
    change(&mut totals.captured_minor, charge.captured.as_ref().map_or(0, |money| money.amount_minor));
    for refund in &charge.refunds {
        match refund.phase() {
            RefundPhase::Requested | RefundPhase::Instructed | RefundPhase::Unknown => {
                change(&mut totals.refunds_open, 1);
                change(&mut totals.open_minor, amount(refund));
            }
            RefundPhase::Paid => {
                change(&mut totals.refunds_paid, 1);
                change(&mut totals.paid_minor, amount(refund));
            }
            RefundPhase::Declined => change(&mut totals.refunds_declined, 1),
            RefundPhase::Failed => change(&mut totals.refunds_failed, 1),
            RefundPhase::Unspecified => {}
        }
    }
}
