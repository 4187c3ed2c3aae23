//! Which conversation a row belongs to, and which customer a company's answer is for.

use std::collections::HashMap;

use jiff::Timestamp;

use super::map::{MapError, Thread};
use super::read::Row;
use super::source::{Columns, cell};

/// The columns that threads add to a file.
pub(crate) const ADDED: [&str; 2] = ["@thread", "@customer"];

/// How far up or down a conversation the customer of an answer is looked for.
const STEPS_MAX: usize = 1_000;

/// The map's `[thread]`, bound to a file's columns.
#[derive(Debug)]
pub(crate) struct Replies {
    id: usize,
    reply_to: usize,
    replies: Option<usize>,
    customer: usize,
    mention: Option<usize>,
}

impl Replies {
    /// Binds the columns named.
    pub(crate) fn new(thread: &Thread, columns: &Columns) -> Result<Replies, MapError> {
        let optional =
            |name: &Option<String>, place| name.as_ref().map(|name| columns.place(name, place)).transpose();
        Ok(Replies {
            id: columns.place(&thread.id, "thread.id")?,
            reply_to: columns.place(&thread.reply_to, "thread.reply_to")?,
            replies: optional(&thread.replies, "thread.replies")?,
            customer: columns.place(&thread.customer, "thread.customer")?,
            mention: optional(&thread.mention, "thread.mention")?,
        })
    }

    /// Appends thread and customer to every row.
    pub(crate) fn resolve(&self, rows: &mut [Row], written: &[Written]) {
        let added: Vec<[String; 2]> = {
            let mut graph = Graph::new(self, rows, written);
            (0..rows.len()).map(|row| [graph.thread(row), graph.customer(row)]).collect()
        };
        for (row, added) in rows.iter_mut().zip(added) {
            row.values.extend(added);
        }
    }
}

/// What is known of a row before its conversation is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    /// By the customer, not by the company.
    pub(crate) inbound: bool,
    pub(crate) at: Option<Timestamp>,
}

/// Everything that is named in the file, as a forest of answers.
struct Graph<'a> {
    columns: &'a Replies,
    rows: &'a [Row],
    written: &'a [Written],
    /// What each row is called; none where it has no name.
    node_of_row: Vec<Option<usize>>,
    nodes: Vec<Node>,
}

/// A row, or something outside the file that a row names.
#[derive(Default)]
struct Node {
    name: String,
    row: Option<usize>,
    answers: Option<usize>,
    /// In the order of time, then of the file.
    answered_by: Vec<usize>,
    root: Option<usize>,
}

