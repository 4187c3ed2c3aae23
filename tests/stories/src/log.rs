//! The log as any reader of NATS has it, read to its end.

use std::sync::Arc;

use seva_api::identity::Identities;
use seva_domain::noun::Noun;
use seva_domain::record::Record;
use seva_domain::service::Service;
use seva_domain::values::{Actor, RequestId};
use seva_eventlog::commit::{Position, ReadCommit};
use seva_eventlog::jetstream::JetStreamLog;
use seva_eventlog::log::Log;
use seva_rights::Identity;
use seva_vault::{MasterKey, Vault};

use crate::house::MASTER;

/// Everything that is recorded, in order.
pub struct Recorded {
    /// The sequence of the last commit; 0 if there is none.
    pub end: u64,
    /// Each with its place and the service that wrote it.
    pub records: Vec<(Position, Service, Arc<Record>)>,
    identities: Identities,
}

impl Recorded {
    /// Reads the log over an operator's connection.
    pub async fn read(operator: async_nats::Client) -> Recorded {
        let log = JetStreamLog::open(operator, Identity::Operator.consumers()).await.expect("a log");
        let log = Log::JetStream(log);
        let end = log.end().await.expect("a log that can be read");
        let mut records = Vec::new();
        for sequence in 1..=end {
            let stored =
                log.read(sequence).await.expect("a log that can be read").expect("a commit at each sequence");
            let commit = ReadCommit::decode(&stored.bytes, |_| true).expect("a commit that can be read");
            for (index, record) in commit.records() {
                records.push((Position::of(sequence, index), stored.service, Arc::clone(record)));
            }
        }
        let identities = Identities::new(&Vault::in_memory(MasterKey::from_bytes(MASTER)));
        Recorded { end, records, identities }
    }

    /// What the log knows a caller's request by.
    pub fn request(&self, actor: &str, request_id: &str) -> RequestId {
        self.identities.request(&Actor::parse(actor).expect("a caller's name"), request_id)
    }

    /// The records that a caller's request left.
    pub fn of_request(&self, actor: &str, request_id: &str) -> Vec<Arc<Record>> {
        let id = self.request(actor, request_id);
        self.all(|record| record.request.is_some_and(|request| request.id == id))
    }

    /// The records of one noun, in order.
    pub fn of_noun(&self, noun: &Noun) -> Vec<Arc<Record>> {
        self.all(|record| record.noun == *noun)
    }

    /// The records that hold an event of this type.
    pub fn events(&self, event_type: &str) -> Vec<Arc<Record>> {
        self.all(|record| record.events.iter().any(|entry| entry.event.wire_type() == event_type))
    }

    /// The types of a record's events, in order.
    pub fn event_types(record: &Record) -> Vec<&'static str> {
        record.events.iter().map(|entry| entry.event.wire_type()).collect()
    }

    fn all(&self, wanted: impl Fn(&Record) -> bool) -> Vec<Arc<Record>> {
        self.records
            .iter()
            .filter(|(_, _, record)| wanted(record))
            .map(|(_, _, record)| Arc::clone(record))
            .collect()
    }
}
