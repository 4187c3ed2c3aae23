//! The secret that the provider signs webhooks under.

use std::fmt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// The shortest secret that is taken, in bytes.
const SECRET_BYTES_MIN: usize = 16;

/// Shared with the provider. Never printed.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file is not there or cannot be read.
    #[error("cannot read the webhook secret file {}", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A secret that can be guessed is none.
    #[error("a webhook secret has at least {SECRET_BYTES_MIN} bytes (`openssl rand -hex 32` makes one)")]
    TooShort,
}

impl Secret {
    /// Takes a text; white space around it is ignored.
    pub fn new(text: &str) -> Result<Secret, SecretError> {
        let bytes = text.trim().as_bytes();
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(SecretError::TooShort);
        }
        Ok(Secret(Zeroizing::new(bytes.to_vec())))
    }

    /// Reads a file that holds nothing else.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Secret, SecretError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|source| SecretError::Unreadable { path: path.to_owned(), source })?;
        Secret::new(&text)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_comes_from_a_file_and_is_never_printed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("webhook.secret");
        std::fs::write(&path, "0123456789abcdef-quiet\n").unwrap();
        let secret = Secret::from_file(&path).unwrap();
        assert_eq!(secret.bytes(), b"0123456789abcdef-quiet");
        assert_eq!(format!("{secret:?}"), "Secret");
        let missing = Secret::from_file(dir.path().join("none")).unwrap_err().to_string();
        assert!(missing.contains("cannot read"), "{missing}");
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_refused() {
        assert!(matches!(Secret::new("  short  "), Err(SecretError::TooShort)));
    }
}
