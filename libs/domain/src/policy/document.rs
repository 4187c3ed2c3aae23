//! The policy document: the rules managers write, in TOML, and what is checked before they can be published.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::escalation::EscalationRules;
use super::promise::PromiseRules;
use super::refund::RefundRules;
use crate::classify::{Phrase, Place, Table as Index};
use crate::values::{Department, Hit, Language};

/// The policy a company starts with: published as version 1 on an empty log.
pub const STARTER: &str = include_str!("starter.toml");

/// The name of the table that is asked whatever the language, after the language's own.
pub const ANY_LANGUAGE: &str = "any";

/// The largest document, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 262_144;
/// The longest title, in characters.
pub const TITLE_CHARS_MAX: usize = 200;
/// The longest rule in plain language, in characters.
pub const RULE_CHARS_MAX: usize = 2_000;
/// The longest name of a department, in characters.
pub const NAME_CHARS_MAX: usize = 100;
/// The longest phrase, in characters.
pub const PHRASE_CHARS_MAX: usize = 100;
/// The longest id of a row, in characters.
pub const ROW_ID_CHARS_MAX: usize = 32;
/// The most departments in a document.
pub const DEPARTMENTS_MAX: usize = 64;
/// The most tables in a document.
pub const TABLES_MAX: usize = 32;
/// The most rows in a table.
pub const ROWS_MAX: usize = 100;
/// The most phrases in a row.
pub const PHRASES_MAX: usize = 300;
/// The longest period a rule can set, in days.
pub const PERIOD_DAYS_MAX: u16 = 365;
/// The most findings reported at once.
pub const FINDINGS_MAX: usize = 100;

/// One version of the policy.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// What managers call it.
    pub title: String,
    /// How contacts become cases and cases end.
    pub case: CaseRules,
    /// What the company can promise.
    #[serde(default)]
    pub promise: PromiseRules,
    /// Who answers what is escalated, and how soon.
    #[serde(default)]
    pub escalation: EscalationRules,
    /// Who may give how much money back.
    #[serde(default)]
    pub refund: RefundRules,
    /// Which department gets what.
    pub routing: Routing,
}

/// How contacts become cases and cases end.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CaseRules {
    /// The rule in plain language.
    pub rule: String,
    /// How long after the last contact another one in the same matter joins the case.
    pub join_within_days: u16,
    /// How long a customer may stay silent on a resolution before it counts as confirmed.
    pub confirm_silence_days: u16,
}

/// Which department gets what.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Routing {
    /// The rule in plain language.
    pub rule: String,
    /// The departments there are, besides `triage`, which always exists.
    pub departments: Vec<DepartmentEntry>,
    /// The phrase tables, at most one per language.
    pub tables: Vec<Table>,
}

/// A department that can be sent something.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DepartmentEntry {
    /// What rows and events call it.
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// The phrases of one language, first hit wins; what hits nothing goes to `triage`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// A language's primary BCP 47 tag (`en`, `hi`), or `any` for phrases that hold in every language.
    pub language: String,
    /// The rule in plain language.
    pub rule: String,
    /// Asked in this order.
    pub rows: Vec<Row>,
}

/// Phrases that send a text to one department.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What a hit names the row by: 1 to 32 characters of `a-z 0-9 _`, once per table.
    pub id: String,
    /// Where the text goes.
    pub department: String,
    /// Looked for in this order, as whole words, whatever the case, the punctuation and the way of writing accents.
    ///
    /// A star at the end lets the last word go on: `deliver*` is found in "delivered late", as inflected languages
    /// (Bengali, Hindi, Tamil, Turkish) need. Without it `deliver` is found only as that word. A star stands nowhere
    /// else.
    pub phrases: Vec<String>,
}

/// What is wrong with a document, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// The place: `routing.tables[0].rows[3].phrases[1]`, or `line 7` where the TOML itself could not be read.
    pub path: String,
    /// A sentence for the document's author.
    pub message: String,
}

