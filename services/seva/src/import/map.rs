//! The language of maps: which files, which columns, and what each row becomes.
//!
//! A map is one TOML document; an unknown word in it is an error. Values are trimmed of white space at both ends and otherwise
//! taken as they are.
//!
//! ```toml
//! import_key = "crm-2019"       # the import's name, the same when it is sent again
//! format = "csv"                # csv, tsv or jsonl
//! quoting = true                # whether "..." quotes a field; default: true for csv, false for tsv
//! order_by = "occurred_at"      # default; or "file". Ties stay in the order of the file, and of the steps
//! key = ["Ticket"]              # the columns that name a row. Or "occurrence" (default): a digest of the row and its how-manieth
//!                               # occurrence this is, so equal rows are many. Or "content": the digest only, so equal rows are one
//! rpc = { const = "log_interaction" }   # default. A source like any other, for files whose rows differ; it needs a const or values
//!
//! [[join]]                      # more columns, from the first row of another file that fits; empty if none does. `buyer.city`
//! name = "buyer"
//! file = "buyers.csv"           # beside the file imported; left out: that file itself
//! on = { "Buyer" = "id" }       # columns of this file, of joins above as well, and the columns of the other that equal them
//! where = [{ column = "kind", equals = "private" }]   # rows of the other file that count; the same tests as below
//!
//! [[require]]                   # a row that fails is rejected, with its line and the column
//! column = "Ticket"
//! integer = true                # one test each: equals = "x", in = ["x", "y"], not_in = [...], starts_with = "x", not_empty = true,
//!                               # integer = true
//!
//! [[where]]                     # a row that fails is left out and counted; the same tests
//! column = "Status"
//! not_in = ["Draft"]
//!
//! [group]                       # rows that have these columns in common are one row, whose columns are those of its first. Only
//! by = ["Invoice"]              # amounts look at all of them: they add up
//! where = [{ column = "Invoice", integer = true }]    # others stay single; the same tests
//!
//! [thread]                      # for files whose rows answer each other. Gives two more columns, `@thread` and `@customer`
//! id = "id"                     # what names a row (`12.0` is `12`)
//! reply_to = "parent"           # the row it answers, also if that one is not in the file
//! replies = "children"          # if there is such a column: the rows that answer it, with commas between
//! customer = "author"           # whom an inbound row is from. `@customer` of an outbound row is the first there is of: whom it
//!                               # answers (upwards to the first inbound row), the number it begins with as `@123` (`mention`),
//!                               # who answered it first (downwards), `unknown-` and the thread
//! mention = "text"
//!
//! [fields]                      # names of the proto in lower case, without prefix: in_store
//! text = { first_of = [{ column = "Story" }, { template = "{Product}: {Issue}" }] }
//! kind = { column = "Type", values = { "Gripe" = "complaint" }, default = "other" }
//! channel = { const = "web" }
//! direction = { const = "inbound" }
//! language = { const = "en" }   # optional, as are name and thread
//! thread = { template = "crm/{@thread}" }
//! occurred_at = { column = "Opened", forms = ["%d/%m/%Y %H:%M", "iso"], zone = "Europe/London" }
//!
//! [[identities]]                # account, handle, email or phone; left out of a row where the value is empty
//! kind = "handle"
//! value = { template = "crm/{@customer}" }
//!
//! [[step]]                      # instead of rpc and fields, for rows that become several things: a row takes every step that it
//! name = "paid"                 # passes the tests of, in the order of their times
//! rpc = { const = "register_charge" }
//! where = [{ column = "Paid", not_empty = true }]
//! once = ["Order"]              # only the first row, in the order sent, with these columns takes it
//! [step.fields]
//! reference = { template = "order/{Order}" }
//! method = { column = "Means", values = { "Visa" = "card" }, default = "other" }
//! amount = { currency = { const = "GBP" }, decimal = { column = "Price" }, times = { column = "Pieces" }, negate = false }
//! occurred_at = { column = "Paid", forms = ["iso"], zone = "UTC" }
//! ```
//!
//! What an RPC needs, and in brackets what it takes as well:
//!
//! | rpc | fields, beside `occurred_at` |
//! |---|---|
//! | `log_interaction` | text, kind, channel, direction (language, name, thread; identities) |
//! | `register_customer` | customer (name; identities) |
//! | `register_charge` | reference, method, amount (order, customer) |
//! | `record_refund` | reference (of a charge of this import), amount, payout |
//! | `raise_escalation` | thread, by, text (rung) |
//! | `accept_escalation`, `confirm_resolution` | thread |
//! | `resolve_case`, `resolve_escalation` | thread, text |
//!
//! `thread` stands for the case that an interaction of the import with this thread belongs to, `reference` for the charge registered under it,
//! `customer` for the customer that the import registered by this name: what the services answered is remembered, and a second run is answered
//! the same again. A row that names one that is not there yet is rejected.
//!
//! A *source* is one of `const`, `column`, `template` (empty if one of its columns is) and `first_of` (the first that is not empty). Its
//! `values` translate; what they do not list is `default`, as is an empty value, or rejects the row where there is no default.
//!
//! *Amounts* are exact: a decimal (`12.5` of GBP is 1250 pence) times a whole number (default 1), added up over a group's rows, turned around by
//! `negate` where the file writes what is given back with a minus. What is no whole number of minor units, or not above nothing, rejects the row.
//!
//! *Times* have `const` or `column`; `forms` are tried in order: `iso` (a date, a date and time, with or without offset) or strptime's.
//! A form that carries no offset or zone (`%z`, `%Q`, `%s`) needs `zone`; a date without a time is its first instant there. Where clocks
//! go back, the earlier of two instants is meant; where they go forward, the later.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use seva_api::pb::common::v1::{CaseKind, Channel};
use seva_api::pb::escalation::v1::RaisedBy;
use seva_api::pb::intake::v1::{Direction, IdentityKind};
use seva_api::pb::refunds::v1::PaymentMethod;

