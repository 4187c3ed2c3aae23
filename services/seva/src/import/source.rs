//! A map's sources and tests, bound to the columns of one file.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::map::{Condition, MapError, Part, Source, template_parts};
use super::read::Row;

/// The columns of a file, by name.
#[derive(Debug)]
pub(crate) struct Columns<'a> {
    names: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    /// The file's own columns, with those that joins brought, and those that the map adds.
    pub(crate) fn new(own: &'a [String], added: &[&'static str]) -> Columns<'a> {
        Columns { names: own.iter().map(String::as_str).chain(added.iter().copied()).collect() }
    }

    /// Finds columns that stand in the file exactly once.
    pub(crate) fn places(&self, names: &[String], used_by: &str) -> Result<Vec<usize>, MapError> {
        names.iter().map(|name| self.place(name, used_by)).collect()
    }

    /// Finds a column that stands in the file exactly once.
    pub(crate) fn place(&self, name: &str, used_by: &str) -> Result<usize, MapError> {
        let mut places = self.names.iter().enumerate().filter(|(_, known)| **known == name);
        match (places.next(), places.next()) {
            (Some((place, _)), None) => Ok(place),
            (Some(_), Some(_)) => {
                Err(MapError::at(used_by, format!("uses the column `{name}`, which the file has twice")))
            }
            (None, _) => {
                let message = format!(
                    "uses the column `{name}`, which the file does not have: it has `{}`",
                    self.names.join("`, `")
                );
                Err(MapError::at(used_by, message))
            }
        }
    }

    /// The column's name.
    pub(crate) fn name(&self, place: usize) -> &'a str {
        self.names.get(place).copied().unwrap_or_default()
    }
}

/// A source whose columns are known.
#[derive(Debug)]
pub(crate) struct Bound {
    from: From,
    values: Option<BTreeMap<String, String>>,
    default: Option<String>,
}

#[derive(Debug)]
enum From {
    Column(usize),
    Constant(String),
    FirstOf(Vec<Bound>),
    Template(Vec<Piece>),
}

#[derive(Debug)]
enum Piece {
    Column(usize),
    Literal(String),
}

/// Says that a value table lists neither the value nor a default.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct NotListed;

impl Bound {
    /// Binds a source that the map's check has passed.
    pub(crate) fn new(source: &Source, columns: &Columns, place: &str) -> Result<Bound, MapError> {
        let from = if let Some(column) = &source.column {
            From::Column(columns.place(column, place)?)
        } else if let Some(template) = &source.template {
            let parts = template_parts(template).map_err(|message| MapError::at(place, message))?;
            let piece = |part: Part| match part {
                Part::Literal(text) => Ok(Piece::Literal(text.to_owned())),
                Part::Column(name) => columns.place(name, place).map(Piece::Column),
            };
            From::Template(parts.into_iter().map(piece).collect::<Result<_, _>>()?)
        } else if let Some(sources) = &source.first_of {
            From::FirstOf(
                sources.iter().map(|source| Bound::new(source, columns, place)).collect::<Result<_, _>>()?,
            )
        } else {
            From::Constant(source.constant.clone().unwrap_or_default())
        };
        Ok(Bound { from, values: source.values.clone(), default: source.default.clone() })
    }

    /// The value in one row, empty if there is none. In a group it is the first row's.
    pub(crate) fn value<'a>(&'a self, row: &'a Row) -> Result<Cow<'a, str>, NotListed> {
        self.value_of(&row.values)
    }

    /// The value in one of a group's rows.
    pub(crate) fn value_of<'a>(&'a self, values: &'a [String]) -> Result<Cow<'a, str>, NotListed> {
        let value = match &self.from {
            From::Column(place) => Cow::Borrowed(cell_of(values, *place)),
            From::Constant(text) => Cow::Borrowed(text.as_str()),
            From::FirstOf(sources) => {
                let mut first = Cow::Borrowed("");
                for source in sources {
                    first = source.value_of(values)?;
                    if !first.is_empty() {
                        break;
                    }
                }
                first
            }
            From::Template(pieces) => Cow::Owned(filled(pieces, values)),
        };
        let listed = match &self.values {
            Some(table) => table.get(&*value).map(|value| Cow::Borrowed(value.as_str())),
            None => (!value.is_empty()).then_some(value),
        };
        match (listed, &self.default, &self.values) {
            (Some(value), _, _) => Ok(value),
            (None, Some(default), _) => Ok(Cow::Borrowed(default)),
            (None, None, Some(_)) => Err(NotListed),
            (None, None, None) => Ok(Cow::Borrowed("")),
        }
    }
}

/// A column's trimmed value.
pub(crate) fn cell(row: &Row, place: usize) -> &str {
    cell_of(&row.values, place)
}

fn cell_of(values: &[String], place: usize) -> &str {
    values.get(place).map_or("", |value| value.trim())
}

fn filled(pieces: &[Piece], values: &[String]) -> String {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Literal(literal) => text.push_str(literal),
            Piece::Column(place) => match cell_of(values, *place) {
                "" => return String::new(),
                value => text.push_str(value),
            },
        }
    }
    text
}

/// A test whose column is known.
#[derive(Debug)]
pub(crate) struct Test {
    pub(crate) column: usize,
    what: What,
}

#[derive(Debug)]
enum What {
    Integer,
    NotEmpty,
    NotIn(BTreeSet<String>),
    OneOf(BTreeSet<String>),
    StartsWith(String),
}

impl Test {
    /// Binds conditions that the map's check has passed.
    pub(crate) fn all(
        conditions: &[Condition],
        columns: &Columns,
        place: &str,
    ) -> Result<Vec<Test>, MapError> {
        conditions.iter().map(|condition| Test::new(condition, columns, place)).collect()
    }

    /// Binds a condition that the map's check has passed.
    pub(crate) fn new(condition: &Condition, columns: &Columns, place: &str) -> Result<Test, MapError> {
        let what = if condition.integer {
            What::Integer
        } else if condition.not_empty {
            What::NotEmpty
        } else if let Some(values) = &condition.not_in {
            What::NotIn(values.clone())
        } else if let Some(beginning) = &condition.starts_with {
            What::StartsWith(beginning.clone())
        } else {
            What::OneOf(condition.one_of.iter().flatten().chain(&condition.equals).cloned().collect())
        };
        Ok(Test { column: columns.place(&condition.column, place)?, what })
    }

    /// Whether a row passes.
    pub(crate) fn passes(&self, row: &Row) -> bool {
        let value = cell(row, self.column);
        match &self.what {
            What::Integer => {
                let digits = value.strip_prefix('-').unwrap_or(value);
                !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
            }
            What::NotEmpty => !value.is_empty(),
            What::NotIn(values) => !values.contains(value),
            What::OneOf(values) => values.contains(value),
            What::StartsWith(beginning) => value.starts_with(beginning),
        }
    }

    /// What the column should be, as a message says it.
    pub(crate) fn wanted(&self) -> &'static str {
        match &self.what {
            What::Integer => "is not a whole number",
            What::NotEmpty => "is empty",
            What::NotIn(_) => "holds a value that the map refuses",
            What::OneOf(_) | What::StartsWith(_) => "holds a value that the map does not take",
        }
    }
}
