//! V1 to V3: what was acknowledged stands in the log once, and what was refused does not.

use std::collections::{BTreeMap, BTreeSet};

use seva_api::identity::Identities;
use seva_domain::noun::Event;
use seva_domain::values::{Actor, RequestId};
use seva_domain::{case, charge};
use seva_eventlog::commit::Position;

use super::log::{Facts, Standing};
use super::{Attempt, End, Finding, Verdict};
use crate::load::is_transient;
use crate::write::{Verb, Write};

/// The index that a position has where nothing was recorded, because it was so already.
const NOT_A_RECORD: u16 = 0xfff;

#[derive(Default)]
struct Writes {
    ok_once: Finding,
    refused_absent: Finding,
    unknown_once: Finding,
    same_answer: Finding,
}

/// Judges every write.
pub(super) fn judge(verdict: &mut Verdict, attempts: &[Attempt], facts: &Facts, identities: &Identities) {
    let mut by_marker: BTreeMap<&str, Vec<(&Attempt, &Write)>> = BTreeMap::new();
    for attempt in attempts {
        if let Some(write) = attempt.write() {
            by_marker.entry(&write.marker).or_default().push((attempt, write));
        }
    }
    let mut found = Writes::default();
    let mut asked_for = BTreeSet::new();
    for (marker, attempts) in &by_marker {
        let Some(request) = request(attempts, identities) else { continue };
        asked_for.insert(request);
        let records = facts.of(request);
        once(&mut found, marker, attempts, &records);
        for (attempt, write) in attempts {
            answered(&mut found, attempt, write, &records, facts);
            count(verdict, attempt);
        }
        same(&mut found, marker, attempts);
    }
    let strangers = facts.requests().filter(|(id, by)| by.starts_with("client-") && !asked_for.contains(id));
    for (request, by) in strangers {
        found.refused_absent.check(false, || format!("{request} of {by} was never asked for"));
    }
    verdict.counts.insert("writes asked for", by_marker.len() as u64);
    verdict.findings.extend([
        ("V1 acknowledged, in the log once", found.ok_once),
        ("V2 refused, absent", found.refused_absent),
        ("V3 unknown, at most once", found.unknown_once),
        ("same request, same answer", found.same_answer),
    ]);
}

/// What the log knows a request by.
fn request(attempts: &[(&Attempt, &Write)], identities: &Identities) -> Option<RequestId> {
    let (_, write) = attempts.first()?;
    Some(identities.request(&Actor::parse(write.actor())?, &write.marker))
}

fn count(verdict: &mut Verdict, attempt: &Attempt) {
    let name = match &attempt.end {
        End::Ok { is_replayed: true, .. } => "sendings answered again",
        End::Ok { .. } => "sendings acknowledged",
        End::Fail(reason) if reason == "REQUEST_ID_REUSED" => "sendings refused: id used before",
        End::Fail(reason) if is_transient(reason) => "sendings refused: try later",
        End::Fail(_) => "sendings refused by a rule",
        End::Unknown(_) | End::Read { .. } => "sendings of unknown outcome",
    };
    *verdict.counts.entry(name).or_default() += 1;
    let process = match attempt.to.as_str() {
        "escalation" => "acknowledged by escalation",
        "intake-1" => "acknowledged by intake-1",
        "intake-2" => "acknowledged by intake-2",
        "refunds-1" => "acknowledged by refunds-1",
        "refunds-2" => "acknowledged by refunds-2",
        _ => "acknowledged by feedback",
    };
    let is_ok = matches!(attempt.end, End::Ok { .. });
    *verdict.counts.entry(process).or_default() += u64::from(is_ok);
}

/// Whether an answer says that something was recorded, and where.
pub(super) fn recorded_at(end: &End, incarnation: &str) -> Option<Position> {
    let End::Ok { position, .. } = end else { return None };
    let position = Position::from_token(position, incarnation).ok()?;
    (position.index() != NOT_A_RECORD).then_some(position)
}

