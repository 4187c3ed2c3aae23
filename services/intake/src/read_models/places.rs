//! Where the records of each case stand in the log. The latest stand behind the case's message in its own row, so that a record costs no row of
//! its own; the others in rows of as many.
//!
//! Key: `r` case, the rev of the first record in it.

use seva_domain::values::CaseId;
use seva_eventlog::commit::Position;
use seva_eventlog::store::{Store, StoreError};
use seva_readmodel::model::{FoldError, Rows};

use super::cases::case_key;

/// How many places a row holds.
const PLACES_MAX: usize = 32;

/// How many rows of places are read at once.
const PAGE: usize = 256;

/// Places of records, in order. No field of a case's message has this number: each reads its own part of the row.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Places {
    /// The rev of the first.
    #[prost(uint64, tag = "1000")]
    first: u64,
    #[prost(fixed64, repeated, tag = "1001")]
    positions: Vec<u64>,
}

impl Places {
    /// The places that stand in a case's row.
    pub(crate) fn read(rows: &Rows<'_>, case: CaseId) -> Result<Places, FoldError> {
        Ok(rows.get(&case_key(case))?.unwrap_or_else(|| Places { first: 1, positions: Vec::new() }))
    }

    /// The same with the place of the next record. What there is no room for moves to a row of its own.
    pub(crate) fn with(mut self, rows: &mut Rows<'_>, case: CaseId, at: Position) -> Places {
        if self.positions.len() >= PLACES_MAX {
            rows.put([prefix(case).as_slice(), &self.first.to_be_bytes()].concat(), &self);
            self.first += self.positions.len() as u64;
            self.positions.clear();
        }
        self.positions.push(u64::from_be_bytes(at.key()));
        self
    }
}

fn prefix(case: CaseId) -> Vec<u8> {
    [b"r", case.bytes().as_slice()].concat()
}

/// Where all records of a case stand, in order; none if there is no such case.
pub(crate) fn of(rows: &dyn Store, case: CaseId) -> Result<Vec<Position>, StoreError> {
    // The case's own row first: what moves out of it meanwhile is then found twice, and not missed.
    let Some(latest) = rows.get(&case_key(case))? else { return Ok(Vec::new()) };
    let latest = decoded(&latest)?;
    let prefix = prefix(case);
    let (mut places, mut from) = (Vec::new(), prefix.clone());
    loop {
        let page = rows.scan(&prefix, Some(&from), PAGE)?;
        for (_, row) in &page {
            let row = decoded(row)?;
            if row.first < latest.first {
                places.extend(row.positions);
            }
        }
        let Some((last, _)) = page.last().filter(|_| page.len() == PAGE) else { break };
        from = [last.as_slice(), &[0]].concat();
    }
    places.extend(latest.positions);
    Ok(places.into_iter().map(|place| Position::from_key(place.to_be_bytes())).collect())
}

fn decoded(row: &[u8]) -> Result<Places, StoreError> {
    prost::Message::decode(row).map_err(|error: prost::DecodeError| StoreError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use seva_eventlog::store::MemoryStore;

    use super::*;

    #[test]
    fn every_place_is_found_in_order_however_many_there_are() {
        let store = MemoryStore::default();
        let (case, another) = (CaseId::from_bytes([1; 16]), CaseId::from_bytes([2; 16]));
        assert_eq!(of(&store, case), Ok(Vec::new()));
        let mut expected = Vec::new();
        for n in 0..2 * PLACES_MAX as u64 + 7 {
            let mut rows = Rows::new(&store);
            for (case, index) in [(case, 3), (another, 4)] {
                let places = Places::read(&rows, case).unwrap().with(&mut rows, case, Position::of(n, index));
                rows.put(case_key(case), &places);
            }
            expected.push(Position::of(n, 3));
            store.apply(rows.into_changes()).unwrap();
            assert_eq!(of(&store, case).unwrap(), expected);
        }
        assert_eq!(store.scan(&prefix(case), None, 100).unwrap().len(), 2);
    }
}
