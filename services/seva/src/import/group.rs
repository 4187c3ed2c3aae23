//! Rows that are one: those of an invoice, the payments of an order.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use super::map::{Group, MapError};
use super::read::Row;
use super::source::{Columns, Test, cell};

/// Makes rows that have the map's columns in common one row each, in the place of their first.
pub(crate) fn group(group: &Group, columns: &Columns, rows: Vec<Row>) -> Result<Vec<Row>, MapError> {
    let by = columns.places(&group.by, "group.by")?;
    let tests = Test::all(&group.wanted, columns, "group.where")?;
    let mut grouped: Vec<Row> = Vec::with_capacity(rows.len());
    let mut first: HashMap<Vec<String>, usize> = HashMap::new();
    for row in rows {
        if !tests.iter().all(|test| test.passes(&row)) {
            grouped.push(row);
            continue;
        }
        let key = by.iter().map(|place| cell(&row, *place).to_owned()).collect();
        match first.get(&key) {
            None => {
                first.insert(key, grouped.len());
                grouped.push(row);
            }
            Some(place) => {
                let one = &mut grouped[*place];
                one.digest =
                    Sha256::new().chain_update(one.digest).chain_update(row.digest).finalize().into();
                one.more.push(row.values);
            }
        }
    }
    Ok(grouped)
}
