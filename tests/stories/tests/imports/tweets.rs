//! The tweets as a reader of the file alone has them: which conversation each belongs to, and whose story it is part of.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

/// How many columns a record has.
const COLUMNS: usize = 8;

/// A tweet of the file.
pub(crate) struct Tweet {
    /// Year, month, day and time of day, all in UTC.
    at: (u16, usize, u8, String),
    pub(crate) text: String,
    pub(crate) is_inbound: bool,
    pub(crate) thread: String,
    pub(crate) customer: String,
}

/// A record of the file that is a whole tweet.
struct Row {
    id: String,
    author: String,
    is_inbound: bool,
    at: (u16, usize, u8, String),
    text: String,
    replies: Vec<String>,
    reply_to: Option<String>,
}

/// The tweets of one customer in order of time; those of one second in the order of the file.
pub(crate) fn by_customer(file: &Path) -> Result<BTreeMap<String, Vec<Tweet>>> {
    let rows = rows(file)?;
    let place: HashMap<&str, usize> = rows.iter().enumerate().map(|(n, row)| (row.id.as_str(), n)).collect();
    let above = above(&rows);
    let mut below: HashMap<&str, Vec<usize>> = HashMap::new();
    for (n, row) in rows.iter().enumerate() {
        if let Some(parent) = above.get(row.id.as_str()) {
            below.entry(parent).or_default().push(n);
        }
    }
    let mut customers: BTreeMap<String, Vec<Tweet>> = BTreeMap::new();
    for row in &rows {
        let way = ways_up(&row.id, &above);
        let thread = (*way.last().context("every way has a beginning")?).to_owned();
        let inbound_above = || {
            let nearest = way[1..].iter().find_map(|id| place.get(id).filter(|n| rows[**n].is_inbound));
            nearest.map(|n| rows[*n].author.clone())
        };
        let customer = if row.is_inbound { Some(row.author.clone()) } else { None }
            .or_else(inbound_above)
            .or_else(|| mentioned(&row.text))
            .or_else(|| first_answer(row, &rows, &below))
            .unwrap_or_else(|| format!("unknown-{thread}"));
        let (at, text) = (row.at.clone(), row.text.clone());
        let tweet = Tweet { at, text, is_inbound: row.is_inbound, thread, customer: customer.clone() };
        customers.entry(customer).or_default().push(tweet);
    }
    // A stable sort: those of one second stay in the order of the file.
    customers.values_mut().for_each(|tweets| tweets.sort_by(|a, b| a.at.cmp(&b.at)));
    Ok(customers)
}

/// The customers of each conversation.
pub(crate) fn by_thread(customers: &BTreeMap<String, Vec<Tweet>>) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut threads: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for tweet in customers.values().flatten() {
        threads.entry(&tweet.thread).or_default().insert(&tweet.customer);
    }
    threads
}

fn rows(file: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for record in csv::ReaderBuilder::new().flexible(true).from_path(file)?.records() {
        let record = record?;
        // The one tweet that is broken over several records.
        if record.len() != COLUMNS {
            continue;
        }
        let named = |column: usize| whole(record[column].trim());
        rows.push(Row {
            id: named(1).context("a tweet has a number")?,
            author: record[2].trim().to_owned(),
            is_inbound: &record[3] == "True",
            at: time(&record[4])?,
            text: record[5].trim().to_owned(),
            replies: record[6].split(',').filter_map(|id| whole(id.trim())).collect(),
            reply_to: named(7),
        });
    }
    Ok(rows)
}

/// A number as the file writes it where a column has gaps: with `.0`.
fn whole(number: &str) -> Option<String> {
    let number = number.strip_suffix(".0").unwrap_or(number);
    (!number.is_empty()).then(|| number.to_owned())
}

/// `Tue Oct 31 22:10:47 +0000 2017`.
fn time(text: &str) -> Result<(u16, usize, u8, String)> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let [_, month, day, time, zone, year] = text.split(' ').collect::<Vec<_>>()[..] else {
        anyhow::bail!("no time: {text}");
    };
    ensure!(zone == "+0000", "another zone: {text}");
    let month = MONTHS.iter().position(|name| *name == month).context("no month")?;
    Ok((year.parse()?, month, day.parse()?, time.to_owned()))
}

/// What each tweet answers: by its own word, else by the word of the tweet that was answered.
fn above(rows: &[Row]) -> HashMap<&str, &str> {
    let mut above = HashMap::new();
    for row in rows {
        if let Some(parent) = &row.reply_to {
            above.entry(row.id.as_str()).or_insert(parent.as_str());
        }
    }
    for row in rows {
        for reply in &row.replies {
            above.entry(reply.as_str()).or_insert(row.id.as_str());
        }
    }
    above
}

/// A tweet, what it answers, and so on to the top.
fn ways_up<'a>(id: &'a str, above: &HashMap<&str, &'a str>) -> Vec<&'a str> {
    let (mut way, mut seen) = (vec![id], HashSet::from([id]));
    while let Some(parent) = way.last().and_then(|id| above.get(id)).filter(|parent| seen.insert(parent)) {
        way.push(parent);
    }
    way
}

/// The number that an answer begins with: `@123 thank you`.
fn mentioned(text: &str) -> Option<String> {
    let name = text.strip_prefix('@')?;
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
    let name = &name[..end];
    (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())).then(|| name.to_owned())
}

/// The author of the earliest tweet of a customer among the nearest answers.
fn first_answer(row: &Row, rows: &[Row], below: &HashMap<&str, Vec<usize>>) -> Option<String> {
    let mut level = vec![row.id.as_str()];
    while !level.is_empty() {
        let answers: Vec<usize> = level.iter().filter_map(|id| below.get(id)).flatten().copied().collect();
        let inbound = answers.iter().filter(|n| rows[**n].is_inbound);
        if let Some(first) = inbound.min_by_key(|n| (&rows[**n].at, **n)) {
            return Some(rows[*first].author.clone());
        }
        level = answers.iter().map(|n| rows[*n].id.as_str()).collect();
    }
    None
}
