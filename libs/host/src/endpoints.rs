//! `endpoints.toml`: where a running Seva listens, written by the demo and read by every other verb.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::files;

/// The file's name inside a data folder.
pub const FILE: &str = "endpoints.toml";

/// The file that keeps two processes from adding their endpoints at once.
const LOCK: &str = "endpoints.lock";

/// The file in the cache folder that remembers the last demo's data folder.
const LAST: &str = "last-demo";

/// Everything a client needs to reach one running Seva.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Endpoints {
    /// The NATS server, as `nats://127.0.0.1:4222`.
    pub nats: String,
    /// The folder of the seeds that the services connect to it with.
    #[serde(default)]
    pub nats_creds: PathBuf,
    /// The NATS server's monitoring page, as `http://127.0.0.1:8222`.
    pub monitor: String,
    /// The file that holds the master key; the key itself is never written here.
    pub master_key_file: PathBuf,
    /// The certificate of the authority that clients trust, as PEM, where the services speak TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Each service's metrics page by its name, as `http://127.0.0.1:9100/metrics`; services of one process share one.
    #[serde(default)]
    pub metrics: BTreeMap<String, String>,
    /// Each service's gRPC address by its name, as `http://127.0.0.1:50051`, or `https://` under TLS.
    #[serde(default)]
    pub services: BTreeMap<String, String>,
}

/// Why endpoints could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data folder holds no endpoints.
    #[error(
        "{path} is missing: nothing is running there; start `seva demo`, or name its data folder with --at DIR"
    )]
    Missing {
        /// The file that was looked for.
        path: PathBuf,
    },
    /// The operating system refused to read.
    #[error("{path} could not be read; check its permissions")]
    Read {
        /// The file that was to be read.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The text is not an endpoints file.
    #[error("{path} is not a valid endpoints file; start `seva demo` again to have it rewritten")]
    Malformed {
        /// The file that was read.
        path: PathBuf,
        /// What is wrong, with its line.
        #[source]
        source: toml::de::Error,
    },
    /// The endpoints cannot be expressed as text, such as a path that is not UTF-8.
    #[error("the endpoints cannot be written to {path}; use a data folder whose name is plain text")]
    Unwritable {
        /// The file that was to be written.
        path: PathBuf,
        /// What could not be expressed.
        #[source]
        source: toml::ser::Error,
    },
    /// The remembered folder's name is not plain text.
    #[error(
        "the folder {path} cannot be remembered: its name is not plain text; name it with --at DIR each time"
    )]
    NotText {
        /// The folder that was to be remembered.
        path: PathBuf,
    },
    /// The service is not among those running.
    #[error("no service named {service} is running; there are: {known}")]
    NoSuchService {
        /// The name asked for.
        service: String,
        /// The names there are.
        known: String,
    },
    /// No demo has run yet, so there is no folder to fall back to.
    #[error("no demo has run yet: start `seva demo`, or name a data folder with --at DIR")]
    NoLastDemo,
    /// A file could not be placed or written.
    #[error(transparent)]
    File(#[from] files::Error),
}

impl Endpoints {
    /// Reads `endpoints.toml` in the data folder `dir`.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Missing { path });
            }
            Err(source) => return Err(Error::Read { path, source }),
        };
        toml::from_str(&text).map_err(|source| Error::Malformed { path, source })
    }

    /// Writes `endpoints.toml` in the data folder `dir`, whole or not at all.
    pub fn write(&self, dir: &Path) -> Result<(), Error> {
        let path = dir.join(FILE);
        let text = match toml::to_string(self) {
            Ok(text) => text,
            Err(source) => return Err(Error::Unwritable { path, source }),
        };
        Ok(files::write_whole(&path, &text)?)
    }

    /// Writes these endpoints into the data folder `dir`, beside those of other services whose processes share the folder.
    pub fn join(mut self, dir: &Path) -> Result<(), Error> {
        let path = dir.join(LOCK);
        let lock = || {
            std::fs::create_dir_all(dir)?;
            let lock = File::options().create(true).write(true).truncate(false).open(&path)?;
            lock.lock()?;
            Ok(lock)
        };
        // Held until the file is written: what a process started at the same time adds is not lost.
        let _lock = lock().map_err(|source| files::Error::Write { path: path.clone(), source })?;
        if let Ok(others) = Endpoints::read(dir) {
            // A process that was given no key file does not make the others' unknown.
            if self.master_key_file.as_os_str().is_empty() {
                self.master_key_file = others.master_key_file;
            }
            self.ca_file = self.ca_file.or(others.ca_file);
            for (service, url) in others.services {
                self.services.entry(service).or_insert(url);
            }
            for (service, url) in others.metrics {
                self.metrics.entry(service).or_insert(url);
            }
        }
        self.write(dir)
    }

    /// Returns the address of `service`, or an error that lists the services there are.
    pub fn service(&self, service: &str) -> Result<&str, Error> {
        self.services.get(service).map(String::as_str).ok_or_else(|| Error::NoSuchService {
            service: service.to_owned(),
            known: self.services.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
        })
    }
}