impl<'a> Graph<'a> {
    fn new(columns: &'a Replies, rows: &'a [Row], written: &'a [Written]) -> Graph<'a> {
        let mut places = HashMap::new();
        let mut nodes: Vec<Node> = Vec::new();
        let mut node = |name: &str, nodes: &mut Vec<Node>| {
            let name = canonical(name);
            if let Some(place) = places.get(name) {
                return *place;
            }
            nodes.push(Node { name: name.to_owned(), ..Node::default() });
            places.insert(name.to_owned(), nodes.len() - 1);
            nodes.len() - 1
        };
        let mut node_of_row = Vec::with_capacity(rows.len());
        for (number, row) in rows.iter().enumerate() {
            let named = (!cell(row, columns.id).is_empty()).then(|| node(cell(row, columns.id), &mut nodes));
            node_of_row.push(named);
            if let Some(own) = named {
                nodes[own].row.get_or_insert(number);
                if !cell(row, columns.reply_to).is_empty() {
                    let answered = node(cell(row, columns.reply_to), &mut nodes);
                    nodes[own].answers.get_or_insert(answered);
                }
            }
        }
        // What a row says of itself counts more than what another says of it.
        for (row, own) in rows.iter().zip(&node_of_row) {
            let (Some(own), Some(replies)) = (own, columns.replies) else { continue };
            for name in cell(row, replies).split(',').filter(|name| !name.trim().is_empty()) {
                let answer = node(name, &mut nodes);
                nodes[answer].answers.get_or_insert(*own);
            }
        }
        for answer in 0..nodes.len() {
            if let (Some(answered), Some(_)) = (nodes[answer].answers, nodes[answer].row) {
                nodes[answered].answered_by.push(answer);
            }
        }
        let time = |row: Option<usize>| row.map(|row| (written[row].at, row));
        let order: Vec<_> = nodes.iter().map(|node| time(node.row)).collect();
        for node in &mut nodes {
            node.answered_by.sort_by_key(|answer| order[*answer]);
        }
        Graph { columns, rows, written, node_of_row, nodes }
    }

    /// The name of the row's conversation: what stands at its top, in the file or not.
    fn thread(&mut self, row: usize) -> String {
        let Some(own) = self.node_of_row[row] else { return String::new() };
        let mut way = Vec::new();
        let mut at = own;
        let root = loop {
            if let Some(root) = self.nodes[at].root {
                break root;
            }
            way.push(at);
            // While on the way, a node is its own root: who comes by again has gone in a circle.
            self.nodes[at].root = Some(at);
            match self.nodes[at].answers {
                Some(above) => at = above,
                None => break at,
            }
        };
        for node in way {
            self.nodes[node].root = Some(root);
        }
        self.nodes[root].name.clone()
    }

    /// Whom the row was with.
    fn customer(&mut self, row: usize) -> String {
        if self.written[row].inbound {
            return self.author(row);
        }
        let found = self
            .answered_customer(row)
            .or_else(|| self.mentioned(row))
            .or_else(|| self.answering_customer(row));
        found.unwrap_or_else(|| match self.thread(row) {
            thread if thread.is_empty() => thread,
            thread => format!("unknown-{thread}"),
        })
    }

    fn author(&self, row: usize) -> String {
        canonical(cell(&self.rows[row], self.columns.customer)).to_owned()
    }

    /// Upwards: the nearest inbound row.
    fn answered_customer(&self, row: usize) -> Option<String> {
        let mut at = self.node_of_row[row]?;
        for _ in 0..STEPS_MAX {
            at = self.nodes[at].answers?;
            match self.nodes[at].row {
                Some(row) if self.written[row].inbound => return Some(self.author(row)),
                Some(_) | None => {}
            }
        }
        None
    }

    /// The number that the text begins with, as in `@123 thank you`: customers are numbers where authors were made anonymous.
    fn mentioned(&self, row: usize) -> Option<String> {
        let text = cell(&self.rows[row], self.columns.mention?).strip_prefix('@')?;
        let name = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
        (!name.is_empty() && name.bytes().all(|b| b.is_ascii_digit())).then(|| name.to_owned())
    }

    /// Downwards, level by level: the earliest inbound row of the nearest level that has one.
    fn answering_customer(&self, row: usize) -> Option<String> {
        let mut level = vec![self.node_of_row[row]?];
        let mut steps = 0;
        while !level.is_empty() && steps < STEPS_MAX {
            let mut below: Vec<usize> =
                level.iter().flat_map(|node| &self.nodes[*node].answered_by).copied().collect();
            below.truncate(STEPS_MAX);
            let rows = below.iter().filter_map(|node| self.nodes[*node].row);
            if let Some(first) =
                rows.filter(|row| self.written[*row].inbound).min_by_key(|row| (self.written[*row].at, *row))
            {
                return Some(self.author(first));
            }
            steps += below.len();
            level = below;
        }
        None
    }
}

/// A number without the `.0` that spreadsheets give it.
fn canonical(name: &str) -> &str {
    let name = name.trim();
    match name.split_once('.') {
        Some((whole, rest))
            if rest.bytes().all(|b| b == b'0')
                && whole.bytes().all(|b| b.is_ascii_digit())
                && !whole.is_empty() =>
        {
            whole
        }
        Some(_) | None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of id, whom they answer, who answers them, author, text; numbers as authors are customers.
    fn resolved(rows: &[[&str; 5]]) -> Vec<(String, String)> {
        let replies = Replies { id: 0, reply_to: 1, replies: Some(2), customer: 3, mention: Some(4) };
        let written: Vec<_> = rows
            .iter()
            .enumerate()
            .map(|(second, row)| Written {
                inbound: row[3].parse::<u64>().is_ok(),
                at: Timestamp::from_second(i64::try_from(second).unwrap()).ok(),
            })
            .collect();
        let mut rows: Vec<_> = rows
            .iter()
            .map(|values| Row {
                line: 1,
                digest: [0; 32],
                values: values.iter().map(|v| (*v).to_owned()).collect(),
                more: Vec::new(),
            })
            .collect();
        replies.resolve(&mut rows, &written);
        rows.iter().map(|row| (row.values[5].clone(), row.values[6].clone())).collect()
    }

    fn pair(thread: &str, customer: &str) -> (String, String) {
        (thread.to_owned(), customer.to_owned())
    }

    #[test]
    fn a_conversation_is_named_by_what_stands_at_its_top_in_the_file_or_not() {
        let rows = resolved(&[
            ["3", "2.0", "", "900", "still waiting"],
            ["2", "1.0", "3", "shop", "we are looking"],
            ["5", "2", "", "901", "me too"],
            ["7", "", "", "902", "something else"],
        ]);
        assert_eq!(rows, [pair("1", "900"), pair("1", "900"), pair("1", "901"), pair("7", "902")]);
    }

    #[test]
    fn an_answer_belongs_to_the_customer_it_answers() {
        let rows = resolved(&[
            ["1", "", "", "900", "help"],
            ["2", "1", "", "shop", "part one"],
            ["3", "2", "", "shop", "@901 part two"],
            ["4", "3", "", "901", "joining"],
            ["5", "4", "", "shop", "welcome"],
        ]);
        let customers: Vec<_> = rows.into_iter().map(|(_, customer)| customer).collect();
        assert_eq!(customers, ["900", "900", "900", "901", "901"]);
    }

    #[test]
    fn an_answer_to_something_outside_belongs_to_whom_it_mentions_else_to_who_answered_it_first() {
        let rows = resolved(&[
            ["1", "99", "", "shop", "@905 hello"],
            ["2", "98", "3,4", "shop", "@friends hello"],
            ["4", "", "", "901", "second in the file's list, first in time"],
            ["3", "", "", "900", "hi"],
            ["6", "97", "", "shop", "hello?"],
        ]);
        assert_eq!(
            rows,
            [
                pair("99", "905"),
                pair("98", "901"),
                pair("98", "901"),
                pair("98", "900"),
                pair("97", "unknown-97")
            ]
        );
    }

    #[test]
    fn answers_in_a_circle_are_one_conversation() {
        let rows = resolved(&[
            ["1", "2", "", "900", ""],
            ["2", "1", "", "shop", ""],
            ["3", "1", "", "shop", ""],
            ["4", "4", "", "shop", ""],
        ]);
        assert_eq!(rows[0].0, rows[1].0);
        assert_eq!(rows[2], pair(&rows[0].0, "900"));
        assert_eq!(rows[3], pair("4", "unknown-4"));
    }

    #[test]
    fn a_row_without_a_name_has_no_conversation() {
        assert_eq!(
            resolved(&[["", "1", "", "shop", ""], ["", "", "", "900", ""]]),
            [pair("", ""), pair("", "900")]
        );
    }
}
