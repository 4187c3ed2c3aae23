//! A place for rows: what the log can always rebuild. In memory here, on sled in `seva-readmodel`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// A store cannot be read or written.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the database cannot be used: {0}")]
pub struct StoreError(pub String);

/// A row as stored: key and value.
pub type Row = (Vec<u8>, Vec<u8>);

/// A row that changes: key and new value, or `None` if it goes.
pub type Change = (Vec<u8>, Option<Vec<u8>>);

/// Rows in order of their keys.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// The value of a row.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// At most `limit` rows whose keys begin with `prefix`, in order, from `from` on (`prefix` itself if `None`).
    fn scan(&self, prefix: &[u8], from: Option<&[u8]>, limit: usize) -> Result<Vec<Row>, StoreError>;

    /// At most `limit` rows whose keys begin with `prefix`, in reverse order, beginning before `before` (the end if `None`).
    fn scan_back(&self, prefix: &[u8], before: Option<&[u8]>, limit: usize) -> Result<Vec<Row>, StoreError>;

    /// Applies all changes, or none.
    fn apply(&self, changes: Vec<Change>) -> Result<(), StoreError>;
}

/// Rows in memory. Clones are the same rows.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    // A lock, because readers and the one writer share it; it is never held across an await.
    rows: Arc<RwLock<BTreeMap<Vec<u8>, Vec<u8>>>>,
}

impl Store for MemoryStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.rows.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    fn scan(&self, prefix: &[u8], from: Option<&[u8]>, limit: usize) -> Result<Vec<Row>, StoreError> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        let from = from.unwrap_or(prefix).max(prefix).to_vec();
        let found = rows.range(from..).take_while(|(key, _)| key.starts_with(prefix)).take(limit);
        Ok(found.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn scan_back(&self, prefix: &[u8], before: Option<&[u8]>, limit: usize) -> Result<Vec<Row>, StoreError> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        let under = rows.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix));
        let mut found: Vec<Row> = under
            .filter(|(key, _)| before.is_none_or(|before| key.as_slice() < before))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        found.reverse();
        found.truncate(limit);
        Ok(found)
    }

    fn apply(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in changes {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        Ok(())
    }
}
