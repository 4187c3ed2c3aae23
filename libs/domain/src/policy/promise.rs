//! What the company can promise: the kinds there are, how soon each can be done, and how far ahead the company commits itself.

use serde::{Deserialize, Serialize};

use super::document::{Findings, NAME_CHARS_MAX, RULE_CHARS_MAX};
use crate::values::{PromiseKind, is_policy_id};

/// The most kinds of promises in a document.
pub const KINDS_MAX: usize = 64;
/// The furthest ahead that a promise can be due, in minutes: a year.
pub const AHEAD_MINUTES_MAX: u32 = 365 * 24 * 60;

/// What the company can promise. A document without this section promises nothing.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PromiseRules {
    /// The rule in plain language.
    pub rule: String,
    /// Whether a broken promise is escalated by itself.
    pub escalate_broken: bool,
    /// The kinds of promises there are.
    pub kinds: Vec<KindEntry>,
}

/// A kind of promise.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KindEntry {
    /// What requests and events call it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// How long it takes the company at least: a promise due sooner is refused.
    pub soonest_minutes: u32,
    /// How far ahead the company commits itself: a promise due later is refused.
    pub latest_minutes: u32,
}

impl PromiseRules {
    /// A kind of promise, if there is such a one.
    pub fn kind(&self, kind: &PromiseKind) -> Option<&KindEntry> {
        self.kinds.iter().find(|entry| entry.id == kind.as_str())
    }

    pub(super) fn check(&self, found: &mut Findings) {
        if *self == PromiseRules::default() {
            return;
        }
        found.text("promise.rule", &self.rule, RULE_CHARS_MAX);
        found.count("promise.kinds", self.kinds.len(), KINDS_MAX);
        for (n, entry) in self.kinds.iter().enumerate() {
            let path = format!("promise.kinds[{n}]");
            let KindEntry { id, name, soonest_minutes, latest_minutes } = entry;
            found.id(&format!("{path}.id"), id, is_policy_id(id));
            if self.kinds.iter().take(n).any(|earlier| earlier.id == *id) {
                found.add(format!("{path}.id"), format!("kind `{id}` is declared twice"));
            }
            found.text(&format!("{path}.name"), name, NAME_CHARS_MAX);
            found.minutes(&format!("{path}.latest_minutes"), *latest_minutes, AHEAD_MINUTES_MAX);
            if soonest_minutes > latest_minutes {
                let message = "is later than `latest_minutes`, so nothing could be promised".to_owned();
                found.add(format!("{path}.soonest_minutes"), message);
            }
        }
    }
}
