//! V5: what is paid back stays within what was captured, by two people above the limit, once, and the provider paid what the log says.

use std::collections::BTreeMap;

use seva_domain::charge::{Event, RefundApproved};
use seva_domain::noun;
use seva_domain::policy::{self, Document};
use seva_domain::record::Record;
use seva_domain::values::{Actor, ChargeId, Currency, RefundId};

use super::ledger::Entry;
use super::log::Facts;
use super::{Finding, Verdict};

/// A charge, as the log tells it.
struct Charge {
    reference: String,
    currency: Currency,
    captured: u64,
    paid: u64,
}

/// A refund, as the log tells it.
struct Refund {
    charge: ChargeId,
    by: Actor,
    amount: u64,
    approvals: Vec<Actor>,
    /// How often it was instructed.
    attempts: u64,
    /// How it ended, each time it did.
    ends: Vec<&'static str>,
    payout: String,
}

#[derive(Default)]
struct Money {
    charges: BTreeMap<ChargeId, Charge>,
    refunds: BTreeMap<RefundId, Refund>,
    policies: BTreeMap<u64, Document>,
    within: Finding,
    by_two: Finding,
    one_end: Finding,
    once: Finding,
}

/// Judges the money.
pub(super) fn judge(verdict: &mut Verdict, facts: &Facts, ledger: &[Entry]) {
    let mut money = Money::default();
    for (standing, event) in facts.events() {
        match event {
            noun::Event::Charge(event) => money.take_in(&standing.record, event),
            noun::Event::Policy(policy::Event::Published(published)) => {
                if let Ok(document) = Document::parse(&published.document) {
                    money.policies.insert(published.version, document);
                }
            }
            _ => {}
        }
    }
    money.finish(ledger);
    let ended = |end| money.refunds.values().filter(|refund| refund.ends.contains(&end)).count() as u64;
    verdict.counts.extend([
        ("refunds paid", ended("paid")),
        ("refunds failed", ended("failed")),
        ("refunds declined", ended("declined")),
        ("refunds paid at a later attempt", money.paid_later()),
    ]);
    verdict.findings.extend([
        ("V5 paid back within what was captured", money.within),
        ("V5 above the limit by two people", money.by_two),
        ("V5 one end a refund, and none without", money.one_end),
        ("V5 the provider paid what the log says, once", money.once),
    ]);
}

impl Money {
    fn take_in(&mut self, record: &Record, event: &Event) {
        let noun::Noun::Charge(charge) = record.noun else { return };
        match event {
            Event::Registered(registered) => {
                let (currency, captured) = (registered.currency, registered.captured.get());
                let reference = registered.reference.as_str().to_owned();
                self.charges.insert(charge, Charge { reference, currency, captured, paid: 0 });
            }
            Event::RefundRequested(requested) => {
                let refund = Refund {
                    charge,
                    by: requested.by.clone(),
                    amount: requested.lines.iter().map(|line| line.amount.get()).sum(),
                    approvals: Vec::new(),
                    attempts: 0,
                    ends: Vec::new(),
                    payout: String::new(),
                };
                self.refunds.insert(requested.refund, refund);
            }
            Event::ApprovalGiven(given) => {
                if let Some(refund) = self.refunds.get_mut(&given.refund) {
                    refund.approvals.push(given.by.clone());
                }
            }
            Event::RefundApproved(approved) => self.approved(record, charge, approved),
            Event::RefundInstructed(instructed) => {
                let (Some(refund), Some(charge)) =
                    (self.refunds.get_mut(&instructed.refund), self.charges.get(&charge))
                else {
                    return;
                };
                refund.attempts += 1;
                let is_the_same = instructed.amount.get() == refund.amount
                    && instructed.currency == charge.currency
                    && instructed.reference.as_str() == charge.reference
                    && u64::from(instructed.attempt) == refund.attempts;
                self.once.check(is_the_same, || format!("{} is instructed otherwise", instructed.refund));
            }
            Event::RefundPaid(paid) => {
                self.ends(paid.refund, "paid");
                let Some(refund) = self.refunds.get_mut(&paid.refund) else { return };
                paid.payout.as_str().clone_into(&mut refund.payout);
                if let Some(charge) = self.charges.get_mut(&charge) {
                    charge.paid += refund.amount;
                }
            }
            Event::RefundFailed(failed) => self.ends(failed.refund, "failed"),
            Event::RefundDeclined(declined) => self.ends(declined.refund, "declined"),
            Event::SecondApprovalRequired(_)
            | Event::AttemptLapsed(_)
            | Event::RefundUnknown(_)
            | Event::RefundRecorded(_) => {}
        }
    }

