//! What a text is about, by the policy's phrase tables: a pure function that runs where the plaintext still is.
//!
//! The tables of the text's language are asked first, then the table `any`; within a table the first row, and within
//! the row the first phrase, that stands in the text as whole words. No row: a person reads it.

mod language;
mod normalise;
mod table;
#[cfg(test)]
mod tests;

pub use language::detect;
pub use normalise::normalise;

pub(crate) use table::{Phrase, Place, Table};

use crate::policy::document::{ANY_LANGUAGE, Document};
use crate::values::{Classification, Hit, Language};

/// The phrase tables of one policy version, made ready once and used for every text.
#[derive(Clone, Debug)]
pub struct Phrases {
    policy: u64,
    tables: Vec<Compiled>,
}

#[derive(Clone, Debug)]
struct Compiled {
    language: String,
    rows: Vec<CompiledRow>,
    table: Table,
}

#[derive(Clone, Debug)]
struct CompiledRow {
    id: String,
    phrases: Vec<String>,
}

impl Phrases {
    /// Makes the tables of a document ready; `policy_version` is what classifications made with them will name.
    pub fn compile(document: &Document, policy_version: u64) -> Phrases {
        let tables = document.routing.tables.iter().map(|table| Compiled {
            language: table.language.clone(),
            rows: table
                .rows
                .iter()
                .map(|row| CompiledRow { id: row.id.clone(), phrases: row.phrases.clone() })
                .collect(),
            table: table.index(),
        });
        Phrases { policy: policy_version, tables: tables.collect() }
    }

    /// The version of the policy whose tables these are.
    pub fn policy(&self) -> u64 {
        self.policy
    }

    fn table(&self, language: &str) -> Option<&Compiled> {
        self.tables.iter().find(|table| table.language == language)
    }
}

impl Compiled {
    fn hit(&self, words: &[&str]) -> Option<Hit> {
        let Place { row, phrase } = self.table.first_in(words)?;
        let found = self.rows.get(row)?;
        Some(Hit {
            table: self.language.clone(),
            row: found.id.clone(),
            phrase: found.phrases.get(phrase)?.clone(),
        })
    }
}

/// Finds a text's language, unless given, and the first row of the tables that fires on it.
///
/// Where the language stays unknown (`und`, also if that is what was given), all tables are asked in document order.
pub fn classify(text: &str, given: Option<&Language>, phrases: &Phrases) -> Classification {
    let normal = normalise(text);
    let words: Vec<&str> = normal.split_whitespace().collect();
    let given = given.filter(|language| language.primary() != UNDETERMINED);
    let language = given.cloned().unwrap_or_else(|| language::of_words(text, &words));
    let hit = if language.primary() == UNDETERMINED {
        phrases.tables.iter().find_map(|table| table.hit(&words))
    } else {
        [language.primary(), ANY_LANGUAGE].iter().find_map(|name| phrases.table(name)?.hit(&words))
    };
    Classification { language, policy: phrases.policy, hit }
}

const UNDETERMINED: &str = "und";
