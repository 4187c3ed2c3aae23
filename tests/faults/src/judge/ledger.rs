//! The payment provider's own ledger, read as its file has it.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

/// The ledger's name in its folder.
const FILE: &str = "ledger.jsonl";

/// A refund that the provider was instructed to make.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) charge: String,
    pub(crate) amount: u64,
    pub(crate) currency: String,
    pub(crate) is_paid: bool,
}

#[derive(Deserialize)]
struct Line {
    entry: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    idempotency_key: String,
    #[serde(default)]
    charge: String,
    #[serde(default)]
    amount_minor: u64,
    #[serde(default)]
    currency: String,
    outcome: Option<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    status: String,
}

/// Reads a ledger, in the order of its entries. A run that paid nothing has none.
pub(crate) fn read(folder: &Path) -> anyhow::Result<Vec<Entry>> {
    let path = folder.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    };
    let mut entries: Vec<Entry> = Vec::new();
    let mut by_id: BTreeMap<String, usize> = BTreeMap::new();
    // What stands after the last whole line was never answered.
    for (n, line) in text.split_inclusive('\n').filter(|line| line.ends_with('\n')).enumerate() {
        let line: Line =
            serde_json::from_str(line).with_context(|| format!("{}:{}", path.display(), n + 1))?;
        let is_paid = line.outcome.is_some_and(|outcome| outcome.status == "paid");
        match line.entry.as_str() {
            "instructed" => {
                by_id.insert(line.id.clone(), entries.len());
                entries.push(Entry {
                    id: line.id,
                    key: line.idempotency_key,
                    charge: line.charge,
                    amount: line.amount_minor,
                    currency: line.currency,
                    is_paid,
                });
            }
            "settled" => {
                let settled = by_id.get(&line.id).and_then(|n| entries.get_mut(*n));
                settled.with_context(|| format!("{}:{} settles nothing", path.display(), n + 1))?.is_paid =
                    is_paid;
            }
            _ => {}
        }
    }
    Ok(entries)
}
