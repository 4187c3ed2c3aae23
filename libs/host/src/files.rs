//! The cache folder, and writing a file so that readers see the old text or the new, never half.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why a file of ours could not be placed, read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither variable that leads to the cache folder is set.
    #[error("no cache folder is known: set HOME, or XDG_CACHE_HOME to an absolute path")]
    NoCacheFolder,
    /// The operating system refused to write.
    #[error("{path} could not be written; check that the folder is writable and the disk not full")]
    Write {
        /// The file that was to be written.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

/// Finds Seva's cache folder: `$XDG_CACHE_HOME/seva`, else `~/.cache/seva`. It may not exist yet.
pub fn cache() -> Result<PathBuf, Error> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    cache_from(variable("XDG_CACHE_HOME"), variable("HOME"))
}

fn cache_from(xdg: Option<PathBuf>, home: Option<PathBuf>) -> Result<PathBuf, Error> {
    xdg.filter(|path| path.is_absolute())
        .or_else(|| home.filter(|path| path.is_absolute()).map(|home| home.join(".cache")))
        .map(|cache| cache.join("seva"))
        .ok_or(Error::NoCacheFolder)
}

/// Writes `text` to `path` through a temporary file beside it, making the folder when needed.
///
/// The text is on disk before the name points to it, so a crash leaves the old file or the new one. Only this user may read it.
pub fn write_whole(path: &Path, text: &str) -> Result<(), Error> {
    try_write_whole(path, text).map_err(|source| Error::Write { path: path.to_owned(), source })
}

fn try_write_whole(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Returns the last line the log gained since `begin`.
pub(crate) fn last_line(log: &Path, begin: u64) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let new = usize::try_from(begin).ok().and_then(|begin| bytes.get(begin..)).unwrap_or_default();
    let text = String::from_utf8_lossy(new);
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("nothing").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_folder_follows_xdg_then_home() {
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(cache_from(path("/x"), path("/home/ana")).unwrap(), Path::new("/x/seva"));
        assert_eq!(cache_from(None, path("/home/ana")).unwrap(), Path::new("/home/ana/.cache/seva"));
        assert_eq!(cache_from(path("relative"), path("/h")).unwrap(), Path::new("/h/.cache/seva"));
        assert!(cache_from(None, None).unwrap_err().to_string().contains("set HOME"));
    }

    #[test]
    fn writing_replaces_the_whole_file_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/file.txt");
        write_whole(&path, "a longer first text").unwrap();
        write_whole(&path, "second").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "second");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
