//! A certificate authority of one's own, for development: its key is in memory only and ends with the process.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

use super::Files;
use crate::files;

/// Whom the certificates are for: this machine, as it calls itself.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Makes certificates for servers on loopback.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// Why a certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Keys or certificates could not be made.
    #[error("no certificate could be made")]
    Made(#[from] rcgen::Error),
    /// The folder cannot be written.
    #[error(transparent)]
    Written(#[from] files::Error),
}

impl Authority {
    /// Makes an authority that nobody trusts yet.
    pub fn new() -> Result<Authority, Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "Seva, this start only");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        Ok(Authority { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)? })
    }

    /// Writes the authority's certificate, as PEM, into a folder: who trusts it trusts every server that has one of its certificates.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, Error> {
        let path = folder.join("ca.pem");
        files::write_whole(&path, &self.issuer.pem())?;
        Ok(path)
    }

    /// Makes a new key with a certificate for a server on loopback, and writes both into a folder. Only this user may read the key.
    pub fn issue(&self, folder: &Path) -> Result<Files, Error> {
        let mut params = CertificateParams::new(NAMES.map(str::to_owned))?;
        params.distinguished_name.push(DnType::CommonName, "Seva");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let written = Files { certificate: folder.join("server.pem"), key: folder.join("server.key") };
        files::write_whole(&written.certificate, &certificate.pem())?;
        files::write_whole(&written.key, &key.serialize_pem())?;
        Ok(written)
    }
}
