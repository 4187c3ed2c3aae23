//! Writing: a draft becomes a submission, and what the writer hands back is sealed or classified again.

use std::sync::Arc;

use prost::Message;
use seva_domain::desk::Submission;
use seva_domain::noun::Rejection;
use seva_domain::plan::{Intent, Sealing};
use seva_domain::record::{Record, Request};
use seva_domain::rows::Seen;
use seva_domain::values::{Actor, At, Department, ImportId, RequestId, Token};
use seva_domain::{charge, policy, suggestion};
use seva_eventlog::commit::Position;
use seva_eventlog::log::LogError;
use seva_eventlog::writer::{Answer, Unavailable};
use seva_readmodel::engine::Running;
use tokio::sync::oneshot;

use super::{Draft, Edge, Pen, WAIT_MAX, Whose, internal, log_error};
use crate::access::caller;
use crate::brought::{Brought, OCCURRED_AT_KEY, brought};
use crate::replayed::body;
use crate::status::{Error, Violation};

/// How often a request is sealed or classified again before that counts as a fault.
const HAND_BACKS_MAX: usize = 8;

/// What a write came to.
#[derive(Clone, Debug)]
pub struct Written {
    /// The request's records; none if it was so already.
    pub records: Vec<Arc<Record>>,
    /// The rev of the noun asked about.
    pub rev: u64,
    /// The position to read at, to see it.
    pub position: String,
    /// Whether an earlier sending of the same request was recorded.
    pub is_replayed: bool,
}

/// Who asks for a write, and under which name.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub caller: &'a Actor,
    pub request: RequestId,
    /// The method and the request as the caller sent it.
    pub body: &'a [u8],
    pub import: Option<Backfill>,
    /// The one department in which the caller may act on suggestions.
    pub within: Option<&'a Department>,
}

/// What a write that is part of an import has beside its request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Backfill {
    pub import: ImportId,
    /// When it happened, unless the request itself says.
    pub occurred_at: Option<At>,
}

/// A place in a row of writes: each is decided after the one before it.
pub struct Turn {
    before: oneshot::Receiver<()>,
    after: oneshot::Sender<()>,
}

impl Turn {
    /// The place after another's, and what the next one comes after. A place that is dropped lets the next one go at once.
    pub fn after(before: oneshot::Receiver<()>) -> (Turn, oneshot::Receiver<()>) {
        let (after, next) = oneshot::channel();
        (Turn { before, after }, next)
    }

    /// Gives the place up: the next one goes once the one before has gone.
    pub async fn give_up(self) {
        let Turn { before, after } = self;
        // Passed on or given up: either way nobody is before the next one any more.
        let _passed = before.await;
        let _gone = after.send(());
    }

    /// What the first of a row comes after: nothing.
    pub fn first() -> oneshot::Receiver<()> {
        oneshot::channel().1
    }
}

impl Edge {
    /// Writes what the draft of a call says, once, however often the call is sent.
    pub async fn call<M: Message>(
        &self,
        method: &'static str,
        request: &tonic::Request<M>,
        request_id: &str,
        draft: &impl Draft,
    ) -> Result<Written, Error> {
        let calls = caller(request.extensions())?;
        let (caller, within) = (calls.actor(), calls.within()?);
        let brought = brought(request.metadata(), self.now())?;
        let body = body(method, request.get_ref());
        let ids = &self.identities;
        let (request, import) = match &brought {
            None => (ids.request(&caller, request_id), None),
            Some(Brought { import, occurred_at }) => {
                let (row, import) = (ids.row(&caller, import, request_id), ids.import(&caller, import));
                (row, Some(Backfill { import, occurred_at: *occurred_at }))
            }
        };
        self.write(Asked { caller: &caller, request, body: &body, import, within }, draft).await
    }

    /// Writes what a draft says, once, however often it is asked.
    pub async fn write(&self, asked: Asked<'_>, draft: &impl Draft) -> Result<Written, Error> {
        self.write_in_turn(asked, draft, None).await
    }

