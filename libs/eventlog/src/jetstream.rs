//! The log on JetStream: one stream, one subject a shard, every commit guarded by the shard's last sequence.

use std::error::Error as _;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{self, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use async_nats::jetstream::{self, Context};
use bytes::Bytes;
use futures::{StreamExt as _, stream as streams};
use serde::Deserialize;
use serde_json::json;
use seva_domain::service::Service;
use seva_domain::values::At;

use crate::log::{AppendError, Following, LogError, Stored};
use crate::planted::{self, Bug};

/// The stream's name.
pub const STREAM: &str = "SEVA_LOG";

/// How long an append waits for its acknowledgement before its outcome counts as unknown.
pub const ACK_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a follower hears nothing before it asks whether something is there, and looks anew.
const QUIET_MAX: Duration = Duration::from_secs(2);

/// The server's code for "the subject's last sequence is another".
const WRONG_LAST_SEQUENCE: u64 = 10071;

/// The server's code for "another guarded write to this subject is on its way".
const WRITE_IN_FLIGHT: u64 = 10164;

/// The server's code for "there is no such message".
const NO_MESSAGE: u64 = 10037;

/// The log on a JetStream server or cluster.
#[derive(Clone, Debug)]
pub struct JetStreamLog {
    client: async_nats::Client,
    context: Context,
    stream: Stream,
    incarnation: String,
}

/// The subject of a service's shard.
pub fn subject(service: Service) -> String {
    format!("seva.log.{}.0", service.name())
}

fn service_of(subject: &str) -> Option<Service> {
    Service::parse(subject.strip_prefix("seva.log.")?.strip_suffix(".0")?)
}

impl JetStreamLog {
    /// Opens the log over a connection, making its stream if there is none, with so many replicas.
    pub async fn open(client: async_nats::Client, replicas: usize) -> Result<JetStreamLog, LogError> {
        let mut context = jetstream::new(client.clone());
        context.set_timeout(ACK_TIMEOUT);
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
        let stream = context.get_or_create_stream(config).await.map_err(|error| unavailable(&error))?;
        let created = stream.cached_info().created.unix_timestamp_nanos();
        Ok(JetStreamLog { client, context, stream, incarnation: format!("{created:x}") })
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
        let first = self.messages(from.max(1)).await?;
        let state = (self.clone(), Some(first), from.max(1));
        // A consumer that fails or falls silent is made anew from the next sequence: the follower sees one unbroken list.
        Ok(Box::pin(streams::unfold(state, |(log, mut messages, next)| async move {
            loop {
                let Some(open) = &mut messages else {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    messages = match log.messages(next).await {
                        Ok(messages) => Some(messages),
                        Err(error) => {
                            tracing::warn!(%error, next_sequence = next, "cannot follow the log, trying again");
                            None
                        }
                    };
                    continue;
                };
                match tokio::time::timeout(QUIET_MAX, open.next()).await {
                    Ok(Some(Ok(message))) => {
                        let stored = stored(&message);
                        // The client makes a lost consumer anew by itself, from the log's beginning if it had delivered nothing yet.
                        if stored.as_ref().is_ok_and(|stored| stored.sequence < next) {
                            tracing::debug!(next_sequence = next, "following began anew from too early");
                            messages = None;
                            continue;
                        }
                        let next = stored.as_ref().map_or(next, |stored| stored.sequence + 1);
                        return Some((stored, (log, messages, next)));
                    }
                    Ok(Some(Err(error))) => {
                        tracing::debug!(%error, next_sequence = next, "following the log broke off");
                        messages = None;
                    }
                    Ok(None) => messages = None,
                    Err(_) => match log.end().await {
                        Ok(end) if end + 1 == next => {}
                        Ok(end) if end < next => {
                            return Some((Err(shorter(next - 1, end)), (log, messages, next)));
                        }
                        Ok(_) | Err(_) => messages = None,
                    },
                }
            }
        })))
    }

    async fn messages(&self, from: u64) -> Result<async_nats::jetstream::consumer::pull::Ordered, LogError> {
        let config = OrderedConfig {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: from },
            ..OrderedConfig::default()
        };
        let consumer = self.stream.create_consumer(config).await.map_err(|error| unavailable(&error))?;
        consumer.messages().await.map_err(|error| unavailable(&error))
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
