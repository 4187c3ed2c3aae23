//! What a read model is: a name, and how a record changes its rows.

use std::collections::BTreeMap;

use prost::Message;
use seva_domain::record::Record;
use seva_eventlog::commit::Position;
use seva_eventlog::store::{Change, Store, StoreError};

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
}

impl<'a> Rows<'a> {
    /// Rows of a store, not yet changed.
    pub fn new(store: &'a dyn Store) -> Rows<'a> {
        Rows { store, changes: BTreeMap::new() }
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

    /// Sets a row.
    pub fn put<M: Message>(&mut self, key: Vec<u8>, row: &M) {
        self.changes.insert(key, Some(row.encode_to_vec()));
    }

    /// Sets a row that is no message: an entry of a list.
    pub fn put_bytes(&mut self, key: Vec<u8>, row: Vec<u8>) {
        self.changes.insert(key, Some(row));
    }

    /// Removes a row.
    pub fn remove(&mut self, key: Vec<u8>) {
        self.changes.insert(key, None);
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
