//! The vault: makes keys, seals texts under them, opens them again as long as their key exists.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use async_nats::jetstream::context::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use seva_domain::values::{KeyId, RequestId, Sealed, Token};

use crate::cache::Cache;
use crate::crypto::{Key, epoch_of};
use crate::memory::MemoryKeys;
use crate::nats::{self, NatsKeys, wrapping_of};
use crate::pool::Pool;
use crate::{Error, MasterKey, Purpose};

/// How many keys are asked for at once when many texts are opened.
const FETCHES_AT_ONCE_MAX: usize = 32;

/// The keys, and what is sealed under them. Clones share everything.
#[derive(Clone)]
pub struct Vault {
    inner: Arc<Inner>,
}

struct Inner {
    master: MasterKey,
    cache: Cache,
    store: Store,
    /// Says which keys are gone, whatever the store says.
    is_gone: OnceLock<IsGone>,
}

// A function of the caller's, because who was forgotten is told by a log that the vault does not know.
type IsGone = Box<dyn Fn(KeyId) -> bool + Send + Sync>;

enum Store {
    Memory(MemoryKeys),
    Nats {
        keys: Box<NatsKeys>,
        /// The same keys over the one connection that may destroy them.
        keeper: Option<Box<NatsKeys>>,
        pool: Pool,
    },
}

/// What became of a sealed text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Opened {
    /// The text.
    Clear(String),
    /// Its key is gone, and the text with it.
    Erased,
}

/// A sealed text whose data is bytes, as it comes over the wire.
#[derive(Clone, Copy, Debug)]
pub struct SealedBytes<'a> {
    /// The key that opens it.
    pub key: KeyId,
    /// The request and the field, as in [`Sealed::context`].
    pub context: &'a str,
    /// Nonce and ciphertext.
    pub data: &'a [u8],
}

impl Vault {
    /// Makes the stream `SEVA_KEYS` if there is none, with so many replicas: what an operator does once, before anybody opens the vault.
    pub async fn set_up(context: &Context, replicas: usize) -> Result<(), Error> {
        nats::set_up(context, replicas).await
    }

    /// Opens the vault in NATS: finds the stream `SEVA_KEYS`, refuses a master key that is not its own, and begins to make keys.
    ///
    /// Keys are destroyed over the keeper's connection, and not at all without one.
    pub async fn connect(
        context: Context,
        keeper: Option<Context>,
        master: MasterKey,
    ) -> Result<Vault, Error> {
        let keys = NatsKeys::connect(context, &master).await?;
        let keeper = match keeper {
            Some(context) => Some(Box::new(NatsKeys::find(context).await?)),
            None => None,
        };
        let pool = Pool::start(keys.clone(), master.clone());
        Ok(Vault::new(master, Store::Nats { keys: Box::new(keys), keeper, pool }))
    }

    /// Opens a vault whose keys end with the process.
    pub fn in_memory(master: MasterKey) -> Vault {
        Vault::new(master, Store::Memory(MemoryKeys::default()))
    }

    fn new(master: MasterKey, store: Store) -> Vault {
        Vault { inner: Arc::new(Inner { master, cache: Cache::default(), store, is_gone: OnceLock::new() }) }
    }

    /// A new key, given to nobody else, durable before it is given. Costs no I/O as long as the keys made ahead last.
    pub async fn fresh(&self) -> Result<KeyId, Error> {
        let (id, key) = match &self.inner.store {
            Store::Memory(keys) => {
                let (id, key, wrapped) = self.inner.master.ring().newest().make();
                keys.put(id, wrapped);
                (id, Arc::new(key))
            }
            Store::Nats { pool, .. } => pool.take().await?,
        };
        self.inner.cache.insert(id, key);
        Ok(id)
    }

    /// Seals a text under a key, authenticated with the key's name, the request that brings it and the field it stands in.
    ///
    /// Under a key used lately it does no I/O. A key that is gone is [`Error::Gone`].
    pub async fn seal(
        &self,
        key: KeyId,
        request: RequestId,
        field: &str,
        text: &str,
    ) -> Result<Sealed, Error> {
        let context = format!("{request}/{field}");
        let secret = self.key(key).await?.ok_or(Error::Gone(key))?;
        let data = STANDARD_NO_PAD.encode(secret.seal(key, &context, text));
        Ok(Sealed { key, context, data })
    }

    /// Opens a text. One that was altered is [`Error::DamagedText`].
    pub async fn open(&self, sealed: &Sealed) -> Result<Opened, Error> {
        let Some(secret) = self.key(sealed.key).await? else {
            return Ok(Opened::Erased);
        };
        STANDARD_NO_PAD
            .decode(&sealed.data)
            .ok()
            .and_then(|data| secret.open(sealed.key, &sealed.context, &data))
            .map(Opened::Clear)
            .ok_or_else(|| Error::DamagedText { key: sealed.key, context: sealed.context.clone() })
    }

