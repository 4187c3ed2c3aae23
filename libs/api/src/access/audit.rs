//! The audit stream, `SEVA_AUDIT`: which texts were opened for whom and what for, and what was denied. Never what stood in them.
//!
//! Openings are on disk before the answer leaves; those that wait while a message is on its way share the next one. Denials are counted by the
//! minute and expire after a week, so that no flood of them can push the openings out.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::context::Context;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use seva_domain::values::At;
use seva_eventlog::writer::Clock;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::caller::Caller;
use super::denials::{Denials, Key, Outcome, Tallies, Tally, add, message};
use crate::status::Error;

/// The stream of audit records: `seva.audit.<service>`.
pub const AUDIT_STREAM: &str = "SEVA_AUDIT";

/// How large the stream becomes before the oldest records go, in bytes.
const STREAM_BYTES_MAX: i64 = 1024 * 1024 * 1024;

/// How long records are kept.
const KEPT: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// How long records of denials are kept.
const DENIALS_KEPT: &str = "168h";

/// How many openings wait for the message on its way, at most.
const WAITING_MAX: usize = 4_096;

/// How many openings one message tells of.
const MESSAGE_OPENINGS_MAX: usize = 512;

/// How long the server may take to acknowledge.
const ACK_TIMEOUT: Duration = Duration::from_secs(3);

/// How often it is looked whether a minute of denials is over.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The audit stream cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the stream {AUDIT_STREAM} cannot be opened; `seva nats-setup` makes it")]
pub struct AuditError(#[source] async_nats::Error);

/// Writes the audit records of one service. Clones write to the same place.
#[derive(Clone)]
pub struct Audit {
    openings: mpsc::Sender<Opening>,
    // A lock, because denials come from every call; never held across an await.
    denials: Arc<Mutex<Denials>>,
    clock: Clock,
}

struct Opening {
    key: Key,
    tally: Tally,
    written: oneshot::Sender<bool>,
}

impl Audit {
    /// Makes the stream, with so many replicas, if there is none.
    pub async fn set_up(context: &Context, replicas: usize) -> Result<(), AuditError> {
        let config = Config {
            name: AUDIT_STREAM.to_owned(),
            description: Some("what was opened and denied, without personal data".to_owned()),
            subjects: vec!["seva.audit.>".to_owned()],
            retention: RetentionPolicy::Limits,
            storage: StorageType::File,
            discard: DiscardPolicy::Old,
            max_bytes: STREAM_BYTES_MAX,
            max_age: KEPT,
            num_replicas: replicas,
            allow_message_ttl: true,
            ..Config::default()
        };
        context.get_or_create_stream(config).await.map_err(|error| AuditError(error.into()))?;
        Ok(())
    }

    /// Finds the stream. The task writes until `stop`, and then what is left.
    pub async fn open(
        context: Context,
        service: &'static str,
        clock: Clock,
        stop: CancellationToken,
    ) -> Result<(Audit, impl Future<Output = ()> + Send + 'static), AuditError> {
        context.get_stream(AUDIT_STREAM).await.map_err(|error| AuditError(error.into()))?;
        let (openings, asked) = mpsc::channel(WAITING_MAX);
        let denials = Arc::default();
        let audit = Audit { openings, denials: Arc::clone(&denials), clock: Arc::clone(&clock) };
        let writer = Writer { context, service, denials, clock };
        Ok((audit, writer.run(asked, stop)))
    }

    /// Records that texts were opened for a call. Answers when that is on disk: before it the texts may not leave.
    pub(crate) async fn opened(&self, caller: &Caller, texts: u64) -> Result<(), Error> {
        self.record(caller, Outcome::Opened, texts).await
    }

    /// Records that a call was let through. Answers when that is on disk.
    pub(super) async fn called(&self, caller: &Caller) -> Result<(), Error> {
        self.record(caller, Outcome::Called, 0).await
    }

    async fn record(&self, caller: &Caller, outcome: Outcome, texts: u64) -> Result<(), Error> {
        let at = (self.clock)();
        let key = Key {
            outcome,
            method: caller.method.short_name().to_owned(),
            who: caller.actor().as_str().to_owned(),
            purpose: caller.purpose,
            reason: None,
        };
        let (written, is_written) = oneshot::channel();
        let opening = Opening { key, tally: Tally { calls: 1, texts, first: at, last: at }, written };
        self.openings.send(opening).await.map_err(|_| Error::LogUnavailable)?;
        match is_written.await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Error::LogUnavailable),
        }
    }

    /// Counts a denial, and tells the operator of the first of its kind in a minute.
    pub(super) fn denied(&self, method: &str, who: &str, reason: &'static str) {
        let key = Key {
            outcome: Outcome::Denied,
            method: method.to_owned(),
            who: who.to_owned(),
            purpose: None,
            reason: Some(reason),
        };
        let mut denials = self.denials.lock().unwrap_or_else(PoisonError::into_inner);
        if denials.add(key, (self.clock)()) {
            tracing::warn!(
                method,
                who,
                reason,
                "A call was denied; more like it in this minute are only counted"
            );
        }
    }
}

