//! From a file's records to the rows that are sent: what is required, what is wanted, the key, the order.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write as _;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::map::{Digest, Key, Map, MapError, Order};
use super::read::{Row, Table};
use super::reject::{Reason, Reject};
use super::row::{Ready, Shape};
use super::source::{Columns, Test, cell};
use super::thread::{ADDED, Replies, Written};

/// The longest request id, in characters.
const KEY_CHARS_MAX: usize = 128;

/// What a file comes to, before anything is sent.
#[derive(Debug, Default)]
pub(crate) struct Selected {
    /// Records read, good and bad.
    pub(crate) read: u64,
    /// Rows that the map's `where` leaves out.
    pub(crate) left_out: u64,
    /// Rows that are equal, under the map's key, to an earlier row of the file.
    pub(crate) repeats: u64,
    /// What is sent, in this order.
    pub(crate) ready: Vec<Ready>,
    /// In the order of the file.
    pub(crate) rejects: Vec<Reject>,
}

/// Applies a map to a file's records.
pub(crate) fn select(map: &Map, table: Table, now: Timestamp) -> Result<Selected, MapError> {
    let Table { columns, mut rows, rejects } = table;
    let added: &[&'static str] = if map.thread.is_some() { &ADDED } else { &[] };
    let columns = Columns::new(&columns, added);
    let tests = |conditions: &[_], place| -> Result<Vec<Test>, MapError> {
        conditions.iter().map(|condition| Test::new(condition, &columns, place)).collect()
    };
    let required = tests(&map.require, "require")?;
    let wanted = tests(&map.wanted, "where")?;
    let shape = Shape::new(map, &columns)?;
    let mut keys = Keys::new(&map.key, &columns)?;

    let read = (rows.len() + rejects.len()) as u64;
    let mut selected = Selected { read, rejects, ..Selected::default() };
    rows.retain(|row| match required.iter().find(|test| !test.passes(row)) {
        None => true,
        Some(test) => {
            let column = columns.name(test.column);
            selected.rejects.push(Reject::of_field(
                row.line,
                Reason::RequirementFailed,
                column,
                test.wanted(),
            ));
            false
        }
    });
    if let Some(thread) = &map.thread {
        let written: Vec<_> = rows
            .iter()
            .map(|row| Written { inbound: shape.is_inbound(row), at: shape.occurred_at(row) })
            .collect();
        Replies::new(thread, &columns)?.resolve(&mut rows, &written);
    }
    for row in rows {
        if !wanted.iter().all(|test| test.passes(&row)) {
            selected.left_out += 1;
            continue;
        }
        match keys.of(&row) {
            Named::Repeat => selected.repeats += 1,
            Named::Taken { line } => {
                let message = format!("is the key of line {line} already, which says something else");
                selected.rejects.push(Reject::of_field(row.line, Reason::KeyUsedTwice, "key", message));
            }
            Named::Empty => {
                selected.rejects.push(Reject::of_field(row.line, Reason::Empty, "key", "is empty"))
            }
            Named::New(key) => match shape.ready(&row, key, now) {
                Ok(ready) => selected.ready.push(ready),
                Err(reject) => selected.rejects.push(reject),
            },
        }
    }
    match map.order_by {
        // Stable: ties stay in the order of the file.
        Order::OccurredAt => selected.ready.sort_by_key(|ready| ready.occurred_at),
        Order::File => {}
    }
    selected.rejects.sort_by_key(|reject| reject.line);
    Ok(selected)
}

/// What a row is called.
#[derive(Debug, Eq, PartialEq)]
enum Named {
    Empty,
    New(String),
    Repeat,
    /// An earlier line with other content has the name.
    Taken {
        line: u64,
    },
}

/// Names rows as the map's `key` says.
enum Keys {
    Columns { places: Vec<usize>, taken: HashMap<String, ([u8; 32], u64)> },
    Content { seen: HashMap<[u8; 32], u64> },
    Occurrence { seen: HashMap<[u8; 32], u64> },
}

impl Keys {
    fn new(key: &Key, columns: &Columns) -> Result<Keys, MapError> {
        Ok(match key {
            Key::Columns(names) => {
                let places = names.iter().map(|name| columns.place(name, "key")).collect::<Result<_, _>>()?;
                Keys::Columns { places, taken: HashMap::new() }
            }
            Key::Digest(Digest::Content) => Keys::Content { seen: HashMap::new() },
            Key::Digest(Digest::Occurrence) => Keys::Occurrence { seen: HashMap::new() },
        })
    }

    fn of(&mut self, row: &Row) -> Named {
        match self {
            Keys::Columns { places, taken } => {
                let Some(name) = joined(row, places) else { return Named::Empty };
                match taken.entry(name) {
                    Entry::Vacant(free) => {
                        let name = free.key().clone();
                        free.insert((row.digest, row.line));
                        Named::New(name)
                    }
                    Entry::Occupied(taken) if taken.get().0 == row.digest => Named::Repeat,
                    Entry::Occupied(taken) => Named::Taken { line: taken.get().1 },
                }
            }
            Keys::Content { seen } => match seen.insert(row.digest, row.line) {
                None => Named::New(hex(&row.digest)),
                Some(_) => Named::Repeat,
            },
            Keys::Occurrence { seen } => {
                let times = seen.entry(row.digest).or_default();
                *times += 1;
                Named::New(format!("{}-{times}", hex(&row.digest)))
            }
        }
    }
}

/// The key columns' values, as they are where that is short and clear, else as a digest.
fn joined(row: &Row, places: &[usize]) -> Option<String> {
    let values: Vec<&str> = places.iter().map(|place| cell(row, *place)).collect();
    if values.iter().all(|value| value.is_empty()) {
        return None;
    }
    let plain = values.len() == 1 || values.iter().all(|value| !value.contains('/'));
    let name = values.join("/");
    if plain && name.chars().count() <= KEY_CHARS_MAX {
        return Some(name);
    }
    let mut digest = Sha256::new();
    for value in values {
        digest.update((value.len() as u64).to_be_bytes());
        digest.update(value);
    }
    Some(hex(&digest.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").ok();
    }
    text
}
