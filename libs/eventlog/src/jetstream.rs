//! The log on JetStream: one stream, one subject a shard, every commit guarded by the shard's last sequence.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::context::{GetStreamErrorKind, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{
    self, DiscardPolicy, PersistenceMode, RetentionPolicy, StorageType, Stream,
};
use async_nats::jetstream::{self, Context};
use bytes::Bytes;
use futures::{StreamExt as _, stream as streams};
use serde::Deserialize;
use serde_json::json;
use seva_domain::service::Service;
use seva_domain::values::At;

use crate::consumer::claim;
use crate::log::{AppendError, Following, LogError, Stored};
use crate::planted::{self, Bug};

/// The stream's name.
pub const STREAM: &str = "SEVA_LOG";

/// How long an append waits for its acknowledgement before its outcome counts as unknown.
pub const ACK_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a follower hears nothing before it asks whether something is there, and looks anew.
const QUIET_MAX: Duration = Duration::from_secs(2);

/// How long the server keeps a consumer that nobody reads from.
const CONSUMER_KEPT: Duration = Duration::from_secs(30);

/// How many messages a follower asks for at once, for how long, and how often it then hears that there is none.
const ASKED_MAX: usize = 500;
const ASKED_FOR: Duration = Duration::from_secs(30);
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The server's code for "the subject's last sequence is another".
const WRONG_LAST_SEQUENCE: u64 = 10071;

/// The server's code for "another guarded write to this subject is on its way".
const WRITE_IN_FLIGHT: u64 = 10164;

/// The server's code for "there is no such message".
const NO_MESSAGE: u64 = 10037;

/// The server's code for "there is no such stream".
const NO_STREAM: u64 = 10059;

/// The log on a JetStream server or cluster.
#[derive(Clone, Debug)]
pub struct JetStreamLog {
    client: async_nats::Client,
    context: Context,
    stream: Stream,
    incarnation: String,
    /// What its consumers may be called.
    consumers: Arc<[String]>,
}

/// The subject of a service's shard.
pub fn subject(service: Service) -> String {
    format!("seva.log.{}.0", service.name())
}

fn service_of(subject: &str) -> Option<Service> {
    Service::parse(subject.strip_prefix("seva.log.")?.strip_suffix(".0")?)
}

impl JetStreamLog {
    /// Makes the log's stream if there is none, with so many replicas: what an operator does once, before anybody opens it.
    pub async fn set_up(client: async_nats::Client, replicas: usize) -> Result<(), LogError> {
        let config = stream::Config {
            name: STREAM.to_owned(),
            subjects: vec!["seva.log.*.*".to_owned()],
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::New,
            storage: StorageType::File,
            num_replicas: replicas,
            deny_delete: true,
            deny_purge: true,
            allow_direct: true,
            // Requests are remembered by the log itself: nothing is dropped by message id.
            duplicate_window: Duration::from_secs(1),
            ..stream::Config::default()
        };
        let stream =
            context(client).get_or_create_stream(config).await.map_err(|error| unavailable(&error))?;
        check_config(&stream.cached_info().config)
    }

    /// Opens the log over a connection. Whoever follows it does so by consumers of these names, one at a time by each.
    pub async fn open(
        client: async_nats::Client,
        consumers: impl Into<Arc<[String]>>,
    ) -> Result<JetStreamLog, LogError> {
        let context = context(client.clone());
        let stream = context.get_stream(STREAM).await.map_err(|error| match error.kind() {
            GetStreamErrorKind::JetStream(why) if why.error_code().0 == NO_STREAM => {
                LogError::Unavailable(format!("there is no stream {STREAM} yet: `seva nats-setup` makes it"))
            }
            _ => unavailable(&error),
        })?;
        let info = stream.cached_info();
        check_config(&info.config)?;
        let incarnation = format!("{:x}", info.created.unix_timestamp_nanos());
        Ok(JetStreamLog { client, context, stream, incarnation, consumers: consumers.into() })
    }

