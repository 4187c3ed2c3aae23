//! One row into one request, or into the first thing that is wrong with it.

use jiff::Timestamp;
use seva_api::pb::intake::v1::{Identity, LogInteractionRequest};
use seva_domain::values::Language;

use super::map::{self, Map, MapError, Rpc};
use super::read::Row;
use super::reject::{Reason, Reject};
use super::source::{Bound, Columns};
use super::time::When;

/// The most characters of a text.
const TEXT_CHARS_MAX: usize = 20_000;
/// The most characters of a customer's name or of a thread.
const NAME_CHARS_MAX: usize = 200;
/// The most characters of an identity.
const IDENTITY_CHARS_MAX: usize = 320;
/// How far ahead of now a row may be.
const AHEAD_SECONDS_MAX: i64 = 300;

/// A map's fields, bound to a file's columns.
#[derive(Debug)]
pub(crate) struct Shape {
    rpc: Option<Bound>,
    text: Bound,
    kind: Bound,
    channel: Bound,
    direction: Bound,
    language: Option<Bound>,
    name: Option<Bound>,
    thread: Option<Bound>,
    /// With the kind's number in the proto.
    identities: Vec<(i32, Bound)>,
    occurred_at: When,
}

/// A row that can be sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ready {
    pub(crate) line: u64,
    pub(crate) occurred_at: Timestamp,
    pub(crate) request: LogInteractionRequest,
}

impl Shape {
    /// Binds the map's fields.
    pub(crate) fn new(map: &Map, columns: &Columns) -> Result<Shape, MapError> {
        let fields = &map.fields;
        let bound = |source: &map::Source, place: &str| Bound::new(source, columns, place);
        let optional = |source: &Option<map::Source>, place: &str| {
            source.as_ref().map(|source| bound(source, place)).transpose()
        };
        let mut identities = Vec::new();
        for identity in &map.identities {
            let kind = map::identity_kind(&identity.kind).map_or(0, Into::into);
            identities.push((kind, bound(&identity.value, "identities.value")?));
        }
        Ok(Shape {
            rpc: optional(&map.rpc, "rpc")?,
            text: bound(&fields.text, "fields.text")?,
            kind: bound(&fields.kind, "fields.kind")?,
            channel: bound(&fields.channel, "fields.channel")?,
            direction: bound(&fields.direction, "fields.direction")?,
            language: optional(&fields.language, "fields.language")?,
            name: optional(&fields.name, "fields.name")?,
            thread: optional(&fields.thread, "fields.thread")?,
            identities,
            occurred_at: When::new(&fields.occurred_at, columns)?,
        })
    }

    /// Whether the row is known to come from the customer.
    pub(crate) fn is_inbound(&self, row: &Row) -> bool {
        self.direction.value(row).is_ok_and(|direction| direction == "inbound")
    }

    /// When the row happened, if it says so.
    pub(crate) fn occurred_at(&self, row: &Row) -> Option<Timestamp> {
        self.occurred_at.of(row)
    }

    /// Makes the row's request, under the key given.
    pub(crate) fn ready(&self, row: &Row, key: String, now: Timestamp) -> Result<Ready, Reject> {
        let rpc = match &self.rpc {
            None => Rpc::LogInteraction,
            Some(rpc) => named(row, rpc, "rpc", Rpc::named)?,
        };
        match rpc {
            Rpc::LogInteraction => self.log_interaction(row, key, now),
        }
    }

    fn log_interaction(&self, row: &Row, key: String, now: Timestamp) -> Result<Ready, Reject> {
        let occurred_at = self.time(row, now)?;
        let mut identities = Vec::new();
        for (kind, value) in &self.identities {
            let value = text(row, value, "identities.value", IDENTITY_CHARS_MAX)?;
            if !value.is_empty() {
                identities.push(Identity { kind: *kind, value });
            }
        }
        let optional = |source: &Option<Bound>, field| {
            source.as_ref().map_or(Ok(String::new()), |source| text(row, source, field, NAME_CHARS_MAX))
        };
        let language = optional(&self.language, "language")?;
        if !language.is_empty() && Language::parse(&language).is_none() {
            return Err(Reject::of_field(row.line, Reason::UnknownValue, "language", "is not a BCP 47 tag"));
        }
        let said = text(row, &self.text, "text", TEXT_CHARS_MAX)?;
        if said.is_empty() {
            return Err(Reject::of_field(row.line, Reason::Empty, "text", "is empty"));
        }
        let request = LogInteractionRequest {
            request_id: key,
            customer_id: String::new(),
            identities,
            name: optional(&self.name, "name")?,
            channel: named(row, &self.channel, "channel", map::channel)?.into(),
            direction: named(row, &self.direction, "direction", map::direction)?.into(),
            language,
            text: said,
            kind: named(row, &self.kind, "kind", map::kind)?.into(),
            thread: optional(&self.thread, "thread")?,
            case_id: String::new(),
            occurred_at: Some(prost_types::Timestamp {
                seconds: occurred_at.as_second(),
                nanos: occurred_at.subsec_nanosecond(),
            }),
        };
        Ok(Ready { line: row.line, occurred_at, request })
    }

    fn time(&self, row: &Row, now: Timestamp) -> Result<Timestamp, Reject> {
        let reject = |reason, message: &str| Err(Reject::of_field(row.line, reason, "occurred_at", message));
        match self.occurred_at.of(row) {
            None => reject(Reason::BadTime, "fits none of the map's forms"),
            Some(at) if at < Timestamp::UNIX_EPOCH => reject(Reason::TimeOutOfRange, "is before 1970"),
            Some(at) if at.as_second().saturating_sub(now.as_second()) > AHEAD_SECONDS_MAX => {
                reject(Reason::TimeOutOfRange, "is more than 5 minutes ahead of now")
            }
            Some(at) => Ok(at),
        }
    }
}

/// A source's text in one row, within a limit.
fn text(row: &Row, source: &Bound, field: &str, chars_max: usize) -> Result<String, Reject> {
    let unlisted = |_| {
        Reject::of_field(row.line, Reason::UnknownValue, field, "holds a value that the map does not list")
    };
    let value = source.value(row).map_err(unlisted)?;
    if value.len() > chars_max && value.chars().count() > chars_max {
        return Err(Reject::of_field(
            row.line,
            Reason::TooLong,
            field,
            format!("is longer than {chars_max} characters"),
        ));
    }
    Ok(value.into_owned())
}

/// A source's value in one row, as one of a closed list of names.
fn named<T>(row: &Row, source: &Bound, field: &str, find: impl Fn(&str) -> Option<T>) -> Result<T, Reject> {
    let value = text(row, source, field, NAME_CHARS_MAX)?;
    if value.is_empty() {
        return Err(Reject::of_field(row.line, Reason::Empty, field, "is empty"));
    }
    find(&value).ok_or_else(|| {
        Reject::of_field(
            row.line,
            Reason::UnknownValue,
            field,
            "holds a value that is not one of the field's names",
        )
    })
}