/// However often it was sent: the records of a request stand in one commit, each of them once, and say what one of the bodies said.
fn once(found: &mut Writes, marker: &str, attempts: &[(&Attempt, &Write)], records: &[&Standing]) {
    let commits: BTreeSet<u64> = records.iter().map(|standing| standing.position.sequence()).collect();
    let ids: BTreeSet<_> = records.iter().map(|standing| standing.record.id).collect();
    let is_once = commits.len() <= 1 && ids.len() == records.len();
    let wrong = || format!("{marker} stands {} times, in the commits {commits:?}", records.len());
    let any = |is: fn(&End) -> bool| attempts.iter().any(|(attempt, _)| is(&attempt.end));
    let finding = if any(|end| matches!(end, End::Ok { .. })) {
        &mut found.ok_once
    } else if any(|end| matches!(end, End::Unknown(_))) {
        &mut found.unknown_once
    } else {
        &mut found.refused_absent
    };
    finding.check(is_once, wrong);
    if records.is_empty() {
        return;
    }
    let of_body = attempts.iter().filter(|(_, write)| says(records, write));
    // Recorded by a body of which every sending was refused: a refusal that was none.
    let may_be = of_body.clone().any(|(attempt, _)| !matches!(attempt.end, End::Fail(_)));
    let reasons: Vec<_> = of_body.map(|(attempt, _)| &attempt.end).collect();
    found
        .refused_absent
        .check(may_be, || format!("{marker} stands at {commits:?} and was answered {reasons:?}"));
}

/// What one sending was answered is what the log says.
fn answered(found: &mut Writes, attempt: &Attempt, write: &Write, records: &[&Standing], facts: &Facts) {
    let says_this = records.is_empty() || says(records, write);
    let marker = &write.marker;
    match &attempt.end {
        End::Ok { ids, .. } => {
            let Some(position) = recorded_at(&attempt.end, facts.incarnation()) else { return };
            let last = records.last().map(|standing| standing.position);
            found.ok_once.check(last == Some(position), || {
                let (sequence, index) = (position.sequence(), position.index());
                let stands = last.map(|last| (last.sequence(), last.index()));
                format!("{marker} was acknowledged at {sequence}.{index} and stands at {stands:?}")
            });
            found.ok_once.check(says_this, || format!("{marker} stands with another body"));
            found.ok_once.check(ids.iter().all(|id| is_named(id, records)), || {
                format!("{marker} was answered {ids:?}, which its records do not name")
            });
        }
        End::Fail(reason) if reason == "REQUEST_ID_REUSED" => {
            let is_other = !says_this;
            found.refused_absent.check(is_other, || {
                format!("{marker} was told that its id was used for another request, and the log holds none")
            });
        }
        End::Fail(_) | End::Read { .. } | End::Unknown(_) => {}
    }
}

/// Whether the records of a request say what one of its bodies said.
fn says(records: &[&Standing], write: &Write) -> bool {
    let mut events = records.iter().flat_map(|standing| &standing.record.events).map(|entry| &entry.event);
    match write.verb {
        Verb::MakePromise => events.any(|event| match event {
            Event::Case(case::Event::PromiseProposed(proposed)) => proposed.due.0 == write.number,
            _ => false,
        }),
        Verb::RequestRefund => events.any(|event| match event {
            Event::Charge(charge::Event::RefundRequested(requested)) => {
                let amounts = requested.lines.iter().map(|line| line.amount.get());
                i64::try_from(amounts.sum::<u64>()) == Ok(write.number)
            }
            _ => false,
        }),
        verb if verb.has_bodies() => records.iter().all(|s| s.record.occurred_at.0 == write.occurred_at),
        _ => true,
    }
}

/// Whether an id of an answer is in the records that the answer is about.
fn is_named(id: &str, records: &[&Standing]) -> bool {
    let names = |standing: &&Standing| serde_json::to_string(&*standing.record).is_ok_and(|r| r.contains(id));
    records.iter().any(names)
}

/// Once a request was recorded and answered, the same request is never answered otherwise.
fn same(found: &mut Writes, marker: &str, attempts: &[(&Attempt, &Write)]) {
    let is_record = |end: &End| match end {
        End::Ok { position, .. } => !position.ends_with("fff"),
        End::Fail(_) | End::Read { .. } | End::Unknown(_) => false,
    };
    let first =
        attempts.iter().filter(|(attempt, _)| is_record(&attempt.end)).min_by_key(|(a, _)| a.answered);
    let Some((first, recorded)) = first else { return };
    for (later, write) in attempts.iter().filter(|(later, _)| later.invoked > first.answered) {
        let is_right = match &later.end {
            End::Ok { is_replayed, .. } => *is_replayed && write.body == recorded.body,
            End::Fail(reason) if reason == "REQUEST_ID_REUSED" => write.body != recorded.body,
            End::Fail(reason) => is_transient(reason),
            End::Unknown(_) | End::Read { .. } => true,
        };
        found
            .same_answer
            .check(is_right, || format!("{marker} was acknowledged, and then answered {:?}", later.end));
    }
}
