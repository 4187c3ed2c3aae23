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

/// What is held of a key: itself, or nothing for good, because it is gone.
pub(crate) type Held = Option<Arc<Key>>;

#[derive(Default)]
struct Generations {
    young: HashMap<KeyId, Held>,
    old: HashMap<KeyId, Held>,
}

impl Cache {
    /// What is held of a key, if anything is.
    pub(crate) fn get(&self, id: KeyId) -> Option<Held> {
        self.lock().get(id)
    }

    /// Holds a key, unless it is known to be gone: a store that has not heard so yet may still give it out. Answers what is held.
    pub(crate) fn insert(&self, id: KeyId, key: Arc<Key>) -> Held {
        let mut generations = self.lock();
        if let Some(None) = generations.get(id) {
            return None;
        }
        generations.insert(id, Some(key.clone()));
        Some(key)
    }

    /// Holds it no longer, and takes it for gone.
    pub(crate) fn bury(&self, id: KeyId) {
        let mut generations = self.lock();
        generations.old.remove(&id);
        generations.insert(id, None);
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        // A panic cannot leave the maps half changed.
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn get(&mut self, id: KeyId) -> Option<Held> {
        if let Some(held) = self.young.get(&id) {
            return Some(held.clone());
        }
        let held = self.old.remove(&id)?;
        self.insert(id, held.clone());
        Some(held)
    }

    fn insert(&mut self, id: KeyId, held: Held) {
        if self.young.len() >= CACHED_KEYS_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id, held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::WrappingKey;

    #[test]
    fn it_stays_bounded_and_keeps_what_is_used() {
        let (used, key, _) = WrappingKey::new(1, [1; 32]).make();
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

    #[test]
    fn a_key_that_is_gone_is_not_taken_in_again() {
        let (id, key, _) = WrappingKey::new(1, [1; 32]).make();
        let key = Arc::new(key);
        let cache = Cache::default();
        assert!(cache.insert(id, key.clone()).is_some());
        cache.bury(id);
        assert!(cache.insert(id, key).is_none());
        assert!(matches!(cache.get(id), Some(None)));
    }
}
