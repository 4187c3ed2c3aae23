//! Whether what a caller writes is history: what the request's metadata says of an import.

use seva_domain::values::At;
use tonic::metadata::MetadataMap;

use crate::parse::checked_at;
use crate::status::{Error, Violation};

/// The metadata key that names the import which a write is part of: the key that the import was opened with.
pub const IMPORT_KEY: &str = "seva-import";

/// The metadata key that says when a write of an import happened, as RFC 3339, where the request itself has no field for it.
pub const OCCURRED_AT_KEY: &str = "seva-occurred-at";

/// History that a write brings in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Brought {
    /// The import's key.
    pub import: String,
    /// When it happened, unless the request itself says.
    pub occurred_at: Option<At>,
}

/// What the metadata says of an import; `None`: the write is no part of one.
pub fn brought(metadata: &MetadataMap, now: At) -> Result<Option<Brought>, Error> {
    let at = single(metadata, OCCURRED_AT_KEY)?;
    let Some(key) = single(metadata, IMPORT_KEY)? else {
        return match at {
            None => Ok(None),
            Some(_) => Err(malformed(OCCURRED_AT_KEY, "is for writes that are part of an import")),
        };
    };
    if !is_import_key(key) {
        return Err(malformed(IMPORT_KEY, "should be 1 to 128 characters of a-z, 0-9, `-`, `_`, `.`"));
    }
    let occurred_at =
        at.map(|at| instant(at, now)).transpose().map_err(|why| malformed(OCCURRED_AT_KEY, why))?;
    Ok(Some(Brought { import: key.to_owned(), occurred_at }))
}

/// Whether an import can be called so.
pub fn is_import_key(key: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
    (1..=128).contains(&key.len()) && key.bytes().all(plain)
}

fn instant(text: &str, now: At) -> Result<At, &'static str> {
    let at: prost_types::Timestamp = text.parse().map_err(|_| "is no time such as 2010-01-13T08:40:25Z")?;
    checked_at(&at, now)
}

fn single<'a>(metadata: &'a MetadataMap, key: &'static str) -> Result<Option<&'a str>, Error> {
    let mut values = metadata.get_all(key).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(malformed(key, "is given more than once"));
    }
    value.to_str().map(Some).map_err(|_| malformed(key, "is not ASCII"))
}

fn malformed(key: &str, why: &str) -> Error {
    Error::Malformed(vec![Violation::new(format!("metadata.{key}"), why)])
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: At = At(1_600_000_000_000_000);

    fn history(values: &[(&'static str, &'static str)]) -> Result<Option<Brought>, Error> {
        let mut metadata = MetadataMap::new();
        for (key, value) in values {
            metadata.append(*key, value.parse().unwrap());
        }
        brought(&metadata, NOW)
    }

    #[test]
    fn a_write_is_part_of_an_import_if_the_metadata_says_of_which() {
        assert_eq!(history(&[]).unwrap(), None);
        let import = || "tickets-2010".to_owned();
        let named = history(&[(IMPORT_KEY, "tickets-2010")]).unwrap();
        assert_eq!(named, Some(Brought { import: import(), occurred_at: None }));
        let dated =
            history(&[(IMPORT_KEY, "tickets-2010"), (OCCURRED_AT_KEY, "2010-01-13T08:40:25Z")]).unwrap();
        let occurred_at = Some(At(1_263_372_025_000_000));
        assert_eq!(dated, Some(Brought { import: import(), occurred_at }));
    }

    #[test]
    fn history_that_is_not_told_rightly_is_refused() {
        for (values, field) in [
            (&[(IMPORT_KEY, "Tickets")][..], "metadata.seva-import"),
            (&[(IMPORT_KEY, "a"), (IMPORT_KEY, "b")], "metadata.seva-import"),
            (&[(OCCURRED_AT_KEY, "2010-01-13T08:40:25Z")], "metadata.seva-occurred-at"),
            (&[(IMPORT_KEY, "a"), (OCCURRED_AT_KEY, "in May")], "metadata.seva-occurred-at"),
            (&[(IMPORT_KEY, "a"), (OCCURRED_AT_KEY, "1969-12-31T00:00:00Z")], "metadata.seva-occurred-at"),
            (&[(IMPORT_KEY, "a"), (OCCURRED_AT_KEY, "2030-01-01T00:00:00Z")], "metadata.seva-occurred-at"),
        ] {
            let Err(Error::Malformed(violations)) = history(values) else { panic!("{values:?}") };
            assert_eq!(violations[0].field, field);
        }
    }
}
