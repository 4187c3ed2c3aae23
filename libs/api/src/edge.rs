//! The edge of one service: takes a request that was checked to the writer, and a question to the read models.
//!
//! Texts are classified and sealed here; behind it nothing reads them. What the writer hands back is sealed or classified again.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use seva_domain::classify::{Phrases, classify};
use seva_domain::customer;
use seva_domain::desk::Submission;
use seva_domain::noun::{Noun, Rejection, State};
use seva_domain::plan::{Intent, Sealing};
use seva_domain::policy;
use seva_domain::record::{Record, Request};
use seva_domain::rows::{Lookup, Seen};
use seva_domain::suggestion;
use seva_domain::values::{
    Actor, At, CaseId, Classification, CustomerId, ImportId, KeyId, Language, RequestId, Sealed,
    SuggestionId, ThreadId, Token,
};
use seva_eventlog::base::Base;
use seva_eventlog::commit::Position;
use seva_eventlog::log::LogError;
use seva_eventlog::store::{Store, StoreError};
use seva_eventlog::writer::{Answer, Clock, Unavailable};
use seva_readmodel::engine::{Engine, Running};
use seva_vault::Vault;
use tokio::sync::oneshot;

use crate::identity::Identities;
use crate::open::{Texts, open};
use crate::parse::Fields;
use crate::pb::common::v1::{PageRequest, ReadOptions};
use crate::pb::intake::v1::IdentityKind;
use crate::status::{Error, Violation};

/// How often a request is sealed or classified again before that counts as a fault.
const HAND_BACKS_MAX: usize = 8;

/// How long a write waits for its outcome, and a read for its position. Below the shortest deadline that the server sets itself.
const WAIT_MAX: Duration = Duration::from_millis(4_500);

/// How long a classification waits for the policy that the writer has and the edge has not.
const POLICY_WAIT: Duration = Duration::from_secs(1);

/// How many keys of customers seen a moment ago are remembered, until the database knows them.
const RECENT_MAX: usize = 4_096;

/// How many rows a page has, if the caller does not say, and at most.
const PAGE: (u32, u32) = (50, 1_000);

/// Whose texts a request brings: decides which key they are sealed under.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Whose {
    /// It brings none.
    NoTexts,
    /// Nobody's yet.
    Nobody,
    Customer(CustomerId),
    /// Whoever is known by these; the values are normalised.
    Identities(Vec<(IdentityKind, String)>),
    /// The customer of this case.
    Case(CaseId),
    Suggestion(SuggestionId),
}

/// A write that was checked, and is not yet an intent: its texts are clear.
pub trait Draft: Sync {
    /// Whose texts it brings.
    fn whose(&self) -> Whose;

    /// When it happened, if the caller said.
    fn occurred_at(&self) -> Option<At> {
        None
    }

    /// The intent, its texts sealed and classified.
    fn intent(&self, pen: &Pen<'_>) -> impl Future<Output = Result<Intent, Error>> + Send;
}

/// Seals and classifies the texts of one request.
pub struct Pen<'a> {
    edge: &'a Edge,
    request: RequestId,
    sealing: Sealing,
    phrases: Option<Arc<Phrases>>,
}

impl Pen<'_> {
    /// Seals a text that stood in this field.
    pub async fn seal(&self, field: &str, text: &str) -> Result<Sealed, Error> {
        Ok(self.edge.vault.seal(self.sealing.key, self.request, field, text).await?)
    }

    /// Seals a text that may be left empty.
    pub async fn seal_if_given(&self, field: &str, text: &str) -> Result<Option<Sealed>, Error> {
        if text.is_empty() { Ok(None) } else { self.seal(field, text).await.map(Some) }
    }

    /// Seals an identity, and hashes it so that it can be found.
    pub async fn identity(
        &self,
        field: &str,
        kind: IdentityKind,
        value: &str,
    ) -> Result<customer::Identity, Error> {
        let kind_known = identity_kind(kind).ok_or_else(|| Error::malformed(field, "has no kind"))?;
        let token = self.edge.identities.lookup(kind, value);
        Ok(customer::Identity { kind: kind_known, token, value: self.seal(field, value).await? })
    }

    /// Classifies a text by the policy in force.
    pub fn classify(&self, text: &str, language: Option<&Language>) -> Result<Classification, Error> {
        let phrases = self.phrases.as_ref().ok_or_else(no_policy)?;
        Ok(classify(text, language, phrases))
    }

    /// What the log knows a conversation by.
    pub fn thread(&self, name: &str) -> ThreadId {
        self.edge.identities.thread(name)
    }

    /// The key in use, and whose it was taken to be.
    pub fn sealing(&self) -> Sealing {
        self.sealing
    }
}

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
    pub import: Option<ImportId>,
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

