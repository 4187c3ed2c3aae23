//! What people see: the only place that writes to standard output, with tables, clipping and colour.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// How wide text is at most, in columns.
pub(crate) const COLUMNS: usize = 100;

/// Writes a text and a line end to standard output. A reader that went away ends the output, not the program.
pub(crate) fn print(text: &str) {
    let mut out = io::stdout().lock();
    if writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush()).is_err() {
        tracing::debug!("standard output is closed");
    }
}

/// Writes one of many lines to standard output. Answers whether somebody still reads them.
pub(crate) fn print_line(line: &str) -> bool {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).is_ok()
}

/// Writes a value as JSON to standard output.
pub(crate) fn print_json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    print(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Writes a line for the person who watches to standard error.
pub(crate) fn say(line: &str) {
    let mut out = io::stderr().lock();
    if writeln!(out, "{line}").is_err() {
        tracing::debug!("standard error is closed");
    }
}

/// A heading: bold on a terminal, unless `NO_COLOR` is set.
pub(crate) fn heading(text: &str) -> String {
    let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if colours && io::stdout().is_terminal() { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}

/// How many columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// A text on one line, without anything that could steer a terminal, and at most so many columns wide.
pub(crate) fn clip(text: &str, columns: usize) -> String {
    cut(&one_line(text), columns)
}

/// The same of a line that keeps its spaces, at [`COLUMNS`].
pub(crate) fn clip_end(line: &str) -> String {
    cut(&plain(line), COLUMNS)
}

/// The line, or as much of its beginning as fits before an ellipsis; marks stay with their letters.
fn cut(line: &str, columns: usize) -> String {
    if width(line) <= columns {
        return line.to_owned();
    }
    let mut end = 0;
    for (start, c) in line.char_indices() {
        let next = start + c.len_utf8();
        if width(&line[..next]) + 1 > columns {
            break;
        }
        end = next;
    }
    let marks: usize = line[end..].chars().take_while(|c| c.width() == Some(0)).map(char::len_utf8).sum();
    if width(&line[..end + marks]) < columns {
        end += marks;
    }
    if columns == 0 { String::new() } else { format!("{}…", line[..end].trim_end()) }
}

/// The text with every run of white space as one space.
pub(crate) fn one_line(text: &str) -> String {
    plain(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text with spaces for control characters, and without those that turn the writing direction.
fn plain(text: &str) -> String {
    let kept = text.chars().filter(|c| !matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'));
    kept.map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The text with spaces up to so many columns.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(missing))
}

/// Rows under headings, never wider than [`COLUMNS`]: the last column gives way.
pub(crate) struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    indent: usize,
}

/// What stands between two columns.
const GAP: usize = 2;

/// The widest a column is that is not the last.
const CELL_MAX: usize = 40;

impl Table {
    /// An empty table with these headings.
    pub(crate) fn new(heads: &[&'static str]) -> Table {
        Table { heads: heads.to_vec(), rows: Vec::new(), indent: 0 }
    }

    /// The same table, so many columns further to the right.
    pub(crate) fn indented(mut self, columns: usize) -> Table {
        self.indent = columns;
        self
    }

    /// Adds a row: one cell for each heading.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.heads.len(), "a row has a cell for each heading");
        self.rows.push(cells);
    }

    /// The table as text; without rows, the headings alone.
    pub(crate) fn render(&self) -> String {
        let widths = self.widths();
        let heads: Vec<String> = self.heads.iter().map(|head| (*head).to_owned()).collect();
        let mut text = heading(&self.line(&heads, &widths));
        for row in &self.rows {
            text.push('\n');
            text.push_str(&self.line(row, &widths));
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.heads.iter().map(|head| width(head)).collect();
        for row in &self.rows {
            for (column, cell) in widths.iter_mut().zip(row) {
                *column = (*column).max(width(&one_line(cell)));
            }
        }
        let last = widths.len().saturating_sub(1);
        let mut used = self.indent + GAP * last;
        for column in &mut widths[..last] {
            *column = (*column).min(CELL_MAX);
            used += *column;
        }
        if let Some(column) = widths.last_mut() {
            *column = (*column).min(COLUMNS.saturating_sub(used));
        }
        widths
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = " ".repeat(self.indent);
        for (cell, columns) in cells.iter().zip(widths) {
            line.push_str(&pad(&clip(cell, *columns), *columns));
            line.push_str(&" ".repeat(GAP));
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_never_wider_than_its_columns_whatever_the_script() {
        let mut table = Table::new(&["id", "language", "text"]).indented(2);
        for text in ["हल्दी डिब्बे में बिखर गई है। ", "அஞ்சறைப் பெட்டியின் மூடி ", "绿茶和香料 ", "tea 🍵 👩‍👩‍👧 "]
        {
            table.row(vec![
                "sug_0123456789abcdef0123456789abcdef".to_owned(),
                "hi".to_owned(),
                text.repeat(20),
            ]);
        }
        for line in table.render().lines() {
            assert!(width(line) <= COLUMNS, "{} columns: {line}", width(line));
        }
    }

    #[test]
    fn an_empty_table_is_its_headings() {
        assert_eq!(Table::new(&["id", "text"]).render(), "id  text");
    }

    #[test]
    fn what_fits_is_left_alone_and_what_does_not_ends_in_an_ellipsis() {
        assert_eq!(clip("tea", 3), "tea");
        assert_eq!(clip("teapot", 4), "tea…");
        assert_eq!(clip("tea pot", 5), "tea…");
        assert_eq!(clip("绿茶", 3), "绿…");
        assert_eq!(clip("teapot", 0), "");
    }

    #[test]
    fn a_text_cannot_steer_the_terminal() {
        assert_eq!(clip("a\u{1b}[2Jb\r\nc\u{202e}d", 40), "a [2Jb cd");
    }
}
