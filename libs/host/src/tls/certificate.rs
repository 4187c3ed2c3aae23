//! A certificate and its key, read from their files and held against each other.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::Files;

/// How long one of the files may be, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("{path} cannot be read; check that it is there and this user may read it")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A file is no certificate's.
    #[error("{path} is longer than {FILE_BYTES_MAX} bytes: it is no certificate and no key")]
    TooLong {
        /// Which.
        path: PathBuf,
    },
    /// A file holds nothing in PEM that would be of use.
    #[error("{path} holds no {what} in PEM; write it whole")]
    NotPem {
        /// Which.
        path: PathBuf,
        /// `certificate` or `private key`.
        what: &'static str,
        /// Where it stops making sense.
        #[source]
        source: pem::Error,
    },
    /// Certificate and key are of different pairs, or of a kind that is not supported.
    #[error("the certificate in {certificate} and the key in {key} are no pair that can be used")]
    NoPair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
    /// This build's crypto provider lacks TLS 1.3: a mistake in how it was built.
    #[error("the crypto provider does not speak TLS 1.3")]
    Provider(#[source] rustls::Error),
}

/// The one crypto provider.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Tells one content of the files from another.
pub(super) type ContentDigest = [u8; 32];

/// Reads both files. The digest says what was read.
pub(super) fn load(files: &Files) -> Result<(CertifiedKey, ContentDigest), Error> {
    let contents = Contents::read(files)?;
    Ok((contents.certified(files)?, contents.digest()))
}

/// What both files hold.
pub(super) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Contents {
    pub(super) fn read(files: &Files) -> Result<Contents, Error> {
        Ok(Contents { certificate: read(&files.certificate)?, key: read(&files.key)? })
    }

    pub(super) fn digest(&self) -> ContentDigest {
        let mut digest = Sha256::new_with_prefix(self.certificate.len().to_le_bytes());
        digest.update(&self.certificate);
        digest.update(&self.key);
        digest.finalize().into()
    }

    /// The certificate with its key, which belong together.
    pub(super) fn certified(&self, files: &Files) -> Result<CertifiedKey, Error> {
        let Files { certificate, key } = files;
        let not_pem = |path: &Path, what| {
            let path = path.to_owned();
            move |source| Error::NotPem { path, what, source }
        };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate).collect();
        let chain = chain.and_then(|chain| match chain.is_empty() {
            true => Err(pem::Error::NoItemsFound),
            false => Ok(chain),
        });
        let chain = chain.map_err(not_pem(certificate, "certificate"))?;
        let private = PrivateKeyDer::from_pem_slice(&self.key).map_err(not_pem(key, "private key"))?;
        let no_pair = |source| Error::NoPair { certificate: certificate.clone(), key: key.clone(), source };
        CertifiedKey::from_der(chain, private, &provider()).map_err(no_pair)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    let reading = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content));
    reading.map_err(|source| Error::Read { path: path.to_owned(), source })?;
    if content.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::TooLong { path: path.to_owned() });
    }
    Ok(content)
}