/// The edge of one service. Clones are the same edge.
#[derive(Clone)]
pub struct Edge {
    engine: Engine,
    vault: Vault,
    identities: Identities,
    clock: Clock,
    // Locks, because every call shares what these remember; never held across an await.
    phrases: Arc<Mutex<Option<Arc<Phrases>>>>,
    recent: Arc<Mutex<Recent>>,
    textless: Arc<tokio::sync::OnceCell<KeyId>>,
}

/// Keys lately used for whoever is known by an account or a handle.
#[derive(Debug, Default)]
struct Recent {
    keys: HashMap<Token, KeyId>,
    order: VecDeque<Token>,
}

impl Edge {
    /// The edge of the service that an engine runs.
    pub fn new(engine: Engine, vault: Vault, clock: Clock) -> Edge {
        let identities = Identities::new(&vault);
        Edge {
            engine,
            vault,
            identities,
            clock,
            phrases: Arc::default(),
            recent: Arc::default(),
            textless: Arc::default(),
        }
    }

    /// Hashes callers' names for things.
    pub fn identities(&self) -> &Identities {
        &self.identities
    }

    /// The engine behind it.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The time.
    pub fn now(&self) -> At {
        (self.clock)()
    }

    fn running(&self) -> Result<Arc<Running>, Error> {
        self.engine.running().map_err(|error| Error::CatchingUp { message: error.to_string() })
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
        let mut sealing = self.sealing(running, draft.whose()).await?;
        for _ in 0..HAND_BACKS_MAX {
            let pen = Pen { edge: self, request: asked.request, sealing, phrases: self.phrases(running) };
            let version = pen.phrases.as_ref().map_or(0, |phrases| phrases.policy());
            let intent = draft.intent(&pen).await?;
            let digest = self.vault.mac(sealing.key, asked.body).await?;
            let digest = digest.ok_or_else(|| Error::Internal("the key just used is gone".into()))?;
            let submission = Arc::new(Submission {
                request: Request { id: asked.request, key: sealing.key, digest },
                actor: asked.caller.clone(),
                occurred_at: draft.occurred_at(),
                import: asked.import,
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
                Answer::SealUnder { customer, key } => sealing = Sealing { key, owner: Some(customer) },
                Answer::SealFresh => sealing = Sealing { key: self.vault.fresh().await?, owner: None },
                Answer::ClassifyAgain => self.newer_policy(running, version).await,
                Answer::Unknown => return Err(Error::OutcomeUnknown { request: asked.request }),
                Answer::Unavailable(why) => return Err(unavailable(&why)),
            }
        }
        Err(Error::Internal("a request was handed back too often".into()))
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

    /// The key for a request's texts: their owner's, as far as the database knows, else a fresh one.
    async fn sealing(&self, running: &Running, whose: Whose) -> Result<Sealing, Error> {
        let shard = running.shard.as_ref();
        let known = match &whose {
            Whose::NoTexts => {
                let key = self.textless.get_or_try_init(|| self.vault.fresh()).await?;
                return Ok(Sealing { key: *key, owner: None });
            }
            Whose::Nobody => None,
            Whose::Customer(customer) => key_of(shard, *customer).map_err(internal)?,
            Whose::Case(case) => key_of_case(shard, *case).map_err(internal)?,
            Whose::Suggestion(suggestion) => {
                if let Some(key) = key_of_suggestion(shard, *suggestion).map_err(internal)? {
                    return Ok(Sealing { key, owner: None });
                }
                None
            }
            Whose::Identities(identities) => return self.sealing_by(shard, identities).await,
        };
        match known {
            Some((owner, key)) => Ok(Sealing { key, owner: Some(owner) }),
            None => Ok(Sealing { key: self.vault.fresh().await?, owner: None }),
        }
    }

    async fn sealing_by(
        &self,
        shard: &Base,
        identities: &[(IdentityKind, String)],
    ) -> Result<Sealing, Error> {
        let mut deciding = None;
        for (kind, value) in identities {
            let Some(known) = identity_kind(*kind) else { continue };
            let token = self.identities.lookup(*kind, value);
            let found = shard.find(&Lookup::Identity(known, token)).map_err(internal)?;
            if let [Noun::Customer(one)] = found.as_ref()
                && let Some((owner, key)) = key_of(shard, *one).map_err(internal)?
            {
                return Ok(Sealing { key, owner: Some(owner) });
            }
            if known.is_unique() {
                deciding.get_or_insert(token);
            }
        }
        let Some(token) = deciding else {
            return Ok(Sealing { key: self.vault.fresh().await?, owner: None });
        };
        if let Some(key) = self.recent.lock().unwrap_or_else(PoisonError::into_inner).keys.get(&token) {
            return Ok(Sealing { key: *key, owner: None });
        }
        let fresh = self.vault.fresh().await?;
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        // Another call may have been first meanwhile: both then use the one key.
        let key = *recent.keys.entry(token).or_insert(fresh);
        if key == fresh {
            recent.order.push_back(token);
            if recent.order.len() > RECENT_MAX
                && let Some(oldest) = recent.order.pop_front()
            {
                recent.keys.remove(&oldest);
            }
        }
        Ok(Sealing { key, owner: None })
    }

    /// The phrase tables of the policy in force.
    fn phrases(&self, running: &Running) -> Option<Arc<Phrases>> {
        let policy = running.writer.policy().borrow().clone()?;
        let mut phrases = self.phrases.lock().unwrap_or_else(PoisonError::into_inner);
        if phrases.as_ref().is_none_or(|phrases| phrases.policy() != policy.version) {
            *phrases = Some(Arc::new(Phrases::compile(&policy.document, policy.version)));
        }
        phrases.clone()
    }

    /// Waits until the policy is another than the one a text was classified by.
    async fn newer_policy(&self, running: &Running, than: u64) {
        let mut policy = running.writer.policy();
        let newer = policy.wait_for(|policy| policy.as_ref().is_some_and(|policy| policy.version != than));
        // If none comes the next round is handed back again, and at last counts as a fault.
        let _waited = tokio::time::timeout(POLICY_WAIT, newer).await;
    }

    /// The rows of a read model once they are where the caller wants them, and the position they are at.
    pub async fn read(
        &self,
        model: &str,
        options: Option<&ReadOptions>,
    ) -> Result<(Arc<dyn Store>, String), Error> {
        let running = self.running()?;
        let incarnation = self.engine.log().incarnation();
        let wanted = options.map_or("", |options| options.at_least_position.as_str());
        if !wanted.is_empty() {
            let position = self.position("read.at_least_position", wanted)?;
            let reached = running.projections.reach(model, position, WAIT_MAX);
            reached.await.map_err(|_| Error::PositionNotReached)?;
        }
        // The position is taken before the rows, so the rows are never behind it.
        let progress = running.projections.progress();
        let sequence = progress.borrow().get(model).map_or(0, |model| model.sequence);
        let rows = running.projections.rows(model);
        let rows = rows.ok_or_else(|| Error::Internal(format!("no read model `{model}`").into()))?;
        Ok((rows, Position::end_of(sequence).token(incarnation)))
    }

    /// What the service decides on, once its rows hold what the caller wants to see.
    pub async fn decided(&self, options: Option<&ReadOptions>) -> Result<Arc<Base>, Error> {
        let running = self.running()?;
        let wanted = options.map_or("", |options| options.at_least_position.as_str());
        if !wanted.is_empty() {
            let sequence = self.position("read.at_least_position", wanted)?.sequence();
            let mut progress = running.writer.progress();
            // The shard's own commits are what its rows are of: there may be none up to there.
            let holds = progress.wait_for(|at| at.followed >= sequence && at.stored >= at.tip.min(sequence));
            match tokio::time::timeout(WAIT_MAX, holds).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) | Err(_) => return Err(Error::PositionNotReached),
            }
        }
        Ok(Arc::clone(&running.shard))
    }