    pub(crate) async fn append(
        &self,
        service: Service,
        guard: u64,
        bytes: Bytes,
    ) -> Result<u64, AppendError> {
        let message = PublishMessage::build().payload(bytes).expected_stream(STREAM);
        let message = if planted::is(Bug::GuardLeftOut) {
            message
        } else {
            message.expected_last_subject_sequence(guard)
        };
        let future = self
            .context
            .send_publish(subject(service), message)
            .await
            .map_err(|error| append_error(&error))?;
        let ack = future.await.map_err(|error| append_error(&error))?;
        Ok(ack.sequence)
    }

    pub(crate) async fn is_end(&self, service: Service, sequence: u64) -> Result<bool, LogError> {
        #[derive(Deserialize)]
        struct Answer {
            error: Option<Failure>,
        }
        #[derive(Deserialize)]
        struct Failure {
            err_code: u64,
            description: String,
        }
        let question = json!({ "seq": sequence + 1, "next_by_subj": subject(service) });
        let answer: Answer = self
            .context
            .request(format!("STREAM.MSG.GET.{STREAM}"), &question)
            .await
            .map_err(|error| unavailable(&error))?;
        match answer.error {
            None => Ok(false),
            Some(failure) if failure.err_code == NO_MESSAGE => Ok(true),
            Some(failure) => Err(LogError::Unavailable(failure.description)),
        }
    }

    pub(crate) async fn read(&self, sequence: u64) -> Result<Option<Stored>, LogError> {
        // The server takes 0 for a question without a sequence.
        if sequence == 0 {
            return Ok(None);
        }
        match self.stream.get_raw_message(sequence).await {
            Ok(message) => {
                let service =
                    service_of(&message.subject).ok_or_else(|| foreign(sequence, &message.subject))?;
                let stamp = micros(message.time.unix_timestamp_nanos());
                Ok(Some(Stored { sequence, service, stamp, bytes: message.payload }))
            }
            Err(error) if error.kind() == stream::LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(unavailable(&error)),
        }
    }

    pub(crate) async fn end(&self) -> Result<u64, LogError> {
        let info = self.stream.get_info().await.map_err(|error| unavailable(&error))?;
        Ok(info.state.last_sequence)
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    pub(crate) fn incarnation(&self) -> &str {
        &self.incarnation
    }

    pub(crate) async fn follow(&self, from: u64) -> Result<Following, LogError> {
        let first = self.reading(from.max(1)).await?;
        let state = (self.clone(), Some(first), from.max(1));
        // A consumer that fails or falls silent is made anew from the next sequence: the follower sees one unbroken list.
        Ok(Box::pin(streams::unfold(state, |(log, mut reading, next)| async move {
            loop {
                let Some(open) = &mut reading else {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    reading = match log.reading(next).await {
                        Ok(reading) => Some(reading),
                        Err(error) => {
                            tracing::warn!(%error, next_sequence = next, "cannot follow the log, trying again");
                            None
                        }
                    };
                    continue;
                };
                match tokio::time::timeout(QUIET_MAX, open.messages.next()).await {
                    Ok(Some(Ok(message))) => {
                        if !open.is_next(&message) {
                            tracing::debug!(next_sequence = next, "a message was lost on the way");
                            reading = None;
                            continue;
                        }
                        let stored = stored(&message);
                        let next = stored.as_ref().map_or(next, |stored| stored.sequence + 1);
                        return Some((stored, (log, reading, next)));
                    }
                    Ok(Some(Err(error))) => {
                        tracing::debug!(%error, next_sequence = next, "following the log broke off");
                        reading = None;
                    }
                    Ok(None) => reading = None,
                    Err(_) => match log.end().await {
                        Ok(end) if end + 1 == next => {}
                        Ok(end) if end < next => {
                            return Some((Err(shorter(next - 1, end)), (log, reading, next)));
                        }
                        Ok(_) | Err(_) => reading = None,
                    },
                }
            }
        })))
    }

    async fn reading(&self, from: u64) -> Result<Reading, LogError> {
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: from },
            ack_policy: AckPolicy::None,
            inactive_threshold: CONSUMER_KEPT,
            // It need not outlive its server: it is made anew from where the follower is.
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let claimed = claim(&self.stream, &self.client, &self.consumers, &config).await;
        let consumer = claimed.map_err(|error| unavailable(&error))?;
        let asked =
            consumer.stream().max_messages_per_batch(ASKED_MAX).expires(ASKED_FOR).heartbeat(HEARTBEAT);
        let messages = asked.messages().await.map_err(|error| unavailable(&error))?;
        Ok(Reading { messages, delivered: 0 })
    }
}

