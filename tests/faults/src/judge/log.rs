//! The whole log, read and checked by the reader that everybody uses, and run again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use seva_domain::noun::{Event, Noun};
use seva_domain::record::Record;
use seva_domain::values::{At, Direction, InteractionId, Kind};
use seva_domain::{case, suggestion};
use seva_eventlog::commit::Position;
use seva_eventlog::follow::{Chains, Checker, Own};
use seva_eventlog::log::Log;
use seva_eventlog::simulate;

use super::Finding;

/// How long the log may take to give its next message, and to be run again.
const NEXT_MAX: Duration = Duration::from_secs(20);
const AGAIN_MAX: Duration = Duration::from_secs(300);

/// A record and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) position: Position,
    /// When its commit was decided.
    pub(crate) at: At,
    pub(crate) record: Arc<Record>,
}

/// How a noun stands, as far as refusals depend on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stands {
    Nowhere,
    Open,
    Resolved,
    Closed,
    InTriage,
    WithDepartment,
    Decided,
}

impl Stands {
    /// Whether a refusal for this reason is what a noun answers that stands so. Reasons of other kinds may always be.
    pub(crate) fn refuses(self, reason: &str) -> bool {
        match reason {
            "NOT_FOUND" => self == Stands::Nowhere,
            "NOT_RESOLVED" => self == Stands::Open,
            "ALREADY_RESOLVED" => self == Stands::Resolved,
            "CASE_CLOSED" => self == Stands::Closed,
            "IN_TRIAGE" => self == Stands::InTriage,
            "ALREADY_DECIDED" => self == Stands::Decided,
            _ => true,
        }
    }

    fn after(self, event: &Event) -> Stands {
        let with =
            |department: &str| if department == "triage" { Stands::InTriage } else { Stands::WithDepartment };
        match event {
            Event::Case(event) => match event {
                case::Event::Opened(_) | case::Event::ResolutionRejected(_) | case::Event::Reopened(_) => {
                    Stands::Open
                }
                case::Event::Resolved(_) => Stands::Resolved,
                case::Event::ResolutionConfirmed(_) => Stands::Closed,
                case::Event::Linked(_)
                | case::Event::InteractionLogged(_)
                | case::Event::Reclassified(_)
                | case::Event::ConfirmationAwaited(_)
                | case::Event::PromiseProposed(_)
                | case::Event::PromiseMade(_)
                | case::Event::PromiseRefused(_)
                | case::Event::PromiseKept(_)
                | case::Event::PromiseRenegotiated(_)
                | case::Event::PromiseBroken(_) => self,
            },
            Event::Suggestion(event) => match event {
                suggestion::Event::Captured(_) => Stands::InTriage,
                suggestion::Event::Routed(routed) => with(routed.department.as_str()),
                suggestion::Event::Rerouted(rerouted) => with(rerouted.to.as_str()),
                suggestion::Event::Adopted(_) | suggestion::Event::Declined(_) => Stands::Decided,
                suggestion::Event::Acknowledged(_) | suggestion::Event::OutcomeReported(_) => self,
            },
            Event::Charge(_)
            | Event::Customer(_)
            | Event::Escalation(_)
            | Event::Import(_)
            | Event::Policy(_) => self,
        }
    }
}

/// What the log holds.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    incarnation: String,
    commits: u64,
    records: Vec<Standing>,
    /// Places among the records, by the caller that asked for them.
    by_marker: BTreeMap<String, Vec<usize>>,
    /// How each noun stood after each of its records, by the text of its id.
    stands: BTreeMap<String, Vec<(u64, At, Stands)>>,
}

impl Facts {
    pub(crate) fn incarnation(&self) -> &str {
        &self.incarnation
    }

    pub(crate) fn commits(&self) -> u64 {
        self.commits
    }

    pub(crate) fn records(&self) -> &[Standing] {
        &self.records
    }

    /// The records that a caller asked for, in order.
    pub(crate) fn of(&self, marker: &str) -> Vec<&Standing> {
        self.by_marker.get(marker).into_iter().flatten().map(|n| &self.records[*n]).collect()
    }

    /// Every caller that has records.
    pub(crate) fn markers(&self) -> impl Iterator<Item = &str> {
        self.by_marker.keys().map(String::as_str)
    }

    /// Every way a noun stood from a sequence on, as far as it was decided by a time.
    pub(crate) fn stood(&self, noun: &str, from: u64, until: At) -> Vec<Stands> {
        let history = self.stands.get(noun).map_or(&[][..], Vec::as_slice);
        let begin = history.partition_point(|(sequence, _, _)| *sequence <= from);
        let first = begin.checked_sub(1).map_or(Stands::Nowhere, |n| history[n].2);
        let later = history[begin..].iter().filter(|(_, at, _)| *at <= until).map(|(_, _, stands)| *stands);
        std::iter::once(first).chain(later).collect()
    }

