//! Who answers what is escalated, and how soon: a ladder of rungs for each kind of case.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::document::{Findings, NAME_CHARS_MAX, RULE_CHARS_MAX};
use crate::values::{Department, Kind, Rung, is_policy_id};

/// The most ladders in a document.
pub const LADDERS_MAX: usize = 16;
/// The most rungs of a ladder.
pub const RUNGS_MAX: usize = 20;
/// The longest that a rung may take to answer, in minutes: 90 days.
pub const ANSWER_MINUTES_MAX: u32 = 90 * 24 * 60;

/// Who answers what is escalated. A document without this section has no ladder: what is raised waits where it is.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EscalationRules {
    /// The rule in plain language.
    pub rule: String,
    /// Each kind of case has exactly one ladder.
    pub ladders: Vec<Ladder>,
}

/// An ordered chain of those who answer, the lowest first.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ladder {
    /// What events call it.
    pub id: String,
    /// The rule in plain language.
    pub rule: String,
    /// The kinds of cases that climb it.
    pub kinds: Vec<Kind>,
    /// The rung that what customers raise begins on; what staff raise begins on the lowest.
    pub customers_begin_at: String,
    pub rungs: Vec<RungEntry>,
}

/// A rung of a ladder.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RungEntry {
    /// What requests and events call it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Where those are who answer.
    pub department: String,
    /// How soon they must; then it climbs.
    pub answer_within_minutes: u32,
}

impl EscalationRules {
    /// The ladder for a kind of case.
    pub fn ladder(&self, kind: Kind) -> Option<&Ladder> {
        self.ladders.iter().find(|ladder| ladder.kinds.contains(&kind))
    }

    /// Whether some ladder has this rung.
    pub fn has_rung(&self, rung: &Rung) -> bool {
        self.ladders.iter().any(|ladder| ladder.index(rung.as_str()).is_some())
    }

    pub(super) fn check(&self, departments: &BTreeSet<&str>, found: &mut Findings) {
        if *self == EscalationRules::default() {
            return;
        }
        found.text("escalation.rule", &self.rule, RULE_CHARS_MAX);
        found.count("escalation.ladders", self.ladders.len(), LADDERS_MAX);
        for (n, ladder) in self.ladders.iter().enumerate() {
            let path = format!("escalation.ladders[{n}]");
            found.id(&format!("{path}.id"), &ladder.id, is_policy_id(&ladder.id));
            if self.ladders.iter().take(n).any(|earlier| earlier.id == ladder.id) {
                found.add(format!("{path}.id"), format!("ladder `{}` is declared twice", ladder.id));
            }
            ladder.check(&path, departments, found);
        }
        // A unique hit: no kind without a ladder, none with two.
        for kind in Kind::ALL {
            let count = self.ladders.iter().flat_map(|ladder| &ladder.kinds).filter(|k| **k == kind).count();
            match count {
                0 => {
                    found.add("escalation.ladders".to_owned(), format!("no ladder is for `{}`", kind.name()))
                }
                1 => {}
                _ => found.add(
                    "escalation.ladders".to_owned(),
                    format!("more than one ladder is for `{}`", kind.name()),
                ),
            }
        }
    }
}

impl Ladder {
    /// Which rung this is, counted from 0 at the lowest.
    pub fn index(&self, rung: &str) -> Option<usize> {
        self.rungs.iter().position(|entry| entry.id == rung)
    }

    fn check(&self, path: &str, departments: &BTreeSet<&str>, found: &mut Findings) {
        found.text(&format!("{path}.rule"), &self.rule, RULE_CHARS_MAX);
        found.count(&format!("{path}.rungs"), self.rungs.len(), RUNGS_MAX);
        if self.rungs.is_empty() {
            found.add(format!("{path}.rungs"), "a ladder without rungs leads nowhere".to_owned());
        } else if self.index(&self.customers_begin_at).is_none() {
            let message = format!("the ladder has no rung `{}`", self.customers_begin_at);
            found.add(format!("{path}.customers_begin_at"), message);
        }
        for (n, entry) in self.rungs.iter().enumerate() {
            let path = format!("{path}.rungs[{n}]");
            let RungEntry { id, name, department, answer_within_minutes } = entry;
            found.id(&format!("{path}.id"), id, is_policy_id(id));
            if self.rungs.iter().take(n).any(|earlier| earlier.id == *id) {
                found.add(format!("{path}.id"), format!("rung `{id}` is in this ladder twice"));
            }
            found.text(&format!("{path}.name"), name, NAME_CHARS_MAX);
            if !departments.contains(department.as_str()) {
                found.add(format!("{path}.department"), format!("there is no department `{department}`"));
            }
            let within = format!("{path}.answer_within_minutes");
            found.minutes(&within, *answer_within_minutes, ANSWER_MINUTES_MAX);
        }
    }
}

impl RungEntry {
    /// Its id, as a checked document has it.
    pub fn rung(&self) -> Option<Rung> {
        Rung::parse(&self.id)
    }

    /// Its department, as a checked document has it.
    pub fn department(&self) -> Option<Department> {
        Department::parse(&self.department)
    }
}
