//! The language of maps: which file, which columns, and what each row becomes.
//!
//! A map is one TOML document; an unknown word in it is an error. Values are trimmed of white space at both ends and otherwise
//! taken as they are.
//!
//! ```toml
//! import_key = "crm-2019"       # the import's name, the same when it is sent again
//! format = "csv"                # csv, tsv or jsonl
//! quoting = true                # whether "..." quotes a field; default: true for csv, false for tsv
//! order_by = "occurred_at"      # default; or "file". Ties stay in the order of the file
//! key = ["Ticket"]              # the columns that name a row. Or "occurrence" (default): a digest of the row and its how-manieth
//!                               # occurrence this is, so equal rows are many. Or "content": the digest only, so equal rows are one
//! rpc = { const = "log_interaction" }   # default. A source like any other, for files whose rows differ
//!
//! [[require]]                   # a row that fails is rejected, with its line and the column
//! column = "Ticket"
//! integer = true                # one test each: equals = "x", in = ["x", "y"], not_in = [...], not_empty = true, integer = true
//!
//! [[where]]                     # a row that fails is left out and counted; the same tests
//! column = "Status"
//! not_in = ["Draft"]
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
//! [fields]                      # kind, channel and direction by the proto's names in lower case, without prefix: in_store
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
//! ```
//!
//! A *source* is one of `const`, `column`, `template` (empty if one of its columns is) and `first_of` (the first that is not empty). Its
//! `values` translate; what they do not list is `default`, as is an empty value, or rejects the row where there is no default.
//!
//! *Times* have `const` or `column`; `forms` are tried in order: `iso` (a date, a date and time, with or without offset) or strptime's.
//! A form that carries no offset or zone (`%z`, `%Q`, `%s`) needs `zone`; a date without a time is its first instant there. Where clocks
//! go back, the earlier of two instants is meant; where they go forward, the later.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use seva_api::pb::common::v1::{CaseKind, Channel};
use seva_api::pb::intake::v1::{Direction, IdentityKind};

/// Says what is wrong with a map, and where in it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct MapError(String);

impl MapError {
    /// Blames one place of the map.
    pub(crate) fn at(place: impl fmt::Display, message: impl fmt::Display) -> MapError {
        MapError(format!("`{place}` {message}"))
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
    #[serde(default)]
    pub(crate) rpc: Option<Source>,
    #[serde(default)]
    pub(crate) require: Vec<Condition>,
    #[serde(default, rename = "where")]
    pub(crate) wanted: Vec<Condition>,
    pub(crate) thread: Option<Thread>,
    pub(crate) fields: Fields,
    #[serde(default)]
    pub(crate) identities: Vec<Identity>,
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

/// The RPCs that a row can become.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rpc {
    LogInteraction,
}

impl Rpc {
    /// Finds an RPC by the name that maps use.
    pub(crate) fn named(name: &str) -> Option<Rpc> {
        (name == "log_interaction").then_some(Rpc::LogInteraction)
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

/// The fields of an interaction.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fields {
    pub(crate) text: Source,
    pub(crate) kind: Source,
    pub(crate) channel: Source,
    pub(crate) direction: Source,
    pub(crate) language: Option<Source>,
    pub(crate) name: Option<Source>,
    pub(crate) thread: Option<Source>,
    pub(crate) occurred_at: Times,
}

/// A way to know the customer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    pub(crate) kind: String,
    pub(crate) value: Source,
}

/// The most identities that one interaction takes.
pub(crate) const IDENTITIES_MAX: usize = 16;

impl Map {
    /// Reads and checks a map: what passes can fail only over the columns of a file.
    pub(crate) fn parse(text: &str) -> Result<Map, MapError> {
        let map: Map = toml::from_str(text).map_err(|e| MapError(e.to_string().trim_end().to_owned()))?;
        map.check()?;
        Ok(map)
    }

    /// Whether quotes quote.
    pub(crate) fn quoting(&self) -> bool {
        self.quoting.unwrap_or(self.format == Format::Csv)
    }

