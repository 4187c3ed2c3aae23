//! Whose keys are gone: the keys of everybody who was forgotten, and how many people that are. Part of every service that holds their texts.
//!
//! Keys: `k` key; `n`.

use std::sync::Arc;

use prost::Message;
use seva_domain::customer::{self, ForgettingConfirmed};
use seva_domain::noun::Event;
use seva_domain::record::Record;
use seva_domain::values::KeyId;
use seva_eventlog::commit::Position;
use seva_eventlog::store::{Row, Store, StoreError};

use crate::model::{FoldError, ReadModel, Rows};

/// The read model's name.
pub const NAME: &str = "forgotten.v1";

/// The row that counts the people.
const COUNT: &[u8] = b"n";

/// What the keys of the rows of keys begin with.
const KEY: &[u8] = b"k";

/// The read model.
pub struct Forgotten;

#[derive(Clone, PartialEq, Message)]
struct CountRow {
    #[prost(uint64, tag = "1")]
    people: u64,
}

/// That somebody is being forgotten, if a record says so.
pub fn confirmed(record: &Record) -> Option<&ForgettingConfirmed> {
    record.events.iter().find_map(|entry| match &entry.event {
        Event::Customer(customer::Event::ForgettingConfirmed(confirmed)) => Some(confirmed),
        _ => None,
    })
}

impl ReadModel for Forgotten {
    fn name(&self) -> &'static str {
        NAME
    }

    fn fold(&self, rows: &mut Rows<'_>, record: &Record, _: Position) -> Result<(), FoldError> {
        let Some(confirmed) = confirmed(record) else { return Ok(()) };
        for key in &confirmed.keys {
            rows.put_bytes([KEY, key.bytes().as_slice()].concat(), Vec::new());
        }
        let before: CountRow = rows.get(COUNT)?.unwrap_or_default();
        rows.put(COUNT.to_vec(), &CountRow { people: before.people + 1 });
        Ok(())
    }
}

/// How many people were forgotten, as far as the rows are.
pub(crate) fn people(rows: &Arc<dyn Store>) -> Result<u64, StoreError> {
    let Some(bytes) = rows.get(COUNT)? else { return Ok(0) };
    CountRow::decode(bytes.as_slice()).map(|row| row.people).map_err(|error| StoreError(error.to_string()))
}

/// Whether a key is gone.
pub fn is_gone(rows: &dyn Store, key: KeyId) -> Result<bool, StoreError> {
    Ok(rows.get(&[KEY, key.bytes().as_slice()].concat())?.is_some())
}

/// Keys that are gone, in order, at most so many: those after the one given.
pub fn keys(rows: &dyn Store, after: Option<KeyId>, limit: usize) -> Result<Vec<KeyId>, StoreError> {
    let from = after.map_or_else(|| KEY.to_vec(), |key| [KEY, key.bytes(), &[0]].concat());
    let read = |(key, _): &Row| key.get(1..)?.try_into().ok().map(KeyId::from_bytes);
    let found = rows.scan(KEY, Some(&from), limit)?;
    let damaged = || StoreError("a row of a key that is gone is damaged".to_owned());
    found.iter().map(|row| read(row).ok_or_else(damaged)).collect()
}
