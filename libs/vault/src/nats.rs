//! Keys kept in the stream `SEVA_KEYS`: one subject a key, an empty message where one was erased.

use std::error::Error as _;
use std::sync::Arc;

use async_nats::header::{
    HeaderMap, NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL, NATS_BATCH_ID, NATS_BATCH_SEQUENCE,
    NATS_EXPECTED_LAST_SUBJECT_SEQUENCE,
};
use async_nats::jetstream;
use async_nats::jetstream::context::{Context, GetStreamErrorKind, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::{
    Config, DirectGetErrorKind, DiscardPolicy, Info, LastRawMessageErrorKind, PersistenceMode,
    RetentionPolicy, StorageType, Stream,
};
use async_nats::{Client, Message};
use bytes::Bytes;
use seva_domain::values::KeyId;

use crate::crypto::{self, WrappingKey, epoch_of_check};
use crate::{Error, MasterKey, unavailable};

/// The stream of the keys.
pub(crate) const STREAM: &str = "SEVA_KEYS";

/// What only the right master key opens, and what says in which of its epochs keys are made.
const CHECK_SUBJECT: &str = "seva.keycheck";

/// The server's code for "there is no such stream".
const NO_STREAM: u64 = 10059;

/// The server's code for "there is a message under this subject, and there may be one only".
const SUBJECT_TAKEN: u64 = 10077;

/// The subjects of all keys.
const KEY_SUBJECTS: &str = "seva.key.*";

/// The header that names the subject whose last sequence a message expects, where that is not its own.
const EXPECTED_SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence-Subject";

/// How often an erasure that something else interferes with is begun again.
const ERASE_ATTEMPTS_MAX: usize = 5;

/// What keys are made with, and where in the stream that is said.
pub(crate) struct MadeWith {
    pub(crate) wrapping: Arc<WrappingKey>,
    sequence: u64,
}

/// The stream's keys, wrapped.
#[derive(Clone)]
pub(crate) struct NatsKeys {
    client: Client,
    context: Context,
    stream: Stream,
}

/// Makes the stream if there is none, with so many replicas. One that lets keys be written over is closed to that.
pub(crate) async fn set_up(context: &Context, replicas: usize) -> Result<(), Error> {
    let stream = context.get_or_create_stream(config(replicas)).await.map_err(unavailable)?;
    check_config(stream.cached_info())?;
    let is_once = |config: &Config| config.discard == DiscardPolicy::New && config.discard_new_per_subject;
    match is_once(&stream.cached_info().config) {
        true => Ok(()),
        false => written_once(context, true).await,
    }
}

/// Whether the stream refuses a second message of a subject, so that whoever makes keys cannot write over one. Only a rotation needs it otherwise.
pub(crate) async fn written_once(context: &Context, is_once: bool) -> Result<(), Error> {
    let stream = context.get_stream(STREAM).await.map_err(unavailable)?;
    let discard = if is_once { DiscardPolicy::New } else { DiscardPolicy::Old };
    let found = stream.cached_info().config.clone();
    let config = Config { discard, discard_new_per_subject: is_once, ..found };
    check_config(&context.update_stream(config).await.map_err(unavailable)?)
}

impl NatsKeys {
    /// Finds the stream, and makes sure that the master key is the one its keys are wrapped with.
    pub(crate) async fn connect(context: Context, master: &MasterKey) -> Result<NatsKeys, Error> {
        let keys = NatsKeys::find(context).await?;
        keys.made_with(master).await?;
        Ok(keys)
    }

    /// Finds the stream, for somebody who only erases.
    pub(crate) async fn find(context: Context) -> Result<NatsKeys, Error> {
        let stream = context.get_stream(STREAM).await.map_err(|error| match error.kind() {
            GetStreamErrorKind::JetStream(why) if why.error_code().0 == NO_STREAM => Error::NoStream,
            _ => unavailable(error),
        })?;
        check_config(stream.cached_info())?;
        Ok(NatsKeys { client: context.client(), context, stream })
    }

    /// The wrapped key; `None` if it was erased or never made.
    pub(crate) async fn get(&self, id: KeyId) -> Result<Option<Bytes>, Error> {
        let subject = subject(id);
        let payload = match self.stream.direct_get_last_for_subject(subject.as_str()).await {
            Ok(message) => Some(message.payload),
            // Any replica answers a direct get, also one that has not heard of the key yet. Only the leader knows that there is none.
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => {
                self.last(&subject).await?.map(|(_, payload)| payload)
            }
            Err(error) => return Err(unavailable(error)),
        };
        Ok(payload.filter(|payload| !payload.is_empty()))
    }

    /// Writes keys that nobody has yet, all or none, in one atomic batch (ADR-50): if keys are still made in the epoch that they were made in.
    pub(crate) async fn put_all(&self, keys: Vec<(KeyId, Vec<u8>)>, made: &MadeWith) -> Result<(), Error> {
        let batch: String = crypto::random::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
        let count = keys.len();
        for (index, (id, wrapped)) in keys.into_iter().enumerate() {
            let mut headers = HeaderMap::new();
            headers.insert(NATS_BATCH_ID, batch.as_str());
            headers.insert(NATS_BATCH_SEQUENCE, (index + 1).to_string());
            if index == 0 {
                headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, made.sequence.to_string());
                headers.insert(EXPECTED_SUBJECT, CHECK_SUBJECT);
            }
            if index + 1 == count {
                headers.insert(NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL);
                let answer = self.client.request_with_headers(subject(id), headers, wrapped.into()).await;
                let ack = ack(&answer.map_err(unavailable)?)?;
                if ack.batch_id.as_deref() != Some(&batch) || ack.batch_size != Some(count as u64) {
                    return Err(unavailable("the server's answer is not about the batch sent"));
                }
            } else if index == 0 {
                let answer = self.client.request_with_headers(subject(id), headers, wrapped.into()).await;
                let answer = answer.map_err(unavailable)?;
                if !answer.payload.is_empty() {
                    ack(&answer)?;
                }
            } else {
                self.client
                    .publish_with_headers(subject(id), headers, wrapped.into())
                    .await
                    .map_err(unavailable)?;
            }
        }
        Ok(())
    }

    /// Overwrites the key where it stands, which the connection has to be allowed to, then marks the subject, so that no late copy is taken for the key.
    pub(crate) async fn erase(&self, id: KeyId) -> Result<(), Error> {
        let subject = subject(id);
        for _ in 0..ERASE_ATTEMPTS_MAX {
            let expected = match self.last(&subject).await? {
                Some((_, payload)) if payload.is_empty() => return Ok(()),
                // Deleting by sequence erases: the server overwrites the bytes. A new message on the subject would not.
                Some((sequence, _)) => {
                    if let Err(error) = self.stream.delete_message(sequence).await {
                        tracing::debug!(%error, "deleting a key's message failed, looking again");
                        continue;
                    }
                    0
                }
                None => 0,
            };
            if self.publish_first(&subject, Bytes::new(), expected).await? {
                return Ok(());
            }
        }
        Err(unavailable("the key kept changing while it was being erased"))
    }

    /// The last message of a subject as the leader knows it.
    async fn last(&self, subject: &str) -> Result<Option<(u64, Bytes)>, Error> {
        match self.stream.get_last_raw_message_by_subject(subject).await {
            Ok(message) => Ok(Some((message.sequence, message.payload))),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Publishes if the subject's last message is the one expected; says whether it was.
    async fn publish_first(&self, subject: &str, payload: Bytes, expected: u64) -> Result<bool, Error> {
        let message = PublishMessage::build().payload(payload).expected_last_subject_sequence(expected);
        let sent = self.context.send_publish(subject.to_owned(), message).await.map_err(unavailable)?;
        match sent.await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(false),
            Err(error) if is_taken(&error) => Ok(false),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// What keys are made with now: the epoch that the store's check says, of this master key. The first process writes the check; of several at
    /// once one writes, the others read.
    pub(crate) async fn made_with(&self, master: &MasterKey) -> Result<MadeWith, Error> {
        loop {
            let Some((sequence, check)) = self.last(CHECK_SUBJECT).await? else {
                // Written or not, the look that follows tells.
                self.publish_first(CHECK_SUBJECT, master.ring().newest().make_check().into(), 0).await?;
                continue;
            };
            let wrapping = wrapping_of(master, epoch_of_check(&check))?;
            if !wrapping.opens_check(&check) {
                return Err(Error::WrongMasterKey);
            }
            return Ok(MadeWith { wrapping, sequence });
        }
    }

    /// From here on keys are made in this epoch. Answers whether nobody else has said otherwise meanwhile.
    pub(crate) async fn make_with(&self, wrapping: &WrappingKey, instead: &MadeWith) -> Result<bool, Error> {
        self.publish_first(CHECK_SUBJECT, wrapping.make_check().into(), instead.sequence).await
    }

    /// Puts a key that is wrapped anew in the place of what stands at this sequence. Nothing happens if that is not what stands there.
    pub(crate) async fn rewrap(&self, id: KeyId, sequence: u64, wrapped: Vec<u8>) -> Result<(), Error> {
        self.publish_first(&subject(id), wrapped.into(), sequence).await.map(|_| ())
    }

    /// The sequence of the stream's last message.
    pub(crate) async fn end(&self) -> Result<u64, Error> {
        let mut stream = self.stream.clone();
        Ok(stream.info().await.map_err(unavailable)?.state.last_sequence)
    }

    /// The first message of a key at or after a sequence, an erased key's among them: its sequence, and what is left of the key.
    pub(crate) async fn next(&self, from: u64) -> Result<Option<(u64, KeyId, Bytes)>, Error> {
        let mut from = from;
        loop {
            let message = match self.stream.get_first_raw_message_by_subject(KEY_SUBJECTS, from).await {
                Ok(message) => message,
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => return Ok(None),
                Err(error) => return Err(unavailable(error)),
            };
            match id_of(&message.subject) {
                Some(id) => return Ok(Some((message.sequence, id, message.payload))),
                // Whatever it is, it is no key of ours.
                None => from = message.sequence + 1,
            }
        }
    }
}

/// Whether the server says that there is a message under this subject.
fn is_taken(error: &PublishError) -> bool {
    let answer = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
    answer.is_some_and(|answer| answer.error_code().0 == SUBJECT_TAKEN)
}

/// What wraps in an epoch; the keyring is read again if it does not hold it yet.
pub(crate) fn wrapping_of(master: &MasterKey, epoch: u32) -> Result<Arc<WrappingKey>, Error> {
    if let Some(wrapping) = master.ring().epoch(epoch) {
        return Ok(Arc::clone(wrapping));
    }
    let reloaded = master.reload()?;
    reloaded.epoch(epoch).cloned().ok_or(Error::UnknownEpoch { epoch })
}

fn id_of(subject: &str) -> Option<KeyId> {
    format!("{}_{}", KeyId::PREFIX, subject.strip_prefix("seva.key.")?).parse().ok()
}

fn subject(id: KeyId) -> String {
    let mut subject = String::with_capacity(41);
    subject.push_str("seva.key.");
    for byte in id.bytes() {
        subject.push(hex_digit(byte >> 4));
        subject.push(hex_digit(byte & 15));
    }
    subject
}

fn hex_digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap_or('0')
}

fn ack(answer: &Message) -> Result<PublishAck, Error> {
    match serde_json::from_slice::<Response<PublishAck>>(&answer.payload).map_err(unavailable)? {
        Response::Ok(ack) => Ok(ack),
        Response::Err { error } => Err(unavailable(error)),
    }
}

fn config(replicas: usize) -> Config {
    Config {
        name: STREAM.to_owned(),
        description: Some("keys of persons, wrapped by the master key".to_owned()),
        subjects: vec![KEY_SUBJECTS.to_owned(), CHECK_SUBJECT.to_owned()],
        storage: StorageType::File,
        num_replicas: replicas,
        retention: RetentionPolicy::Limits,
        max_messages_per_subject: 1,
        discard: DiscardPolicy::New,
        discard_new_per_subject: true,
        allow_direct: true,
        allow_atomic_publish: true,
        deny_delete: false,
        ..Config::default()
    }
}

/// Refuses a stream that would lose keys, keep them after erasure, or not take slabs.
fn check_config(info: &Info) -> Result<(), Error> {
    let found = &info.config;
    let wrong = [
        (found.storage != StorageType::File, "its storage should be `file`"),
        (found.retention != RetentionPolicy::Limits, "its retention should be `limits`"),
        (found.persist_mode == Some(PersistenceMode::Async), "its persist mode should not be `async`"),
        (found.max_messages_per_subject != 1, "it should keep 1 message a subject"),
        (
            found.max_messages > 0 || found.max_bytes > 0 || !found.max_age.is_zero(),
            "it should have no limit on messages, bytes or age",
        ),
        (!found.allow_direct, "it should allow direct gets"),
        (!found.allow_atomic_publish, "it should allow atomic publishing"),
        (found.deny_delete, "it should allow deleting messages"),
    ];
    match wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
        Some((_, what)) => Err(Error::Misconfigured(what)),
        None => Ok(()),
    }
}
