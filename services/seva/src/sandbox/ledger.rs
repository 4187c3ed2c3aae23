//! The ledger on disk: lines of JSON, only ever added to, each on disk before anybody hears of it.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::entry::Entry;

/// The file's name in the data folder.
const FILE: &str = "ledger.jsonl";

/// The file, held by this process alone.
#[derive(Debug)]
pub(super) struct Ledger {
    file: File,
}

/// A ledger with what it holds.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) ledger: Ledger,
    pub(super) entries: Vec<Entry>,
    /// How much stood after the last whole line. It is gone: what was not finished was not answered.
    pub(super) torn_bytes: usize,
}

/// Why a ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum LedgerError {
    #[error("{} cannot be opened", .path.display())]
    Unusable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is another running provider's ledger", .0.display())]
    Taken(PathBuf),
    #[error("{}, line {line}, is no entry: a ledger that is not whole is not guessed at", .path.display())]
    Corrupt { path: PathBuf, line: usize },
}

impl Ledger {
    /// Opens the folder's ledger, or begins one.
    pub(super) fn open(dir: &Path) -> Result<Opened, LedgerError> {
        let path = dir.join(FILE);
        let opened = || {
            fs::create_dir_all(dir)?;
            let file = File::options().create(true).read(true).append(true).open(&path)?;
            // The file's name must last as long as what is in it.
            File::open(dir)?.sync_all()?;
            Ok(file)
        };
        let unusable = |source| LedgerError::Unusable { path: path.clone(), source };
        let mut file: File = opened().map_err(unusable)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => LedgerError::Taken(path.clone()),
            TryLockError::Error(source) => unusable(source),
        })?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(unusable)?;
        let whole_bytes = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let torn_bytes = bytes.len() - whole_bytes;
        if torn_bytes > 0 {
            file.set_len(whole_bytes as u64).and_then(|()| file.sync_all()).map_err(unusable)?;
        }
        let entries = entries(&bytes[..whole_bytes]).map_err(|line| LedgerError::Corrupt { path, line })?;
        Ok(Opened { ledger: Ledger { file }, entries, torn_bytes })
    }

    /// Adds an entry. Once this has returned, it stays. After an error nobody knows: use it no more.
    pub(super) fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.file.sync_data()
    }
}

/// The entries of whole lines, or the number of the line that is none.
fn entries(lines: &[u8]) -> Result<Vec<Entry>, usize> {
    let lines = lines.split_inclusive(|byte| *byte == b'\n').zip(1..);
    lines.map(|(line, number)| serde_json::from_slice(line).map_err(|_| number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(charge: &str) -> Entry {
        Entry::Captured { charge: charge.to_owned(), amount_minor: 1, currency: "EUR".to_owned() }
    }

    #[test]
    fn what_was_added_is_there_again() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..3 {
            let mut opened = Ledger::open(dir.path()).unwrap();
            assert_eq!((opened.entries.len(), opened.torn_bytes), (n, 0));
            opened.ledger.append(&entry("ch_1")).unwrap();
        }
    }

    #[test]
    fn a_last_line_that_was_not_finished_is_dropped_wherever_it_broke_off() {
        let whole = format!("{}\n", serde_json::to_string(&entry("ch_1")).unwrap());
        for kept in 1..whole.len() {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(FILE), format!("{whole}{}", &whole[..kept])).unwrap();
            let mut opened = Ledger::open(dir.path()).unwrap();
            assert_eq!((opened.entries.len(), opened.torn_bytes), (1, kept));
            opened.ledger.append(&entry("ch_2")).unwrap();
            drop(opened);
            assert_eq!(Ledger::open(dir.path()).unwrap().entries, [entry("ch_1"), entry("ch_2")]);
        }
    }

    #[test]
    fn a_line_in_the_middle_that_is_no_entry_stops_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let whole = serde_json::to_string(&entry("ch_1")).unwrap();
        fs::write(dir.path().join(FILE), format!("{whole}\n{{}}\n{whole}\n")).unwrap();
        let error = Ledger::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn two_providers_do_not_share_a_ledger() {
        let dir = tempfile::tempdir().unwrap();
        let _first = Ledger::open(dir.path()).unwrap();
        assert!(matches!(Ledger::open(dir.path()), Err(LedgerError::Taken(_))));
    }
}