    /// Reads a position that a caller gave.
    pub fn position(&self, field: &str, token: &str) -> Result<Position, Error> {
        Position::from_token(token, self.engine.log().incarnation())
            .map_err(|error| Error::malformed(field, error.to_string()))
    }

    /// Opens the texts of an answer.
    pub async fn open<M: Texts>(&self, mut message: M) -> Result<M, Error> {
        open(&mut message, &self.vault).await?;
        Ok(message)
    }
}

/// A page that a caller asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Page {
    pub size: usize,
    /// The key to go on from.
    pub from: Option<Vec<u8>>,
}

impl Page {
    /// Reads what a caller asked for. A list's tokens are keys of its own rows, which begin with `prefix`: no other list's will do.
    pub fn parse(page: Option<&PageRequest>, prefix: &[u8]) -> Result<Page, Error> {
        let Some(page) = page else { return Ok(Page { size: PAGE.0 as usize, from: None }) };
        let size = if page.page_size == 0 { PAGE.0 } else { page.page_size.min(PAGE.1) };
        let mut fields = Fields::default();
        let from = if page.page_token.is_empty() {
            Some(None)
        } else {
            let bytes = unhex(&page.page_token).filter(|key| key.starts_with(prefix));
            let bytes = bytes.ok_or("is not a token that a page of this list answered");
            fields.take("page.page_token", bytes).map(Some)
        };
        fields.finish(|| Some(Page { size: size as usize, from: from? }))
    }