    /// Writes what a draft says when its turn has come.
    pub async fn write_in_turn(
        &self,
        asked: Asked<'_>,
        draft: &impl Draft,
        turn: Option<Turn>,
    ) -> Result<Written, Error> {
        let running = self.running()?;
        // Boxed, because it is large and every call holds one.
        let written = Box::pin(self.write_to(&running, asked, draft, turn));
        match tokio::time::timeout(WAIT_MAX, written).await {
            Ok(written) => written,
            Err(_) => Err(Error::OutcomeUnknown { request: asked.request }),
        }
    }

    async fn write_to(
        &self,
        running: &Running,
        asked: Asked<'_>,
        draft: &impl Draft,
        mut turn: Option<Turn>,
    ) -> Result<Written, Error> {
        if let Some(seen) = running.shard.seen(&asked.request).map_err(internal)? {
            if let Some(turn) = turn.take() {
                turn.give_up().await;
            }
            return self.replay(running, &seen, asked).await;
        }
        let occurred_at = draft.occurred_at().or(asked.import.and_then(|import| import.occurred_at));
        if asked.import.is_some() && occurred_at.is_none() {
            let why = "is missing: what is part of an import says when it happened";
            return Err(Error::malformed(format!("metadata.{OCCURRED_AT_KEY}"), why));
        }
        let mut sealing = self.sealing(running, draft.whose()).await?;
        for _ in 0..HAND_BACKS_MAX {
            let pen = Pen {
                edge: self,
                caller: asked.caller,
                request: asked.request,
                sealing,
                phrases: self.phrases(running),
            };
            let version = pen.phrases.as_ref().map_or(0, |phrases| phrases.policy());
            let (intent, digest) = match self.sealed(&pen, draft, asked).await {
                // Who they were known by was forgotten a moment ago: by the same name comes somebody new.
                Err(error) if error.is_forgotten() && matches!(draft.whose(), Whose::Identities(_)) => {
                    sealing = Sealing { key: self.vault.fresh().await?, owner: None };
                    continue;
                }
                sealed => sealed?,
            };
            if asked.import.is_some() && !intent.can_be_history() {
                return Err(not_in_import());
            }
            let submission = Arc::new(Submission {
                request: Request { id: asked.request, key: sealing.key, digest },
                actor: asked.caller.clone(),
                occurred_at,
                import: asked.import.map(|import| import.import),
                within: asked.within.cloned(),
                intent,
            });
            let answer = match turn.take() {
                Some(Turn { before, after }) => {
                    // Passed on or given up: either way it is this one's turn.
                    let _passed = before.await;
                    let answer = running.writer.send(submission);
                    let _gone = after.send(());
                    answer.await
                }
                None => running.writer.submit(submission).await,
            };
            match answer {
                Answer::Recorded { records, position } => {
                    return Ok(self.written(records, position, false));
                }
                Answer::Seen(seen) => return self.replay(running, &seen, asked).await,
                Answer::AlreadySo { rev, position } => {
                    let position = position.token(self.engine.log().incarnation());
                    return Ok(Written { records: Vec::new(), rev, position, is_replayed: false });
                }
                Answer::Rejected(rejection) => return Err(rejected(rejection)),
                Answer::SealUnder { customer, key } => sealing = Sealing { key, owner: customer },
                Answer::SealFresh => sealing = Sealing { key: self.vault.fresh().await?, owner: None },
                Answer::ClassifyAgain => self.newer_policy(running, version).await,
                Answer::Unknown => return Err(Error::OutcomeUnknown { request: asked.request }),
                Answer::Unavailable(why) => return Err(unavailable(&why)),
            }
        }
        Err(Error::Internal("a request was handed back too often".into()))
    }

    /// What a draft says and what it is compared by, both under one key. A key that is gone belonged to somebody forgotten.
    async fn sealed(
        &self,
        pen: &Pen<'_>,
        draft: &impl Draft,
        asked: Asked<'_>,
    ) -> Result<(Intent, Token), Error> {
        let intent = draft.intent(pen).await?;
        let digest = self.vault.mac(pen.sealing.key, asked.body).await?;
        Ok((intent, digest.ok_or_else(Error::forgotten)?))
    }

