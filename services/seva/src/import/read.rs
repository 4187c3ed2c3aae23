//! Files into records: CSV, TSV and JSON lines, each record with the line it begins on, each broken one set aside.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::map::{Format, Map};
use super::reject::{Reason, Reject};

/// The largest file that is read: it is held in memory, up to four times over.
pub(crate) const FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// One record: as many values as the table has columns.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Where it begins, counted from 1.
    pub(crate) line: u64,
    /// SHA-256 of the values as the file has them.
    pub(crate) digest: [u8; 32],
    pub(crate) values: Vec<String>,
    /// The values of the other rows of its group.
    pub(crate) more: Vec<Vec<String>>,
}

/// What a file holds.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    /// In the order of the file.
    pub(crate) rows: Vec<Row>,
    /// Records that are none.
    pub(crate) rejects: Vec<Reject>,
}

/// Says why a file as a whole cannot be read.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ReadError(&'static str);

/// Reads a whole file as the map says it is written.
pub(crate) fn read(bytes: &[u8], map: &Map) -> Result<Table, ReadError> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(ReadError("the file is UTF-16: convert it to UTF-8"));
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match (map.format, map.quoting()) {
        (Format::Csv, true) => quoted(bytes, b','),
        (Format::Tsv, true) => quoted(bytes, b'\t'),
        (Format::Csv, false) => delimited(bytes, b','),
        (Format::Tsv, false) => delimited(bytes, b'\t'),
        (Format::Jsonl, _) => Ok(json_lines(bytes)),
    }
}

/// Reads records whose fields may be quoted, and may then hold line ends.
fn quoted(bytes: &[u8], delimiter: u8) -> Result<Table, ReadError> {
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).has_headers(false).from_reader(bytes);
    let mut record = csv::ByteRecord::new();
    let mut lines = Lines::new(bytes);
    let mut table = Records::default();
    // Reading from memory into byte records with any number of fields cannot fail.
    while reader.read_byte_record(&mut record).unwrap_or(false) {
        let from = record.position().map_or(0, |p| usize::try_from(p.byte()).unwrap_or(usize::MAX));
        let until = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        let (begin, blanks) = skip_blank_lines(bytes, from);
        for blank in blanks {
            table.blank(lines.at(blank));
        }
        let line = lines.at(begin);
        if until >= bytes.len() && open_at_the_end(&bytes[begin.min(bytes.len())..]) {
            table.reject(Reject::new(
                line,
                Reason::Ragged,
                None,
                "a quote is opened here that the file never closes",
            ));
        } else {
            table.record(line, record.iter())?;
        }
    }
    table.finish()
}

/// The blank lines from a place on, and where the record behind them begins. csv passes over them without a word.
fn skip_blank_lines(bytes: &[u8], from: usize) -> (usize, Vec<usize>) {
    let mut at = from;
    // The second half of the line end before.
    if at > 0 && bytes.get(at - 1) == Some(&b'\r') && bytes.get(at) == Some(&b'\n') {
        at += 1;
    }
    let mut blanks = Vec::new();
    while let Some(byte @ (b'\r' | b'\n')) = bytes.get(at) {
        blanks.push(at);
        at += if *byte == b'\r' && bytes.get(at + 1) == Some(&b'\n') { 2 } else { 1 };
    }
    (at, blanks)
}

/// Whether a last record that spans lines ends inside quotes.
fn open_at_the_end(record: &[u8]) -> bool {
    let spans_lines = record.trim_ascii_end().contains(&b'\n');
    spans_lines && record.iter().filter(|b| **b == b'"').count() % 2 == 1
}

/// Reads records in which a quote is a character like any other.
fn delimited(bytes: &[u8], delimiter: u8) -> Result<Table, ReadError> {
    let mut table = Records::default();
    for (line, text) in numbered_lines(bytes) {
        if text.is_empty() {
            table.blank(line);
        } else {
            table.record(line, text.split(|b| *b == delimiter))?;
        }
    }
    table.finish()
}

