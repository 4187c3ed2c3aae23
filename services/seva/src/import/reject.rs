//! Why a row was not taken: its line, a reason to count by, the field and a sentence, never a word of its text.

use serde::Serialize;

/// What was wrong, as the summary counts it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    BadAmount,
    BadTime,
    BlankLine,
    Empty,
    KeyUsedTwice,
    NotJson,
    NotUtf8,
    Ragged,
    RequirementFailed,
    TimeOutOfRange,
    TooLong,
    /// It names a case, a charge or a customer that the import has not brought, or not yet.
    UnknownName,
    UnknownValue,
    /// The service's own reason, in capitals.
    #[serde(untagged)]
    Refused(String),
}

impl Reason {
    /// The reason as it is counted and written.
    pub(crate) fn name(&self) -> &str {
        match self {
            Reason::BadAmount => "bad_amount",
            Reason::BadTime => "bad_time",
            Reason::BlankLine => "blank_line",
            Reason::Empty => "empty",
            Reason::KeyUsedTwice => "key_used_twice",
            Reason::NotJson => "not_json",
            Reason::NotUtf8 => "not_utf8",
            Reason::Ragged => "ragged",
            Reason::RequirementFailed => "requirement_failed",
            Reason::TimeOutOfRange => "time_out_of_range",
            Reason::TooLong => "too_long",
            Reason::UnknownName => "unknown_name",
            Reason::UnknownValue => "unknown_value",
            Reason::Refused(reason) => reason,
        }
    }
}

/// A row that was not taken.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Reject {
    /// Where it begins in the file, counted from 1.
    pub(crate) line: u64,
    pub(crate) reason: Reason,
    /// The field of the interaction or, where none can be named yet, the column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    pub(crate) message: String,
}

impl Reject {
    /// Rejects a line.
    pub(crate) fn new(
        line: u64,
        reason: Reason,
        field: Option<String>,
        message: impl Into<String>,
    ) -> Reject {
        Reject { line, reason, field, message: message.into() }
    }

    /// Rejects a line over one field.
    pub(crate) fn of_field(line: u64, reason: Reason, field: &str, message: impl Into<String>) -> Reject {
        Reject::new(line, reason, Some(field.to_owned()), message)
    }
}

/// Writes rejects as JSON lines, in the order of the file.
pub(crate) fn json_lines(rejects: &[Reject]) -> serde_json::Result<String> {
    let mut text = String::new();
    for reject in rejects {
        text.push_str(&serde_json::to_string(reject)?);
        text.push('\n');
    }
    Ok(text)
}