/// Returns the data folder of the last demo on this machine.
pub fn last() -> Result<PathBuf, Error> {
    last_in(&files::cache()?)
}

/// Remembers `dir` as the data folder of the last demo on this machine.
pub fn remember(dir: &Path) -> Result<(), Error> {
    remember_in(&files::cache()?, dir)
}

fn last_in(cache: &Path) -> Result<PathBuf, Error> {
    let path = cache.join(LAST);
    match std::fs::read_to_string(&path) {
        Ok(text) if text.trim().is_empty() => Err(Error::NoLastDemo),
        Ok(text) => Ok(PathBuf::from(text.trim_end_matches('\n'))),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Err(Error::NoLastDemo),
        Err(source) => Err(Error::Read { path, source }),
    }
}

fn remember_in(cache: &Path, dir: &Path) -> Result<(), Error> {
    let absolute = std::path::absolute(dir).map_err(|source| Error::Read { path: dir.to_owned(), source })?;
    let text = absolute.to_str().ok_or_else(|| Error::NotText { path: dir.to_owned() })?;
    Ok(files::write_whole(&cache.join(LAST), &format!("{text}\n"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running() -> Endpoints {
        Endpoints {
            nats: "nats://127.0.0.1:4222".into(),
            nats_creds: "data/seeds".into(),
            monitor: "http://127.0.0.1:8222".into(),
            master_key_file: "data/master.key".into(),
            ca_file: None,
            metrics: BTreeMap::new(),
            services: BTreeMap::from([
                ("feedback".into(), "http://127.0.0.1:50052".into()),
                ("intake".into(), "http://127.0.0.1:50051".into()),
            ]),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let page = ("intake".to_owned(), "http://127.0.0.1:9100/metrics".to_owned());
        for (metrics, ca_file) in
            [(BTreeMap::new(), None), (BTreeMap::from([page]), Some("data/tls/ca.pem".into()))]
        {
            let endpoints = Endpoints { metrics, ca_file, ..running() };
            endpoints.write(dir.path()).unwrap();
            assert_eq!(Endpoints::read(dir.path()).unwrap(), endpoints);
        }
    }

    #[test]
    fn processes_that_join_at_once_lose_nothing_of_each_other() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for n in 0..16 {
                let dir = dir.path();
                scope.spawn(move || {
                    let own =
                        |kind: &str| BTreeMap::from([(format!("service-{n}"), format!("http://{kind}:{n}"))]);
                    Endpoints { services: own("rpc"), metrics: own("metrics"), ..running() }
                        .join(dir)
                        .unwrap();
                });
            }
        });
        let joined = Endpoints::read(dir.path()).unwrap();
        assert_eq!((joined.services.len(), joined.metrics.len()), (16, 16), "{joined:?}");
        let moved = BTreeMap::from([("service-3".to_owned(), "http://elsewhere:3".to_owned())]);
        let keyless = Endpoints { services: moved, master_key_file: PathBuf::new(), ..running() };
        keyless.join(dir.path()).unwrap();
        let joined = Endpoints::read(dir.path()).unwrap();
        assert_eq!(joined.master_key_file, running().master_key_file);
        assert_eq!((joined.services.len(), joined.service("service-3").unwrap()), (16, "http://elsewhere:3"));
    }

    #[test]
    fn a_missing_or_broken_file_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let missing = Endpoints::read(dir.path()).unwrap_err().to_string();
        assert!(missing.contains("--at DIR"), "{missing}");
        std::fs::write(dir.path().join(FILE), "nats = 4").unwrap();
        let broken = Endpoints::read(dir.path()).unwrap_err().to_string();
        assert!(broken.contains("not a valid endpoints file"), "{broken}");
    }

    #[test]
    fn an_unknown_service_is_answered_with_the_known_ones() {
        assert_eq!(running().service("intake").unwrap(), "http://127.0.0.1:50051");
        let error = running().service("refunds").unwrap_err().to_string();
        assert!(error.ends_with("there are: feedback, intake"), "{error}");
    }

    #[test]
    fn the_last_demo_is_remembered() {
        let cache = tempfile::tempdir().unwrap();
        assert!(matches!(last_in(cache.path()), Err(Error::NoLastDemo)));
        remember_in(cache.path(), Path::new("/data/one")).unwrap();
        remember_in(cache.path(), Path::new("/data/two")).unwrap();
        assert_eq!(last_in(cache.path()).unwrap(), Path::new("/data/two"));
    }
}