/// A consumer that is read from.
struct Reading {
    messages: pull::Stream,
    /// How many messages it has delivered.
    delivered: u64,
}

impl Reading {
    /// Counts a message; says whether it is the one that the consumer sent after the last.
    fn is_next(&mut self, message: &jetstream::Message) -> bool {
        self.delivered += 1;
        // What does not say where it stands is found out by whoever reads it.
        message.info().map_or(true, |info| info.consumer_sequence == self.delivered)
    }
}

fn context(client: async_nats::Client) -> Context {
    let mut context = jetstream::new(client);
    context.set_timeout(ACK_TIMEOUT);
    context
}

/// Refuses a stream that would lose commits.
fn check_config(found: &stream::Config) -> Result<(), LogError> {
    let wrong = [
        (found.storage != StorageType::File, "its storage should be `file`"),
        (found.retention != RetentionPolicy::Limits, "its retention should be `limits`"),
        (found.persist_mode == Some(PersistenceMode::Async), "its persist mode should not be `async`"),
        (
            found.max_messages > 0
                || found.max_messages_per_subject > 0
                || found.max_bytes > 0
                || !found.max_age.is_zero(),
            "it should have no limit on messages, bytes or age",
        ),
        (!found.deny_delete, "it should deny deleting messages"),
        (!found.deny_purge, "it should deny purging"),
    ];
    match wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
        Some((_, what)) => Err(LogError::Corrupt(format!("the stream {STREAM} cannot keep the log: {what}"))),
        None => Ok(()),
    }
}

fn stored(message: &jetstream::Message) -> Result<Stored, LogError> {
    let info =
        message.info().map_err(|error| LogError::Corrupt(format!("a message without its place: {error}")))?;
    let (sequence, stamp) = (info.stream_sequence, micros(info.published.unix_timestamp_nanos()));
    let service = service_of(&message.subject).ok_or_else(|| foreign(sequence, &message.subject))?;
    Ok(Stored { sequence, service, stamp, bytes: message.payload.clone() })
}

fn micros(nanos: i128) -> At {
    At(i64::try_from(nanos / 1_000).unwrap_or(i64::MAX))
}

fn foreign(sequence: u64, subject: &str) -> LogError {
    LogError::Corrupt(format!(
        "message {sequence} stands under `{subject}`, which is no shard that this build knows"
    ))
}

fn shorter(followed: u64, end: u64) -> LogError {
    LogError::Corrupt(format!("it ends at {end}, and message {followed} was there before"))
}

fn unavailable(error: &dyn std::error::Error) -> LogError {
    LogError::Unavailable(chain(error))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

fn append_error(error: &PublishError) -> AppendError {
    let code = error
        .source()
        .and_then(|source| source.downcast_ref::<jetstream::Error>())
        .map(|error| error.error_code().0);
    match (error.kind(), code) {
        (PublishErrorKind::WrongLastSequence, _) | (_, Some(WRONG_LAST_SEQUENCE | WRITE_IN_FLIGHT)) => {
            AppendError::Conflict
        }
        _ => AppendError::Unknown(chain(error)),
    }
}
