//! The judge: holds a history against the log, the read models and what the processes said. Each validator is one of V1 to V10.

mod by_itself;
pub(crate) mod ledger;
mod log;
mod money;
mod processes;
mod reads;
mod refusals;
mod writes;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use seva_api::identity::Identities;
use seva_eventlog::log::Log;
use seva_vault::{MasterKey, Vault};

use crate::clock::Pace;
use crate::history::{self, Call, Line, Read};
use crate::processes::master_key;
use crate::provider;
use crate::write::Write;

pub(crate) use log::Facts;
pub use processes::Recovery;

/// How many violations of one validator are kept in words.
const SHOWN_MAX: usize = 5;

/// What a validator found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Finding {
    /// How many things were looked at: a validator that looked at none has shown nothing.
    pub checked: u64,
    pub violations: u64,
    /// The first violations, in words.
    pub shown: Vec<String>,
}

impl Finding {
    /// One more thing was looked at; `wrong` says what is wrong with it.
    fn check(&mut self, is_right: bool, wrong: impl FnOnce() -> String) {
        self.checked += 1;
        if is_right {
            return;
        }
        self.violations += 1;
        if self.shown.len() < SHOWN_MAX {
            self.shown.push(wrong());
        }
    }
}

/// What all validators found.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// By what is validated, in the order judged.
    pub findings: Vec<(&'static str, Finding)>,
    pub recoveries: Vec<Recovery>,
    /// What was counted, for whoever reads the table.
    pub counts: BTreeMap<&'static str, u64>,
}

impl Verdict {
    /// Whether no validator found anything.
    pub fn is_clean(&self) -> bool {
        self.findings.iter().all(|(_, finding)| finding.violations == 0)
    }

    /// What was found, in words.
    pub fn violations(&self) -> impl Iterator<Item = String> {
        let shown = |(name, finding): &(&str, Finding)| {
            let name = (*name).to_owned();
            finding.shown.clone().into_iter().map(move |shown| format!("{name}: {shown}"))
        };
        self.findings.iter().flat_map(shown)
    }
}

/// A call, and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) client: u32,
    pub(crate) to: String,
    pub(crate) life: u64,
    pub(crate) call: Call,
    pub(crate) invoked: i64,
    pub(crate) answered: i64,
    pub(crate) end: End,
}

/// What came of a call.
#[derive(Clone, Debug)]
pub(crate) enum End {
    Ok { position: String, ids: Vec<String>, is_replayed: bool },
    Read { life: u64, position: String, holds_expected: bool },
    Fail(String),
    Unknown(String),
}

impl Attempt {
    fn write(&self) -> Option<&Write> {
        match &self.call {
            Call::Write(write) => Some(write),
            Call::Read(_) => None,
        }
    }

    fn read(&self) -> Option<&Read> {
        match &self.call {
            Call::Read(read) => Some(read),
            Call::Write(_) => None,
        }
    }
}

/// Judges the history of a folder by the log.
pub async fn judge(folder: &Path, log: &Log) -> anyhow::Result<Verdict> {
    let lines = history::read(folder)?;
    let attempts = attempts(&lines);
    let (facts, found) = log::read(log).await?;
    let pace = pace(&lines).context("the history has no beginning")?;
    let vault = Vault::in_memory(MasterKey::from_file(master_key(folder))?);
    let mut verdict = Verdict::default();
    writes::judge(&mut verdict, &attempts, &facts, &Identities::new(&vault));
    verdict.findings.push(("refusals true when given", refusals::judge(&attempts, &facts, pace)));
    verdict.findings.extend(found);
    verdict.findings.push(("suggestions captured once", facts.suggestions()));
    by_itself::judge(&mut verdict, &facts);
    money::judge(&mut verdict, &facts, &ledger::read(&provider::folder(folder))?);
    reads::judge(&mut verdict, &attempts, facts.incarnation());
    processes::judge(&mut verdict, &lines, &attempts, folder)?;
    verdict.counts.insert("commits in the log", facts.commits());
    verdict.counts.insert("records in the log", facts.records().len() as u64);
    Ok(verdict)
}

/// Judges the money alone: what the log says by the provider's ledger, and by itself.
pub(crate) async fn judge_money(folder: &Path, log: &Log) -> anyhow::Result<Verdict> {
    let (facts, findings) = log::read(log).await?;
    let mut verdict = Verdict { findings, ..Verdict::default() };
    money::judge(&mut verdict, &facts, &ledger::read(&provider::folder(folder))?);
    Ok(verdict)
}

/// Judges promises alone. Answers what the log holds as well.
pub(crate) async fn judge_promises(log: &Log) -> anyhow::Result<(Facts, Verdict)> {
    let (facts, findings) = log::read(log).await?;
    let mut verdict = Verdict { findings, ..Verdict::default() };
    by_itself::judge_promises(&mut verdict, &facts);
    Ok((facts, verdict))
}

fn pace(lines: &[Line]) -> Option<Pace> {
    lines.iter().find_map(|line| match line {
        Line::Began { pace, .. } => Some(*pace),
        _ => None,
    })
}

/// Brings calls and answers together. A call without an answer has an outcome that nobody knows.
fn attempts(lines: &[Line]) -> Vec<Attempt> {
    let mut attempts: BTreeMap<u64, Attempt> = BTreeMap::new();
    let end = |attempt: u64, at: i64, end: End, attempts: &mut BTreeMap<u64, Attempt>| {
        if let Some(attempt) = attempts.get_mut(&attempt) {
            attempt.answered = at;
            attempt.end = end;
        }
    };
    for line in lines.iter().cloned() {
        match line {
            Line::Invoke { at, attempt, client, to, life, call } => {
                let open = End::Unknown("NO_ANSWER".to_owned());
                let begun = Attempt { client, to, life, call, invoked: at, answered: i64::MAX, end: open };
                attempts.insert(attempt, begun);
            }
            Line::Ok { at, attempt, position, ids, is_replayed } => {
                end(attempt, at, End::Ok { position, ids, is_replayed }, &mut attempts);
            }
            Line::Read { at, attempt, life, position, holds_expected } => {
                end(attempt, at, End::Read { life, position, holds_expected }, &mut attempts);
            }
            Line::Fail { at, attempt, reason } => end(attempt, at, End::Fail(reason), &mut attempts),
            Line::Unknown { at, attempt, reason } => end(attempt, at, End::Unknown(reason), &mut attempts),
            Line::Began { .. }
            | Line::Killed { .. }
            | Line::Started { .. }
            | Line::Told { .. }
            | Line::Halted { .. }
            | Line::Resumed { .. }
            | Line::Ended { .. }
            | Line::Healed { .. }
            | Line::Settled { .. }
            | Line::Digest { .. } => {}
        }
    }
    attempts.into_values().collect()
}
