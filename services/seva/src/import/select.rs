//! From a file's records to the rows that are sent: what is required, what is wanted, the key, the order.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::map::{Digest, Key, Map, MapError, Order, Step};
use super::read::{Row, Table};
use super::reject::{Reason, Reject};
use super::row::{Ready, Shape};
use super::source::{Columns, Test, cell};
use super::thread::{ADDED, Replies, Written};
use super::{group, join};

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

/// Applies a map to a file's records, and to those of the files that it joins: one for each join that names a file, in that order.
pub(crate) fn select(
    map: &Map,
    mut table: Table,
    others: Vec<Table>,
    now: Timestamp,
) -> Result<Selected, MapError> {
    let mut others = others.into_iter();
    for join in &map.joins {
        let other = join.file.as_ref().and_then(|_| others.next());
        join::join(join, &mut table, other.as_ref())?;
    }
    let Table { columns, mut rows, rejects } = table;
    let added: &[&'static str] = if map.thread.is_some() { &ADDED } else { &[] };
    let columns = Columns::new(&columns, added);
    let required = Test::all(&map.require, &columns, "require")?;
    let wanted = Test::all(&map.wanted, &columns, "where")?;
    let shapes: Vec<Shape> =
        map.steps.iter().map(|step| Shape::new(map, step, &columns)).collect::<Result<_, _>>()?;
    let keys = Keys::new(&map.key, &columns)?;

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
    if let (Some(thread), Some(log)) = (&map.thread, map.steps.iter().position(Step::logs_interactions)) {
        let shape = &shapes[log];
        let written: Vec<_> = rows
            .iter()
            .map(|row| Written { inbound: shape.is_inbound(row), at: shape.occurred_at(row) })
            .collect();
        Replies::new(thread, &columns)?.resolve(&mut rows, &written);
    }
    let all = rows.len();
    rows.retain(|row| wanted.iter().all(|test| test.passes(row)));
    selected.left_out = (all - rows.len()) as u64;
    if let Some(group) = &map.group {
        rows = group::group(group, &columns, rows)?;
    }
    selected.take(rows, &shapes, keys, map.order_by, now);
    Ok(selected)
}

/// What only the first row of its kind becomes: which shape, and what names it.
type Once = (usize, Vec<String>);

impl Selected {
    /// Names the rows, makes them ready, and puts them in order.
    fn take(&mut self, rows: Vec<Row>, shapes: &[Shape], mut keys: Keys, order: Order, now: Timestamp) {
        let mut ready: Vec<(Ready, Option<Once>)> = Vec::with_capacity(rows.len());
        for row in rows {
            let key = match keys.of(&row) {
                Named::New(key) => key,
                Named::Repeat => {
                    self.repeats += 1;
                    continue;
                }
                Named::Taken { line } => {
                    let message = format!("is the key of line {line} already, which says something else");
                    self.rejects.push(Reject::of_field(row.line, Reason::KeyUsedTwice, "key", message));
                    continue;
                }
                Named::Empty => {
                    self.rejects.push(Reject::of_field(row.line, Reason::Empty, "key", "is empty"));
                    continue;
                }
            };
            for (n, shape) in shapes.iter().enumerate().filter(|(_, shape)| shape.is_wanted(&row)) {
                match shape.ready(&row, step_key(&key, &shape.name), now) {
                    Ok(made) => ready.push((made, shape.once(&row).map(|once| (n, once)))),
                    Err(reject) => self.rejects.push(reject),
                }
            }
        }
        match order {
            // Stable: ties stay in the order of the file.
            Order::OccurredAt => ready.sort_by_key(|(ready, _)| ready.occurred_at),
            Order::File => {}
        }
        let mut taken = HashSet::new();
        let first =
            ready.into_iter().filter(|(_, once)| once.as_ref().is_none_or(|once| taken.insert(once.clone())));
        self.ready = first.map(|(ready, _)| ready).collect();
        self.rejects.sort_by_key(|reject| reject.line);
    }
}

/// What a row's step is known by: the row's key, with the step's name if it has one.
fn step_key(key: &str, step: &str) -> String {
    if step.is_empty() {
        return key.to_owned();
    }
    let named = format!("{key}#{step}");
    if named.chars().count() <= KEY_CHARS_MAX { named } else { hex(&Sha256::digest(named)) }
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
