//! A service's database: one directory, held by one process, in generations. What is wrong with one is noticed, and the log makes the next.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use seva_eventlog::store::{MemoryStore, Store, StoreError};
use tokio::sync::Notify;

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
    Sled { db: Handle<sled::Db>, folder: Folder, generation: u64 },
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
            Err(error) if is_held(&error) => Err(OpenError::InUse(folder.path)),
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
            Kind::Sled { db, .. } => {
                let _alone = alone();
                guard(|| db.drop_tree(name)).map(|_| ())
            }
        }
    }

    /// Writes what is held in memory to the disk.
    pub fn flush(&self) -> Result<(), StoreError> {
        match &self.kind {
            Kind::Memory => Ok(()),
            Kind::Sled { db, .. } => {
                let _alone = alone();
                guard(|| db.flush()).map(|_| ())
            }
        }
    }

    /// How many bytes the database takes on disk.
    pub fn size_on_disk(&self) -> u64 {
        match &self.kind {
            Kind::Memory => 0,
            Kind::Sled { db, .. } => db.size_on_disk().unwrap_or(0),
        }
    }

    /// What stands under the trees, for tests that change it behind their back.
    #[cfg(test)]
    pub(crate) fn with_sled(&self, change: impl FnOnce(&sled::Db)) {
        match &self.kind {
            Kind::Memory => {}
            Kind::Sled { db, .. } => change(db),
        }
    }

    /// Told when a row turns out to be damaged.
    pub fn damaged(&self) -> Arc<Notify> {
        Arc::clone(&self.damaged)
    }
}

impl Folder {
    fn generation(&self, generation: u64) -> PathBuf {
        self.path.join(format!("generation-{generation}"))
    }

    fn aside(&self, generation: u64) -> PathBuf {
        self.path.join(format!("quarantine-{generation}"))
    }

    /// The newest generation, or the one after the last that was put aside. The folders' names alone say it: no file can be wrong about it.
    fn current(&self) -> io::Result<u64> {
        let newest = self.numbered("generation-")?.into_iter().max();
        let aside = self.numbered("quarantine-")?.into_iter().max();
        Ok(newest.max(aside.map(|n| n.saturating_add(1))).unwrap_or(1))
    }

    /// Removes what no start needs: generations before the current one, and all that was put aside but the last.
    fn sweep(&self, current: u64) -> io::Result<()> {
        for n in self.numbered("generation-")?.into_iter().filter(|n| *n < current) {
            fs::remove_dir_all(self.generation(n))?;
        }
        let mut aside = self.numbered("quarantine-")?;
        aside.sort_unstable();
        aside.pop();
        aside.into_iter().try_for_each(|n| fs::remove_dir_all(self.aside(n)))
    }

    /// The numbers of the entries whose names begin so.
    fn numbered(&self, prefix: &str) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            numbers.extend(name.to_string_lossy().strip_prefix(prefix).and_then(|n| n.parse::<u64>().ok()));
        }
        Ok(numbers)
    }

    fn next(self, generation: u64) -> Result<Database, OpenError> {
        let failed = |source| OpenError::Folder { folder: self.path.clone(), source };
        match fs::rename(self.generation(generation), self.aside(generation)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let next = generation + 1;
        let db = open(&self.generation(next)).map_err(|error| failed(io::Error::other(error)))?;
        Ok(Database { kind: Kind::Sled { db, folder: self, generation: next }, damaged: Arc::default() })
    }
}

/// Opens a generation. The folder is this process's, so whoever still holds the file is a thread of sled's that is about to end.
fn open(path: &Path) -> Result<Handle<sled::Db>, StoreError> {
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
