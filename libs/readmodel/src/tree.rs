//! A sled tree as a store. Every row carries its checksum, and the tree the sum of all of them: a row that changed or is gone is noticed.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use seva_eventlog::store::{Change, Row, Store, StoreError};
use tokio::sync::Notify;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// The row that holds the sum. Rows of a tree's own begin with a zero byte; no other key does.
const SUM: &[u8] = b"\0sum";

/// How many rows are copied at once into a database's next generation; writes wait meanwhile.
const COPY_PAGE: usize = 500;

/// A sled tree. What holds it goes on holding it when its database moves on to another generation.
pub(crate) struct Tree {
    // A lock, because the rows move on to the next generation; held only to clone a handle.
    rows: RwLock<Arc<Handle<sled::Tree>>>,
    // Changed only by the one writer, in the same batch as the rows.
    writing: Mutex<Writing>,
    /// Told when the tree turns out to be damaged.
    damaged: Arc<Notify>,
}

/// What a batch of rows changes beside them.
struct Writing {
    sum: u128,
    /// The same rows in the database's next generation, while they are being copied.
    next: Option<Next>,
}

struct Next {
    rows: Arc<Handle<sled::Tree>>,
    sum: u128,
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree")
            .field("name", &String::from_utf8_lossy(&self.handle().name()))
            .finish_non_exhaustive()
    }
}

impl Tree {
    /// Opens a tree and checks every row of it.
    pub(crate) fn open(db: &sled::Db, name: &str, damaged: Arc<Notify>) -> Result<Tree, StoreError> {
        let tree = guard(|| db.open_tree(name))?;
        let mut sum = 0_u128;
        let mut expected = 0_u128;
        guard(|| {
            for row in tree.iter() {
                let (key, value) = row?;
                if key.as_ref() == SUM {
                    expected = u128::from_be_bytes(value.as_ref().try_into().unwrap_or_default());
                } else {
                    sum = sum.wrapping_add(weight(&key, &value));
                }
            }
            Ok(())
        })?;
        if sum != expected {
            return Err(StoreError(format!("the rows of `{name}` are not those that were written")));
        }
        let (rows, writing) = (RwLock::new(Arc::new(Handle::new(tree))), Writing { sum, next: None });
        Ok(Tree { rows, writing: Mutex::new(writing), damaged })
    }

