//! The cast of the tests: a log of imports in memory, and a read model that tallies them.

use std::sync::Arc;

use prost::Message;
use seva_domain::import::{Closed, Event as ImportEvent};
use seva_domain::noun::{Event, Noun};
use seva_domain::record::{Entry, Origin, Record};
use seva_domain::service::Service;
use seva_domain::values::{Actor, At, ImportId, RecordId};
use seva_eventlog::commit::{Commit, Digest, Position};
use seva_eventlog::follow::{Chains, Checker, Followed, Own};
use seva_eventlog::log::Log;
use seva_eventlog::memory::MemoryLog;
use seva_eventlog::store::Store;

use crate::model::{FoldError, ReadModel, Rows, expect_next};
use crate::projector::{Checkpoint, Live, ModelDigest, digest, fold};

/// Nouns by number, each with the count that its record brings: one commit.
pub(crate) type Counts = Vec<(u8, u64)>;

/// A log that is being written.
pub(crate) struct History {
    pub(crate) log: Log,
    tip: (u64, Digest),
    revs: [u64; 256],
}

impl History {
    /// A log of commits of the intake shard.
    pub(crate) async fn of(commits: &[Counts]) -> History {
        let log = Log::Memory(MemoryLog::new(|| At(1)));
        let mut history = History { log, tip: (0, Digest::NONE), revs: [0; 256] };
        for counts in commits {
            history.commit(counts).await;
        }
        history
    }

    /// Appends a commit.
    pub(crate) async fn commit(&mut self, counts: &[(u8, u64)]) {
        let records = counts.iter().map(|(noun, count)| self.record(*noun, *count)).collect();
        let commit = Commit { at: At(1), build: "test".to_owned(), prev: self.tip.1, reacted_to: 0, records };
        self.append(commit.encode().unwrap()).await;
    }

    /// Appends a commit whose text is changed first.
    pub(crate) async fn commit_changed(&mut self, counts: &[(u8, u64)], from: &str, to: &str) {
        let records = counts.iter().map(|(noun, count)| self.record(*noun, *count)).collect();
        let commit = Commit { at: At(1), build: "test".to_owned(), prev: self.tip.1, reacted_to: 0, records };
        let text = String::from_utf8(commit.encode().unwrap()).unwrap();
        assert!(text.contains(from), "{text}");
        self.append(text.replace(from, to).into_bytes()).await;
    }

    async fn append(&mut self, bytes: Vec<u8>) {
        let digest = Digest::of(&bytes);
        let sequence = self.log.append(Service::Intake, self.tip.0, bytes.into()).await.unwrap();
        self.tip = (sequence, digest);
    }

    fn record(&mut self, noun: u8, count: u64) -> Arc<Record> {
        let rev = &mut self.revs[usize::from(noun)];
        *rev += 1;
        let closed = Closed { recorded: count, already_recorded: 0, refused: 0 };
        let event = Event::Import(ImportEvent::Closed(closed));
        Arc::new(Record {
            id: RecordId::derive(&[&[noun], &rev.to_be_bytes()]),
            noun: Noun::Import(ImportId::from_bytes([noun; 16])),
            rev: *rev,
            events: vec![Entry { origin: Origin::Fact, event }],
            request: None,
            actor: Actor::parse("test").unwrap(),
            policy: 0,
            occurred_at: At(1),
            effective_at: At(1),
            recorded_at: At(1),
            cause: None,
            step: None,
            depth: 0,
            import: None,
        })
    }

    /// Every message, checked and read.
    pub(crate) async fn followed(&self) -> Vec<Arc<Followed>> {
        let mut checker = Checker::new(Chains::default(), |_| true, Own::default());
        let mut followed = Vec::new();
        for sequence in 1..=self.log.end().await.unwrap() {
            let stored = self.log.read(sequence).await.unwrap().unwrap();
            followed.push(Arc::new(checker.check(&stored).unwrap()));
        }
        followed
    }
}

/// A row of the tallies.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Tally {
    #[prost(uint64, tag = "1")]
    pub(crate) rev: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) total: u64,
}

/// How much did each import bring? One row an import, and one a record of it; an even total has a row in a list.
///
/// Keys: the import's id, which may begin with any byte; `r` id rev; `e` id.
pub(crate) struct Tallies;

impl ReadModel for Tallies {
    fn name(&self) -> &'static str {
        "tallies.v1"
    }

    fn fold(&self, rows: &mut Rows<'_>, record: &Record, at: Position) -> Result<(), FoldError> {
        let Noun::Import(id) = record.noun else { return Ok(()) };
        let key = id.bytes().to_vec();
        let mut row: Tally = rows.get(&key)?.unwrap_or_default();
        expect_next(record, row.rev)?;
        row.rev = record.rev;
        for entry in &record.events {
            if let Event::Import(ImportEvent::Closed(closed)) = &entry.event {
                row.total += closed.recorded;
            }
        }
        let even = [b"e", id.bytes().as_slice()].concat();
        if row.total.is_multiple_of(2) {
            rows.put_bytes(even, Vec::new())
        } else {
            rows.remove(even)
        }
        rows.put_bytes([b"r", id.bytes().as_slice(), &record.rev.to_be_bytes()].concat(), at.key().to_vec());
        rows.put(key, &row);
        Ok(())
    }
}

/// The tallies over a store, as far as they are there.
pub(crate) fn live(store: &Arc<dyn Store>) -> Live {
    let mut checkpoint = Checkpoint::read(store.as_ref()).unwrap().unwrap_or_default();
    checkpoint.incarnation = "memory".to_owned();
    let stored = checkpoint.chains.sequence;
    let (model, tree) = (Arc::new(Tallies), Tallies.name().to_owned());
    Live { model, tree, store: Arc::clone(store), checkpoint, stored }
}

/// The digest of tallies that were folded in one go.
pub(crate) fn folded_at_once(messages: &[Arc<Followed>], store: &Arc<dyn Store>) -> ModelDigest {
    fold(&mut live(store), messages).unwrap();
    digest_of(store)
}

/// The digest of the tallies in a store.
pub(crate) fn digest_of(store: &Arc<dyn Store>) -> ModelDigest {
    let checkpoint = Checkpoint::read(store.as_ref()).unwrap().unwrap_or_default();
    digest(Tallies.name(), checkpoint.chains.sequence, store.as_ref()).unwrap()
}