    /// Answers again what was recorded, if it is the same request.
    async fn replay(&self, running: &Running, seen: &Seen, asked: Asked<'_>) -> Result<Written, Error> {
        // The request is recorded, so that it cannot be compared or read just now does not mean that nothing is.
        let unknown = Error::OutcomeUnknown { request: asked.request };
        let digest = self.vault.mac(seen.request.key, asked.body).await;
        let digest = match digest {
            Err(seva_vault::Error::Unavailable(_)) => return Err(unknown),
            digest => digest?,
        };
        // A key that is gone belonged to somebody forgotten: what was recorded is answered uncompared.
        if digest.is_some_and(|digest| digest != seen.request.digest) {
            return Err(Error::RequestIdReused);
        }
        let (records, position) = match running.writer.recorded(seen).await {
            Err(LogError::Unavailable(_)) => return Err(unknown),
            recorded => recorded.map_err(log_error)?,
        };
        Ok(self.written(records, position, true))
    }

    fn written(&self, records: Vec<Arc<Record>>, position: Position, is_replayed: bool) -> Written {
        let rev = records.first().map_or(0, |first| {
            records.iter().filter(|r| r.noun == first.noun).map(|r| r.rev).max().unwrap_or(first.rev)
        });
        Written { records, rev, position: position.token(self.engine.log().incarnation()), is_replayed }
    }
}

/// Nothing may be set off in the present by what is told of the past.
fn not_in_import() -> Error {
    let message = "this acts on the present, so it cannot be part of an import".to_owned();
    Error::Refused { reason: "NOT_IN_IMPORT", message, metadata: Vec::new() }
}

fn unavailable(why: &Unavailable) -> Error {
    match why {
        Unavailable::QueueFull => Error::QueueFull,
        Unavailable::BacklogFull => Error::BacklogFull,
        Unavailable::LogUnavailable => Error::LogUnavailable,
        Unavailable::CatchingUp | Unavailable::PolicyMissing | Unavailable::Stopped(_) => {
            Error::CatchingUp { message: why.to_string() }
        }
    }
}

/// What a rejection means for a caller.
fn rejected(rejection: Rejection) -> Error {
    let (reason, message) = (rejection.reason(), rejection.to_string());
    match rejection {
        Rejection::NotFound(noun) => Error::NotFound { what: noun.name(), id: noun.id() },
        Rejection::Stale { current, .. } => Error::Stale { current_rev: current },
        Rejection::Policy(policy::Rejection::Invalid { findings }) => Error::PolicyInvalid(
            findings.into_iter().map(|finding| Violation::new(finding.path, finding.message)).collect(),
        ),
        Rejection::Suggestion(suggestion::Rejection::OtherDepartment) => {
            let message = "the suggestion is in another department than the caller's";
            Error::Denied { reason, message }
        }
        Rejection::Suggestion(suggestion::Rejection::UnknownDepartment { department }) => {
            Error::Refused { reason, message, metadata: vec![("department", department.as_str().to_owned())] }
        }
        Rejection::Charge(charge::Rejection::ExceedsCaptured { refundable }) => {
            let metadata = vec![("refundable_minor", refundable.get().to_string())];
            Error::Refused { reason, message, metadata }
        }
        Rejection::Charge(charge::Rejection::OtherCurrency { captured }) => {
            Error::Refused { reason, message, metadata: vec![("currency", captured.code().to_owned())] }
        }
        Rejection::Charge(charge::Rejection::RefundOpen { open }) => {
            Error::Refused { reason, message, metadata: vec![("open_refund_id", open.to_string())] }
        }
        Rejection::Case(_)
        | Rejection::Charge(_)
        | Rejection::Customer(_)
        | Rejection::Escalation(_)
        | Rejection::Suggestion(_)
        | Rejection::TooMuch(_) => Error::Refused { reason, message, metadata: Vec::new() },
    }
}
