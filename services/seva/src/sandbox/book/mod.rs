//! What the ledger's entries come to, and what is made of the next instruction. No I/O.

use std::collections::BTreeMap;

use crate::sandbox::behaviour::Behaviour;
use crate::sandbox::entry::{Entry, Order, Outcome, Then};

/// A refund.
#[derive(Clone, Debug)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) order: Order,
    /// What the instruction was answered.
    pub(super) first: Outcome,
    /// What has become of it.
    pub(super) now: Outcome,
}

/// All refunds, and what is known of their charges.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// In the order they were taken.
    pub(super) refunds: Vec<Refund>,
    by_key: BTreeMap<String, usize>,
    by_id: BTreeMap<String, usize>,
    captured: BTreeMap<String, (i64, String)>,
}

/// What an instruction comes to.
#[derive(Debug)]
pub(super) enum Taken<'a> {
    /// The key is known, with this body.
    Known(&'a Refund),
    /// To be written before it is answered.
    New(Entry),
    /// The key is known with another body.
    ChangedBody,
}

impl Book {
    /// Takes in an entry.
    pub(super) fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Captured { charge, amount_minor, currency } => {
                self.captured.insert(charge, (amount_minor, currency));
            }
            Entry::Instructed { id, order, outcome } => {
                let index = self.refunds.len();
                self.by_key.insert(order.key.clone(), index);
                self.by_id.insert(id.clone(), index);
                self.refunds.push(Refund { id, order, first: outcome.clone(), now: outcome });
            }
            Entry::Settled { id, outcome } => {
                if let Some(refund) = self.by_id.get(&id).and_then(|index| self.refunds.get_mut(*index)) {
                    refund.now = outcome;
                }
            }
        }
    }

    pub(super) fn by_key(&self, key: &str) -> Option<&Refund> {
        self.by_key.get(key).map(|index| &self.refunds[*index])
    }

    pub(super) fn by_id(&self, id: &str) -> Option<&Refund> {
        self.by_id.get(id).map(|index| &self.refunds[*index])
    }

    /// Decides on an instruction that arrives now, when told to behave like this.
    pub(super) fn instruct(&self, order: Order, how: Option<&Behaviour>, now_ms: i64) -> Taken<'_> {
        match self.by_key(&order.key) {
            Some(known) if known.order == order => Taken::Known(known),
            Some(_) => Taken::ChangedBody,
            None => {
                let id = format!("re_{:08}", self.refunds.len() + 1);
                let outcome = self.outcome(&order, how, now_ms);
                Taken::New(Entry::Instructed { id, order, outcome })
            }
        }
    }

    /// The entry that ends a pending refund; `None` if it is not pending.
    pub(super) fn settle(&self, id: &str, code: Option<String>) -> Option<Entry> {
        let refund = self.by_id(id)?;
        let is_pending = matches!(refund.now, Outcome::Pending { .. });
        is_pending.then(|| Entry::Settled { id: id.to_owned(), outcome: Outcome::settled(code) })
    }

    fn outcome(&self, order: &Order, how: Option<&Behaviour>, now_ms: i64) -> Outcome {
        let failed = |code: &str| Outcome::Failed { code: code.to_owned() };
        if let Some(Behaviour::Decline { code }) = how {
            return failed(code);
        }
        if let Some((captured_minor, currency)) = self.captured.get(&order.charge) {
            if order.currency != *currency {
                return failed("currency_mismatch");
            }
            if order.amount_minor > captured_minor.saturating_sub(self.given_back_minor(&order.charge)) {
                return failed("amount_exceeds_charge");
            }
        }
        match how {
            Some(Behaviour::Pending { after_ms, code }) => {
                let at_ms = |after_ms| now_ms.saturating_add_unsigned(after_ms);
                let then = after_ms.map(|after_ms| Then { at_ms: at_ms(after_ms), code: code.clone() });
                Outcome::Pending { then }
            }
            _ => Outcome::Paid,
        }
    }

    /// What was paid of a charge, or may still be.
    fn given_back_minor(&self, charge: &str) -> i64 {
        let counts =
            |refund: &&Refund| refund.order.charge == charge && !matches!(refund.now, Outcome::Failed { .. });
        let amounts = self.refunds.iter().filter(counts).map(|refund| refund.order.amount_minor);
        amounts.fold(0, i64::saturating_add)
    }
}

#[cfg(test)]
mod tests;
