//! The seeds that identities connect with: a file each, which only its owner may read.

use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use async_nats::{ConnectOptions, Event};
use nkeys::KeyPair;
use zeroize::Zeroizing;

use crate::Identity;

/// A folder of seeds: those of all identities where the server's configuration is made, a few of them where services run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seeds {
    folder: PathBuf,
}

/// Why a seed cannot be used or made.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// There is none.
    #[error(
        "there is no seed at {path}: `seva nats-config --out DIR` makes one for everybody; give {name} its own by --nats-creds"
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
        /// Whose it would be.
        name: &'static str,
    },
    /// The operating system refused to read it.
    #[error("the seed at {path} cannot be read: check its owner and its permissions")]
    Unreadable {
        /// The seed's file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// It is something else.
    #[error(
        "{path} holds no seed of a NATS user: take it from a backup, or delete it to have a new one made"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused to write it.
    #[error("the seed {path} cannot be written; check that the folder is writable and the disk not full")]
    Unwritable {
        /// The file that was to be written.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl Seeds {
    /// The seeds that a folder holds; which ones is found out when they are used.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Seeds {
        Seeds { folder: folder.into() }
    }

    /// Makes a seed for everybody who has none in this folder yet. What is there stays as it is.
    pub fn make(folder: impl Into<PathBuf>) -> Result<Seeds, SeedError> {
        let seeds = Seeds::in_folder(folder);
        let wrap = |path: &Path| {
            let path = path.to_owned();
            move |source| SeedError::Unwritable { path, source }
        };
        let folder = &seeds.folder;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(wrap(folder))?;
        for identity in Identity::ALL {
            let path = seeds.path(identity);
            match write_new(&path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(wrap(&path)(error)),
                // One that is there may be in use by a server: it is never written over.
                _ => {}
            }
        }
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(wrap(folder))?;
        Ok(seeds)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether an identity's seed is here.
    pub fn holds(&self, identity: Identity) -> bool {
        self.path(identity).exists()
    }

    /// The file of an identity's seed.
    pub fn path(&self, identity: Identity) -> PathBuf {
        self.folder.join(format!("{}.nk", identity.name()))
    }

    /// What the server knows an identity by.
    pub fn public_key(&self, identity: Identity) -> Result<String, SeedError> {
        Ok(self.pair(identity)?.1.public_key())
    }

    /// The server's accounts for everybody, whose seeds have to be here; `others` as in [`crate::accounts`].
    pub fn accounts(&self, others: &[String]) -> Result<String, SeedError> {
        let keys = Identity::ALL.into_iter().map(|identity| Ok((identity, self.public_key(identity)?)));
        Ok(crate::accounts(&keys.collect::<Result<_, SeedError>>()?, others))
    }

    /// How an identity connects: with its seed, and an inbox that nobody else may listen to.
    pub fn connect_as(&self, identity: Identity) -> Result<ConnectOptions, SeedError> {
        let (seed, _) = self.pair(identity)?;
        Ok(ConnectOptions::with_nkey(seed.to_string())
            .name(format!("seva-{}", identity.name()))
            .custom_inbox_prefix(identity.inbox())
            .event_callback(move |event| async move { tell(identity, &event) }))
    }

    fn pair(&self, identity: Identity) -> Result<(Zeroizing<String>, KeyPair), SeedError> {
        let path = self.path(identity);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                return Err(SeedError::Missing { path, name: identity.name() });
            }
            Err(source) => return Err(SeedError::Unreadable { path, source }),
        };
        let seed = Zeroizing::new(text.trim().to_owned());
        match KeyPair::from_seed(&seed) {
            Ok(pair) if pair.public_key().starts_with('U') => Ok((seed, pair)),
            Ok(_) | Err(_) => Err(SeedError::Malformed { path }),
        }
    }
}

/// Says what the server refuses: a call that waits for an answer would only be seen to time out.
fn tell(identity: Identity, event: &Event) {
    if let Event::ServerError(error) = event {
        tracing::error!(identity = identity.name(), %error, "The NATS server refuses something");
    }
}

fn write_new(path: &Path) -> io::Result<()> {
    let seed = KeyPair::new_user().seed().map_err(io::Error::other).map(Zeroizing::new)?;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    // Without a line end, which some clients would take for a part of it.
    file.write_all(seed.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn everybody_gets_a_seed_that_only_the_owner_may_read_and_that_stays() {
        let folder = tempfile::tempdir().unwrap();
        let seeds = Seeds::make(folder.path().join("seeds")).unwrap();
        let keys: Vec<_> =
            Identity::ALL.iter().map(|identity| seeds.public_key(*identity).unwrap()).collect();
        for identity in Identity::ALL {
            let mode = std::fs::metadata(seeds.path(identity)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{identity:?}");
        }
        std::fs::remove_file(seeds.path(Identity::Analyst)).unwrap();
        assert!(!seeds.holds(Identity::Analyst));
        let again = Seeds::make(seeds.folder()).unwrap();
        for (identity, before) in Identity::ALL.into_iter().zip(keys) {
            let is_same = again.public_key(identity).unwrap() == before;
            assert_eq!(is_same, identity != Identity::Analyst, "{identity:?}");
        }
        assert_eq!(again.accounts(&[]).unwrap().matches("nkey: U").count(), Identity::ALL.len());
    }

    #[test]
    fn what_is_no_seed_is_told_apart_from_what_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let seeds = Seeds::in_folder(folder.path());
        let missing = seeds.public_key(Identity::History).unwrap_err();
        assert!(matches!(&missing, SeedError::Missing { name: "history", .. }), "{missing}");
        let of_account = KeyPair::new_account().seed().unwrap();
        for text in ["", "SU", of_account.as_str()] {
            std::fs::write(seeds.path(Identity::History), text).unwrap();
            let error = seeds.connect_as(Identity::History).unwrap_err();
            assert!(
                matches!(error, SeedError::Malformed { .. }) && !error.to_string().contains("SA"),
                "{error}"
            );
        }
    }
}
