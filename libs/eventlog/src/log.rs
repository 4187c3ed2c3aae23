//! What a log can do, and the two there are.

use std::pin::Pin;

use bytes::Bytes;
use futures::Stream;
use seva_domain::service::Service;
use seva_domain::values::At;

use crate::jetstream::JetStreamLog;
use crate::memory::MemoryLog;

/// A message of the log as stored.
#[derive(Clone, Debug)]
pub struct Stored {
    pub sequence: u64,
    pub service: Service,
    /// When the log stored it, by the log's own clock.
    pub stamp: At,
    pub bytes: Bytes,
}

/// How an append failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AppendError {
    /// Something else stands after the guard, or is being written there: nothing was stored.
    #[error("the guard does not hold")]
    Conflict,
    /// Nobody can tell yet whether it was stored.
    #[error("the log did not answer: {0}")]
    Unknown(String),
}

/// The log cannot be reached, or does not hold what it must.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LogError {
    #[error("the log cannot be reached: {0}")]
    Unavailable(String),
    #[error("the log is damaged: {0}")]
    Corrupt(String),
}

/// Messages of the log in order, without end.
pub type Following = Pin<Box<dyn Stream<Item = Result<Stored, LogError>> + Send>>;

/// The log.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a process has one log and a few handles of it")]
pub enum Log {
    JetStream(JetStreamLog),
    Memory(MemoryLog),
}

impl Log {
    /// Appends a commit to a service's shard if `guard` is still the sequence of the shard's last one (0: there is none). Answers its sequence.
    pub async fn append(&self, service: Service, guard: u64, bytes: Bytes) -> Result<u64, AppendError> {
        match self {
            Log::JetStream(log) => log.append(service, guard, bytes).await,
            Log::Memory(log) => log.append(service, guard, bytes).await,
        }
    }

    /// Whether nothing stands after this sequence in a service's shard, asked of whoever decides about it.
    pub async fn is_end(&self, service: Service, sequence: u64) -> Result<bool, LogError> {
        match self {
            Log::JetStream(log) => log.is_end(service, sequence).await,
            Log::Memory(log) => log.is_end(service, sequence),
        }
    }

    /// The message at a sequence.
    pub async fn read(&self, sequence: u64) -> Result<Option<Stored>, LogError> {
        match self {
            Log::JetStream(log) => log.read(sequence).await,
            Log::Memory(log) => log.read(sequence),
        }
    }

    /// The sequence of the last message; 0 if there is none.
    pub async fn end(&self) -> Result<u64, LogError> {
        match self {
            Log::JetStream(log) => log.end().await,
            Log::Memory(log) => log.end(),
        }
    }

    /// Follows the log from a sequence on, for ever.
    pub async fn follow(&self, from: u64) -> Result<Following, LogError> {
        match self {
            Log::JetStream(log) => log.follow(from).await,
            Log::Memory(log) => Ok(log.follow(from)),
        }
    }

    /// Whether the log can be reached, as far as this process knows.
    pub fn is_connected(&self) -> bool {
        match self {
            Log::JetStream(log) => log.is_connected(),
            Log::Memory(_) => true,
        }
    }

    /// Names this log among all that ever were: positions belong to it.
    pub fn incarnation(&self) -> &str {
        match self {
            Log::JetStream(log) => log.incarnation(),
            Log::Memory(log) => log.incarnation(),
        }
    }
}
