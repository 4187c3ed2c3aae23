//! Keys made ahead, so that a new customer waits for no durable write.

use std::sync::Arc;
use std::time::Duration;

use seva_domain::values::KeyId;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::crypto::Key;
use crate::nats::NatsKeys;
use crate::{Error, MasterKey, unavailable};

/// How many keys are written at once.
const SLAB_KEYS: usize = 500;

/// How many keys wait at most: a slab is written whenever it fits, so when half a slab or less is left.
const POOL_KEYS_MAX: usize = SLAB_KEYS + SLAB_KEYS / 2;

/// How long somebody waits for a key when none is ready.
const FRESH_WAIT_MAX: Duration = Duration::from_secs(5);

/// How long the refill rests after the store refused, at first and at most.
const REST_MIN: Duration = Duration::from_millis(50);
const REST_MAX: Duration = Duration::from_secs(2);

/// A key whose slab the store acknowledged, given out once.
type Made = (KeyId, Arc<Key>);

/// The keys ready to be given out, and the task that makes more; it ends with the pool.
pub(crate) struct Pool {
    ready: Mutex<mpsc::Receiver<Made>>,
    _refill: JoinSet<()>,
}

impl Pool {
    /// Begins to make keys.
    pub(crate) fn start(keys: NatsKeys, master: MasterKey) -> Pool {
        let (made, ready) = mpsc::channel(POOL_KEYS_MAX);
        let mut task = JoinSet::new();
        task.spawn(refill(keys, master, made));
        Pool { ready: Mutex::new(ready), _refill: task }
    }

    /// A key that nobody else was given.
    pub(crate) async fn take(&self) -> Result<Made, Error> {
        let next = async { self.ready.lock().await.recv().await };
        match timeout(FRESH_WAIT_MAX, next).await {
            Ok(Some(made)) => Ok(made),
            Ok(None) => Err(unavailable("no more keys are being made")),
            Err(late) => Err(unavailable(late)),
        }
    }
}

/// Writes slabs as long as somebody may want keys.
async fn refill(keys: NatsKeys, master: MasterKey, made: mpsc::Sender<Made>) {
    let mut rest = REST_MIN;
    while let Ok(places) = made.reserve_many(SLAB_KEYS).await {
        match slab(&keys, &master).await {
            Ok(slab) => {
                rest = REST_MIN;
                places.zip(slab).for_each(|(place, key)| place.send(key));
            }
            // Whether the slab landed or not, its keys are never used.
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    rest_ms = rest.as_millis() as u64,
                    "A slab of keys could not be written"
                );
                drop(places);
                sleep(rest).await;
                rest = REST_MAX.min(rest * 2);
            }
        }
    }
}

/// Makes and writes a slab, in the epoch that keys are made in now.
async fn slab(keys: &NatsKeys, master: &MasterKey) -> Result<Vec<Made>, Error> {
    let made = keys.made_with(master).await?;
    let mut slab = Vec::with_capacity(SLAB_KEYS);
    let mut wrapped = Vec::with_capacity(SLAB_KEYS);
    for _ in 0..SLAB_KEYS {
        let (id, key, bytes) = made.wrapping.make();
        slab.push((id, Arc::new(key)));
        wrapped.push((id, bytes));
    }
    keys.put_all(wrapped, &made).await?;
    Ok(slab)
}
