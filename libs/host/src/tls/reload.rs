//! Looks at the certificate's files again and again, and takes what they hold once it is whole.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;

use super::certificate::{ContentDigest, Contents, Error};
use super::{Counters, Files};

/// How often the files are read: it is their content that counts, whatever wrote them and however.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is in use, and where the next comes from.
pub(super) struct Reload {
    pub(super) files: Files,
    /// What was read last, whether it could be used or not.
    pub(super) read: ContentDigest,
    pub(super) sender: watch::Sender<Arc<CertifiedKey>>,
    pub(super) counters: Counters,
}

impl Reload {
    /// Watches until `stop` is cancelled.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut unreadable = false;
        while stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
            let files = self.files.clone();
            // Reading blocks, on some file systems for long.
            let Ok(contents) = tokio::task::spawn_blocking(move || Contents::read(&files)).await else {
                continue;
            };
            match contents {
                Ok(contents) => {
                    unreadable = false;
                    self.look(&contents);
                }
                // Told once: a file that is away for long would fill the log.
                Err(error) if !unreadable => {
                    unreadable = true;
                    self.stays(&error);
                }
                Err(_) => {}
            }
        }
    }

    fn look(&mut self, contents: &Contents) {
        let digest = contents.digest();
        if digest == self.read {
            return;
        }
        self.read = digest;
        match contents.certified(&self.files) {
            Ok(certified) => {
                self.sender.send_replace(Arc::new(certified));
                self.counters.taken.inc();
                tracing::info!(certificate = %self.files.certificate.display(), "a new certificate is in use");
            }
            Err(error) => self.stays(&error),
        }
    }

    fn stays(&self, error: &Error) {
        self.counters.refused.inc();
        tracing::warn!(
            error = error as &dyn std::error::Error,
            "the changed certificate cannot be used: the one from before stays in use"
        );
    }
}