    /// The token for the page that begins at this key.
    pub fn token(key: &[u8]) -> String {
        key.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len() / 2).map(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).ok()).collect()
}

/// What an identity of the wire is in the domain.
pub fn identity_kind(kind: IdentityKind) -> Option<customer::IdentityKind> {
    match kind {
        IdentityKind::Unspecified => None,
        IdentityKind::Account => Some(customer::IdentityKind::Account),
        IdentityKind::Handle => Some(customer::IdentityKind::Handle),
        IdentityKind::Email => Some(customer::IdentityKind::Email),
        IdentityKind::Phone => Some(customer::IdentityKind::Phone),
    }
}

fn key_of(shard: &Base, customer: CustomerId) -> Result<Option<(CustomerId, KeyId)>, StoreError> {
    let held = shard.held(&Noun::Customer(customer))?;
    Ok(match held.as_deref().map(|held| &held.state) {
        Some(State::Customer(customer::State::Known(known))) => {
            known.keys.first().map(|key| (customer, *key))
        }
        Some(_) | None => None,
    })
}

fn key_of_case(shard: &Base, case: CaseId) -> Result<Option<(CustomerId, KeyId)>, StoreError> {
    let held = shard.held(&Noun::Case(case))?;
    let owner = held.as_deref().and_then(|held| match &held.state {
        State::Case(state) => state.matter().map(|matter| matter.customer),
        State::Customer(_) | State::Import(_) | State::Policy(_) | State::Suggestion(_) => None,
    });
    owner.map_or(Ok(None), |owner| key_of(shard, owner))
}

fn key_of_suggestion(shard: &Base, id: SuggestionId) -> Result<Option<KeyId>, StoreError> {
    let held = shard.held(&Noun::Suggestion(id))?;
    Ok(held.as_deref().and_then(|held| match &held.state {
        State::Suggestion(state) => state.idea().map(|idea| idea.key),
        State::Case(_) | State::Customer(_) | State::Import(_) | State::Policy(_) => None,
    }))
}

fn no_policy() -> Error {
    Error::CatchingUp { message: Unavailable::PolicyMissing.to_string() }
}

fn internal(error: StoreError) -> Error {
    // The engine has noticed as well, and makes the database anew.
    tracing::error!(%error, "a row could not be read");
    Error::CatchingUp { message: "its database is being made anew from the log".to_owned() }
}

/// What a log that cannot be read means for a caller.
pub fn log_error(error: LogError) -> Error {
    match error {
        LogError::Unavailable(_) => Error::LogUnavailable,
        LogError::Corrupt(_) => Error::Internal(error.into()),
    }
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
        Rejection::Suggestion(suggestion::Rejection::UnknownDepartment { department }) => {
            Error::Refused { reason, message, metadata: vec![("department", department.as_str().to_owned())] }
        }
        Rejection::Case(_) | Rejection::Customer(_) | Rejection::Suggestion(_) | Rejection::TooMuch(_) => {
            Error::Refused { reason, message, metadata: Vec::new() }
        }
    }
}
