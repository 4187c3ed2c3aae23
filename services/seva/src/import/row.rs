//! One row into one request, or into the first thing that is wrong with it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use seva_api::pb::common::v1::Money;
use seva_api::pb::intake::v1::Identity;

use super::call::Call;
use super::map::{self, Map, MapError, Rpc, Step};
use super::money::Amount;
use super::read::Row;
use super::reject::{Reason, Reject};
use super::source::{Bound, Columns, Test};
use super::time::When;

/// The most characters of a customer's name, of a thread, and of whatever else names something.
pub(crate) const NAME_CHARS_MAX: usize = 200;
/// The most characters of an identity.
const IDENTITY_CHARS_MAX: usize = 320;
/// How far ahead of now a row may be.
const AHEAD_SECONDS_MAX: i64 = 300;

/// A map's step, bound to a file's columns.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The step's name.
    pub(crate) name: String,
    rpc: Bound,
    wanted: Vec<Test>,
    once: Vec<usize>,
    fields: BTreeMap<&'static str, Bound>,
    amount: Option<Amount>,
    /// With the kind's number in the proto.
    identities: Vec<(i32, Bound)>,
    occurred_at: When,
}

/// A row that can be sent, as one of its steps.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ready {
    pub(crate) line: u64,
    pub(crate) occurred_at: Timestamp,
    pub(crate) call: Call,
}

impl Shape {
    /// Binds a step of a map.
    pub(crate) fn new(map: &Map, step: &Step, columns: &Columns) -> Result<Shape, MapError> {
        let place = step.place();
        let mut fields = BTreeMap::new();
        for (name, source) in step.fields.sources() {
            fields.insert(name, Bound::new(source, columns, &format!("{place}.{name}"))?);
        }
        let mut identities = Vec::new();
        for identity in &map.identities {
            let kind = map::identity_kind(&identity.kind).map_or(0, Into::into);
            identities.push((kind, Bound::new(&identity.value, columns, "identities.value")?));
        }
        let amount = step.fields.amount.as_ref();
        Ok(Shape {
            name: step.name.clone(),
            rpc: Bound::new(&step.rpc, columns, "rpc")?,
            wanted: Test::all(&step.wanted, columns, &format!("step.{}.where", step.name))?,
            once: columns.places(&step.once, &format!("step.{}.once", step.name))?,
            fields,
            amount: amount
                .map(|amount| Amount::new(amount, columns, &format!("{place}.amount")))
                .transpose()?,
            identities,
            occurred_at: When::new(&step.fields.occurred_at, columns)?,
        })
    }

    /// Whether the row takes this step.
    pub(crate) fn is_wanted(&self, row: &Row) -> bool {
        self.wanted.iter().all(|test| test.passes(row))
    }

    /// What only one row takes this step for; `None` if every row does.
    pub(crate) fn once(&self, row: &Row) -> Option<Vec<String>> {
        let values = self.once.iter().map(|place| super::source::cell(row, *place).to_owned());
        (!self.once.is_empty()).then(|| values.collect())
    }

    /// Whether the row is known to come from the customer.
    pub(crate) fn is_inbound(&self, row: &Row) -> bool {
        let direction = self.fields.get("direction");
        direction.is_some_and(|source| source.value(row).is_ok_and(|direction| direction == "inbound"))
    }

    /// When the row happened, if it says so.
    pub(crate) fn occurred_at(&self, row: &Row) -> Option<Timestamp> {
        self.occurred_at.of(row)
    }

    /// Makes the row's request, under the key given.
    pub(crate) fn ready(&self, row: &Row, key: String, now: Timestamp) -> Result<Ready, Reject> {
        let rpc = named(row, &self.rpc, "rpc", Rpc::named)?;
        let occurred_at = self.time(row, now)?;
        let given = Given { shape: self, row, key, at: stamp(occurred_at) };
        Ok(Ready { line: row.line, occurred_at, call: Call::new(rpc, &given)? })
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

/// The fields of one row.
pub(crate) struct Given<'a> {
    shape: &'a Shape,
    row: &'a Row,
    key: String,
    at: prost_types::Timestamp,
}

impl Given<'_> {
    /// What the row is known by.
    pub(crate) fn key(&self) -> String {
        self.key.clone()
    }

    /// When it happened.
    pub(crate) fn at(&self) -> Option<prost_types::Timestamp> {
        Some(self.at)
    }

    /// A field's text, empty if there is none.
    pub(crate) fn text(&self, field: &str, chars_max: usize) -> Result<String, Reject> {
        let source = self.shape.fields.get(field);
        source.map_or(Ok(String::new()), |source| text(self.row, source, field, chars_max))
    }

    /// A field's text, which must be there.
    pub(crate) fn needed(&self, field: &str, chars_max: usize) -> Result<String, Reject> {
        match self.text(field, chars_max)? {
            empty if empty.is_empty() => Err(self.reject(Reason::Empty, field, "is empty")),
            text => Ok(text),
        }
    }

    /// A field's value, as one of a closed list of names.
    pub(crate) fn named<T>(&self, field: &str, find: impl Fn(&str) -> Option<T>) -> Result<T, Reject> {
        match self.shape.fields.get(field) {
            Some(source) => named(self.row, source, field, find),
            None => Err(self.reject(Reason::Empty, field, "is empty")),
        }
    }

    /// The row's amount.
    pub(crate) fn amount(&self) -> Result<Money, Reject> {
        match &self.shape.amount {
            Some(amount) => amount.of(self.row),
            None => Err(self.reject(Reason::Empty, "amount", "is empty")),
        }
    }

    /// Whom the row names.
    pub(crate) fn identities(&self) -> Result<Vec<Identity>, Reject> {
        let mut identities = Vec::new();
        for (kind, value) in &self.shape.identities {
            let value = text(self.row, value, "identities.value", IDENTITY_CHARS_MAX)?;
            if !value.is_empty() {
                identities.push(Identity { kind: *kind, value });
            }
        }
        Ok(identities)
    }

    /// Blames a field of the row.
    pub(crate) fn reject(&self, reason: Reason, field: &str, message: &str) -> Reject {
        Reject::of_field(self.row.line, reason, field, message)
    }
}

fn stamp(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
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
