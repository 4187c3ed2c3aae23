//! Reading a whole log and checking what must hold in any.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use seva_domain::noun::Noun;
use seva_domain::record::Record;
use seva_domain::service::Service;
use seva_domain::values::{At, RequestId};
use seva_eventlog::commit::{BYTES_MAX, Position, RECORDS_MAX};
use seva_eventlog::follow::{Chains, Checker, Followed, Own};
use seva_eventlog::log::Log;

use crate::submissions::request;

/// How large a commit is besides its records.
const ENVELOPE_BYTES_MAX: usize = 512;

/// A log as it was found.
pub(crate) struct Audit {
    pub(crate) commits: Vec<Followed>,
    pub(crate) records: Vec<(Position, Arc<Record>)>,
}

impl Audit {
    /// Reads a log; fails where it is not as every log must be.
    pub(crate) async fn of(log: &Log) -> Audit {
        let mut audit = Audit { commits: Vec::new(), records: Vec::new() };
        let mut checker = Checker::new(Chains::default(), |_| true, Own::default());
        for sequence in 1..=log.end().await.unwrap() {
            let stored = log.read(sequence).await.unwrap().unwrap();
            assert!(stored.bytes.len() <= BYTES_MAX + ENVELOPE_BYTES_MAX, "{} bytes", stored.bytes.len());
            let followed = checker.check(&stored).unwrap();
            for (index, record) in followed.commit.records() {
                audit.records.push((Position::of(sequence, index), Arc::clone(record)));
            }
            audit.commits.push(followed);
        }
        audit.check_commits();
        audit.check_records();
        audit
    }

    fn check_commits(&self) {
        let mut last: BTreeMap<Service, (At, u64)> = BTreeMap::new();
        for commit in &self.commits {
            assert!(commit.commit.records.len() <= RECORDS_MAX);
            let (at, reacted_to) = last.get(&commit.service).copied().unwrap_or_default();
            assert!(commit.commit.at >= at, "the time went back at {}", commit.sequence);
            assert!(
                (reacted_to..commit.sequence).contains(&commit.commit.reacted_to),
                "at {}",
                commit.sequence
            );
            last.insert(commit.service, (commit.commit.at, commit.commit.reacted_to));
        }
    }

    fn check_records(&self) {
        let (mut ids, mut revs) = (BTreeSet::new(), BTreeMap::<Noun, u64>::new());
        for (position, record) in &self.records {
            assert!(ids.insert(record.id), "{} stands twice, again at {position:?}", record.id);
            let rev = revs.entry(record.noun).or_default();
            *rev += 1;
            assert_eq!(record.rev, *rev, "{}", record.noun);
        }
    }

    /// Where the records of the request of this name stand.
    pub(crate) fn of_request(&self, name: &str) -> Vec<Position> {
        let id: RequestId = request(name);
        let mine = |record: &Record| record.request.is_some_and(|request| request.id == id);
        self.records.iter().filter(|(_, record)| mine(record)).map(|(position, _)| *position).collect()
    }

    /// The records of a noun.
    pub(crate) fn of_noun(&self, noun: Noun) -> Vec<&Record> {
        self.records.iter().map(|(_, record)| record.as_ref()).filter(|record| record.noun == noun).collect()
    }

    /// How many commits of a service there are, by build.
    pub(crate) fn shares(&self, service: Service) -> BTreeMap<&str, usize> {
        let mut shares = BTreeMap::new();
        for commit in self.commits.iter().filter(|commit| commit.service == service) {
            *shares.entry(commit.commit.build.as_str()).or_default() += 1;
        }
        shares
    }
}