    /// Opens many texts, in their order, asking for each key once and for several at a time.
    ///
    /// One that was altered, or whose key was, is told in the log and stands as [`Opened::Erased`] among the others: it
    /// must not deny the whole page. A store that does not answer is an error.
    pub async fn open_all(&self, texts: &[SealedBytes<'_>]) -> Result<Vec<Opened>, Error> {
        let distinct: HashSet<KeyId> = texts.iter().map(|text| text.key).collect();
        let secrets: HashMap<KeyId, Option<Arc<Key>>> = stream::iter(distinct)
            .map(|id| async move {
                match self.key(id).await {
                    Err(damaged @ Error::DamagedKey(_)) => {
                        tracing::error!(key.id = %id, "A key cannot be unwrapped: {damaged}");
                        Ok((id, None))
                    }
                    found => Ok::<_, Error>((id, found?)),
                }
            })
            .buffer_unordered(FETCHES_AT_ONCE_MAX)
            .try_collect()
            .await?;
        let open = |text: &SealedBytes<'_>| {
            let Some(Some(secret)) = secrets.get(&text.key) else {
                return Opened::Erased;
            };
            match secret.open(text.key, text.context, text.data) {
                Some(clear) => Opened::Clear(clear),
                None => {
                    tracing::error!(key.id = %text.key, "A sealed text does not authenticate");
                    Opened::Erased
                }
            }
        };
        Ok(texts.iter().map(open).collect())
    }

    /// A hash of the bytes that only this key makes; `None` if the key is gone.
    pub async fn mac(&self, key: KeyId, bytes: &[u8]) -> Result<Option<Token>, Error> {
        Ok(self.key(key).await?.map(|secret| Token::from_bytes(secret.mac(bytes))))
    }

    /// The key for one of the process's own purposes, the same in every process with this master key.
    pub fn derived(&self, purpose: Purpose) -> [u8; 32] {
        self.inner.master.derived(purpose)
    }

    /// Takes the keys that this names for gone, even if the store has them: it may have been put back from an older backup. The first who says so
    /// is heard.
    pub fn refuse(&self, is_gone: impl Fn(KeyId) -> bool + Send + Sync + 'static) {
        let _heard_already = self.inner.is_gone.set(Box::new(is_gone));
    }

    /// Holds a key no longer and takes it for gone, whatever the store says: its person is being forgotten. Does no I/O.
    pub fn bury(&self, key: KeyId) {
        self.inner.cache.bury(key);
    }

    /// Destroys a key, and with it whatever was sealed under it. Again is success. Without the keeper's connection it is [`Error::NoKeeper`].
    ///
    /// Another process that used the key lately holds it until it buries it, or its cache lets it go.
    pub async fn erase(&self, key: KeyId) -> Result<(), Error> {
        match &self.inner.store {
            Store::Memory(keys) => keys.erase(key),
            Store::Nats { keeper, .. } => keeper.as_ref().ok_or(Error::NoKeeper)?.erase(key).await?,
        }
        self.inner.cache.bury(key);
        Ok(())
    }

    /// The key itself, from the cache or the store; `None` if it is gone.
    async fn key(&self, id: KeyId) -> Result<Option<Arc<Key>>, Error> {
        if let Some(held) = self.inner.cache.get(id) {
            return Ok(held);
        }
        if self.inner.is_gone.get().is_some_and(|is_gone| is_gone(id)) {
            self.inner.cache.bury(id);
            return Ok(None);
        }
        let wrapped = match &self.inner.store {
            Store::Memory(keys) => keys.get(id).map(Bytes::from),
            Store::Nats { keys, .. } => keys.get(id).await?,
        };
        let key = wrapped.map(|wrapped| self.unwrap(id, &wrapped)).transpose()?.flatten();
        Ok(key.and_then(|key| self.inner.cache.insert(id, key)))
    }

    /// The key in a wrapped form; `None` if what wrapped it is over: nobody can unwrap it any more.
    fn unwrap(&self, id: KeyId, wrapped: &[u8]) -> Result<Option<Arc<Key>>, Error> {
        let master = &self.inner.master;
        let epoch = epoch_of(wrapped).ok_or(Error::DamagedKey(id))?;
        let wrapping = match wrapping_of(master, epoch) {
            Err(Error::UnknownEpoch { .. }) if master.ring().is_over(epoch) => return Ok(None),
            wrapping => wrapping?,
        };
        wrapping.unwrap(id, wrapped).map(|key| Some(Arc::new(key))).ok_or(Error::DamagedKey(id))
    }
}
