//! A relay as a process has it, the stream as a subscriber has it, and what should stand in it.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::{self, stream::Stream};
use futures::StreamExt as _;
use serde_json::Value;
use seva_domain::published::Time;
use seva_domain::values::At;
use seva_eventlog::commit::Position;
use seva_eventlog::follow::{Chains, Checker, Own};
use seva_eventlog::jetstream::JetStreamLog;
use seva_eventlog::log::Log;
use seva_history::cloud_event::{ATTRIBUTES, Place, events_of};
use seva_history::relay::{Relay, RelayError};
use seva_history::stream::{Published, STREAM};
use seva_rights::Identity;
use seva_support::{TestNats, eventually};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a relay may take to be where the log is.
const PATIENCE: Duration = Duration::from_secs(60);

/// Headers that NATS itself reads: how a message came in, not what it says.
const OF_NATS: &str = "Nats-";

/// A message, without what NATS itself reads: its subject, its headers in order of their names, its body.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Message {
    pub(crate) subject: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    fn new(subject: &str, headers: &HeaderMap, body: &[u8]) -> Message {
        let headers = headers.iter().map(|(name, values)| {
            assert_eq!(values.len(), 1, "{name}");
            (name.to_string(), values[0].to_string())
        });
        let headers = headers.filter(|(name, _)| !name.starts_with(OF_NATS)).collect();
        Message { subject: subject.to_owned(), headers, body: body.to_vec() }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// A relay with a connection of its own, like that of another process.
pub(crate) struct Running {
    pub(crate) relay: Relay,
    pub(crate) task: JoinHandle<Result<(), RelayError>>,
    stop: CancellationToken,
}

impl Running {
    pub(crate) async fn start(nats: &TestNats) -> Running {
        let client = nats.connect(Identity::History).await;
        let log = JetStreamLog::open(client.clone(), Identity::History.consumers()).await.unwrap();
        let log = Log::JetStream(log);
        let published = Published::open(client).await.unwrap();
        let stop = CancellationToken::new();
        let (relay, task) = Relay::start(log, published, Own::default(), stop.clone());
        Running { relay, task, stop }
    }

    /// Ends it wherever it is, in the middle of a batch as well.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.is_err_and(|error| error.is_cancelled()), "it was there to be killed");
    }

    /// Waits until everything up to the log's end is published.
    pub(crate) async fn caught_up(&self) {
        eventually("all is published", PATIENCE, async || {
            let end = self.relay.log().end().await.ok()?;
            (self.relay.progress().borrow().relayed == end).then_some(())
        })
        .await;
    }

    /// Ends it in good order.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

/// Everything that is published, in order.
pub(crate) async fn published(nats: &TestNats) -> Vec<Message> {
    let context = jetstream::new(nats.connect(Identity::Operator).await);
    let stream: Stream = context.get_stream(STREAM).await.unwrap();
    let state = stream.cached_info().state.clone();
    let stream = &stream;
    let all = futures::stream::iter(1..=state.last_sequence);
    let read = all.map(|sequence| async move { stream.get_raw_message(sequence).await.unwrap() });
    let messages: Vec<_> = read.buffered(64).collect().await;
    assert_eq!(messages.len() as u64, state.messages, "no sequence is missing");
    messages
        .iter()
        .map(|message| Message::new(&message.subject, &message.headers, &message.payload))
        .collect()
}

/// The log as an operator reads it.
async fn log(nats: &TestNats) -> Log {
    let client = nats.connect(Identity::Operator).await;
    Log::JetStream(JetStreamLog::open(client, Identity::Operator.consumers()).await.unwrap())
}

/// What should be published, made anew from the log.
pub(crate) async fn derived(nats: &TestNats) -> Vec<Message> {
    let log = log(nats).await;
    let mut checker = Checker::new(Chains::default(), |_| true, Own::default());
    let mut messages = Vec::new();
    for sequence in 1..=log.end().await.unwrap() {
        let followed = checker.check(&log.read(sequence).await.unwrap().unwrap()).unwrap();
        let events = events_of(&followed, log.incarnation()).unwrap();
        messages.extend(events.iter().map(|event| Message::new(&event.subject, &event.headers, &event.data)));
    }
    messages
}

/// Checks the stream against the log as JSON, without any of the code that writes either.
pub(crate) async fn check_against_raw_log(nats: &TestNats, published: &[Message]) {
    let log = log(nats).await;
    let mut rest = published.iter();
    for sequence in 1..=log.end().await.unwrap() {
        let stored = log.read(sequence).await.unwrap().unwrap();
        let commit: Value = serde_json::from_slice(&stored.bytes).unwrap();
        for (index, record) in (0..).zip(commit["records"].as_array().unwrap()) {
            for (event, entry) in (0..).zip(record["events"].as_array().unwrap()) {
                let message = rest.next().unwrap_or_else(|| panic!("{sequence} is not published whole"));
                let place = Place { position: Position::of(sequence, index), event };
                assert_eq!(message.header("ce-id"), place.id(log.incarnation()));
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let time = |value: &Value| Time(At(value.as_i64().unwrap())).to_string();
                assert_eq!(message.header("ce-type"), text(&entry["type"]));
                assert_eq!(message.header("ce-subject"), text(&record["noun_id"]));
                assert_eq!(message.header("ce-origin"), text(&entry["origin"]));
                assert_eq!(message.header("ce-actor"), text(&record["actor"]));
                assert_eq!(message.header("ce-record"), text(&record["id"]));
                assert_eq!(message.header("ce-rev"), record["rev"].to_string());
                assert_eq!(message.header("ce-policyversion"), record["policy"].to_string());
                assert_eq!(message.header("ce-time"), time(&record["occurred_at"]));
                assert_eq!(message.header("ce-recordedtime"), time(&record["recorded_at"]));
                assert_eq!(message.header("ce-source"), format!("/seva/{}", stored.service.name()));
                let (name, _version) = message.header("ce-type").rsplit_once('.').unwrap();
                assert_eq!(message.subject, format!("seva.events.{name}"));
                check_cause(message, &commit, record);
            }
        }
    }
    assert_eq!(rest.count(), 0, "nothing is published that the log does not have");
    let described: Vec<String> = ATTRIBUTES.iter().map(|(name, _)| format!("ce-{name}")).collect();
    for name in published.iter().flat_map(|message| message.headers.keys()) {
        assert!(described.contains(name) || name.starts_with("seva-log-"), "{name} is not described");
    }
}

/// A cause within the commit is named by its id, like one of another commit.
fn check_cause(message: &Message, commit: &Value, record: &Value) {
    let here = record["cause"]["here"].as_u64().and_then(|index| usize::try_from(index).ok());
    let cause = here.map_or(&record["cause"]["record"], |index| &commit["records"][index]["id"]);
    assert_eq!(message.header("ce-cause"), cause.as_str().unwrap_or_default());
    assert_eq!(message.header("ce-import"), record["import"].as_str().unwrap_or_default());
}

/// That a stream is what the log says, byte for byte.
pub(crate) async fn check(nats: &TestNats) -> Vec<Message> {
    let (published, derived) = (published(nats).await, derived(nats).await);
    for (n, (found, expected)) in published.iter().zip(&derived).enumerate() {
        assert_eq!(found, expected, "message {n}");
    }
    assert_eq!(published.len(), derived.len());
    check_against_raw_log(nats, &published).await;
    published
}
