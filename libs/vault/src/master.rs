//! The master key: where it comes from, and the keys derived from it.

use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use zeroize::Zeroizing;

use crate::crypto;
use crate::ring::{Purpose, Ring, parse, push_hex};

/// The secret that every key is wrapped under, in epochs, and the hashing keys that outlive them. Never printed. Clones are the same.
///
/// Written as 64 hexadecimal digits while it was never rotated: then it is of epoch 1. A rotation makes a keyring of it, a file of lines:
/// ```text
/// seva keyring
/// hashing requests 5f…
/// epoch 2 c0…
/// ```
#[derive(Clone)]
pub struct MasterKey {
    // A lock, because a keyring is read again when somebody rotated it; held only to clone a handle.
    ring: Arc<RwLock<Arc<Ring>>>,
    /// Where it came from, if from a file.
    file: Option<PathBuf>,
}

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file is not there or cannot be read.
    #[error("cannot read the master key file {}", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },

    /// The file is there already, or cannot be made.
    #[error("cannot make the master key file {}", .path.display())]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },

    /// The environment variable is not set.
    #[error("there is no master key: set {0} to 64 hexadecimal digits (`openssl rand -hex 32` makes them)")]
    Missing(String),

    /// Something is there, but it is no key.
    #[error(
        "{0} does not hold a master key: it should be exactly 64 hexadecimal digits, or a keyring that `seva keys rotate` wrote"
    )]
    Malformed(String),
}

impl MasterKey {
    /// Makes a new one.
    pub fn generate() -> MasterKey {
        MasterKey::from_bytes(crypto::random())
    }

    /// Takes the bytes given, as one that was never rotated.
    pub fn from_bytes(bytes: [u8; 32]) -> MasterKey {
        MasterKey::of(Ring::first(&bytes), None)
    }

    fn of(ring: Ring, file: Option<PathBuf>) -> MasterKey {
        MasterKey { ring: Arc::new(RwLock::new(Arc::new(ring))), file }
    }

    /// Reads a file of 64 hexadecimal digits, or a keyring; white space around them is ignored.
    pub fn from_file(path: impl AsRef<Path>) -> Result<MasterKey, MasterKeyError> {
        let path = path.as_ref();
        Ok(MasterKey::of(read(path)?, Some(path.to_owned())))
    }

    /// Reads an environment variable of 64 hexadecimal digits, or a keyring.
    pub fn from_env(variable: &str) -> Result<MasterKey, MasterKeyError> {
        let text = match std::env::var(variable) {
            Ok(text) => Zeroizing::new(text),
            Err(std::env::VarError::NotPresent) => {
                return Err(MasterKeyError::Missing(variable.to_owned()));
            }
            Err(std::env::VarError::NotUnicode(_)) => {
                return Err(MasterKeyError::Malformed(variable.to_owned()));
            }
        };
        let ring = parse(&text).ok_or_else(|| MasterKeyError::Malformed(variable.to_owned()))?;
        Ok(MasterKey::of(ring, None))
    }

    /// Makes a new one and writes it to a new file that only its owner may read.
    pub fn generate_file(path: impl AsRef<Path>) -> Result<MasterKey, MasterKeyError> {
        let path = path.as_ref();
        let bytes = Zeroizing::new(crypto::random::<32>());
        let mut text = Zeroizing::new(String::with_capacity(65));
        push_hex(&mut text, &bytes);
        write_new(path, &text)
            .map_err(|source| MasterKeyError::Unwritable { path: path.to_owned(), source })?;
        Ok(MasterKey::of(Ring::first(&bytes), Some(path.to_owned())))
    }

    /// The keys as they were read last.
    pub(crate) fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the file again, if it came from one: somebody may have rotated it.
    pub(crate) fn reload(&self) -> Result<Arc<Ring>, MasterKeyError> {
        if let Some(file) = &self.file {
            let ring = Arc::new(read(file)?);
            *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
        }
        Ok(self.ring())
    }

    /// Puts other keys in the place of these: first in the file that they came from, whole or not at all.
    pub(crate) fn replace(&self, ring: Ring) -> Result<(), MasterKeyError> {
        if let Some(file) = &self.file {
            let unwritable = |source| MasterKeyError::Unwritable { path: file.clone(), source };
            let next = file.with_extension("next");
            // What a rotation that died left behind holds nothing that was used.
            match std::fs::remove_file(&next) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(unwritable(error)),
                Ok(()) | Err(_) => {}
            }
            write_new(&next, &ring.written()).map_err(unwritable)?;
            std::fs::rename(&next, file).and_then(|()| sync_folder(file)).map_err(unwritable)?;
        }
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        Ok(())
    }

    /// The key for one of the process's own purposes. It tells nothing about what wraps.
    pub(crate) fn derived(&self, purpose: Purpose) -> [u8; 32] {
        self.ring().hashing(purpose)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

fn read(path: &Path) -> Result<Ring, MasterKeyError> {
    let text = std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|source| MasterKeyError::Unreadable { path: path.to_owned(), source })?;
    parse(&text).ok_or_else(|| MasterKeyError::Malformed(format!("file {}", path.display())))
}

/// Writes a file that only its owner may read and that was not there before.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    sync_folder(path)
}

/// The name must outlive a crash as well as the bytes: without them everything sealed is lost.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_file_reads_back_and_is_the_owners_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let made = MasterKey::generate_file(&path).unwrap();
        let read = MasterKey::from_file(&path).unwrap();
        assert_eq!(made.derived(Purpose::Requests), read.derived(Purpose::Requests));
        assert_eq!(made.ring().newest().secret(), read.ring().newest().secret());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(
            matches!(MasterKey::generate_file(&path), Err(MasterKeyError::Unwritable { .. })),
            "never overwritten"
        );
    }

    #[test]
    fn what_is_no_key_is_told_apart_from_what_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        assert!(matches!(MasterKey::from_file(&path), Err(MasterKeyError::Unreadable { .. })));
        for text in ["", "abc", &"g".repeat(64), &"0".repeat(63), &"0".repeat(66)] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(MasterKey::from_file(&path), Err(MasterKeyError::Malformed(_))), "{text:?}");
        }
        assert!(matches!(MasterKey::from_env("SEVA_NO_SUCH_VARIABLE"), Err(MasterKeyError::Missing(_))));
    }

    #[test]
    fn a_keyring_holds_its_epochs_and_the_hashing_keys_of_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let key = MasterKey::generate_file(&path).unwrap();
        let other = MasterKey::from_file(&path).unwrap();
        let before = std::fs::read_to_string(&path).unwrap();
        key.replace(key.ring().with_next()).unwrap();
        assert_eq!((key.ring().epochs(), key.ring().newest().epoch()), (2, 2));
        assert_eq!(other.ring().epochs(), 1, "not read again yet");
        assert_eq!(other.reload().unwrap().newest().secret(), key.ring().newest().secret());

        key.replace(key.ring().newest_alone()).unwrap();
        let read = MasterKey::from_file(&path).unwrap();
        assert!(read.ring().epoch(1).is_none() && read.ring().is_over(1) && !read.ring().is_over(2));
        for purpose in Purpose::ALL {
            assert_eq!(read.derived(purpose), other.derived(purpose), "{purpose:?}");
        }
        let after = std::fs::read_to_string(&path).unwrap();
        assert!(!after.contains(before.trim()), "the old secret is gone");
    }

    #[test]
    fn a_key_is_never_printed() {
        assert_eq!(format!("{:?}", MasterKey::from_bytes([7; 32])), "MasterKey(…)");
    }
}
