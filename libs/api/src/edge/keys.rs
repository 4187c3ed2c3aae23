//! The keys that an edge seals under: those of the vault, and those lately used for somebody whom the database does not know yet.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use seva_domain::values::{KeyId, Token};
use seva_eventlog::follow::Heed;
use seva_readmodel::forgotten::confirmed;
use seva_vault::Vault;

/// How many keys of customers seen a moment ago are remembered, until the database knows them.
const RECENT_MAX: usize = 4_096;

/// Keys for an edge. Clones are the same keys.
#[derive(Clone)]
pub struct Keys {
    pub(super) vault: Vault,
    pub(super) recent: Recent,
}

impl Keys {
    /// The keys of a vault.
    pub fn new(vault: Vault) -> Keys {
        Keys { vault, recent: Recent::default() }
    }

    /// Lets go of the keys of whoever is being forgotten, for a follower of the log to call before anything else is made of a record: what a
    /// customer was known by is never free for somebody new while their keys are still in use here.
    pub fn heed(&self) -> Heed {
        let keys = self.clone();
        Arc::new(move |followed| {
            for (_, record) in followed.commit.records() {
                if let Some(confirmed) = confirmed(record) {
                    confirmed.keys.iter().for_each(|key| keys.vault.bury(*key));
                    keys.recent.forget(&confirmed.keys);
                }
            }
        })
    }
}

/// Keys lately used for whoever is known by an account or a handle. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    // A lock, because every call shares them; never held across an await.
    used: Arc<Mutex<Used>>,
}

#[derive(Debug, Default)]
struct Used {
    keys: HashMap<Token, KeyId>,
    order: VecDeque<Token>,
}

impl Recent {
    /// The key last used for them.
    pub(super) fn get(&self, token: Token) -> Option<KeyId> {
        self.lock().keys.get(&token).copied()
    }

    /// The key to be used for them: this one, unless another call was first meanwhile.
    pub(super) fn get_or_insert(&self, token: Token, fresh: KeyId) -> KeyId {
        let mut used = self.lock();
        let key = *used.keys.entry(token).or_insert(fresh);
        if key == fresh {
            used.order.push_back(token);
            if used.order.len() > RECENT_MAX
                && let Some(oldest) = used.order.pop_front()
            {
                used.keys.remove(&oldest);
            }
        }
        key
    }

    fn forget(&self, gone: &[KeyId]) {
        let mut used = self.lock();
        used.keys.retain(|_, key| !gone.contains(key));
        let Used { keys, order } = &mut *used;
        order.retain(|token| keys.contains_key(token));
    }

    fn lock(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_forgotten_gets_another_key_when_they_come_again() {
        let recent = Recent::default();
        let (token, other) = (Token::from_bytes([1; 16]), Token::from_bytes([2; 16]));
        let key = |n: u8| KeyId::from_bytes([n; 16]);
        assert_eq!(recent.get_or_insert(token, key(1)), key(1));
        assert_eq!(recent.get_or_insert(token, key(3)), key(1));
        recent.get_or_insert(other, key(2));
        recent.forget(&[key(1)]);
        assert_eq!((recent.get(token), recent.get(other)), (None, Some(key(2))));
        assert_eq!(recent.get_or_insert(token, key(3)), key(3));
    }
}
