//! Reads the fields of a request, and gathers everything that is wrong with them before it refuses.

use std::ops::RangeInclusive;
use std::str::FromStr;

use prost_types::Timestamp;
use seva_domain::values::{At, Currency, Minor, NotAnId, Reference};

use crate::status::{Error, Violation};

/// The longest request id, in characters.
pub const REQUEST_ID_CHARS_MAX: usize = 128;

/// How far ahead of this process's clock something may have happened.
pub const AHEAD_MAX_MICROS: i64 = 5 * 60 * 1_000_000;

/// The beginning of the year 3000, in microseconds.
const AT_MAX: i64 = 32_503_680_000_000_000;

/// Gathers what is wrong. Every reader answers `None` for a field that cannot be used, and remembers why.
///
/// ```
/// # use seva_api::parse::Fields;
/// # use seva_domain::values::CaseId;
/// let mut fields = Fields::default();
/// let case = fields.id::<CaseId>("case_id", "cas_7");
/// let reason = fields.text("reason", "", 1..=2_000);
/// let refused = fields.finish(|| Some((case?, reason?))).unwrap_err();
/// assert!(refused.to_string().starts_with("case_id is not an id"));
/// ```
#[derive(Debug, Default)]
#[must_use = "what is wrong with the fields is only told by `finish`"]
pub struct Fields {
    violations: Vec<Violation>,
}

impl Fields {
    /// Remembers that a field cannot be used. The description is read after the field's name, and never holds the value.
    pub fn refuse(&mut self, field: &str, description: impl Into<String>) {
        self.violations.push(Violation::new(field, description));
    }

    /// Takes the outcome of a reading, or remembers why there is none.
    pub fn take<T>(&mut self, field: &str, read: Result<T, impl ToString>) -> Option<T> {
        read.map_err(|wrong| self.refuse(field, wrong.to_string())).ok()
    }

    /// A text of so many characters.
    pub fn text(&mut self, field: &str, value: &str, chars: RangeInclusive<usize>) -> Option<String> {
        let (min, max) = (*chars.start(), *chars.end());
        // A text has at least a quarter as many characters as bytes, so most lengths are told without counting.
        let count = if value.len() / 4 > max { value.len() / 4 } else { value.chars().count() };
        if chars.contains(&count) {
            return Some(value.to_owned());
        }
        self.refuse(
            field,
            match (value.is_empty(), min) {
                (true, 1..) => "is missing".to_owned(),
                (_, 0) => format!("is longer than {max} characters"),
                _ => format!("should have {min} to {max} characters"),
            },
        );
        None
    }

    /// The caller's own id of the request.
    pub fn request_id(&mut self, field: &str, value: &str) -> Option<String> {
        self.text(field, value, 1..=REQUEST_ID_CHARS_MAX)
    }

    /// An id that must be given.
    pub fn id<T: FromStr<Err = NotAnId>>(&mut self, field: &str, value: &str) -> Option<T> {
        if value.is_empty() {
            self.refuse(field, "is missing");
            return None;
        }
        self.take(field, value.parse())
    }

    /// An id that may be left empty.
    pub fn id_if_given<T: FromStr<Err = NotAnId>>(&mut self, field: &str, value: &str) -> Option<Option<T>> {
        if value.is_empty() { Some(None) } else { self.id(field, value).map(Some) }
    }

    /// A value of an enumeration that must be given.
    pub fn known<E: TryFrom<i32>>(&mut self, field: &str, value: i32) -> Option<E> {
        if value == 0 {
            self.refuse(field, "is missing");
            return None;
        }
        let known = E::try_from(value).ok();
        if known.is_none() {
            self.refuse(field, format!("has no value {value}"));
        }
        known
    }

    /// A value of an enumeration that may be left unspecified.
    pub fn known_if_given<E: TryFrom<i32>>(&mut self, field: &str, value: i32) -> Option<Option<E>> {
        if value == 0 { Some(None) } else { self.known(field, value).map(Some) }
    }

    /// An instant from 1970 on, at most five minutes ahead, to the microsecond.
    pub fn at(&mut self, field: &str, value: &Timestamp, now: At) -> Option<At> {
        self.take(field, checked_at(value, now))
    }

    /// An instant that is yet to come, of this millennium.
    pub fn ahead(&mut self, field: &str, value: Option<&Timestamp>) -> Option<At> {
        let Some(value) = value else {
            self.refuse(field, "is missing");
            return None;
        };
        let read = micros(value).and_then(|at| match at {
            ..0 => Err("is before 1970"),
            AT_MAX.. => Err("is after the year 2999"),
            at => Ok(At(at)),
        });
        self.take(field, read)
    }

    /// What another system calls something.
    pub fn reference(&mut self, field: &str, value: &str) -> Option<Reference> {
        if value.is_empty() {
            self.refuse(field, "is missing");
            return None;
        }
        let wrong = "should be 1 to 64 letters, digits and `- _ . : /`";
        self.take(field, Reference::parse(value).ok_or(wrong))
    }

    /// What another system calls something, if it is given.
    pub fn reference_if_given(&mut self, field: &str, value: &str) -> Option<Option<Reference>> {
        if value.is_empty() { Some(None) } else { self.reference(field, value).map(Some) }
    }

    /// A currency of ISO 4217.
    pub fn currency(&mut self, field: &str, value: &str) -> Option<Currency> {
        let wrong = "is not a currency: three capital letters of ISO 4217";
        self.take(field, Currency::parse(value).ok_or(wrong))
    }

