//! The whole log, read and checked by the reader that everybody uses, and run again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use seva_domain::noun::{Event, Noun, State};
use seva_domain::record::{Entry, Record};
use seva_domain::values::{At, Direction, InteractionId, Kind, RequestId};
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

/// What the log holds.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    incarnation: String,
    commits: u64,
    records: Vec<Standing>,
    /// Places among the records, by the request that they answer.
    by_request: BTreeMap<RequestId, Vec<usize>>,
    /// How each noun stood after each of its records.
    stands: BTreeMap<Noun, Vec<(u64, At, State)>>,
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

    /// The records that answer a request, in order.
    pub(crate) fn of(&self, request: RequestId) -> Vec<&Standing> {
        self.by_request.get(&request).into_iter().flatten().map(|n| &self.records[*n]).collect()
    }

    /// Every request that has records, and who made it.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (RequestId, &str)> {
        let first = |(id, places): (&RequestId, &Vec<usize>)| {
            Some((*id, self.records[*places.first()?].record.actor.as_str()))
        };
        self.by_request.iter().filter_map(first)
    }

    /// Every way a noun stood from a sequence on, as far as it was decided by a time.
    pub(crate) fn stood(&self, noun: Noun, from: u64, until: At) -> Vec<State> {
        let history = self.stands.get(&noun).map_or(&[][..], Vec::as_slice);
        let begin = history.partition_point(|(sequence, _, _)| *sequence <= from);
        let absent = || State::absent(&noun);
        let first = begin.checked_sub(1).map_or_else(absent, |n| history[n].2.clone());
        let later = history[begin..].iter().filter(|(_, at, _)| *at <= until);
        std::iter::once(first).chain(later.map(|(_, _, state)| state.clone())).collect()
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
                | Event::Customer(_)
                | Event::Escalation(_)
                | Event::Import(_)
                | Event::Policy(_)
                | Event::Suggestion(_) => {}
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

    /// Every event with the record it stands in, in order.
    pub(crate) fn events(&self) -> impl Iterator<Item = (&Standing, &Event)> {
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
        if let Some(request) = &record.request {
            self.by_request.entry(request.id).or_default().push(self.records.len());
        }
        let history = self.stands.entry(record.noun).or_default();
        let before =
            history.last().map_or_else(|| State::absent(&record.noun), |(_, _, state)| state.clone());
        let evolve = |state: State, entry: &Entry| state.evolve(&entry.event, record.effective_at);
        let after = record.events.iter().fold(before, evolve);
        history.push((standing.position.sequence(), standing.at, after));
        self.records.push(standing);
    }
}
