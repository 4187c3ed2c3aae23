//! What a read model is: a name, and how a record changes its rows.

use std::collections::BTreeMap;

use prost::Message;
use seva_domain::record::Record;
use seva_eventlog::commit::Position;
use seva_eventlog::store::{Change, Row, Store, StoreError};

/// How many rows are read at once when all of a kind are.
const SCAN_PAGE: usize = 1_000;

/// Answers one question. A change of its rows' shape is a new name, and a rebuild.
pub trait ReadModel: Send + Sync + 'static {
    /// The question and the version of its rows: `cases.v1`.
    fn name(&self) -> &'static str;

    /// Folds a record into the rows. Called for every record of the log that the process reads, in order.
    fn fold(&self, rows: &mut Rows<'_>, record: &Record, at: Position) -> Result<(), FoldError>;
}

/// Why a record cannot be folded.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FoldError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "the rows hold {noun} at rev {held}, and a record of rev {found} follows: a row or a record is missing"
    )]
    Rev { noun: String, held: u64, found: u64 },
    #[error("a row cannot be read: {0}")]
    Row(String),
}

/// Rows as a fold sees them: those stored, and the changes of this batch on top.
#[derive(Debug)]
pub struct Rows<'a> {
    store: &'a dyn Store,
    changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// How many bytes of rows were set, whatever became of them.
    bytes: usize,
}

impl<'a> Rows<'a> {
    /// Rows of a store, not yet changed.
    pub fn new(store: &'a dyn Store) -> Rows<'a> {
        Rows { store, changes: BTreeMap::new(), bytes: 0 }
    }

    /// A row, read as the message it is.
    pub fn get<M: Message + Default>(&self, key: &[u8]) -> Result<Option<M>, FoldError> {
        let decode = |bytes: &[u8]| M::decode(bytes).map_err(|error| FoldError::Row(error.to_string()));
        match self.changes.get(key) {
            Some(Some(bytes)) => decode(bytes).map(Some),
            Some(None) => Ok(None),
            None => self.store.get(key)?.map(|bytes| decode(&bytes)).transpose(),
        }
    }

    /// Whether there is a row.
    pub fn has(&self, key: &[u8]) -> Result<bool, FoldError> {
        match self.changes.get(key) {
            Some(changed) => Ok(changed.is_some()),
            None => Ok(self.store.get(key)?.is_some()),
        }
    }

    /// All rows whose keys begin with a prefix, in order.
    pub fn scan(&self, prefix: &[u8]) -> Result<Vec<Row>, FoldError> {
        let mut found = BTreeMap::new();
        let mut from = prefix.to_vec();
        loop {
            let page = self.store.scan(prefix, Some(&from), SCAN_PAGE)?;
            let is_last = page.len() < SCAN_PAGE;
            if let Some((last, _)) = page.last() {
                from = [last.as_slice(), &[0]].concat();
            }
            found.extend(page);
            if is_last {
                break;
            }
        }
        let changes = self.changes.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix));
        for (key, value) in changes {
            match value {
                Some(value) => found.insert(key.clone(), value.clone()),
                None => found.remove(key),
            };
        }
        Ok(found.into_iter().collect())
    }

    /// Sets a row.
    pub fn put<M: Message>(&mut self, key: Vec<u8>, row: &M) {
        self.put_bytes(key, row.encode_to_vec());
    }

    /// Sets a row that is no message: an entry of a list.
    pub fn put_bytes(&mut self, key: Vec<u8>, row: Vec<u8>) {
        self.bytes += key.len() + row.len();
        self.changes.insert(key, Some(row));
    }

    /// Removes a row.
    pub fn remove(&mut self, key: Vec<u8>) {
        self.changes.insert(key, None);
    }

    /// About how much memory the changes take, at most, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The changes, in order of their keys.
    pub fn into_changes(self) -> Vec<Change> {
        self.changes.into_iter().collect()
    }
}

/// Fails unless a record is the next of the noun whose row is at `held`.
pub fn expect_next(record: &Record, held: u64) -> Result<(), FoldError> {
    if record.rev == held + 1 {
        return Ok(());
    }
    Err(FoldError::Rev { noun: record.noun.to_string(), held, found: record.rev })
}

#[cfg(test)]
mod tests {
    use super::*;
    use seva_eventlog::store::MemoryStore;

    #[test]
    fn a_scan_sees_the_rows_stored_and_the_changes_on_top() {
        let store = MemoryStore::default();
        let rows = (0..2_500_u32).map(|n| ([b"a", n.to_be_bytes().as_slice()].concat(), Some(vec![1])));
        let others = [(b"b".to_vec(), Some(vec![1])), (b"Z".to_vec(), Some(vec![1]))];
        store.apply(rows.chain(others).collect()).unwrap();
        let mut rows = Rows::new(&store);
        let key = |n: u32| [b"a", n.to_be_bytes().as_slice()].concat();
        rows.remove(key(7));
        rows.put_bytes(key(8), vec![2]);
        rows.put_bytes(key(9_000), vec![3]);
        rows.put_bytes(b"b".to_vec(), vec![4]);
        let found = rows.scan(b"a").unwrap();
        assert_eq!(found.len(), 2_500);
        assert!(found.is_sorted());
        assert_eq!(found[7], (key(8), vec![2]));
        assert_eq!(found.last().unwrap(), &(key(9_000), vec![3]));
        assert!(!rows.has(&key(7)).unwrap() && rows.has(&key(8)).unwrap() && rows.has(b"Z").unwrap());
    }
}