    fn handle(&self) -> Arc<Handle<sled::Tree>> {
        Arc::clone(&self.rows.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies every row into a tree of the next generation. From here on what is written is written there as well.
    pub(crate) fn copy_to(&self, next: sled::Tree) -> Result<(), StoreError> {
        self.writing().next = Some(Next { rows: Arc::new(Handle::new(next)), sum: 0 });
        let mut from = Vec::new();
        loop {
            // Held while a page is copied: what is copied is then never older than what was written.
            let mut writing = self.writing();
            let next = writing.next.as_mut().ok_or_else(not_copied)?;
            let page = self.scan(&[], Some(&from), COPY_PAGE)?;
            let is_last = page.len() < COPY_PAGE;
            if let Some((last, _)) = page.last() {
                from = [last.as_slice(), &[0]].concat();
            }
            let rows = page.into_iter().map(|(key, value)| (key, Some(value))).collect();
            next.sum = applied(&next.rows, next.sum, rows)?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// Moves on to the rows of the next generation, which must be those of this one. Answers the old ones.
    pub(crate) fn move_on(&self) -> Result<Arc<Handle<sled::Tree>>, StoreError> {
        let mut writing = self.writing();
        let next = writing.next.take().ok_or_else(not_copied)?;
        if next.sum != writing.sum {
            return Err(StoreError("the rows copied are not the rows".to_owned()));
        }
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::replace(&mut rows, next.rows))
    }

    /// Stays with the rows it has.
    pub(crate) fn stay(&self) {
        self.writing().next = None;
    }

    /// Reads or writes, and tells whoever watches the database when that fails.
    fn read<T>(&self, read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let result = read();
        if result.is_err() {
            self.damaged.notify_one();
        }
        result
    }

    fn rows(
        &self,
        rows: impl Iterator<Item = sled::Result<(sled::IVec, sled::IVec)>>,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let mut found = Vec::new();
        for row in rows {
            let (key, value) = row.map_err(broken)?;
            if found.len() >= limit || !key.starts_with(prefix) {
                break;
            }
            if key.as_ref() != SUM {
                let value = opened(&key, &value)?;
                found.push((key.to_vec(), value));
            }
        }
        Ok(found)
    }
}

impl Store for Tree {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|| {
            let value = guard(|| self.handle().get(key))?;
            value.map(|value| opened(key, &value)).transpose()
        })
    }

    fn scan(&self, prefix: &[u8], from: Option<&[u8]>, limit: usize) -> Result<Vec<Row>, StoreError> {
        let from = from.unwrap_or(prefix).max(prefix).to_vec();
        self.read(|| caught(|| self.rows(self.handle().range(from..), prefix, limit)))
    }

    fn scan_back(&self, prefix: &[u8], before: Option<&[u8]>, limit: usize) -> Result<Vec<Row>, StoreError> {
        let end = match (before, after(prefix)) {
            (Some(before), Some(end)) => Some(end.min(before.to_vec())),
            (Some(before), None) => Some(before.to_vec()),
            (None, end) => end,
        };
        self.read(|| {
            caught(|| match end {
                Some(end) => self.rows(self.handle().range(prefix.to_vec()..end).rev(), prefix, limit),
                None => self.rows(self.handle().range(prefix.to_vec()..).rev(), prefix, limit),
            })
        })
    }

    fn apply(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        self.read(|| {
            let mut writing = self.writing();
            // Of several changes of one row the last counts, and only it goes into the sum.
            let changes: BTreeMap<Vec<u8>, Option<Vec<u8>>> = changes.into_iter().collect();
            let copied = writing.next.as_ref().map(|_| changes.clone());
            writing.sum = applied(&self.handle(), writing.sum, changes)?;
            if let (Some(next), Some(changes)) = (&mut writing.next, copied) {
                match applied(&next.rows, next.sum, changes) {
                    Ok(sum) => next.sum = sum,
                    // Whoever copies notices that there is nothing to move on to.
                    Err(error) => {
                        tracing::warn!(%error, "the next generation of the database was given up");
                        writing.next = None;
                    }
                }
            }
            Ok(())
        })
    }
}

/// Applies changes to a tree whose rows have this sum, all or none. Answers the sum they have then.
fn applied(
    tree: &sled::Tree,
    mut sum: u128,
    changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
) -> Result<u128, StoreError> {
    let mut batch = sled::Batch::default();
    for (key, value) in changes {
        if let Some(old) = guard(|| tree.get(&key))? {
            sum = sum.wrapping_sub(weight(&key, &old));
        }
        match value {
            Some(value) => {
                let mut stored = xxh3_64(&value).to_be_bytes().to_vec();
                stored.extend_from_slice(&value);
                sum = sum.wrapping_add(weight(&key, &stored));
                batch.insert(key, stored);
            }
            None => batch.remove(key),
        }
    }
    batch.insert(SUM, &sum.to_be_bytes());
    let _alone = alone();
    guard(|| tree.apply_batch(batch))?;
    Ok(sum)
}

fn not_copied() -> StoreError {
    StoreError("the rows are not being copied".to_owned())
}

/// What one row adds to the sum.
fn weight(key: &[u8], stored: &[u8]) -> u128 {
    xxh3_128(key).rotate_left(64).wrapping_mul(3) ^ xxh3_128(stored)
}

fn opened(key: &[u8], stored: &[u8]) -> Result<Vec<u8>, StoreError> {
    match stored.split_first_chunk::<8>() {
        Some((checksum, value)) if xxh3_64(value).to_be_bytes() == *checksum => Ok(value.to_vec()),
        Some(_) | None => {
            Err(StoreError(format!("a row of {} bytes of key does not match its checksum", key.len())))
        }
    }
}

/// The least key after all that begin with a prefix; `None` if there is none.
fn after(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

fn broken(error: sled::Error) -> StoreError {
    StoreError(error.to_string())
}

/// Runs something of sled's; some of its failures are panics.
pub(crate) fn guard<T>(run: impl FnOnce() -> sled::Result<T>) -> Result<T, StoreError> {
    caught(|| run().map_err(broken))
}

fn caught<T>(run: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|_| Err(StoreError("the database gave way".to_owned())))
}

/// Held while a batch is applied, and while a database is flushed or closed. Sled has one lock for all databases of a process: a batch that waits for
/// it keeps the flushers out, and a database that is closed waits, with that lock, for what its flusher would have done.
static ALONE: Mutex<()> = Mutex::new(());

/// Waits until no other thread applies a batch, flushes or closes.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something of sled's that is closed when nobody else applies a batch.
#[derive(Debug)]
pub(crate) struct Handle<T>(Option<T>);

impl<T> Handle<T> {
    pub(crate) fn new(handle: T) -> Handle<T> {
        Handle(Some(handle))
    }
}

impl<T> std::ops::Deref for Handle<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("a handle is taken out only when it is dropped")
    }
}

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        let _alone = alone();
        self.0.take();
    }
}