    /// Every suggestion in an interaction is captured once, and nothing else is captured as one.
    pub(crate) fn suggestions(&self) -> Finding {
        let mut logged: BTreeMap<InteractionId, u64> = BTreeMap::new();
        let mut captured: BTreeMap<InteractionId, u64> = BTreeMap::new();
        for (standing, event) in self.events() {
            match event {
                Event::Case(case::Event::InteractionLogged(said)) => {
                    if said.kind == Kind::Suggestion && said.direction == Direction::Inbound {
                        logged.insert(said.interaction, standing.position.sequence());
                    }
                }
                Event::Case(case::Event::Reclassified(found)) if found.to == Kind::Suggestion => {
                    logged.insert(found.interaction, standing.position.sequence());
                }
                Event::Suggestion(suggestion::Event::Captured(idea)) => {
                    if let Some(interaction) = idea.interaction {
                        *captured.entry(interaction).or_default() += 1;
                    }
                }
                Event::Case(_)
                | Event::Charge(_)
                | Event::Escalation(_)
                | Event::Suggestion(_)
                | Event::Customer(_)
                | Event::Import(_)
                | Event::Policy(_) => {}
            }
        }
        let mut finding = Finding::default();
        for (interaction, sequence) in &logged {
            let times = captured.remove(interaction).unwrap_or(0);
            finding.check(times == 1, || {
                format!("{interaction} at {sequence} is a suggestion captured {times} times")
            });
        }
        for interaction in captured.keys() {
            finding
                .check(false, || format!("{interaction} is captured and was never logged as a suggestion"));
        }
        finding
    }

    fn events(&self) -> impl Iterator<Item = (&Standing, &Event)> {
        self.records.iter().flat_map(|s| s.record.events.iter().map(move |entry| (s, &entry.event)))
    }
}

/// Reads the log, as far as it can be read. Answers what it holds, and what is wrong with it.
pub(crate) async fn read(log: &Log) -> anyhow::Result<(Facts, Vec<(&'static str, Finding)>)> {
    let mut facts = Facts { incarnation: log.incarnation().to_owned(), ..Facts::default() };
    let (mut chain, mut order, mut again) = (Finding::default(), Finding::default(), Finding::default());
    let end = log.end().await?;
    let mut checker = Checker::new(Chains::default(), |_| true, Own::default());
    let mut messages = log.follow(1).await?;
    let mut revs: BTreeMap<Noun, u64> = BTreeMap::new();
    while facts.commits < end {
        let Some(stored) = tokio::time::timeout(NEXT_MAX, messages.next()).await? else { break };
        let followed = match checker.check(&stored?) {
            Ok(followed) => followed,
            Err(broken) => {
                chain.check(false, || broken.to_string());
                break;
            }
        };
        chain.check(true, String::new);
        facts.commits += 1;
        for (index, record) in followed.commit.records() {
            let position = Position::of(followed.sequence, index);
            let last = revs.insert(record.noun, record.rev).unwrap_or(0);
            order.check(record.rev == last + 1, || {
                let noun = record.noun.id();
                format!(
                    "{} {noun} goes from rev {last} to {} at {}",
                    record.noun.name(),
                    record.rev,
                    followed.sequence
                )
            });
            facts.add(Standing { position, at: followed.commit.at, record: Arc::clone(record) });
        }
    }
    // A log that cannot be followed cannot be run again either.
    if chain.violations == 0 {
        match tokio::time::timeout(AGAIN_MAX, simulate::run(log)).await? {
            Ok(report) => {
                again.checked = report.facts + report.automatic;
                if let Some(difference) = report.difference {
                    again.check(false, || format!("{difference:?}"));
                }
            }
            Err(error) => again.check(false, || error.to_string()),
        }
    }
    let found = vec![
        ("V4 sequences and chains whole", chain),
        ("V4 revs without gap", order),
        ("V4 run again, no difference", again),
    ];
    Ok((facts, found))
}

impl Facts {
    fn add(&mut self, standing: Standing) {
        let record = &standing.record;
        if record.request.is_some() {
            let marker = record.actor.as_str().to_owned();
            self.by_marker.entry(marker).or_default().push(self.records.len());
        }
        let history = self.stands.entry(record.noun.id()).or_default();
        let before = history.last().map_or(Stands::Nowhere, |(_, _, stands)| *stands);
        let after = record.events.iter().fold(before, |stands, entry| stands.after(&entry.event));
        history.push((standing.position.sequence(), standing.at, after));
        self.records.push(standing);
    }
}
