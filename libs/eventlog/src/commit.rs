//! Commits: the messages of the log. Each holds every record that was decided while the one before it was on its way.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use seva_domain::noun::Unreadable;
use seva_domain::record::{Record, Unread};
use seva_domain::values::At;
use sha2::{Digest as _, Sha256};

/// How many records a commit may hold.
pub const RECORDS_MAX: usize = 256;

/// How large a commit's records may be together, in bytes as written.
pub const BYTES_MAX: usize = 512 * 1024;

/// Where a record stands: the sequence of its commit and its index there.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Position(u64);

impl Position {
    /// The place of a record.
    pub fn of(sequence: u64, index: u16) -> Position {
        Position(sequence << 12 | u64::from(index))
    }

    /// The last place a commit could have.
    pub fn end_of(sequence: u64) -> Position {
        Position::of(sequence, 0xfff)
    }

    /// The sequence of the commit.
    pub fn sequence(self) -> u64 {
        self.0 >> 12
    }

    /// The index in the commit.
    pub fn index(self) -> u16 {
        (self.0 & 0xfff) as u16
    }

    /// Eight bytes that order like the position.
    pub fn key(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// The position that [`Position::key`] gave these bytes for.
    pub fn from_key(key: [u8; 8]) -> Position {
        Position(u64::from_be_bytes(key))
    }

    /// The token that callers hold: it names the log that the position belongs to.
    pub fn token(self, incarnation: &str) -> String {
        format!("{incarnation}-{:x}", self.0)
    }

    /// Reads a token of the log of this incarnation.
    pub fn from_token(token: &str, incarnation: &str) -> Result<Position, BadToken> {
        let (of, position) = token.rsplit_once('-').ok_or(BadToken::Malformed)?;
        let position = u64::from_str_radix(position, 16).map_err(|_| BadToken::Malformed)?;
        if of == incarnation { Ok(Position(position)) } else { Err(BadToken::OfAnotherLog) }
    }
}

/// Why a position token says nothing here.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadToken {
    #[error("is not a position: pass one as a write answered it")]
    Malformed,
    #[error("belongs to another log than this one: it was answered before the log was made anew")]
    OfAnotherLog,
}

/// The SHA-256 of a commit as written.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    /// What stands for the commit before the first.
    pub const NONE: Digest = Digest([0; 32]);
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Digest, BadDigest> {
        let mut digest = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(BadDigest);
        }
        for (n, byte) in digest.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * n..2 * n + 2], 16).map_err(|_| BadDigest)?;
        }
        Ok(Digest(digest))
    }
}

/// Says that a text is no digest.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("is not a digest of 64 hexadecimal digits")]
pub struct BadDigest;

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Every record that one writer decided in one go.
#[derive(Clone, Debug, Serialize)]
pub struct Commit {
    /// When it was decided; never before the shard's previous commit.
    pub at: At,
    /// The build that decided it.
    pub build: String,
    /// The digest of the shard's previous commit.
    pub prev: Digest,
    /// Sequence of the log up to which the other services' records were taken in before.
    pub reacted_to: u64,
    pub records: Vec<Arc<Record>>,
}

impl Commit {
    /// The commit as it stands in the log.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }
}

/// A commit as a reader has it: records of nouns it does not fold are passed over.
#[derive(Clone, Debug)]
pub struct ReadCommit {
    pub at: At,
    pub build: String,
    pub prev: Digest,
    pub reacted_to: u64,
    /// By index; `None` is a record passed over.
    pub records: Vec<Option<Arc<Record>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnreadCommit<'a> {
    at: At,
    build: String,
    prev: Digest,
    reacted_to: u64,
    #[serde(borrow)]
    records: Vec<Unread<'a>>,
}

/// Why a message of the log cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UnreadableCommit {
    #[error("it is not a commit (line {line}, column {column})")]
    Malformed { line: usize, column: usize },
    #[error("record {index}: {source}")]
    Record { index: usize, source: Unreadable },
}

impl ReadCommit {
    /// Reads a commit, understanding the records of the nouns wanted.
    pub fn decode(bytes: &[u8], wants: impl Fn(&str) -> bool) -> Result<ReadCommit, UnreadableCommit> {
        let unread: UnreadCommit<'_> = serde_json::from_slice(bytes)
            .map_err(|error| UnreadableCommit::Malformed { line: error.line(), column: error.column() })?;
        let read = |(index, record): (usize, Unread<'_>)| {
            if !wants(record.noun()) {
                return Ok(None);
            }
            let record = record.read().map_err(|source| UnreadableCommit::Record { index, source })?;
            Ok(Some(Arc::new(record)))
        };
        let records = unread.records.into_iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(ReadCommit {
            at: unread.at,
            build: unread.build,
            prev: unread.prev,
            reacted_to: unread.reacted_to,
            records,
        })
    }

    /// The records understood, each with its index.
    pub fn records(&self) -> impl Iterator<Item = (u16, &Arc<Record>)> {
        (0..).zip(&self.records).filter_map(|(index, record)| record.as_ref().map(|record| (index, record)))
    }
}

impl ReadCommit {
    /// A commit made here, as a reader of the nouns wanted would have read it from the log.
    pub fn of(commit: &Commit, wants: impl Fn(&str) -> bool) -> ReadCommit {
        let Commit { at, build, prev, reacted_to, records } = commit;
        let wanted = |record: &Arc<Record>| wants(record.noun.name()).then(|| Arc::clone(record));
        ReadCommit {
            at: *at,
            build: build.clone(),
            prev: *prev,
            reacted_to: *reacted_to,
            records: records.iter().map(wanted).collect(),
        }
    }
}