/// Says what is wrong with a map, and where in it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct MapError(String);

impl MapError {
    /// Blames one place of the map.
    pub(crate) fn at(place: impl fmt::Display, message: impl fmt::Display) -> MapError {
        MapError(format!("`{place}` {message}"))
    }

    /// Says what is wrong with the document as such.
    pub(crate) fn whole(message: String) -> MapError {
        MapError(message)
    }
}

/// A whole map.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Map {
    pub(crate) import_key: String,
    pub(crate) format: Format,
    pub(crate) quoting: Option<bool>,
    #[serde(default)]
    pub(crate) order_by: Order,
    #[serde(default)]
    pub(crate) key: Key,
    #[serde(default, rename = "join")]
    pub(crate) joins: Vec<Join>,
    #[serde(default)]
    pub(crate) require: Vec<Condition>,
    #[serde(default, rename = "where")]
    pub(crate) wanted: Vec<Condition>,
    pub(crate) group: Option<Group>,
    pub(crate) thread: Option<Thread>,
    #[serde(default)]
    pub(crate) identities: Vec<Identity>,
    /// What every row becomes, where there are no steps.
    pub(crate) rpc: Option<Source>,
    pub(crate) fields: Option<Fields>,
    /// What a row becomes, one after the other. Never empty once the map is read.
    #[serde(default, rename = "step")]
    pub(crate) steps: Vec<Step>,
}

/// How the file is written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    Csv,
    Jsonl,
    Tsv,
}

/// In which order rows are sent.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    File,
    #[default]
    OccurredAt,
}

/// What a row is known by when it comes again.
#[derive(Debug, Deserialize, Eq, PartialEq)]
#[serde(untagged, expecting = "should be \"occurrence\", \"content\" or a list of columns")]
pub(crate) enum Key {
    Digest(Digest),
    Columns(Vec<String>),
}

impl Default for Key {
    fn default() -> Key {
        Key::Digest(Digest::Occurrence)
    }
}

/// A key made from the whole row.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Digest {
    Content,
    Occurrence,
}

/// Columns from another file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Join {
    pub(crate) name: String,
    pub(crate) file: Option<String>,
    pub(crate) on: BTreeMap<String, String>,
    #[serde(default, rename = "where")]
    pub(crate) wanted: Vec<Condition>,
}

/// Rows that are one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    pub(crate) by: Vec<String>,
    #[serde(default, rename = "where")]
    pub(crate) wanted: Vec<Condition>,
}

