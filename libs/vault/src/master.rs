//! The master key: where it comes from, and the keys derived from it.

use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use zeroize::{Zeroize as _, Zeroizing};

use crate::crypto;

/// The secret that every key is wrapped under: 32 bytes, written as 64 hexadecimal digits. Never printed.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

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
    #[error("{0} does not hold a master key: it should be exactly 64 hexadecimal digits")]
    Malformed(String),
}

impl MasterKey {
    /// Makes a new one.
    pub fn generate() -> MasterKey {
        MasterKey(Zeroizing::new(crypto::random()))
    }

    /// Takes the bytes given.
    pub fn from_bytes(bytes: [u8; 32]) -> MasterKey {
        MasterKey(Zeroizing::new(bytes))
    }

    /// Reads a file of 64 hexadecimal digits; white space around them is ignored.
    pub fn from_file(path: impl AsRef<Path>) -> Result<MasterKey, MasterKeyError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|source| MasterKeyError::Unreadable { path: path.to_owned(), source })?;
        parse(&text).ok_or_else(|| MasterKeyError::Malformed(format!("file {}", path.display())))
    }

    /// Reads an environment variable of 64 hexadecimal digits.
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
        parse(&text).ok_or_else(|| MasterKeyError::Malformed(variable.to_owned()))
    }

    /// Makes a new one and writes it to a new file that only its owner may read.
    pub fn generate_file(path: impl AsRef<Path>) -> Result<MasterKey, MasterKeyError> {
        let path = path.as_ref();
        let key = MasterKey::generate();
        let write = || {
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(key.hex().as_bytes())?;
            file.sync_all()?;
            // The name must outlive a crash as well as the bytes: without them everything sealed is lost.
            let folder =
                path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            std::fs::File::open(folder)?.sync_all()
        };
        write().map_err(|source| MasterKeyError::Unwritable { path: path.to_owned(), source })?;
        Ok(key)
    }

    /// The key for one purpose that follows from this one, and tells nothing about it.
    pub(crate) fn derived(&self, purpose: &str) -> [u8; 32] {
        crypto::hmac(&self.0, &[b"seva master key", purpose.as_bytes()])
    }

    /// The 64 digits and a line end, as the file holds them.
    fn hex(&self) -> Zeroizing<String> {
        use std::fmt::Write as _;
        let mut text = Zeroizing::new(String::with_capacity(65));
        for byte in self.0.iter() {
            write!(text, "{byte:02x}").expect("a string takes every write");
        }
        text.push('\n');
        text
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// The key written in a text, if it is one.
fn parse(text: &str) -> Option<MasterKey> {
    let digits = text.trim().as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    let key = MasterKey::from_bytes(bytes);
    bytes.zeroize();
    Some(key)
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
        assert_eq!(*made.0, *read.0);
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
    fn a_key_is_never_printed() {
        assert_eq!(format!("{:?}", MasterKey::from_bytes([7; 32])), "MasterKey(…)");
    }
}
