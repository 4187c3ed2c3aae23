//! The keys used lately, bounded in number.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seva_domain::values::KeyId;

use crate::crypto::Key;

/// How many keys are held at most.
const CACHED_KEYS_MAX: usize = 10_000;

/// Two generations: when the young one holds half of what may be held it becomes the old one, and the old one is dropped.
/// What is used moves to the young one, so what goes was not used for at least half the cache's worth of other keys.
#[derive(Default)]
pub(crate) struct Cache {
    // Held for a look-up only, never across an await.
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    young: HashMap<KeyId, Arc<Key>>,
    old: HashMap<KeyId, Arc<Key>>,
}

impl Cache {
    /// The key, if it is held.
    pub(crate) fn get(&self, id: KeyId) -> Option<Arc<Key>> {
        let mut generations = self.lock();
        if let Some(key) = generations.young.get(&id) {
            return Some(key.clone());
        }
        let key = generations.old.remove(&id)?;
        generations.insert(id, key.clone());
        Some(key)
    }

    /// Holds a key.
    pub(crate) fn insert(&self, id: KeyId, key: Arc<Key>) {
        self.lock().insert(id, key);
    }

    /// Holds it no longer.
    pub(crate) fn remove(&self, id: KeyId) {
        let mut generations = self.lock();
        generations.young.remove(&id);
        generations.old.remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        // A panic cannot leave the maps half changed.
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn insert(&mut self, id: KeyId, key: Arc<Key>) {
        if self.young.len() >= CACHED_KEYS_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id, key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::WrappingKey;

    #[test]
    fn it_stays_bounded_and_keeps_what_is_used() {
        let (used, key, _) = WrappingKey::new([1; 32]).make();
        let key = Arc::new(key);
        let cache = Cache::default();
        cache.insert(used, key.clone());
        for n in 0..3 * CACHED_KEYS_MAX as u128 {
            cache.insert(KeyId::from_bytes(n.to_be_bytes()), key.clone());
            assert!(cache.get(used).is_some());
        }
        let generations = cache.lock();
        assert!(generations.young.len() + generations.old.len() <= CACHED_KEYS_MAX);
    }
}