    fn check(&self) -> Result<(), MapError> {
        let named = (1..=128).contains(&self.import_key.len())
            && self.import_key.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'));
        if !named {
            return Err(MapError::at(
                "import_key",
                "should be 1 to 128 characters of a-z, 0-9, `-`, `_`, `.`",
            ));
        }
        if self.quoting.is_some() && self.format == Format::Jsonl {
            return Err(MapError::at("quoting", "is for csv and tsv"));
        }
        if matches!(&self.key, Key::Columns(columns) if columns.is_empty()) {
            return Err(MapError::at("key", "names no column"));
        }
        for (place, conditions) in [("require", &self.require), ("where", &self.wanted)] {
            for condition in conditions {
                condition.check(place)?;
            }
        }
        self.check_fields()
    }

    fn check_fields(&self) -> Result<(), MapError> {
        let fields = &self.fields;
        fields.text.check("fields.text", None)?;
        fields.kind.check("fields.kind", Some(&|name| kind(name).is_some()))?;
        fields.channel.check("fields.channel", Some(&|name| channel(name).is_some()))?;
        fields.direction.check("fields.direction", Some(&|name| direction(name).is_some()))?;
        for (place, source) in [
            ("fields.language", &fields.language),
            ("fields.name", &fields.name),
            ("fields.thread", &fields.thread),
        ] {
            source.as_ref().map_or(Ok(()), |source| source.check(place, None))?;
        }
        if let Some(rpc) = &self.rpc {
            rpc.check("rpc", Some(&|name| Rpc::named(name).is_some()))?;
        }
        if self.identities.len() > IDENTITIES_MAX {
            return Err(MapError::at("identities", format!("are more than {IDENTITIES_MAX}")));
        }
        for identity in &self.identities {
            if identity_kind(&identity.kind).is_none() {
                return Err(MapError::at(
                    "identities.kind",
                    format!("`{}` is not account, handle, email or phone", identity.kind),
                ));
            }
            identity.value.check("identities.value", None)?;
        }
        Ok(())
    }
}

impl Condition {
    fn check(&self, place: &str) -> Result<(), MapError> {
        let tests = [
            self.equals.is_some(),
            self.one_of.is_some(),
            self.not_in.is_some(),
            self.not_empty,
            self.integer,
        ];
        if tests.iter().filter(|test| **test).count() == 1 {
            return Ok(());
        }
        let message = format!(
            "of column `{}` needs exactly one of equals, in, not_in, not_empty, integer",
            self.column
        );
        Err(MapError::at(place, message))
    }
}

impl Source {
    /// Checks the shape, and what the map itself says the value can be.
    fn check(&self, place: &str, known: Option<&dyn Fn(&str) -> bool>) -> Result<(), MapError> {
        let from = [
            self.constant.is_some(),
            self.column.is_some(),
            self.template.is_some(),
            self.first_of.is_some(),
        ];
        if from.iter().filter(|given| **given).count() != 1 {
            return Err(MapError::at(place, "needs exactly one of const, column, template, first_of"));
        }
        if self.constant.is_some() && (self.values.is_some() || self.default.is_some()) {
            return Err(MapError::at(place, "is constant: values and default have no use"));
        }
        if let Some(template) = &self.template {
            template_parts(template).map_err(|message| MapError::at(place, message))?;
        }
        // What a value table translates can be anything, so only the outermost table's results are names.
        let inner = if self.values.is_some() { None } else { known };
        for source in self.first_of.iter().flatten() {
            source.check(&format!("{place}.first_of"), inner)?;
        }
        if let Some(known) = known {
            let said = self
                .constant
                .iter()
                .chain(self.values.iter().flat_map(BTreeMap::values))
                .chain(&self.default);
            for name in said {
                if !known(name) {
                    return Err(MapError::at(place, format!("does not know `{name}`")));
                }
            }
        }
        Ok(())
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

fn proto_name(prefix: &str, name: &str) -> Option<String> {
    let lower = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    (lower && name != "unspecified").then(|| format!("{prefix}{}", name.to_ascii_uppercase()))
}
