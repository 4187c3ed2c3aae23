//! How a shard's rows look as bytes: keys that order like the rows, and their values.

use std::sync::Arc;

use seva_domain::customer::IdentityKind;
use seva_domain::noun::Noun;
use seva_domain::record::Request;
use seva_domain::rows::{Due, Held, Key, Lookup, Seen, Value};
use seva_domain::values::{At, ImportId, KeyId, RequestId, Token};

use crate::store::StoreError;

/// Begins the rows of due times.
pub const DUE: &[u8] = b"d";

/// Begins the rows of what is due by an import's clock.
const KEPT: &[u8] = b"k";

/// Begins the rows of nouns.
pub const NOUN: &[u8] = b"n";

/// The row that says how far the others are.
pub const CHECKPOINT: &[u8] = b"c";

/// The key of a row as bytes.
pub fn key(key: &Key) -> Vec<u8> {
    match key {
        Key::Due(due) => {
            let mut bytes = self::clock(due.clock);
            // The sign bit is turned, so that bytes order like instants.
            bytes.extend((due.at.0 ^ i64::MIN).to_be_bytes());
            bytes.extend(due.noun.key());
            bytes.extend(due.name.as_bytes());
            bytes
        }
        Key::Lookup(lookup, noun) => {
            let mut bytes = self::lookup(lookup);
            bytes.extend(noun.key());
            bytes
        }
        Key::Noun(noun) => [NOUN, &noun.key()].concat(),
        Key::Request(request) => [b"r", request.bytes().as_slice()].concat(),
    }
}

/// What the keys of one clock's due times begin with.
pub fn clock(clock: Option<ImportId>) -> Vec<u8> {
    match clock {
        None => DUE.to_vec(),
        Some(import) => [KEPT, import.bytes().as_slice()].concat(),
    }
}

/// What the keys of a look-up's rows begin with.
pub fn lookup(lookup: &Lookup) -> Vec<u8> {
    match lookup {
        Lookup::BeingForgotten => b"lf".to_vec(),
        Lookup::ClosedImports => b"lc".to_vec(),
        Lookup::Identity(kind, token) => {
            let kind = match kind {
                IdentityKind::Account => b'a',
                IdentityKind::Email => b'e',
                IdentityKind::Handle => b'h',
                IdentityKind::Phone => b'p',
            };
            [b"li", [kind].as_slice(), token.bytes()].concat()
        }
        Lookup::Joinable(customer) => [b"lj", customer.bytes().as_slice()].concat(),
        Lookup::Thread(thread) => [b"lt", thread.bytes().as_slice()].concat(),
    }
}

/// The noun that a look-up's row names.
pub fn looked_up(key: &[u8]) -> Result<Noun, StoreError> {
    let at = key.len().saturating_sub(17);
    Noun::from_key(&key[at..]).ok_or_else(|| damaged("a look-up"))
}

/// The due time that a row stands for.
pub fn due(key: &[u8]) -> Result<Due, StoreError> {
    let read = || {
        let (clock, rest) = match key.strip_prefix(KEPT) {
            Some(rest) => (Some(ImportId::from_bytes(rest.get(..16)?.try_into().ok()?)), rest.get(16..)?),
            None => (None, key.strip_prefix(DUE)?),
        };
        let at = i64::from_be_bytes(rest.get(..8)?.try_into().ok()?) ^ i64::MIN;
        let noun = Noun::from_key(rest.get(8..25)?)?;
        let name = String::from_utf8(rest.get(25..)?.to_vec()).ok()?;
        Some(Due { clock, at: At(at), noun, name })
    };
    read().ok_or_else(|| damaged("a due time"))
}

/// The value of a row as bytes.
pub fn value(value: &Value) -> Result<Vec<u8>, StoreError> {
    match value {
        Value::Noun(held) => serde_json::to_vec(held).map_err(|error| StoreError(error.to_string())),
        Value::Request(Seen { request, sequence, index }) => {
            let mut bytes = Vec::with_capacity(58);
            bytes.extend(request.id.bytes());
            bytes.extend(request.key.bytes());
            bytes.extend(request.digest.bytes());
            bytes.extend(sequence.to_be_bytes());
            bytes.extend(index.to_be_bytes());
            Ok(bytes)
        }
        Value::Present => Ok(Vec::new()),
    }
}

/// Reads the row of a noun.
pub fn held(value: &[u8]) -> Result<Arc<Held>, StoreError> {
    serde_json::from_slice(value).map(Arc::new).map_err(|_| damaged("a noun"))
}

/// Reads the row of a request.
pub fn seen(value: &[u8]) -> Result<Seen, StoreError> {
    let read = || {
        let part = |from: usize| -> Option<[u8; 16]> { value.get(from..from + 16)?.try_into().ok() };
        let request = Request {
            id: RequestId::from_bytes(part(0)?),
            key: KeyId::from_bytes(part(16)?),
            digest: Token::from_bytes(part(32)?),
        };
        let sequence = u64::from_be_bytes(value.get(48..56)?.try_into().ok()?);
        let index = u16::from_be_bytes(value.get(56..58)?.try_into().ok()?);
        Some(Seen { request, sequence, index })
    };
    read().ok_or_else(|| damaged("a request"))
}

fn damaged(what: &str) -> StoreError {
    StoreError(format!("the row of {what} cannot be read: the database is damaged, or of another build"))
}
