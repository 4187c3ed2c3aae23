//! From the published stream's last message to where the relay goes on in the log, which must still be the log it was written from.

use std::collections::BTreeMap;

use async_nats::HeaderMap;
use seva_eventlog::commit::Digest;
use seva_eventlog::follow::{Broken, Chains};
use seva_eventlog::log::{Log, LogError, Stored};

use crate::cloud_event::{BEFORE, DIGEST, Place, digest};
use crate::percent;
use crate::relay::RelayError;

/// Where a relay goes on.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Resumed {
    /// The chains before the first commit that is not known to be published whole.
    pub(crate) chains: Chains,
    /// The last event published.
    pub(crate) published: Option<Place>,
}

/// What a message of the published stream says of where it comes from.
struct Mark {
    id: String,
    /// The last sequence of each shard before its commit.
    before: BTreeMap<String, u64>,
    /// The digest of all chains after its commit.
    after: Digest,
}

impl Mark {
    fn read(headers: &HeaderMap) -> Option<Mark> {
        let header = |name: &str| headers.get(name).and_then(|value| percent::decode(value.as_str()));
        let tip = |tip: &str| {
            let (service, sequence) = tip.split_once(':')?;
            Some((service.to_owned(), sequence.parse().ok()?))
        };
        let before = header(BEFORE)?;
        let before = before.split(',').filter(|tip| !tip.is_empty()).map(tip).collect::<Option<_>>()?;
        Some(Mark { id: header("ce-id")?, before, after: header(DIGEST)?.parse().ok()? })
    }
}

/// Where an event that was published stands.
pub(crate) fn place(headers: &HeaderMap, log: &Log) -> Result<Place, RelayError> {
    let mark = Mark::read(headers).ok_or(RelayError::Unmarked)?;
    Place::from_id(&mark.id, log.incarnation()).map_err(|_| RelayError::OtherLog { id: mark.id })
}

/// Goes on after the event with these headers, at the beginning of its commit: the rest of it may not have been published.
pub(crate) async fn resume(headers: &HeaderMap, log: &Log) -> Result<Resumed, RelayError> {
    let place = place(headers, log)?;
    let Mark { id, before, after } = Mark::read(headers).ok_or(RelayError::Unmarked)?;
    let other = || RelayError::OtherLog { id: id.clone() };
    let sequence = place.position.sequence();
    let mut chains = Chains { sequence: sequence.saturating_sub(1), shards: BTreeMap::new() };
    for (service, tip) in before {
        let stored = read(log, tip).await?.ok_or_else(other)?;
        chains.shards.insert(service, (tip, Digest::of(&stored.bytes)));
    }
    let commit = read(log, sequence).await?.ok_or_else(other)?;
    let mut with_commit = Chains { sequence, ..chains.clone() };
    let name = commit.service.name().to_owned();
    with_commit.shards.insert(name, (sequence, Digest::of(&commit.bytes)));
    if digest(&with_commit) != after {
        return Err(other());
    }
    Ok(Resumed { chains, published: Some(place) })
}

