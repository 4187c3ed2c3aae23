//! Running a log again: the same facts, through the same functions, must make the same records, byte for byte.

use std::sync::Arc;

use futures::StreamExt as _;
use seva_domain::record::Record;
use seva_domain::service::Service;

use crate::base::Base;
use crate::follow::{Broken, Chains, Checker, Followed, Own};
use crate::log::Log;
use crate::shard::{Shard, ShardError};
use crate::store::MemoryStore;

/// What running a log again came to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Report {
    pub commits: u64,
    /// Records that people and systems asked for.
    pub facts: u64,
    /// Records that processes and due times made.
    pub automatic: u64,
    /// Events that rules made, in records of any kind.
    pub rule_events: u64,
    /// The first record that came out otherwise, if one did.
    pub difference: Option<Difference>,
}

/// A record that came out otherwise than the log has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    pub sequence: u64,
    pub index: usize,
    /// What the log has; `None`: nothing stands there.
    pub logged: Option<String>,
    /// What came out.
    pub simulated: Option<String>,
}

/// Why a log could not be run again.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error(transparent)]
    Shard(#[from] ShardError),
}

/// Runs a log again from its beginning to where it ends now, and stops at the first difference.
pub async fn run(log: &Log) -> Result<Report, SimulateError> {
    let mut report = Report::default();
    let end = log.end().await.map_err(Broken::from)?;
    if end == 0 {
        return Ok(report);
    }
    let mut shards = Vec::new();
    for service in Service::ALL {
        let shard =
            Shard::open(service, Arc::new(Base::new(Arc::new(MemoryStore::default()))), log.incarnation());
        shards.push((service, shard.map_err(ShardError::from)?));
    }
    let mut checker = Checker::new(Chains::default(), |_| true, Own::default());
    let mut messages = log.follow(1).await.map_err(Broken::from)?;
    while let Some(stored) = messages.next().await {
        let followed = Arc::new(checker.check(&stored.map_err(Broken::from)?)?);
        for (service, shard) in &mut shards {
            if *service == followed.service {
                report.difference = again(shard, &followed, &mut report)?;
                shard.note(&followed);
                if report.difference.is_none() {
                    shard.stands(&followed);
                    shard.layers.settle();
                }
            } else {
                shard.note(&followed);
            }
        }
        if followed.sequence >= end || report.difference.is_some() {
            break;
        }
    }
    Ok(report)
}

/// Makes a commit again from its facts. Answers the first difference.
fn again(
    shard: &mut Shard,
    followed: &Followed,
    report: &mut Report,
) -> Result<Option<Difference>, SimulateError> {
    let commit = &followed.commit;
    let logged: Vec<Arc<Record>> = commit.records().map(|(_, record)| Arc::clone(record)).collect();
    let mut gathering = shard.begin(commit.at, commit.reacted_to)?;
    let mut rest = logged.as_slice();
    while let Some(request) = rest.iter().position(|record| record.request.is_some()) {
        rest = &rest[request..];
        let id = rest.first().and_then(|record| record.request).map(|request| request.id);
        let of = |record: &Arc<Record>| record.request.map(|request| request.id);
        // What became of its nouns by themselves before may stand between the facts of a request.
        let count = rest.iter().take_while(|record| of(record).is_none() || of(record) == id).count();
        let (facts, others) = rest.split_at(count);
        let facts: Vec<_> = facts.iter().filter(|record| of(record).is_some()).cloned().collect();
        if let Err(rejection) = shard.rerun(&mut gathering, &facts) {
            tracing::warn!(%rejection, sequence = followed.sequence, "facts of the log could not be run again");
        }
        rest = others;
    }
    report.commits += 1;
    for record in &logged {
        let is_fact = record.request.is_some();
        report.facts += u64::from(is_fact);
        report.automatic += u64::from(!is_fact);
        let rules = record.events.iter().filter(|e| e.origin == seva_domain::record::Origin::Rule).count();
        report.rule_events += rules as u64;
    }
    shard.take_back(std::mem::take(&mut gathering.written));
    let made = gathering.records;
    // Records that are the same are written the same.
    let differs = |index: &usize| made.get(*index) != logged.get(*index);
    let first = (0..made.len().max(logged.len())).find(differs);
    Ok(first.map(|index| Difference {
        sequence: followed.sequence,
        index,
        logged: logged.get(index).map(text),
        simulated: made.get(index).map(text),
    }))
}

fn text(record: &Arc<Record>) -> String {
    serde_json::to_string(record).unwrap_or_else(|error| error.to_string())
}
