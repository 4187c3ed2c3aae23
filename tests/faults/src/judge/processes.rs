//! V6, V9 and V10: read models are what the log makes of them, processes come back, and none gives way by itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::{Attempt, End, Finding, Verdict};
use crate::history::Line;

/// How long a process took after a kill until it answered again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recovery {
    pub process: String,
    /// Microseconds from the kill to the first answer to a call made after it; `None`: it was killed again before, or never answered.
    pub micros: Option<i64>,
    /// Microseconds from the kill until it was started again.
    pub down_micros: Option<i64>,
}

/// Judges what the processes did.
pub(super) fn judge(
    verdict: &mut Verdict,
    lines: &[Line],
    attempts: &[Attempt],
    folder: &Path,
) -> anyhow::Result<()> {
    let digests = digests(lines);
    let settled = settled(lines);
    let kept = kept(folder)?;
    verdict.recoveries = recoveries(lines, attempts);
    let kills = verdict.recoveries.len() as u64;
    let sound = sound(lines, attempts, folder, verdict)?;
    let halts = lines.iter().filter(|line| matches!(line, Line::Halted { .. })).count() as u64;
    verdict.counts.insert("kills", kills);
    verdict.counts.insert("halts of the log's server", halts);
    verdict.findings.extend([
        ("V6 live read models = rebuilt = other process's", digests),
        ("V6 no database had to be made anew", kept),
        ("V9 everything settled after the last kill", settled),
        ("V10 no panic, no fault, no end by itself", sound),
    ]);
    Ok(())
}

/// All digests of one model of a service at one position are the same: those of other processes, and those rebuilt. Services that have a model
/// in common fold it from different nouns.
fn digests(lines: &[Line]) -> Finding {
    let mut finding = Finding::default();
    let mut known: BTreeMap<(&str, &str), (&str, u64, &str)> = BTreeMap::new();
    for line in lines {
        let Line::Digest { process, model, sequence, digest, is_rebuilt, rows } = line else { continue };
        // Processes of one service are numbered.
        let service = process.split('-').next().unwrap_or(process);
        let known = known.entry((service, model)).or_insert((process, *sequence, digest));
        let (first, at, expected) = *known;
        finding.check(*sequence == at && digest == expected, || {
            let how = if *is_rebuilt { "rebuilt" } else { "as it was" };
            format!("{model} of {process}, {how}, {rows} rows at {sequence}: not as {first} has it at {at}")
        });
    }
    finding
}

/// A kill loses no row that a database says it holds: none was put aside.
fn kept(folder: &Path) -> anyhow::Result<Finding> {
    let mut finding = Finding::default();
    // Processes that never came up made none.
    let Ok(processes) = fs::read_dir(folder.join("databases")) else { return Ok(finding) };
    for process in processes {
        let process = process?;
        for service in fs::read_dir(process.path())? {
            let service = service?;
            if !service.file_type()?.is_dir() {
                continue;
            }
            let mut names = fs::read_dir(service.path())?.map(|entry| entry.map(|e| e.file_name()));
            let aside = names
                .find(|name| name.as_ref().is_ok_and(|n| n.to_string_lossy().starts_with("quarantine-")));
            let process = process.file_name();
            finding.check(aside.is_none(), || format!("the database of {} was put aside", process.display()));
        }
    }
    Ok(finding)
}

fn settled(lines: &[Line]) -> Finding {
    let mut finding = Finding::default();
    let settled = lines.iter().rev().find_map(|line| match line {
        Line::Settled { trouble, .. } => Some(trouble.clone()),
        _ => None,
    });
    let trouble = settled.unwrap_or(Some("the run did not get so far".to_owned()));
    finding.check(trouble.is_none(), || trouble.clone().unwrap_or_default());
    finding
}

/// The first answer after each kill. The log's server answers when a write is acknowledged by anybody.
fn recoveries(lines: &[Line], attempts: &[Attempt]) -> Vec<Recovery> {
    let kills: Vec<_> = lines
        .iter()
        .enumerate()
        .filter_map(|(n, line)| match line {
            Line::Killed { at, process } => Some((n, *at, process.as_str())),
            _ => None,
        })
        .collect();
    let recovery = |(n, at, process): &(usize, i64, &str)| {
        let next =
            kills.iter().find(|(m, _, other)| m > n && other == process).map_or(i64::MAX, |(_, at, _)| *at);
        let is_answer = |attempt: &&Attempt| match &attempt.end {
            End::Ok { .. } => *process == "nats" || attempt.to == *process,
            End::Read { .. } => attempt.to == *process,
            End::Fail(_) | End::Unknown(_) => false,
        };
        let after = attempts.iter().filter(|a| a.invoked > *at && a.answered < next);
        let first = after.filter(is_answer).map(|attempt| attempt.answered).min();
        let started = lines[*n..].iter().find_map(|line| match line {
            Line::Started { at, process: started, .. } if started == process => Some(*at),
            _ => None,
        });
        let since = |then: i64| then - at;
        Recovery { process: (*process).to_owned(), micros: first.map(since), down_micros: started.map(since) }
    };
    kills.iter().map(recovery).collect()
}

/// No process panicked, answered that it is at fault, or ended by itself but for want of the log's server.
fn sound(
    lines: &[Line],
    attempts: &[Attempt],
    folder: &Path,
    verdict: &mut Verdict,
) -> anyhow::Result<Finding> {
    let mut finding = Finding::default();
    let logs = folder.join("logs");
    for entry in fs::read_dir(&logs).with_context(|| format!("{} cannot be read", logs.display()))? {
        let path = entry?.path();
        let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        for line in text.lines() {
            let errors = verdict.counts.entry("errors in process logs").or_default();
            *errors += u64::from(line.contains(r#""level":"ERROR""#));
            finding.check(!line.contains("panicked"), || format!("{}: {line}", path.display()));
        }
    }
    for attempt in attempts {
        let is_fault =
            matches!(&attempt.end, End::Unknown(reason) | End::Fail(reason) if reason == "INTERNAL");
        finding.check(!is_fault, || format!("{} answered INTERNAL to {:?}", attempt.to, attempt.call));
    }
    for line in lines {
        let Line::Ended { at, process, life, was_up, status } = line else { continue };
        *verdict.counts.entry("starts that ended for want of the server").or_default() += u64::from(!*was_up);
        let is_excused = !*was_up && server_was_down(lines, process, *life, *at);
        finding.check(is_excused, || format!("{process} ended by itself: {status}"));
    }
    Ok(finding)
}

/// Whether the log's server was away at some moment of a life that ended at a time.
fn server_was_down(lines: &[Line], process: &str, life: u64, ended: i64) -> bool {
    let begun = lines.iter().find_map(|line| match line {
        Line::Started { at, process: started, life: n } if started == process && *n == life => Some(*at),
        _ => None,
    });
    let mut down_since = None;
    for line in lines {
        let (at, is_back) = match line {
            Line::Killed { at, process } if process == "nats" => (at, false),
            Line::Halted { at } => (at, false),
            Line::Started { at, process, .. } if process == "nats" => (at, true),
            Line::Resumed { at } => (at, true),
            _ => continue,
        };
        if !is_back {
            down_since = Some(*at);
        } else {
            if down_since.is_some_and(|since| since < ended) && begun.is_some_and(|begun| *at > begun) {
                return true;
            }
            down_since = None;
        }
    }
    down_since.is_some_and(|since| since < ended)
}
