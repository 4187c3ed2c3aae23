//! Keys of persons, and texts sealed under them: what forgetting a person destroys.
//!
//! A text about a person is sealed under one of the person's keys before anything else sees it. The keys stand in a stream
//! of their own, wrapped by a master key that never enters NATS and is rotated in epochs: once every key is wrapped in a new one, a backup of
//! what the old one wrapped is dead. A key that is gone turns everything sealed under it into
//! the value [`Opened::Erased`]; a store that does not answer is an error instead, never mistaken for it.

use seva_domain::values::KeyId;

mod cache;
mod crypto;
mod master;
mod memory;
mod nats;
mod pool;
mod ring;
mod rotation;
mod vault;

pub use master::{MasterKey, MasterKeyError};
pub use ring::Purpose;
pub use rotation::{Rotated, rotate};
pub use vault::{Opened, SealedBytes, Vault};

/// What keeps the vault from doing what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store gave no answer; nothing is known about the key.
    #[error("the key store does not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),

    /// The store's keys were wrapped by another master key.
    #[error("this is not the master key that the keys in stream {stream} are wrapped with", stream = nats::STREAM)]
    WrongMasterKey,

    /// The store's keys are wrapped in an epoch of the master key that this process does not have.
    #[error(
        "keys are wrapped in epoch {epoch} of the master key, which is not in this process's keyring: give it the file that `seva keys rotate` wrote last"
    )]
    UnknownEpoch {
        /// Which epoch.
        epoch: u32,
    },

    /// The master key's file cannot be read again.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),

    /// The stream is there but was set up for something else.
    #[error("stream {stream} cannot keep keys: {0}", stream = nats::STREAM)]
    Misconfigured(&'static str),

    /// Nobody has made the stream yet.
    #[error("there is no stream {stream} yet: `seva nats-setup` makes it", stream = nats::STREAM)]
    NoStream,

    /// This process was not given the right to destroy keys.
    #[error(
        "this process may not erase keys: it has no connection as the keeper; start it with the keeper's seed"
    )]
    NoKeeper,

    /// Nothing can be sealed under this key any more, or ever could.
    #[error("{0} is gone: it was erased, or never made")]
    Gone(KeyId),

    /// The store's record of the key was altered.
    #[error("what the store keeps of {0} is damaged")]
    DamagedKey(KeyId),

    /// The text, its key's name or its context was altered.
    #[error("the text at {context} does not authenticate under {key}")]
    DamagedText {
        /// The key that the text names.
        key: KeyId,
        /// The request and field that the text names.
        context: String,
    },
}

/// Boxes what a NATS call failed with.
fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Unavailable(source.into())
}
