//! Columns from other files: each row's, and those of the first row there that fits it.

use std::collections::HashMap;

use super::map::{Join, MapError};
use super::read::{Row, Table};
use super::source::{Columns, Test, cell};

/// Appends to every row the columns of the first row of `other` that fits it; `None` is the file itself.
pub(crate) fn join(join: &Join, table: &mut Table, other: Option<&Table>) -> Result<(), MapError> {
    let place = format!("join.{}", join.name);
    let found = {
        let other = other.unwrap_or(table);
        let (own, others) = (Columns::new(&table.columns, &[]), Columns::new(&other.columns, &[]));
        let mut on = Vec::new();
        for (here, there) in &join.on {
            on.push((own.place(here, &place)?, others.place(there, &place)?));
        }
        let tests = Test::all(&join.wanted, &others, &format!("{place}.where"))?;
        let mut by_key: HashMap<Vec<&str>, &Row> = HashMap::new();
        for row in other.rows.iter().filter(|row| tests.iter().all(|test| test.passes(row))) {
            by_key.entry(on.iter().map(|(_, there)| cell(row, *there)).collect()).or_insert(row);
        }
        let fitting = |row: &Row| {
            let key: Vec<&str> = on.iter().map(|(here, _)| cell(row, *here)).collect();
            // What is empty names nothing, and fits nothing.
            let named = key.iter().all(|value| !value.is_empty());
            let values = by_key.get(&key).filter(|_| named).map(|row| row.values.clone());
            values.unwrap_or_else(|| vec![String::new(); other.columns.len()])
        };
        let names: Vec<String> = other.columns.iter().map(|name| format!("{}.{name}", join.name)).collect();
        (names, table.rows.iter().map(fitting).collect::<Vec<_>>())
    };
    let (names, values) = found;
    table.columns.extend(names);
    for (row, values) in table.rows.iter_mut().zip(values) {
        row.values.extend(values);
    }
    Ok(())
}
