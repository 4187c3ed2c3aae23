//! The edge of one service: takes a request that was checked to the writer, and a question to the read models.
//!
//! Texts are classified and sealed here; behind it nothing reads them. What the writer hands back is sealed or classified again.

mod keys;
mod read;
mod write;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use seva_domain::classify::{Phrases, classify};
use seva_domain::customer;
use seva_domain::noun::{Noun, State};
use seva_domain::plan::{Intent, Sealing};
use seva_domain::rows::Lookup;
use seva_domain::values::{
    Actor, At, CaseId, ChargeId, Classification, CustomerId, KeyId, Language, RequestId, Sealed,
    SuggestionId, ThreadId,
};
use seva_eventlog::base::Base;
use seva_eventlog::log::LogError;
use seva_eventlog::store::StoreError;
use seva_eventlog::writer::{Clock, Unavailable};
use seva_readmodel::engine::{Engine, Running};
use seva_readmodel::forgotten;
use seva_vault::Vault;

pub use self::keys::Keys;
use self::keys::Recent;
pub(crate) use self::read::reached;
pub use self::read::{Page, decode, get, next_page, unreadable};
pub use self::write::{Asked, Backfill, Turn, Written};
use crate::access::Audit;
use crate::identity::Identities;
use crate::pb::intake::v1::IdentityKind;
use crate::status::Error;

/// How long a write waits for its outcome, and a read for its position. Below the shortest deadline that the server sets itself.
const WAIT_MAX: Duration = Duration::from_millis(4_500);

/// How long a classification waits for the policy that the writer has and the edge has not.
const POLICY_WAIT: Duration = Duration::from_secs(1);

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
    /// Whoever the charge is of.
    Charge(ChargeId),
    /// Whoever has this key.
    Key(KeyId),
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
    caller: &'a Actor,
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

    /// Who asks.
    pub fn caller(&self) -> &Actor {
        self.caller
    }

    /// What the request is known by: what it makes takes its id from it.
    pub fn request(&self) -> RequestId {
        self.request
    }

    /// The key in use, and whose it was taken to be.
    pub fn sealing(&self) -> Sealing {
        self.sealing
    }
}

/// The edge of one service. Clones are the same edge.
#[derive(Clone)]
pub struct Edge {
    engine: Engine,
    /// Holds what is known of other services' cases and customers.
    pub(crate) known: Engine,
    vault: Vault,
    identities: Identities,
    audit: Audit,
    clock: Clock,
    // Locks, because every call shares what these remember; never held across an await.
    phrases: Arc<Mutex<Option<Arc<Phrases>>>>,
    recent: Recent,
    textless: Arc<tokio::sync::OnceCell<KeyId>>,
}

impl Edge {
    /// The edge of the service that an engine runs, over the keys that heed the log the engine follows. What is known of other services' cases and
    /// customers is read from `known`: the same engine, or another of the process.
    pub fn new(engine: Engine, known: Engine, keys: Keys, audit: Audit, clock: Clock) -> Edge {
        let Keys { vault, recent } = keys;
        let identities = Identities::new(&vault);
        let knows = engine.clone();
        vault.refuse(move |key| {
            let rows = knows.running().ok().and_then(|running| running.projections.rows(forgotten::NAME));
            // A row that cannot be read is noticed by the engine, which then answers nobody.
            rows.is_some_and(|rows| forgotten::is_gone(rows.as_ref(), key).unwrap_or(false))
        });
        Edge {
            engine,
            known,
            vault,
            identities,
            audit,
            clock,
            phrases: Arc::default(),
            recent,
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

    /// Destroys a key for good.
    pub async fn destroy(&self, key: KeyId) -> Result<(), Error> {
        Ok(self.vault.erase(key).await?)
    }

    fn running(&self) -> Result<Arc<Running>, Error> {
        running(&self.engine)
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
            Whose::Key(key) => return Ok(Sealing { key: *key, owner: None }),
            Whose::Charge(charge) => {
                if let Some(key) = key_of_charge(shard, *charge).map_err(internal)? {
                    return Ok(Sealing { key, owner: None });
                }
                None
            }
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
        if let Some(key) = self.recent.get(token) {
            return Ok(Sealing { key, owner: None });
        }
        let fresh = self.vault.fresh().await?;
        Ok(Sealing { key: self.recent.get_or_insert(token, fresh), owner: None })
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

fn running(engine: &Engine) -> Result<Arc<Running>, Error> {
    engine.running().map_err(|error| Error::CatchingUp { message: error.to_string() })
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
        State::Charge(_)
        | State::Customer(_)
        | State::Escalation(_)
        | State::Import(_)
        | State::Policy(_)
        | State::Suggestion(_) => None,
    });
    owner.map_or(Ok(None), |owner| key_of(shard, owner))
}

fn key_of_suggestion(shard: &Base, id: SuggestionId) -> Result<Option<KeyId>, StoreError> {
    let held = shard.held(&Noun::Suggestion(id))?;
    Ok(held.as_deref().and_then(|held| match &held.state {
        State::Suggestion(state) => state.idea().map(|idea| idea.key),
        State::Case(_)
        | State::Charge(_)
        | State::Customer(_)
        | State::Escalation(_)
        | State::Import(_)
        | State::Policy(_) => None,
    }))
}

fn key_of_charge(shard: &Base, id: ChargeId) -> Result<Option<KeyId>, StoreError> {
    let held = shard.held(&Noun::Charge(id))?;
    Ok(held.as_deref().and_then(|held| match &held.state {
        State::Charge(state) => state.charge().map(|charge| charge.registered.key),
        State::Case(_)
        | State::Customer(_)
        | State::Escalation(_)
        | State::Import(_)
        | State::Policy(_)
        | State::Suggestion(_) => None,
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
