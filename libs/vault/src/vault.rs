//! The vault: makes keys, seals texts under them, opens them again as long as their key exists.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_nats::jetstream::context::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use seva_domain::values::{KeyId, RequestId, Sealed, Token};

use crate::cache::Cache;
use crate::crypto::{Key, WrappingKey};
use crate::memory::MemoryKeys;
use crate::nats::{self, NatsKeys};
use crate::pool::Pool;
use crate::{Error, MasterKey};

/// How many keys are asked for at once when many texts are opened.
const FETCHES_AT_ONCE_MAX: usize = 32;

/// The keys, and what is sealed under them. Clones share everything.
#[derive(Clone)]
pub struct Vault {
    inner: Arc<Inner>,
}

struct Inner {
    master: MasterKey,
    wrapping: Arc<WrappingKey>,
    cache: Cache,
    store: Store,
}

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
        let wrapping = Arc::new(WrappingKey::new(master.derived("wrap keys v1")));
        let keys = NatsKeys::connect(context, &wrapping).await?;
        let keeper = match keeper {
            Some(context) => Some(Box::new(NatsKeys::find(context).await?)),
            None => None,
        };
        let pool = Pool::start(keys.clone(), wrapping.clone());
        Ok(Vault::new(master, wrapping, Store::Nats { keys: Box::new(keys), keeper, pool }))
    }

    /// Opens a vault whose keys end with the process.
    pub fn in_memory(master: MasterKey) -> Vault {
        let wrapping = Arc::new(WrappingKey::new(master.derived("wrap keys v1")));
        Vault::new(master, wrapping, Store::Memory(MemoryKeys::default()))
    }

    fn new(master: MasterKey, wrapping: Arc<WrappingKey>, store: Store) -> Vault {
        Vault { inner: Arc::new(Inner { master, wrapping, cache: Cache::default(), store }) }
    }

    /// A new key, given to nobody else, durable before it is given. Costs no I/O as long as the keys made ahead last.
    pub async fn fresh(&self) -> Result<KeyId, Error> {
        let (id, key) = match &self.inner.store {
            Store::Memory(keys) => {
                let (id, key, wrapped) = self.inner.wrapping.make();
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
    pub fn derived(&self, purpose: &str) -> [u8; 32] {
        self.inner.master.derived(&format!("process: {purpose}"))
    }

    /// Destroys a key, and with it whatever was sealed under it. Again is success. Without the keeper's connection it is [`Error::NoKeeper`].
    ///
    /// Another process that used the key lately holds it until its cache lets it go.
    pub async fn erase(&self, key: KeyId) -> Result<(), Error> {
        match &self.inner.store {
            Store::Memory(keys) => keys.erase(key),
            Store::Nats { keeper, .. } => keeper.as_ref().ok_or(Error::NoKeeper)?.erase(key).await?,
        }
        self.inner.cache.remove(key);
        Ok(())
    }

    /// The key itself, from the cache or the store; `None` if it is gone.
    async fn key(&self, id: KeyId) -> Result<Option<Arc<Key>>, Error> {
        if let Some(key) = self.inner.cache.get(id) {
            return Ok(Some(key));
        }
        let unwrap = |wrapped: &[u8]| {
            self.inner.wrapping.unwrap(id, wrapped).map(Arc::new).ok_or(Error::DamagedKey(id))
        };
        let key = match &self.inner.store {
            Store::Memory(keys) => keys.get(id).map(|wrapped| unwrap(&wrapped)).transpose()?,
            Store::Nats { keys, .. } => keys.get(id).await?.map(|wrapped| unwrap(&wrapped)).transpose()?,
        };
        if let Some(key) = &key {
            self.inner.cache.insert(id, key.clone());
        }
        Ok(key)
    }
}
