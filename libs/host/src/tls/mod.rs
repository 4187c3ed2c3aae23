//! TLS of a server: which certificate it shows, taken anew when its files change, and which versions it speaks.
//!
//! TLS 1.3 only, with one crypto provider, aws-lc-rs. Sessions are not resumed, so every new connection sees the certificate that is in
//! use now: connections of gRPC are few and long.

pub mod authority;
mod certificate;
mod reload;

use std::path::PathBuf;
use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ServerConfig, version};
use tokio_util::sync::CancellationToken;

pub use self::certificate::Error;
use self::reload::Reload;

/// What peers agree on before they speak: HTTP/2, which gRPC is carried by.
const ALPN_H2: &[u8] = b"h2";

/// Where a server's certificate and its key are, both as PEM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Files {
    /// The server's certificate, followed by those between it and the authority, if there are any.
    pub certificate: PathBuf,
    /// The private key of the first certificate.
    pub key: PathBuf,
}

/// Counts what becomes of changed files.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    taken: Counter,
    refused: Counter,
}

impl Counters {
    /// Adds the counters to `registry`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "tls_certificates_taken",
            "Changed certificates taken into use",
            self.taken.clone(),
        );
        registry.register(
            "tls_certificates_refused",
            "Changed certificate files that could not be used",
            self.refused.clone(),
        );
    }
}

/// What every port of a process greets its callers with. Clones are the same.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Reads the files, and takes them anew whenever they change, until `stop` is cancelled. Must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// When the files cannot be read, hold no certificate and key, or do not belong together. Later on that is only told in the log, and
    /// the certificate from before stays in use.
    pub fn start(files: Files, counters: Counters, stop: CancellationToken) -> Result<Tls, Error> {
        let (certified, read) = certificate::load(&files)?;
        let (sender, current) = watch::channel(Arc::new(certified));
        let config = ServerConfig::builder_with_provider(certificate::provider())
            .with_protocol_versions(&[&version::TLS13])
            .map_err(Error::Provider)?;
        let mut config = config.with_no_client_auth().with_cert_resolver(Arc::new(Current(current)));
        config.alpn_protocols = vec![ALPN_H2.to_vec()];
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        tokio::spawn(Reload { files, read, sender, counters }.run(stop));
        Ok(Tls { config: Arc::new(config) })
    }

    /// What greets one caller after the other.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

/// The certificate that is in use now.
#[derive(Debug)]
struct Current(watch::Receiver<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.borrow()))
    }
}

#[cfg(test)]
mod tests;