    /// By the limit of the policy that was in force.
    fn approved(&mut self, record: &Record, charge: ChargeId, approved: &RefundApproved) {
        let id = approved.refund;
        let (Some(refund), Some(charge)) = (self.refunds.get(&id), self.charges.get(&charge)) else { return };
        let policy = self.policies.get(&record.policy);
        let limit = policy.map_or(0, |policy| policy.refund.limits(charge.currency).alone_up_to.get());
        let by_another = refund.approvals.iter().any(|by| *by != refund.by);
        let is_right = refund.amount <= limit || by_another;
        self.by_two.check(is_right && approved.amount.get() == refund.amount, || {
            format!("{id} of {} above {limit} is approved by {:?} alone", refund.amount, refund.approvals)
        });
    }

    fn ends(&mut self, id: RefundId, how: &'static str) {
        match self.refunds.get_mut(&id) {
            Some(refund) => refund.ends.push(how),
            None => self.one_end.check(false, || format!("{id} is {how} and was never requested")),
        }
    }

    fn finish(&mut self, ledger: &[Entry]) {
        for (id, charge) in &self.charges {
            self.within.check(charge.paid <= charge.captured, || {
                format!("{} of {} was paid back on {id}", charge.paid, charge.captured)
            });
            let paid_out = ledger.iter().filter(|entry| entry.is_paid && entry.charge == charge.reference);
            let paid_out: u64 = paid_out.map(|entry| entry.amount).sum();
            self.within.check(paid_out <= charge.captured, || {
                format!("the provider paid {paid_out} of {} on {id}", charge.captured)
            });
        }
        let mut by_key: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        for entry in ledger.iter().filter(|entry| entry.is_paid) {
            by_key.entry(&entry.key).or_default().push(entry);
        }
        for (id, refund) in &self.refunds {
            let most = usize::from(!refund.ends.is_empty() || refund.attempts > 0);
            self.one_end.check(refund.ends.len() == most, || {
                format!("{id} was instructed {} times and ended as {:?}", refund.attempts, refund.ends)
            });
            let payouts = by_key.remove(id.to_string().as_str()).unwrap_or_default();
            let is_right = match payouts.as_slice() {
                [] => !refund.ends.contains(&"paid"),
                [payout] => refund.ends.contains(&"paid") && self.is_of(payout, refund),
                [_, _, ..] => false,
            };
            self.once.check(is_right, || {
                format!("{id} ended as {:?} and was paid out by {payouts:?}", refund.ends)
            });
        }
        for (key, payouts) in by_key {
            self.once.check(false, || format!("{key} is no refund and was paid out by {payouts:?}"));
        }
    }

    fn is_of(&self, payout: &Entry, refund: &Refund) -> bool {
        let Some(charge) = self.charges.get(&refund.charge) else { return false };
        payout.id == refund.payout
            && payout.amount == refund.amount
            && payout.currency == charge.currency.code()
            && payout.charge == charge.reference
    }

    fn paid_later(&self) -> u64 {
        let is_later = |refund: &&Refund| refund.attempts > 1 && refund.ends.contains(&"paid");
        self.refunds.values().filter(is_later).count() as u64
    }
}
