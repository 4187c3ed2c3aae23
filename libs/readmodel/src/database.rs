//! A service's database: one directory, held by one process, in generations. What is wrong with one is noticed, and the log makes the next.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use seva_eventlog::store::{MemoryStore, Store, StoreError};
use tokio::sync::Notify;

use crate::generation::Folder;
use crate::tree::{Handle, Tree, alone, guard};

/// How much memory sled may use for its cache, in bytes.
const CACHE_BYTES: u64 = 128 * 1024 * 1024;

/// How often sled writes what it holds to the disk, in milliseconds. What a crash loses the log gives back.
const FLUSH_EVERY_MS: u64 = 500;

/// How long a database that was closed a moment ago may take to let go of its file, and how often that is looked at.
const LET_GO_MAX: Duration = Duration::from_secs(5);
const LET_GO_LOOK: Duration = Duration::from_millis(5);

/// Why there is no database.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the folder {0} is in use by another process: give this one a folder of its own")]
    InUse(PathBuf),
    #[error("the folder {folder} cannot be used")]
    Folder { folder: PathBuf, source: io::Error },
}

/// A database that is open.
#[derive(Debug)]
pub struct Database {
    kind: Kind,
    /// Told when a row turns out to be damaged.
    damaged: Arc<Notify>,
}

#[derive(Debug)]
enum Kind {
    Memory,
    Sled {
        // A lock, because the database moves on to its next generation; held only to clone a handle.
        current: Mutex<Current>,
        folder: Folder,
        /// The trees that somebody holds: each is opened once.
        trees: Mutex<BTreeMap<String, Weak<Tree>>>,
        /// Held while the database moves on.
        moving: Mutex<()>,
    },
}

#[derive(Clone, Debug)]
struct Current {
    db: Arc<Handle<sled::Db>>,
    generation: u64,
}

impl Database {
    /// A database in memory, that lives as long as the process.
    pub fn in_memory() -> Database {
        Database { kind: Kind::Memory, damaged: Arc::default() }
    }

    /// Opens the newest generation under a folder, or the first. One that cannot be opened is put aside, and the next begun.
    pub fn open(path: &Path) -> Result<Database, OpenError> {
        let folder = Folder::lock(path)?;
        let failed = |source| OpenError::Folder { folder: path.to_owned(), source };
        let generation = folder.current().map_err(failed)?;
        folder.sweep(generation).map_err(failed)?;
        match open(&folder.generation(generation)) {
            Ok(db) => Ok(Database::of(db, folder, generation)),
            Err(error) if is_held(&error) => Err(OpenError::InUse(path.to_owned())),
            Err(error) => {
                tracing::error!(%error, "the database cannot be opened: it is put aside and made anew from the log");
                Database::next(folder, generation)
            }
        }
    }

    fn of(db: Handle<sled::Db>, folder: Folder, generation: u64) -> Database {
        let current = Mutex::new(Current { db: Arc::new(db), generation });
        let kind = Kind::Sled { current, folder, trees: Mutex::default(), moving: Mutex::default() };
        Database { kind, damaged: Arc::default() }
    }

    fn next(folder: Folder, generation: u64) -> Result<Database, OpenError> {
        let failed = |source| OpenError::Folder { folder: folder.path().to_owned(), source };
        let next = folder.put_aside(generation).map_err(failed)?;
        let db = open(&folder.generation(next)).map_err(|error| failed(io::Error::other(error)))?;
        Ok(Database::of(db, folder, next))
    }

    /// Puts this generation aside and begins the next, empty. Handles of the old one may still be about; they reach nothing new.
    pub fn quarantine(self) -> Result<Database, OpenError> {
        match self.kind {
            Kind::Memory => Ok(Database::in_memory()),
            Kind::Sled { current, folder, .. } => {
                let Current { db, generation } = current.into_inner().unwrap_or_else(PoisonError::into_inner);
                drop(db);
                Database::next(folder, generation)
            }
        }
    }

    /// Opens a tree of rows and checks every one of them. A tree that somebody holds is the same one.
    pub fn tree(&self, name: &str) -> Result<Arc<dyn Store>, StoreError> {
        match &self.kind {
            Kind::Memory => Ok(Arc::new(MemoryStore::default())),
            Kind::Sled { trees, .. } => {
                let Some(Current { db, .. }) = self.current() else { return Err(gone()) };
                let mut trees = trees.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(tree) = trees.get(name).and_then(Weak::upgrade) {
                    return Ok(tree);
                }
                let tree = Arc::new(Tree::open(&db, name, Arc::clone(&self.damaged))?);
                trees.insert(name.to_owned(), Arc::downgrade(&tree));
                Ok(tree)
            }
        }
    }

    /// Removes a tree and its rows.
    pub fn drop_tree(&self, name: &str) -> Result<(), StoreError> {
        let Some(Current { db, .. }) = self.current() else { return Ok(()) };
        if let Kind::Sled { trees, .. } = &self.kind {
            trees.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        }
        let _alone = alone();
        guard(|| db.drop_tree(name)).map(|_| ())
    }

