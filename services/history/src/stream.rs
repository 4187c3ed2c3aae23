//! The published stream, `SEVA_EVENTS`: many events a round in one atomic batch, guarded by the stream's last sequence.

use std::time::Duration;

use async_nats::header::{
    HeaderMap, NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL, NATS_BATCH_ID, NATS_BATCH_SEQUENCE,
    NATS_EXPECTED_LAST_SEQUENCE,
};
use async_nats::jetstream::context::{Context, GetStreamErrorKind};
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::{
    Config, LastRawMessageErrorKind, PersistenceMode, RetentionPolicy, StorageType, Stream,
};
use async_nats::{Client, Request};

use crate::cloud_event::{CloudEvent, SUBJECTS};

/// The stream's name.
pub const STREAM: &str = "SEVA_EVENTS";

/// How many events a batch holds at most. The server takes 1,000.
pub const BATCH_MAX: usize = 500;

/// How long the server may take to answer before the outcome counts as unknown.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The server's codes for "the stream's last sequence is another" and "another guarded write is on its way".
const CONFLICTS: [u64; 2] = [10071, 10164];

/// The server's code for "there is no such stream".
const NO_STREAM: u64 = 10059;

/// The published stream over a connection.
#[derive(Clone, Debug)]
pub struct Published {
    client: Client,
    stream: Stream,
}

/// The end of the published stream.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    /// What the next batch is guarded by.
    pub(crate) guard: u64,
    /// The headers of the last message; `None` if there is none.
    pub(crate) last: Option<HeaderMap>,
}

/// The stream cannot be used as it is.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the stream {STREAM} cannot be opened: {0}")]
    Unavailable(#[source] async_nats::Error),
    #[error("there is no stream {STREAM} yet: `seva nats-setup` makes it")]
    Missing,
    #[error("the stream {STREAM} was made by somebody else: {0}")]
    Unsuitable(&'static str),
}

/// Why a batch was not appended, as far as is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum AppendError {
    /// Somebody else has written since.
    Conflict,
    /// It may be there, it may come to be there later, or neither.
    Unknown(String),
}

impl Published {
    /// Makes the stream if there is none, with so many replicas: what an operator does once, before anybody opens it.
    pub async fn set_up(client: Client, replicas: usize) -> Result<(), OpenError> {
        let context: Context = async_nats::jetstream::new(client);
        let config = Config {
            name: STREAM.to_owned(),
            description: Some("every event of the log, without personal data".to_owned()),
            subjects: vec![format!("{SUBJECTS}.>")],
            retention: RetentionPolicy::Limits,
            storage: StorageType::File,
            num_replicas: replicas,
            allow_direct: true,
            allow_atomic_publish: true,
            ..Config::default()
        };
        let made = context.get_or_create_stream(config).await;
        let stream = made.map_err(|error| OpenError::Unavailable(error.into()))?;
        check_config(&stream.cached_info().config)
    }

    /// Opens the stream over a connection.
    pub async fn open(client: Client) -> Result<Published, OpenError> {
        let context: Context = async_nats::jetstream::new(client.clone());
        let stream = context.get_stream(STREAM).await.map_err(|error| match error.kind() {
            GetStreamErrorKind::JetStream(why) if why.error_code().0 == NO_STREAM => OpenError::Missing,
            _ => OpenError::Unavailable(error.into()),
        })?;
        check_config(&stream.cached_info().config)?;
        Ok(Published { client, stream })
    }

    /// The end of the stream as its leader knows it.
    pub(crate) async fn tail(&self) -> Result<Tail, String> {
        // In this order: where the message last seen is older than the end seen before it, what stood between has been deleted.
        let info = self.stream.get_info().await.map_err(|error| error.to_string())?;
        let end = info.state.last_sequence;
        match self.stream.get_last_raw_message_by_subject(&format!("{SUBJECTS}.>")).await {
            Ok(message) => Ok(Tail { guard: end.max(message.sequence), last: Some(message.headers) }),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
                Ok(Tail { guard: end, last: None })
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Appends events, all or none, if `guard` is still the stream's last sequence. Answers the last one's.
    pub(crate) async fn append(&self, guard: u64, events: &[CloudEvent]) -> Result<u64, AppendError> {
        let inbox = self.client.new_inbox();
        let batch = inbox.rsplit('.').next().unwrap_or(&inbox);
        let count = events.len();
        for (n, event) in (1..).zip(events) {
            let mut headers = event.headers.clone();
            headers.insert(NATS_BATCH_ID, batch);
            headers.insert(NATS_BATCH_SEQUENCE, n.to_string());
            if n == 1 {
                headers.insert(NATS_EXPECTED_LAST_SEQUENCE, guard.to_string());
            }
            let (subject, data) = (event.subject.clone(), event.data.clone());
            if n == count {
                headers.insert(NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL);
            } else if n > 1 {
                let sent = self.client.publish_with_headers(subject, headers, data).await;
                sent.map_err(unknown)?;
                continue;
            }
            let request = Request::new().headers(headers).payload(data).timeout(Some(ANSWER_TIMEOUT));
            let answer = self.client.send_request(subject, request).await.map_err(unknown)?;
            if n < count && answer.payload.is_empty() {
                continue;
            }
            let ack = ack(&answer.payload)?;
            if n < count || ack.batch_id.as_deref() != Some(batch) || ack.batch_size != Some(count as u64) {
                return Err(unknown("the server's answer is not about the batch sent"));
            }
            return Ok(ack.sequence);
        }
        Ok(guard)
    }
}

/// Refuses a stream that would lose events, or not take batches.
fn check_config(found: &Config) -> Result<(), OpenError> {
    if !found.allow_atomic_publish {
        return Err(OpenError::Unsuitable("it should allow atomic publishing"));
    }
    if found.persist_mode == Some(PersistenceMode::Async) {
        return Err(OpenError::Unsuitable("its persist mode should not be `async`"));
    }
    if found.max_messages_per_subject > 0 {
        return Err(OpenError::Unsuitable("it should keep every message of a subject"));
    }
    Ok(())
}

fn ack(answer: &[u8]) -> Result<PublishAck, AppendError> {
    match serde_json::from_slice::<Response<PublishAck>>(answer).map_err(unknown)? {
        Response::Ok(ack) => Ok(ack),
        Response::Err { error } if CONFLICTS.contains(&error.error_code().0) => Err(AppendError::Conflict),
        Response::Err { error } => Err(unknown(error)),
    }
}

fn unknown(error: impl ToString) -> AppendError {
    AppendError::Unknown(error.to_string())
}
