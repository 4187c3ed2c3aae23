//! The folder of a service's databases: generations by number, of which one is current. The names in it alone say which: no file can be wrong about it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::database::OpenError;

/// The folder of a service's databases, locked.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder if it is not there, and takes it for this process.
    pub(crate) fn lock(path: &Path) -> Result<Folder, OpenError> {
        let failed = |source| OpenError::Folder { folder: path.to_owned(), source };
        fs::create_dir_all(path).map_err(failed)?;
        let lock = File::create(path.join("LOCK")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Folder { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where a generation stands.
    pub(crate) fn generation(&self, generation: u64) -> PathBuf {
        self.path.join(format!("generation-{generation}"))
    }

    /// The newest generation that is whole, or the one after the last that was put aside.
    pub(crate) fn current(&self) -> io::Result<u64> {
        let unfinished = self.numbered(COPYING)?;
        let whole = self.numbered("generation-")?.into_iter().filter(|n| !unfinished.contains(n));
        let aside = self.numbered("quarantine-")?.into_iter().max();
        Ok(whole.max().max(aside.map(|n| n.saturating_add(1))).unwrap_or(1))
    }

    /// Removes what no start needs: generations other than the current one, and all that was put aside but the last.
    pub(crate) fn sweep(&self, current: u64) -> io::Result<()> {
        for n in self.numbered("generation-")?.into_iter().filter(|n| *n != current) {
            fs::remove_dir_all(self.generation(n))?;
        }
        for n in self.numbered(COPYING)? {
            fs::remove_file(self.copying(n))?;
        }
        let mut aside = self.numbered("quarantine-")?;
        aside.sort_unstable();
        aside.pop();
        aside.into_iter().try_for_each(|n| fs::remove_dir_all(self.aside(n)))
    }

    /// Says that a generation is being copied: until [`Folder::finish`] a start goes on with the one before it.
    pub(crate) fn begin(&self, generation: u64) -> io::Result<()> {
        File::create(self.copying(generation))?.sync_all()?;
        self.sync()
    }

    /// Says that a generation is whole: from here on a start goes on with it.
    pub(crate) fn finish(&self, generation: u64) -> io::Result<()> {
        fs::remove_file(self.copying(generation))?;
        self.sync()
    }

    /// Removes a generation that is not current, whole or not.
    pub(crate) fn remove(&self, generation: u64) -> io::Result<()> {
        for removed in
            [fs::remove_dir_all(self.generation(generation)), fs::remove_file(self.copying(generation))]
        {
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        self.sync()
    }

    /// Puts a generation aside, if there is one. Answers the number of the next.
    pub(crate) fn put_aside(&self, generation: u64) -> io::Result<u64> {
        match fs::rename(self.generation(generation), self.aside(generation)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(generation + 1),
        }
    }

    fn aside(&self, generation: u64) -> PathBuf {
        self.path.join(format!("quarantine-{generation}"))
    }

    fn copying(&self, generation: u64) -> PathBuf {
        self.path.join(format!("{COPYING}{generation}"))
    }

    /// Makes the names outlive a crash.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
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
}

/// Begins the name of the file that stands beside a generation while it is being copied.
const COPYING: &str = "copying-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_that_was_not_finished_is_not_the_current_one() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::lock(place.path()).unwrap();
        assert_eq!(folder.current().unwrap(), 1);
        fs::create_dir(folder.generation(3)).unwrap();
        folder.begin(4).unwrap();
        fs::create_dir(folder.generation(4)).unwrap();
        assert_eq!(folder.current().unwrap(), 3);
        folder.finish(4).unwrap();
        assert_eq!(folder.current().unwrap(), 4);
        folder.sweep(4).unwrap();
        assert!(!folder.generation(3).exists() && folder.generation(4).exists());
    }

    #[test]
    fn what_was_left_half_copied_is_swept() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::lock(place.path()).unwrap();
        fs::create_dir(folder.generation(3)).unwrap();
        folder.begin(4).unwrap();
        fs::create_dir(folder.generation(4)).unwrap();
        folder.sweep(folder.current().unwrap()).unwrap();
        assert!(folder.generation(3).exists() && !folder.generation(4).exists());
        assert!(!folder.copying(4).exists());
        folder.remove(4).unwrap();
    }
}
