//! A service's database: one directory, held by one process, in generations. What is wrong with one is noticed, and the log makes the next.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use seva_eventlog::store::{MemoryStore, Store, StoreError};
use tokio::sync::Notify;

use crate::tree::{Tree, guard};

/// How much memory sled may use for its cache, in bytes.
const CACHE_BYTES: u64 = 48 * 1024 * 1024;

/// How often sled writes what it holds to the disk, in milliseconds. What a crash loses the log gives back.
const FLUSH_EVERY_MS: u64 = 500;

/// Names the newest generation.
const CURRENT: &str = "CURRENT";

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
    Sled { db: sled::Db, folder: Folder, generation: u64 },
}

/// The folder of a service's databases, locked.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Database {
    /// A database in memory, that lives as long as the process.
    pub fn in_memory() -> Database {
        Database { kind: Kind::Memory, damaged: Arc::default() }
    }

    /// Opens the newest generation under a folder, or the first. One that cannot be opened is put aside, and the next begun.
    pub fn open(path: &Path) -> Result<Database, OpenError> {
        let failed = |source| OpenError::Folder { folder: path.to_owned(), source };
        fs::create_dir_all(path).map_err(failed)?;
        let lock = File::create(path.join("LOCK")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        Database::open_locked(Folder { path: path.to_owned(), _lock: lock })
    }

    fn open_locked(folder: Folder) -> Result<Database, OpenError> {
        let failed = |source| OpenError::Folder { folder: folder.path.clone(), source };
        let generation = folder.current().map_err(failed)?;
        folder.sweep(generation).map_err(failed)?;
        match open(&folder.generation(generation)) {
            Ok(db) => Ok(Database { kind: Kind::Sled { db, folder, generation }, damaged: Arc::default() }),
            Err(error) => {
                tracing::error!(%error, "the database cannot be opened: it is put aside and made anew from the log");
                folder.next(generation)
            }
        }
    }

    /// Puts this generation aside and begins the next, empty. Handles of the old one may still be about; they reach nothing new.
    pub fn quarantine(self) -> Result<Database, OpenError> {
        match self.kind {
            Kind::Memory => Ok(Database::in_memory()),
            Kind::Sled { db, folder, generation } => {
                drop(db);
                folder.next(generation)
            }
        }
    }

    /// Opens a tree of rows and checks every one of them.
    pub fn tree(&self, name: &str) -> Result<Arc<dyn Store>, StoreError> {
        match &self.kind {
            Kind::Memory => Ok(Arc::new(MemoryStore::default())),
            Kind::Sled { db, .. } => Ok(Arc::new(Tree::open(db, name, Arc::clone(&self.damaged))?)),
        }
    }

    /// Removes a tree and its rows.
    pub fn drop_tree(&self, name: &str) -> Result<(), StoreError> {
        match &self.kind {
            Kind::Memory => Ok(()),
            Kind::Sled { db, .. } => guard(|| db.drop_tree(name)).map(|_| ()),
        }
    }

    /// Writes what is held in memory to the disk.
    pub fn flush(&self) -> Result<(), StoreError> {
        match &self.kind {
            Kind::Memory => Ok(()),
            Kind::Sled { db, .. } => guard(|| db.flush()).map(|_| ()),
        }
    }

    /// How many bytes the database takes on disk.
    pub fn size_on_disk(&self) -> u64 {
        match &self.kind {
            Kind::Memory => 0,
            Kind::Sled { db, .. } => db.size_on_disk().unwrap_or(0),
        }
    }

    /// Waits until a row turns out to be damaged.
    pub fn damaged(&self) -> Arc<Notify> {
        Arc::clone(&self.damaged)
    }
}

impl Folder {
    fn generation(&self, generation: u64) -> PathBuf {
        self.path.join(format!("generation-{generation}"))
    }

    fn current(&self) -> io::Result<u64> {
        match fs::read_to_string(self.path.join(CURRENT)) {
            Ok(text) => Ok(text.trim().parse().unwrap_or(1)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(1),
            Err(error) => Err(error),
        }
    }

    /// Removes what no start needs: generations before the current one, and all that was put aside but the last.
    fn sweep(&self, current: u64) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let number = |prefix: &str| name.strip_prefix(prefix).and_then(|n| n.parse::<u64>().ok());
            let is_old = number("generation-").is_some_and(|n| n < current)
                || number("quarantine-").is_some_and(|n| n + 1 < current);
            if is_old {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }

    fn next(self, generation: u64) -> Result<Database, OpenError> {
        let failed = |source| OpenError::Folder { folder: self.path.clone(), source };
        let aside = self.path.join(format!("quarantine-{generation}"));
        match fs::rename(self.generation(generation), &aside) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let next = generation + 1;
        let new = self.path.join(format!("{CURRENT}.new"));
        fs::write(&new, next.to_string()).map_err(failed)?;
        fs::rename(&new, self.path.join(CURRENT)).map_err(failed)?;
        let db = open(&self.generation(next)).map_err(|error| failed(io::Error::other(error)))?;
        Ok(Database { kind: Kind::Sled { db, folder: self, generation: next }, damaged: Arc::default() })
    }
}

fn open(path: &Path) -> Result<sled::Db, StoreError> {
    guard(|| {
        sled::Config::new()
            .path(path)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(Some(FLUSH_EVERY_MS))
            .open()
    })
}
