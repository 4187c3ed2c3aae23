//! Who may give how much money back, and how soon the payment provider should have answered.

use serde::{Deserialize, Serialize};

use super::document::{Findings, RULE_CHARS_MAX};
use crate::values::{Currency, Minor};

/// The longest that one attempt to pay may be without an outcome before the next, in seconds: a day.
pub const OUTCOME_SECONDS_MAX: u32 = 86_400;

/// Who may give how much money back. A document without this section lets nobody give anything alone, and covers no cost and no goodwill.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RefundRules {
    /// The rule in plain language.
    pub rule: String,
    /// How long an attempt to pay may be without an outcome before the next; the wait doubles with each.
    pub outcome_within_seconds: u32,
    /// The limits of each currency. Where a currency has none they are nothing.
    pub limits: Vec<Limits>,
}

/// The limits of one currency, in its minor units.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub currency: Currency,
    /// What who requests a refund may approve without anybody else.
    pub alone_up_to: Minor,
    /// What is covered of consequential cost, of one charge.
    pub consequential_up_to: Minor,
    /// What is given as goodwill, on one charge.
    pub goodwill_up_to: Minor,
}

impl Default for RefundRules {
    fn default() -> RefundRules {
        RefundRules { rule: String::new(), outcome_within_seconds: 30, limits: Vec::new() }
    }
}

impl RefundRules {
    /// The limits of a currency.
    pub fn limits(&self, currency: Currency) -> Limits {
        let nothing = || {
            let (alone_up_to, consequential_up_to, goodwill_up_to) = (Minor::ZERO, Minor::ZERO, Minor::ZERO);
            Limits { currency, alone_up_to, consequential_up_to, goodwill_up_to }
        };
        self.limits.iter().find(|limits| limits.currency == currency).cloned().unwrap_or_else(nothing)
    }

    pub(super) fn check(&self, found: &mut Findings) {
        if *self == RefundRules::default() {
            return;
        }
        found.text("refund.rule", &self.rule, RULE_CHARS_MAX);
        if !(1..=OUTCOME_SECONDS_MAX).contains(&self.outcome_within_seconds) {
            let message =
                format!("is {} seconds, but must be 1 to {OUTCOME_SECONDS_MAX}", self.outcome_within_seconds);
            found.add("refund.outcome_within_seconds".to_owned(), message);
        }
        for (n, limits) in self.limits.iter().enumerate() {
            if self.limits.iter().take(n).any(|earlier| earlier.currency == limits.currency) {
                let message = format!("there are already limits for {}", limits.currency.code());
                found.add(format!("refund.limits[{n}].currency"), message);
            }
        }
    }
}