    /// Writes what is held in memory to the disk.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.current().map_or(Ok(()), |current| flushed(&current.db))
    }

    /// How many bytes the database takes on disk.
    pub fn size_on_disk(&self) -> u64 {
        self.current().map_or(0, |current| current.db.size_on_disk().unwrap_or(0))
    }

    /// Which generation it is; 0 in memory.
    pub fn generation(&self) -> u64 {
        self.current().map_or(0, |current| current.generation)
    }

    /// Copies the rows of all trees that somebody holds, and of those named, into the next generation, moves on to it, and deletes this one: what
    /// was overwritten or removed stands nowhere on the disk then. Reading and writing go on meanwhile.
    ///
    /// Blocks for as long as it takes. On an error, or after a crash in the middle, the database is this generation still.
    pub fn move_on(&self, and: &[&str]) -> Result<(), StoreError> {
        let Kind::Sled { current, folder, trees, moving } = &self.kind else { return Ok(()) };
        let _one_at_a_time = moving.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Current { generation, .. }) = self.current() else { return Ok(()) };
        // Held until the end, so that they are among those that move.
        let _named = and.iter().map(|name| self.tree(name)).collect::<Result<Vec<_>, StoreError>>()?;
        let held: Vec<(String, Arc<Tree>)> = {
            let trees = trees.lock().unwrap_or_else(PoisonError::into_inner);
            trees.iter().filter_map(|(name, tree)| Some((name.clone(), tree.upgrade()?))).collect()
        };
        let next = generation + 1;
        let mut old = Vec::with_capacity(held.len());
        let copied = copy(folder, next, &held).and_then(|db| {
            for (_, tree) in &held {
                old.push(tree.move_on()?);
            }
            Ok(db)
        });
        let db = match copied {
            Ok(db) => db,
            Err(error) => {
                held.iter().for_each(|(_, tree)| tree.stay());
                // Some trees are here and some there: the log makes the next database.
                if !old.is_empty() {
                    self.damaged.notify_one();
                }
                return Err(error);
            }
        };
        let finished = flushed(&db).and_then(|()| folder.finish(next).map_err(failed));
        if finished.is_err() {
            self.damaged.notify_one();
            return finished;
        }
        let left = {
            let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, Current { db: Arc::new(db), generation: next })
        };
        old.into_iter().for_each(unread);
        unread(left.db);
        folder.remove(generation).map_err(failed)
    }

    fn current(&self) -> Option<Current> {
        match &self.kind {
            Kind::Memory => None,
            Kind::Sled { current, .. } => {
                Some(current.lock().unwrap_or_else(PoisonError::into_inner).clone())
            }
        }
    }

    /// What stands under the trees, for tests that change it behind their back.
    #[cfg(test)]
    pub(crate) fn with_sled(&self, change: impl FnOnce(&sled::Db)) {
        if let Some(Current { db, .. }) = self.current() {
            change(&db);
        }
    }

    /// Told when a row turns out to be damaged.
    pub fn damaged(&self) -> Arc<Notify> {
        Arc::clone(&self.damaged)
    }
}

/// Copies trees into a generation that is not whole before they have moved on to it.
fn copy(folder: &Folder, next: u64, trees: &[(String, Arc<Tree>)]) -> Result<Handle<sled::Db>, StoreError> {
    // One that was given up may have left some.
    folder.remove(next).map_err(failed)?;
    folder.begin(next).map_err(failed)?;
    let db = open(&folder.generation(next))?;
    for (name, tree) in trees {
        tree.copy_to(guard(|| db.open_tree(name))?)?;
    }
    Ok(db)
}

/// Lets go of what nobody can find any more, once nobody reads it any more.
fn unread<T>(handle: Arc<Handle<T>>) {
    let mut handle = handle;
    loop {
        match Arc::try_unwrap(handle) {
            Ok(last) => return drop(last),
            Err(shared) => {
                handle = shared;
                std::thread::sleep(LET_GO_LOOK);
            }
        }
    }
}

fn flushed(db: &sled::Db) -> Result<(), StoreError> {
    let _alone = alone();
    guard(|| db.flush()).map(|_| ())
}

fn failed(error: io::Error) -> StoreError {
    StoreError(error.to_string())
}

fn gone() -> StoreError {
    StoreError("there is no database".to_owned())
}

/// Opens a generation. The folder is this process's, so whoever still holds the file is a thread of sled's that is about to end.
pub(crate) fn open(path: &Path) -> Result<Handle<sled::Db>, StoreError> {
    let began = Instant::now();
    let config =
        sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(Some(FLUSH_EVERY_MS));
    loop {
        match guard(|| config.open()) {
            Err(error) if is_held(&error) && began.elapsed() < LET_GO_MAX => std::thread::sleep(LET_GO_LOOK),
            opened => return opened.map(Handle::new),
        }
    }
}

/// Whether sled could not lock its file: it has no error of its own for that.
fn is_held(StoreError(error): &StoreError) -> bool {
    error.contains("could not acquire lock")
}