/// One thing that a row becomes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// Empty where the map has one thing for every row, and no steps.
    pub(crate) name: String,
    pub(crate) rpc: Source,
    #[serde(default, rename = "where")]
    pub(crate) wanted: Vec<Condition>,
    #[serde(default)]
    pub(crate) once: Vec<String>,
    pub(crate) fields: Fields,
}

impl Step {
    /// Where its fields stand in the map.
    pub(crate) fn place(&self) -> String {
        if self.name.is_empty() { "fields".to_owned() } else { format!("step.{}.fields", self.name) }
    }

    /// Whether its rows can be interactions.
    pub(crate) fn logs_interactions(&self) -> bool {
        self.rpc.said().any(|name| Rpc::named(name) == Some(Rpc::LogInteraction))
    }
}

/// Where a value comes from.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    #[serde(rename = "const")]
    pub(crate) constant: Option<String>,
    pub(crate) column: Option<String>,
    pub(crate) template: Option<String>,
    pub(crate) first_of: Option<Vec<Source>>,
    pub(crate) values: Option<BTreeMap<String, String>>,
    pub(crate) default: Option<String>,
}

impl Source {
    /// The values that the map itself names.
    pub(crate) fn said(&self) -> impl Iterator<Item = &str> {
        let translated = self.values.iter().flat_map(BTreeMap::values);
        self.constant.iter().chain(translated).chain(&self.default).map(String::as_str)
    }
}

/// Where an amount of money comes from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Money {
    pub(crate) currency: Source,
    pub(crate) decimal: Source,
    pub(crate) times: Option<Source>,
    #[serde(default)]
    pub(crate) negate: bool,
}

/// Where a time comes from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Times {
    #[serde(rename = "const")]
    pub(crate) constant: Option<String>,
    pub(crate) column: Option<String>,
    #[serde(default)]
    pub(crate) forms: Vec<String>,
    pub(crate) zone: Option<String>,
}

/// One test of one column.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Condition {
    pub(crate) column: String,
    pub(crate) equals: Option<String>,
    #[serde(rename = "in")]
    pub(crate) one_of: Option<BTreeSet<String>>,
    pub(crate) not_in: Option<BTreeSet<String>>,
    pub(crate) starts_with: Option<String>,
    #[serde(default)]
    pub(crate) not_empty: bool,
    #[serde(default)]
    pub(crate) integer: bool,
}

/// How rows answer each other.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Thread {
    pub(crate) id: String,
    pub(crate) reply_to: String,
    pub(crate) replies: Option<String>,
    pub(crate) customer: String,
    pub(crate) mention: Option<String>,
}

/// The fields of a request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fields {
    pub(crate) amount: Option<Money>,
    pub(crate) by: Option<Source>,
    pub(crate) channel: Option<Source>,
    pub(crate) customer: Option<Source>,
    pub(crate) direction: Option<Source>,
    pub(crate) kind: Option<Source>,
    pub(crate) language: Option<Source>,
    pub(crate) method: Option<Source>,
    pub(crate) name: Option<Source>,
    pub(crate) occurred_at: Times,
    pub(crate) order: Option<Source>,
    pub(crate) payout: Option<Source>,
    pub(crate) reference: Option<Source>,
    pub(crate) rung: Option<Source>,
    pub(crate) text: Option<Source>,
    pub(crate) thread: Option<Source>,
}

impl Fields {
    /// The fields given that are sources, by name.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (&'static str, &Source)> {
        let all = [
            ("by", &self.by),
            ("channel", &self.channel),
            ("customer", &self.customer),
            ("direction", &self.direction),
            ("kind", &self.kind),
            ("language", &self.language),
            ("method", &self.method),
            ("name", &self.name),
            ("order", &self.order),
            ("payout", &self.payout),
            ("reference", &self.reference),
            ("rung", &self.rung),
            ("text", &self.text),
            ("thread", &self.thread),
        ];
        all.into_iter().filter_map(|(name, source)| Some((name, source.as_ref()?)))
    }
}

/// A way to know the customer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    pub(crate) kind: String,
    pub(crate) value: Source,
}

/// The RPCs that a row can become.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Rpc {
    AcceptEscalation,
    ConfirmResolution,
    LogInteraction,
    RaiseEscalation,
    RecordRefund,
    RegisterCharge,
    RegisterCustomer,
    ResolveCase,
    ResolveEscalation,
}