struct Writer {
    context: Context,
    service: &'static str,
    denials: Arc<Mutex<Denials>>,
    clock: Clock,
}

impl Writer {
    async fn run(self, mut asked: mpsc::Receiver<Opening>, stop: CancellationToken) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut openings = Vec::with_capacity(MESSAGE_OPENINGS_MAX);
        loop {
            tokio::select! {
                count = asked.recv_many(&mut openings, MESSAGE_OPENINGS_MAX) => {
                    if count == 0 {
                        break;
                    }
                    self.write(std::mem::take(&mut openings)).await;
                }
                _ = look.tick() => self.write_denials((self.clock)(), false).await,
                () = stop.cancelled() => break,
            }
        }
        self.write_denials((self.clock)(), true).await;
    }

    /// Writes openings in one message, and tells those who wait.
    async fn write(&self, openings: Vec<Opening>) {
        let mut tallies = Tallies::new();
        let mut waiting = Vec::with_capacity(openings.len());
        for Opening { key, tally, written } in openings {
            add(&mut tallies, key, tally);
            waiting.push(written);
        }
        let outcome = self.publish(&tallies, HeaderMap::new()).await;
        if let Err(why) = &outcome {
            tracing::warn!(why, "The audit stream does not take a record: texts stay closed until it does");
        }
        for written in waiting {
            // Whoever asked may be gone: the record stands all the same.
            let _gone = written.send(outcome.is_ok());
        }
    }

    async fn write_denials(&self, now: At, all: bool) {
        let mut over = self.lock().take(now, all);
        while let Some(tallies) = over.first() {
            let mut headers = HeaderMap::new();
            headers.insert(async_nats::header::NATS_MESSAGE_TTL, DENIALS_KEPT);
            if let Err(why) = self.publish(tallies, headers).await {
                let lost = self.lock().give_back(over);
                tracing::warn!(why, lost, "The audit stream does not take records of denials: they wait");
                return;
            }
            over.remove(0);
        }
    }

    async fn publish(&self, tallies: &Tallies, headers: HeaderMap) -> Result<(), String> {
        let payload = message(self.service, tallies).map_err(|error| error.to_string())?;
        let subject = format!("seva.audit.{}", self.service);
        let publish = async {
            let sent = self.context.publish_with_headers(subject, headers, payload.into()).await;
            sent.map_err(|error| error.to_string())?.await.map_err(|error| error.to_string())
        };
        match tokio::time::timeout(ACK_TIMEOUT, publish).await {
            Ok(acknowledged) => acknowledged.map(|_| ()),
            Err(_) => Err("it is not acknowledged in time".to_owned()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Denials> {
        self.denials.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
