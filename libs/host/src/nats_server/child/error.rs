//! Why a nats-server did not start, in words for whoever started it.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use super::{FIRST_PORT, LAST_PORT};
use crate::files;
use crate::nats_server::find;

/// Why a nats-server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no program to start.
    #[error(transparent)]
    NotFound(#[from] find::NotFound),
    /// Its configuration could not be written.
    #[error(transparent)]
    File(#[from] files::Error),
    /// Another process runs a server on the same folder.
    #[error("{folder} is in use by another Seva process; stop that one, or choose another data folder")]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder's name cannot be put into a configuration file.
    #[error("{path} cannot be used by nats-server: its name is not plain text; choose another folder")]
    Path {
        /// The path at fault.
        path: PathBuf,
    },
    /// The operating system refused something.
    #[error("nats-server could not be started: {path} was refused; check permissions and free space")]
    System {
        /// What was refused.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// No free port was found.
    #[error("no free port was found for nats-server between {FIRST_PORT} and {LAST_PORT}; name one")]
    NoPort,
    /// It ended instead of becoming ready.
    #[error("nats-server ended at once ({status}); its log {log} says: {said}")]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// Its log file.
        log: PathBuf,
        /// The log's last line.
        said: String,
    },
    /// It runs but did not become ready.
    #[error("nats-server was not ready within {} s; see its log {log}", within.as_secs())]
    NotReady {
        /// How long was waited.
        within: Duration,
        /// Its log file.
        log: PathBuf,
    },
}