impl Rpc {
    const ALL: [Rpc; 9] = [
        Rpc::AcceptEscalation,
        Rpc::ConfirmResolution,
        Rpc::LogInteraction,
        Rpc::RaiseEscalation,
        Rpc::RecordRefund,
        Rpc::RegisterCharge,
        Rpc::RegisterCustomer,
        Rpc::ResolveCase,
        Rpc::ResolveEscalation,
    ];

    /// The name that maps use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Rpc::AcceptEscalation => "accept_escalation",
            Rpc::ConfirmResolution => "confirm_resolution",
            Rpc::LogInteraction => "log_interaction",
            Rpc::RaiseEscalation => "raise_escalation",
            Rpc::RecordRefund => "record_refund",
            Rpc::RegisterCharge => "register_charge",
            Rpc::RegisterCustomer => "register_customer",
            Rpc::ResolveCase => "resolve_case",
            Rpc::ResolveEscalation => "resolve_escalation",
        }
    }

    /// Finds an RPC by the name that maps use.
    pub(crate) fn named(name: &str) -> Option<Rpc> {
        Rpc::ALL.into_iter().find(|rpc| rpc.name() == name)
    }

    /// The fields that it needs, and those that it takes as well.
    pub(crate) fn fields(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Rpc::AcceptEscalation | Rpc::ConfirmResolution => (&["thread"], &[]),
            Rpc::LogInteraction => {
                (&["text", "kind", "channel", "direction"], &["language", "name", "thread"])
            }
            Rpc::RaiseEscalation => (&["thread", "by", "text"], &["rung"]),
            Rpc::RecordRefund => (&["reference", "amount", "payout"], &[]),
            Rpc::RegisterCharge => (&["reference", "method", "amount"], &["order", "customer"]),
            Rpc::RegisterCustomer => (&["customer"], &["name"]),
            Rpc::ResolveCase | Rpc::ResolveEscalation => (&["thread", "text"], &[]),
        }
    }
}

impl Map {
    /// Whether quotes quote.
    pub(crate) fn quoting(&self) -> bool {
        self.quoting.unwrap_or(self.format == Format::Csv)
    }
}

/// A piece of a template.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Part<'a> {
    Literal(&'a str),
    Column(&'a str),
}

/// Splits a template such as `twitter/{author}`.
pub(crate) fn template_parts(template: &str) -> Result<Vec<Part<'_>>, String> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (column, behind) = after
            .split_once('}')
            .ok_or_else(|| format!("has a template with a `{{` that nothing closes: `{template}`"))?;
        if !before.is_empty() {
            parts.push(Part::Literal(before));
        }
        parts.push(Part::Column(column));
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest));
    }
    Ok(parts)
}

/// The kind that maps name so.
pub(crate) fn kind(name: &str) -> Option<CaseKind> {
    CaseKind::from_str_name(&proto_name("CASE_KIND_", name)?)
}

/// The channel that maps name so.
pub(crate) fn channel(name: &str) -> Option<Channel> {
    Channel::from_str_name(&proto_name("CHANNEL_", name)?)
}

/// The direction that maps name so.
pub(crate) fn direction(name: &str) -> Option<Direction> {
    Direction::from_str_name(&proto_name("DIRECTION_", name)?)
}

/// The kind of identity that maps name so.
pub(crate) fn identity_kind(name: &str) -> Option<IdentityKind> {
    IdentityKind::from_str_name(&proto_name("IDENTITY_KIND_", name)?)
}

/// The means of payment that maps name so.
pub(crate) fn method(name: &str) -> Option<PaymentMethod> {
    PaymentMethod::from_str_name(&proto_name("PAYMENT_METHOD_", name)?)
}

/// Who escalates, as maps name it. What happens by itself is not among them.
pub(crate) fn raised_by(name: &str) -> Option<RaisedBy> {
    let by = RaisedBy::from_str_name(&proto_name("RAISED_BY_", name)?)?;
    (by != RaisedBy::BrokenPromise).then_some(by)
}

fn proto_name(prefix: &str, name: &str) -> Option<String> {
    let lower = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    (lower && name != "unspecified").then(|| format!("{prefix}{}", name.to_ascii_uppercase()))
}