    /// An amount in minor units, more than nothing.
    pub fn minor(&mut self, field: &str, value: u64) -> Option<Minor> {
        let amount = Minor::new(value).filter(|amount| *amount > Minor::ZERO);
        self.take(field, amount.ok_or("should be 1 to 1000000000000 minor units"))
    }

    /// The instant, or now if none is given.
    pub fn at_or_now(&mut self, field: &str, value: Option<&Timestamp>, now: At) -> Option<At> {
        value.map_or(Some(now), |value| self.at(field, value, now))
    }

    /// Builds the value if nothing was wrong; else everything that was, in the order read.
    pub fn finish<T>(self, build: impl FnOnce() -> Option<T>) -> Result<T, Error> {
        if !self.violations.is_empty() {
            return Err(Error::Malformed(self.violations));
        }
        build().ok_or_else(|| Error::Internal("a field was refused without a reason".into()))
    }
}

/// The instant at which something happened: not before 1970, at most a little ahead of now.
pub(crate) fn checked_at(value: &Timestamp, now: At) -> Result<At, &'static str> {
    match micros(value)? {
        ..0 => Err("is before 1970"),
        at if at > now.0.saturating_add(AHEAD_MAX_MICROS) => Err("is more than 5 minutes ahead"),
        at => Ok(At(at)),
    }
}

/// The microseconds since 1970 that a timestamp names.
fn micros(value: &Timestamp) -> Result<i64, &'static str> {
    if !(0..1_000_000_000).contains(&value.nanos) {
        return Err("is not a time: nanos should be 0 to 999999999");
    }
    let micros = value
        .seconds
        .checked_mul(1_000_000)
        .and_then(|micros| micros.checked_add(i64::from(value.nanos) / 1_000));
    micros.ok_or("is not a time that can be kept")
}

/// How long ago something was, in whole seconds; nothing for what is yet to come.
pub fn seconds_since(at: Option<&Timestamp>, now: At) -> u64 {
    let at = at.map_or(now.0, |at| micros(at).unwrap_or(now.0));
    u64::try_from((now.0 - at) / 1_000_000).unwrap_or(0)
}

/// The timestamp that names an instant.
pub fn timestamp(at: At) -> Timestamp {
    let nanos = i32::try_from(at.0.rem_euclid(1_000_000) * 1_000).unwrap_or(0);
    Timestamp { seconds: at.0.div_euclid(1_000_000), nanos }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::common::v1::Channel;
    use seva_domain::values::CaseId;

    const NOW: At = At(1_700_000_000_000_000);

    /// What a reading is refused with; empty if it is not.
    fn refused<T>(read: impl FnOnce(&mut Fields) -> Option<T>) -> String {
        let mut fields = Fields::default();
        let value = read(&mut fields);
        assert_eq!(value.is_some(), fields.violations.is_empty());
        fields.finish(|| value).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let mut fields = Fields::default();
        let case = fields.id::<CaseId>("case_id", "");
        let channel = fields.known::<Channel>("channel", 99);
        let Err(Error::Malformed(violations)) = fields.finish(|| Some((case?, channel?))) else { panic!() };
        assert_eq!(
            violations,
            [Violation::new("case_id", "is missing"), Violation::new("channel", "has no value 99")]
        );
    }

    #[test]
    fn texts_are_counted_in_characters() {
        assert_eq!(refused(|f| f.text("t", "नमस्ते", 1..=6)), "");
        assert_eq!(refused(|f| f.text("t", "நன்றிநன்றி", 1..=6)), "t should have 1 to 6 characters");
        assert_eq!(refused(|f| f.text("t", &"𝄞".repeat(1_000), 1..=6)), "t should have 1 to 6 characters");
        assert_eq!(refused(|f| f.text("t", "", 1..=6)), "t is missing");
        assert_eq!(refused(|f| f.text("t", "", 0..=6)), "");
        assert_eq!(refused(|f| f.text("t", "1234567", 0..=6)), "t is longer than 6 characters");
        assert_eq!(
            refused(|f| f.request_id("request_id", &"x".repeat(129))),
            "request_id should have 1 to 128 characters"
        );
    }

    #[test]
    fn ids_and_values_may_be_optional() {
        let id = CaseId::from_bytes([1; 16]).to_string();
        assert_eq!(refused(|f| f.id::<CaseId>("c", &id)), "");
        assert_eq!(refused(|f| f.id_if_given::<CaseId>("c", "")), "");
        assert!(refused(|f| f.id_if_given::<CaseId>("c", "cus_1")).starts_with("c is not an id"));
        assert_eq!(refused(|f| f.known::<Channel>("c", 0)), "c is missing");
        assert_eq!(refused(|f| f.known_if_given::<Channel>("c", 0)), "");
        assert_eq!(refused(|f| f.known_if_given::<Channel>("c", -1)), "c has no value -1");
    }

    #[test]
    fn times_are_from_1970_to_a_little_ahead() {
        let at = |seconds, nanos| refused(|f| f.at("at", &Timestamp { seconds, nanos }, NOW));
        assert_eq!(at(0, 0), "");
        assert_eq!(at(-1, 0), "at is before 1970");
        assert_eq!(at(1_700_000_300, 0), "");
        assert_eq!(at(1_700_000_301, 0), "at is more than 5 minutes ahead");
        assert_eq!(at(0, -1), "at is not a time: nanos should be 0 to 999999999");
        assert_eq!(at(i64::MAX, 0), "at is not a time that can be kept");
        assert_eq!(Fields::default().at_or_now("at", None, NOW), Some(NOW));
        assert_eq!(timestamp(At(1_500_001)), Timestamp { seconds: 1, nanos: 500_001_000 });
    }
}