/// Reads one object per line. Numbers stay as they are written, `null` is empty, lists and objects stay JSON.
fn json_lines(bytes: &[u8]) -> Table {
    let mut table = Records::default();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (line, text) in numbered_lines(bytes) {
        if text.trim_ascii().is_empty() {
            table.blank(line);
            continue;
        }
        table.flush();
        let Ok(text) = std::str::from_utf8(text) else {
            table.reject(Reject::new(line, Reason::NotUtf8, None, "is not UTF-8"));
            continue;
        };
        let object = match serde_json::from_str::<std::collections::BTreeMap<String, &RawValue>>(text) {
            Ok(object) => object,
            Err(e) => {
                // Its Display may quote the text, so only the place is told.
                let message = format!("is not one JSON object: column {} of the line", e.column());
                table.reject(Reject::new(line, Reason::NotJson, None, message));
                continue;
            }
        };
        let mut digest = Sha256::new();
        let mut values = Vec::with_capacity(places.len());
        for (name, raw) in object {
            frame(&mut digest, name.as_bytes());
            frame(&mut digest, raw.get().as_bytes());
            let place = *places.entry(name).or_insert_with_key(|name| {
                table.table.columns.push(name.clone());
                table.table.columns.len() - 1
            });
            if values.len() <= place {
                values.resize(place + 1, String::new());
            }
            values[place] = plain(raw.get());
        }
        table.table.rows.push(Row { line, digest: digest.finalize().into(), values, more: Vec::new() });
    }
    let mut table = table.table;
    for row in &mut table.rows {
        row.values.resize(table.columns.len(), String::new());
    }
    table
}

/// A JSON value as a column's text.
fn plain(raw: &str) -> String {
    if raw == "null" {
        return String::new();
    }
    serde_json::from_str::<String>(raw).unwrap_or_else(|_| raw.to_owned())
}

/// The lines of a file without their ends, counted from 1; what follows the last line end counts if there is something.
fn numbered_lines(bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let lines = (!body.is_empty()).then(|| body.split(|b| *b == b'\n'));
    lines
        .into_iter()
        .flatten()
        .zip(1..)
        .map(|(line, number)| (number, line.strip_suffix(b"\r").unwrap_or(line)))
}

/// Collects records under a header.
#[derive(Default)]
struct Records {
    table: Table,
    header: bool,
    /// Blank lines that count only once a record follows: those at the end of a file are nothing.
    blanks: Vec<u64>,
}

impl Records {
    fn blank(&mut self, line: u64) {
        self.blanks.push(line);
    }

    fn flush(&mut self) {
        for line in self.blanks.drain(..) {
            self.table.rejects.push(Reject::new(line, Reason::BlankLine, None, "is blank between records"));
        }
    }

    fn reject(&mut self, reject: Reject) {
        self.flush();
        self.table.rejects.push(reject);
    }

    fn record<'a>(&mut self, line: u64, fields: impl Iterator<Item = &'a [u8]>) -> Result<(), ReadError> {
        self.flush();
        if !self.header {
            self.header = true;
            let names = fields.map(|name| std::str::from_utf8(name).map(|name| name.trim().to_owned()));
            self.table.columns =
                names.collect::<Result<_, _>>().map_err(|_| ReadError("the header is not UTF-8"))?;
            return Ok(());
        }
        let mut digest = Sha256::new();
        let mut values = Vec::with_capacity(self.table.columns.len());
        let mut broken: Option<usize> = None;
        for field in fields {
            frame(&mut digest, field);
            if std::str::from_utf8(field).is_err() {
                broken = broken.or(Some(values.len()));
            }
            values.push(String::from_utf8_lossy(field).into_owned());
        }
        let columns = &self.table.columns;
        if values.len() != columns.len() {
            let message = format!("has {} where the header has {}", counted(values.len()), columns.len());
            self.table.rejects.push(Reject::new(line, Reason::Ragged, None, message));
        } else if let Some(column) = broken {
            let field = columns[column].clone();
            self.table.rejects.push(Reject::new(line, Reason::NotUtf8, Some(field), "is not UTF-8"));
        } else {
            self.table.rows.push(Row { line, digest: digest.finalize().into(), values, more: Vec::new() });
        }
        Ok(())
    }

    fn finish(self) -> Result<Table, ReadError> {
        if self.header { Ok(self.table) } else { Err(ReadError("the file is empty: it has no header")) }
    }
}

fn counted(columns: usize) -> String {
    if columns == 1 { "1 column".to_owned() } else { format!("{columns} columns") }
}

/// Feeds a digest so that no two lists of parts look alike.
fn frame(digest: &mut Sha256, part: &[u8]) {
    digest.update((part.len() as u64).to_be_bytes());
    digest.update(part);
}

/// Line numbers of ever later places.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn new(bytes: &'a [u8]) -> Lines<'a> {
        Lines { bytes, at: 0, line: 1 }
    }

    fn at(&mut self, place: usize) -> u64 {
        let passed: Range<usize> = self.at..place.clamp(self.at, self.bytes.len());
        self.at = passed.end;
        self.line += self.bytes[passed].iter().filter(|b| **b == b'\n').count() as u64;
        self.line
    }
}