async fn read(log: &Log, sequence: u64) -> Result<Option<Stored>, RelayError> {
    log.read(sequence).await.map_err(|error| match error {
        LogError::Unavailable(why) => RelayError::Unavailable(why),
        error @ LogError::Corrupt(_) => RelayError::Broken(Broken::Log(error)),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use futures::StreamExt as _;
    use seva_domain::noun::{Event, Noun};
    use seva_domain::record::{Entry, Origin, Record};
    use seva_domain::service::Service;
    use seva_domain::suggestion;
    use seva_domain::values::{Actor, At, SuggestionId};
    use seva_eventlog::commit::Commit;
    use seva_eventlog::follow::{Checker, Own};
    use seva_eventlog::memory::MemoryLog;

    use super::*;
    use crate::cloud_event::{CloudEvent, events_of};

    /// A record of two events on a noun of its own.
    fn record(commit: i64, index: u8) -> Arc<Record> {
        let noun = Noun::Suggestion(SuggestionId::derive(&[&commit.to_be_bytes(), &[index]]));
        let event = Event::Suggestion(suggestion::Event::Acknowledged(suggestion::Acknowledged {}));
        let entry = Entry { origin: Origin::Fact, event };
        Arc::new(Record {
            id: Record::id_of_due(&noun, "test", At(commit)),
            noun,
            rev: 1,
            events: vec![entry.clone(), entry],
            request: None,
            actor: Actor::policy(),
            policy: 1,
            occurred_at: At(commit),
            effective_at: At(commit),
            recorded_at: At(commit),
            cause: None,
            step: None,
            depth: 0,
            import: None,
        })
    }

    /// A log of two shards: three commits with events, and one without between them.
    async fn log() -> Log {
        let log = Log::Memory(MemoryLog::new(|| At(0)));
        let mut tips = BTreeMap::new();
        let commits =
            [(Service::Intake, 2), (Service::Policy, 1), (Service::Intake, 0), (Service::Intake, 3)];
        for (n, (service, records)) in (0..).zip(commits) {
            let (guard, prev) = tips.get(&service).copied().unwrap_or((0, Digest::NONE));
            let records = (0..records).map(|index| record(n, index)).collect();
            let commit = Commit { at: At(n), build: "test".to_owned(), prev, reacted_to: 0, records };
            let bytes = Bytes::from(commit.encode().unwrap());
            let digest = Digest::of(&bytes);
            let sequence = log.append(service, guard, bytes).await.unwrap();
            tips.insert(service, (sequence, digest));
        }
        log
    }

    /// All events of a log after these chains.
    async fn events(log: &Log, chains: Chains) -> Vec<CloudEvent> {
        let from = chains.sequence + 1;
        let count = log.end().await.unwrap() - chains.sequence;
        let mut checker = Checker::new(chains, |_| true, Own::default());
        let mut messages = log.follow(from).await.unwrap().take(usize::try_from(count).unwrap());
        let mut events = Vec::new();
        while let Some(stored) = messages.next().await {
            let followed = checker.check(&stored.unwrap()).unwrap();
            events.extend(events_of(&followed, log.incarnation()).unwrap());
        }
        events
    }

    #[tokio::test]
    async fn from_whichever_event_was_the_last_exactly_the_rest_follows() {
        let log = log().await;
        let all = events(&log, Chains::default()).await;
        assert_eq!(all.len(), 12, "two events a record");
        for (n, last) in all.iter().enumerate() {
            let resumed = resume(&last.headers, &log).await.unwrap();
            let rest = events(&log, resumed.chains).await;
            let rest: Vec<_> =
                rest.into_iter().filter(|event| Some(event.place) > resumed.published).collect();
            assert_eq!(rest, all[n + 1..], "after {n}");
        }
    }

    #[tokio::test]
    async fn a_log_that_is_not_the_one_published_from_is_noticed() {
        let first = log().await;
        let all = events(&first, Chains::default()).await;
        let empty = Log::Memory(MemoryLog::new(|| At(0)));
        let changed = Log::Memory(MemoryLog::new(|| At(0)));
        let (mut guard, mut policy_guard) = (0, 0);
        for sequence in 1..=4 {
            let stored = first.read(sequence).await.unwrap().unwrap();
            let is_policy = stored.service == Service::Policy;
            // Another shard than the last event's: its own chain would not tell.
            let bytes = if is_policy { Bytes::from_static(b"{}") } else { stored.bytes };
            let guard = if is_policy { &mut policy_guard } else { &mut guard };
            *guard = changed.append(stored.service, *guard, bytes).await.unwrap();
        }
        let last = &all.last().unwrap().headers;
        for other in [&empty, &changed] {
            let error = resume(last, other).await.unwrap_err();
            assert!(matches!(error, RelayError::OtherLog { .. }), "{error}");
        }
        assert!(resume(last, &first).await.is_ok());
    }

    #[tokio::test]
    async fn a_message_that_says_not_where_it_comes_from_is_no_place_to_go_on_from() {
        let log = log().await;
        for missing in ["ce-id", BEFORE, DIGEST] {
            let whole = events(&log, Chains::default()).await.pop().unwrap().headers;
            let mut headers = HeaderMap::new();
            for (name, values) in whole.iter().filter(|(name, _)| name.to_string() != missing) {
                headers.insert(name.clone(), values[0].clone());
            }
            let error = resume(&headers, &log).await.unwrap_err();
            assert!(matches!(error, RelayError::Unmarked), "without {missing}: {error}");
        }
    }
}
