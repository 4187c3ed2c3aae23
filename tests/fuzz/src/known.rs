//! What earlier answers said, by the fields that said it: so that later messages name things that are there.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use prost_reflect::{DynamicMessage, Value};
use rand::Rng;
use rand::rngs::StdRng;

/// How many words of one field are kept.
const WORDS_MAX: usize = 64;

/// Words of answers, by field. Shared by all who ask: a lock, held for one look-up.
#[derive(Debug, Default)]
pub struct Known(Mutex<HashMap<String, Vec<String>>>);

impl Known {
    /// Keeps what an answer says.
    pub fn hear(&self, answer: &DynamicMessage) {
        for (field, value) in answer.fields() {
            self.hear_value(field.name(), value);
        }
    }

    fn hear_value(&self, field: &str, value: &Value) {
        match value {
            Value::String(word) if !word.is_empty() => self.keep(field, word),
            Value::Message(message) => self.hear(message),
            Value::List(values) => values.iter().for_each(|value| self.hear_value(field, value)),
            _ => {}
        }
    }

    fn keep(&self, field: &str, word: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let words = known.entry(field.to_owned()).or_default();
        if words.len() == WORDS_MAX {
            words.remove(0);
        }
        words.push(word.to_owned());
    }

    /// A word that such a field had, if it had one.
    pub(crate) fn word(&self, field: &str, rng: &mut StdRng) -> Option<String> {
        let said = match field {
            "at_least_position" => "position",
            "page_token" => "next_page_token",
            other => other,
        };
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let words = known.get(said)?;
        words.get(rng.random_range(0..words.len())).cloned()
    }
}