impl Document {
    /// Reads and checks a document; refuses it with all that is wrong, in the document's order.
    pub fn parse(toml: &str) -> Result<Document, Vec<Finding>> {
        if toml.len() > DOCUMENT_BYTES_MAX {
            let message = format!("the document has {} bytes, more than {DOCUMENT_BYTES_MAX}", toml.len());
            return Err(vec![Finding { path: "line 1".to_owned(), message }]);
        }
        let document: Document = toml::from_str(toml).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start.min(toml.len()));
            let line = 1 + toml.bytes().take(start).filter(|&byte| byte == b'\n').count();
            vec![Finding { path: format!("line {line}"), message: error.message().to_owned() }]
        })?;
        let findings = document.check();
        if findings.is_empty() { Ok(document) } else { Err(findings) }
    }

    /// All that is wrong with a document, in its order; nothing if it can be published.
    pub fn check(&self) -> Vec<Finding> {
        let mut found = Findings::default();
        found.text("title", &self.title, TITLE_CHARS_MAX);
        self.case.check(&mut found);
        self.promise.check(&mut found);
        self.escalation.check(&self.routing.department_ids(), &mut found);
        self.refund.check(&mut found);
        self.routing.check(&mut found);
        found.0
    }

    /// Where a hit of this policy's tables leads; `None` if it is a hit of another version.
    pub fn department(&self, hit: &Hit) -> Option<Department> {
        let table = self.routing.tables.iter().find(|table| table.language == hit.table)?;
        let row = table.rows.iter().find(|row| row.id == hit.row)?;
        Department::parse(&row.department)
    }

    /// Whether something can be sent there; `triage` always is.
    pub fn has_department(&self, department: &Department) -> bool {
        department.is_triage() || self.routing.departments.iter().any(|entry| entry.id == department.as_str())
    }
}

impl CaseRules {
    fn check(&self, found: &mut Findings) {
        found.text("case.rule", &self.rule, RULE_CHARS_MAX);
        found.days("case.join_within_days", self.join_within_days);
        found.days("case.confirm_silence_days", self.confirm_silence_days);
    }
}

impl Routing {
    fn check(&self, found: &mut Findings) {
        found.text("routing.rule", &self.rule, RULE_CHARS_MAX);
        let departments = self.check_departments(found);
        found.count("routing.tables", self.tables.len(), TABLES_MAX);
        let mut languages = BTreeSet::new();
        for (index, table) in self.tables.iter().enumerate() {
            let path = format!("routing.tables[{index}]");
            if !is_table_language(&table.language) {
                let message =
                    format!("`{}` is neither a language such as `en` nor `{ANY_LANGUAGE}`", table.language);
                found.add(format!("{path}.language"), message);
            } else if !languages.insert(&table.language) {
                found.add(
                    format!("{path}.language"),
                    format!("there is already a table for `{}`", table.language),
                );
            }
            table.check(&path, &departments, found);
        }
    }

    /// The ids that rows and rungs may name.
    fn department_ids(&self) -> BTreeSet<&str> {
        self.departments.iter().map(|entry| entry.id.as_str()).chain(["triage"]).collect()
    }

    /// The ids that rows may name, each checked.
    fn check_departments(&self, found: &mut Findings) -> BTreeSet<&str> {
        found.count("routing.departments", self.departments.len(), DEPARTMENTS_MAX);
        let mut known = BTreeSet::new();
        for (index, entry) in self.departments.iter().enumerate() {
            let path = format!("routing.departments[{index}]");
            match Department::parse(&entry.id) {
                None => found.add(format!("{path}.id"), not_an_id(&entry.id)),
                Some(department) if department.is_triage() => {
                    found.add(format!("{path}.id"), "`triage` always exists and is not declared".to_owned());
                }
                Some(_) if !known.insert(entry.id.as_str()) => {
                    found.add(format!("{path}.id"), format!("department `{}` is declared twice", entry.id));
                }
                Some(_) => {}
            }
            found.text(&format!("{path}.name"), &entry.name, NAME_CHARS_MAX);
        }
        known.insert("triage");
        known
    }
}

impl Table {
    /// The table's phrases by their first words, each with its place.
    pub(crate) fn index(&self) -> Index {
        let rows = self.rows.iter().enumerate();
        Index::index(rows.flat_map(|(row, entry)| {
            let phrases = entry.phrases.iter().enumerate();
            phrases.map(move |(phrase, written)| (Place { row, phrase }, Phrase::read(written)))
        }))
    }

