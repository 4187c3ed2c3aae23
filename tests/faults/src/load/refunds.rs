//! What clients do with money: register charges, ask for some of it back, and approve it, alone and together.

use rand::Rng as _;
use rand::seq::IndexedRandom as _;

use super::{Charge, Client, Refund, remember};
use crate::write::{Verb, Write};

/// What was captured at least and at most, in minor units; about a third of what is asked for is above what one person may give.
const CAPTURED: std::ops::Range<i64> = 2_000..40_000;

/// Currencies with 0, 2 and 3 decimals.
const CURRENCIES: [&str; 3] = ["EUR", "JPY", "KWD"];

/// How the sandbox provider treats a charge, by its name.
const MANNERS: [&str; 11] = [
    "ch",
    "ch",
    "ch",
    "ch",
    "ch",
    "ch",
    "sandbox_answer_late",
    "sandbox_decline_insufficient_funds",
    "sandbox_lose_answer",
    "sandbox_pending",
    "sandbox_pending_then_failed",
];

impl Client {
    pub(super) async fn gives_back(&mut self) -> anyhow::Result<()> {
        match self.rng.random_range(0..10) {
            0..3 => self.registers_a_charge().await,
            3..7 => self.requests_a_refund().await,
            7..9 => match self.pick(|known| &mut known.refunds) {
                Some(refund) => self.approves(&refund).await,
                None => Ok(()),
            },
            _ => self.declines_a_refund().await,
        }
    }

    async fn registers_a_charge(&mut self) -> anyhow::Result<()> {
        let write = self.request(Verb::RegisterCharge);
        let manner = MANNERS.choose(&mut self.rng).unwrap_or(&"ch");
        let currency = CURRENCIES.choose(&mut self.rng).unwrap_or(&"EUR");
        let mut write = Write {
            of: format!("{manner}-{}", write.marker),
            currency: (*currency).to_owned(),
            number: self.rng.random_range(CAPTURED),
            ..write
        };
        if self.rng.random_bool(0.3)
            && let Some(case) = self.case()
        {
            (write.about, write.account) = (case.case, case.customer);
        }
        let (currency, captured) = (write.currency.clone(), write.number);
        let Some(written) = self.asks(write).await? else { return Ok(()) };
        for charge in written.ids {
            let (currency, position) = (currency.clone(), written.position.clone());
            let charge = Charge { charge, currency, captured, position };
            self.load.with_known(|known| remember(&mut known.charges, charge));
        }
        Ok(())
    }

    async fn requests_a_refund(&mut self) -> anyhow::Result<()> {
        let Some(charge) = self.pick(|known| &mut known.charges) else { return Ok(()) };
        // Now and then more than can be given back.
        let amount = self.rng.random_range(100..charge.captured / 2);
        let write = Write {
            about: charge.charge.clone(),
            currency: charge.currency,
            number: amount,
            is_suggestion: self.rng.random_bool(0.2),
            ..self.request(Verb::RequestRefund)
        };
        let requested_by = write.marker.clone();
        let Some(written) = self.asks(write).await? else { return Ok(()) };
        for refund in written.ids {
            let refund = Refund { charge: charge.charge.clone(), refund, requested_by: requested_by.clone() };
            self.load.with_known(|known| remember(&mut known.refunds, refund.clone()));
            if self.rng.random_bool(0.7) {
                self.approves(&refund).await?;
            }
        }
        Ok(())
    }

    /// Whoever asked for it approves it, or somebody else does, or both at once.
    async fn approves(&mut self, refund: &Refund) -> anyhow::Result<()> {
        let other = Write {
            about: refund.charge.clone(),
            of: refund.refund.clone(),
            ..self.request(Verb::ApproveRefund)
        };
        let own = Write { by: refund.requested_by.clone(), ..other.clone() };
        let own = Write { marker: format!("{}-own", own.marker), ..own };
        match self.rng.random_range(0..4) {
            0 => self.asks(own).await.map(drop),
            1 => self.asks(other).await.map(drop),
            _ => {
                let mut twin = self.twin();
                let (one, two) = tokio::join!(self.asks(other), twin.asks(own));
                one.and(two).map(drop)
            }
        }
    }

    async fn declines_a_refund(&mut self) -> anyhow::Result<()> {
        let Some(refund) = self.pick(|known| &mut known.refunds) else { return Ok(()) };
        let write = Write { about: refund.charge, of: refund.refund, ..self.request(Verb::DeclineRefund) };
        self.asks(write).await.map(drop)
    }
}
