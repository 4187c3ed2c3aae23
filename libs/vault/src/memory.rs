//! Keys kept in this process only.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use seva_domain::values::KeyId;

/// What [`crate::nats::NatsKeys`] keeps in a stream, kept in a map.
#[derive(Default)]
pub(crate) struct MemoryKeys {
    // Held for a look-up only, never across an await.
    wrapped: Mutex<HashMap<KeyId, Vec<u8>>>,
}

impl MemoryKeys {
    pub(crate) fn put(&self, id: KeyId, wrapped: Vec<u8>) {
        self.lock().insert(id, wrapped);
    }

    /// The wrapped key; `None` if it was erased or never made.
    pub(crate) fn get(&self, id: KeyId) -> Option<Vec<u8>> {
        self.lock().get(&id).cloned()
    }

    pub(crate) fn erase(&self, id: KeyId) {
        self.lock().remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<KeyId, Vec<u8>>> {
        // A panic cannot leave the map half changed.
        self.wrapped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