    fn check(&self, path: &str, departments: &BTreeSet<&str>, found: &mut Findings) {
        found.text(&format!("{path}.rule"), &self.rule, RULE_CHARS_MAX);
        found.count(&format!("{path}.rows"), self.rows.len(), ROWS_MAX);
        let index = self.index();
        let mut ids = BTreeSet::new();
        let mut phrases = BTreeMap::new();
        for (number, row) in self.rows.iter().enumerate() {
            let path = format!("{path}.rows[{number}]");
            if Department::parse(&row.id).is_none() {
                found.add(format!("{path}.id"), not_an_id(&row.id));
            } else if !ids.insert(&row.id) {
                found.add(format!("{path}.id"), format!("row `{}` is in this table twice", row.id));
            }
            if !departments.contains(row.department.as_str()) {
                found.add(
                    format!("{path}.department"),
                    format!("there is no department `{}`", row.department),
                );
            }
            found.count(&format!("{path}.phrases"), row.phrases.len(), PHRASES_MAX);
            if row.phrases.is_empty() {
                found.add(format!("{path}.phrases"), "a row without phrases never fires".to_owned());
            }
            for (phrase, written) in row.phrases.iter().enumerate() {
                let problem =
                    self.phrase_problem(Place { row: number, phrase }, written, &index, &mut phrases);
                if let Some(message) = problem {
                    found.add(format!("{path}.phrases[{phrase}]"), message);
                }
            }
        }
    }

    /// What keeps a phrase from being one that can be first hit; `seen` holds the phrases before it.
    fn phrase_problem(
        &self,
        place: Place,
        written: &str,
        index: &Index,
        seen: &mut BTreeMap<String, Place>,
    ) -> Option<String> {
        if written.chars().count() > PHRASE_CHARS_MAX {
            return Some(format!("has more than {PHRASE_CHARS_MAX} characters"));
        }
        if !is_star_at_end_of_word(written) {
            return Some("a star stands only once, at the end of the last word".to_owned());
        }
        let phrase = Phrase::read(written);
        if phrase.is_empty() {
            return Some("holds no letter or digit".to_owned());
        }
        if let Some(first) = seen.get(&phrase.text()) {
            return Some(format!(
                "is the same as phrase {} of row `{}`",
                first.phrase,
                self.rows.get(first.row)?.id
            ));
        }
        seen.insert(phrase.text(), place);
        let earlier = index.first_within(&phrase).filter(|earlier| earlier.row < place.row)?;
        let row = self.rows.get(earlier.row)?;
        Some(format!(
            "can never be hit: `{}` of row `{}` is found first",
            row.phrases.get(earlier.phrase)?,
            row.id
        ))
    }
}

/// Whether a table can be for it: a primary tag in lower case, or `any`.
fn is_table_language(name: &str) -> bool {
    name == ANY_LANGUAGE || (name != "und" && Language::parse(name).is_some_and(|l| l.primary() == name))
}

fn is_star_at_end_of_word(phrase: &str) -> bool {
    let phrase = phrase.trim_end();
    let stem = phrase.strip_suffix('*').unwrap_or(phrase);
    !stem.contains('*')
        && (stem.len() == phrase.len()
            || !stem.ends_with(|c: char| c.is_whitespace() || c.is_ascii_punctuation()))
}

fn not_an_id(id: &str) -> String {
    format!("`{id}` is not an id of 1 to {ROW_ID_CHARS_MAX} characters of `a-z 0-9 _`")
}

/// What is found wrong, as far as it is told at once.
#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn id(&mut self, path: &str, id: &str, is_one: bool) {
        if !is_one {
            self.add(path.to_owned(), not_an_id(id));
        }
    }

    pub(super) fn minutes(&mut self, path: &str, minutes: u32, max: u32) {
        if !(1..=max).contains(&minutes) {
            self.add(path.to_owned(), format!("is {minutes} minutes, but must be 1 to {max}"));
        }
    }

    pub(super) fn add(&mut self, path: String, message: String) {
        if self.0.len() < FINDINGS_MAX {
            self.0.push(Finding { path, message });
        }
    }

    pub(super) fn text(&mut self, path: &str, text: &str, chars_max: usize) {
        if text.trim().is_empty() {
            self.add(path.to_owned(), "is empty".to_owned());
        } else if text.chars().count() > chars_max {
            self.add(path.to_owned(), format!("has more than {chars_max} characters"));
        }
    }

    pub(super) fn count(&mut self, path: &str, count: usize, max: usize) {
        if count > max {
            self.add(path.to_owned(), format!("has {count} entries, more than {max}"));
        }
    }

    fn days(&mut self, path: &str, days: u16) {
        if !(1..=PERIOD_DAYS_MAX).contains(&days) {
            self.add(path.to_owned(), format!("is {days} days, but must be 1 to {PERIOD_DAYS_MAX}"));
        }
    }
}
