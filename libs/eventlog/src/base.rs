//! The database of a shard as its readers see it: rows understood, and those used lately kept at hand.
//!
//! A row that is asked for again costs neither a search nor reading it anew. What is kept is never older than the database: rows change
//! only through [`Base::apply`], and what was read while they did is not kept.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use seva_domain::noun::Noun;
use seva_domain::rows::{Delta, Due, Held, Key, Lookup, Seen, Value};
use seva_domain::values::{ImportId, RequestId};

use crate::planted::{self, Bug};
use crate::rowcodec;
use crate::shard::Checkpoint;
use crate::store::{Store, StoreError};

/// How many nouns, look-ups and requests are kept at hand, each. A noun weighs one to two kilobytes, the others less than a hundred bytes.
const KEPT_MAX: NonZeroUsize = NonZeroUsize::new(32_768).expect("is not zero");

/// How many nouns may share a look-up.
const LOOKUP_MAX: usize = 10_000;

/// A shard's database. Read by the writer and by the edge, written by one thread.
pub struct Base {
    store: Arc<dyn Store>,
    // A lock, because readers and the one writer share what is kept; never held while the store is asked, nor across an await.
    kept: Mutex<Kept>,
}

struct Kept {
    /// Changes with every batch: what was read before one must not be kept after it.
    batch: u64,
    nouns: LruCache<Noun, Option<Arc<Held>>>,
    lookups: LruCache<Lookup, Arc<[Noun]>>,
    requests: LruCache<RequestId, Option<Seen>>,
}

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Base").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Base {
    /// A shard's database over the store of its rows.
    pub fn new(store: Arc<dyn Store>) -> Base {
        let kept = Kept {
            batch: 0,
            nouns: LruCache::new(KEPT_MAX),
            lookups: LruCache::new(KEPT_MAX),
            requests: LruCache::new(KEPT_MAX),
        };
        Base { store, kept: Mutex::new(kept) }
    }

    /// How far the rows are; `None` if there are none.
    pub fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        Checkpoint::read(self.store.as_ref())
    }

    /// A noun's state and how far it is, if anything happened to it.
    pub fn held(&self, noun: &Noun) -> Result<Option<Arc<Held>>, StoreError> {
        let read = |store: &dyn Store| {
            store.get(&rowcodec::key(&Key::Noun(*noun)))?.map(|value| rowcodec::held(&value)).transpose()
        };
        self.kept_or_read(|kept| &mut kept.nouns, noun, read)
    }

    /// The nouns found by a look-up, in their order: at most 10,000.
    pub fn find(&self, lookup: &Lookup) -> Result<Arc<[Noun]>, StoreError> {
        let read = |store: &dyn Store| {
            let rows = store.scan(&rowcodec::lookup(lookup), None, LOOKUP_MAX)?;
            rows.iter().map(|(key, _)| rowcodec::looked_up(key)).collect()
        };
        self.kept_or_read(|kept| &mut kept.lookups, lookup, read)
    }

    /// A request, if it left a record.
    pub fn seen(&self, request: &RequestId) -> Result<Option<Seen>, StoreError> {
        if planted::is(Bug::RequestMemorySkipped) {
            return Ok(None);
        }
        let read = |store: &dyn Store| {
            store
                .get(&rowcodec::key(&Key::Request(*request)))?
                .map(|value| rowcodec::seen(&value))
                .transpose()
        };
        self.kept_or_read(|kept| &mut kept.requests, request, read)
    }

    /// The first due times by a clock, in order, at most `limit`; those after one if it is given.
    pub fn due(
        &self,
        clock: Option<ImportId>,
        after: Option<&Due>,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        let from = after.map(|after| [rowcodec::key(&Key::Due(after.clone())).as_slice(), &[0]].concat());
        let rows = self.store.scan(&rowcodec::clock(clock), from.as_deref(), limit)?;
        rows.iter().map(|(key, _)| rowcodec::due(key)).collect()
    }

    /// Writes rows and how far they are, all or nothing.
    pub(crate) fn apply(&self, rows: &Delta, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let mut changes = Vec::with_capacity(rows.len() + 1);
        for (key, value) in rows {
            let value = value.as_ref().map(rowcodec::value).transpose()?;
            changes.push((rowcodec::key(key), value));
        }
        changes.push(checkpoint.row()?);
        self.store.apply(changes)?;
        let mut kept = self.kept();
        kept.batch += 1;
        for (key, value) in rows {
            match (key, value) {
                (Key::Noun(noun), Some(Value::Noun(held))) => {
                    kept.nouns.put(*noun, Some(Arc::clone(held)));
                }
                (Key::Request(request), Some(Value::Request(seen))) => {
                    kept.requests.put(*request, Some(*seen));
                }
                (Key::Lookup(lookup, _), _) => {
                    kept.lookups.pop(lookup);
                }
                (Key::Noun(noun), _) => {
                    kept.nouns.pop(noun);
                }
                (Key::Request(request), _) => {
                    kept.requests.pop(request);
                }
                (Key::Due(_), _) => {}
            }
        }
        Ok(())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept_or_read<K: Copy + Eq + std::hash::Hash, V: Clone>(
        &self,
        of: impl Fn(&mut Kept) -> &mut LruCache<K, V>,
        key: &K,
        read: impl FnOnce(&dyn Store) -> Result<V, StoreError>,
    ) -> Result<V, StoreError> {
        let batch = {
            let mut kept = self.kept();
            if let Some(value) = of(&mut kept).get(key) {
                return Ok(value.clone());
            }
            kept.batch
        };
        let value = read(self.store.as_ref())?;
        let mut kept = self.kept();
        if kept.batch == batch {
            of(&mut kept).put(*key, value.clone());
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;
    use seva_domain::customer::{self, IdentityKind};
    use seva_domain::noun::State;
    use seva_domain::record::Request;
    use seva_domain::values::{At, CustomerId, KeyId, Token};

    fn held(rev: u64) -> Arc<Held> {
        Arc::new(Held { rev, at: At(0), import: None, state: State::Customer(customer::State::Absent) })
    }

    #[test]
    fn what_is_kept_at_hand_changes_with_the_rows() {
        let base = Base::new(Arc::new(MemoryStore::default()));
        let (noun, request) =
            (Noun::Customer(CustomerId::from_bytes([1; 16])), RequestId::from_bytes([2; 16]));
        let lookup = Lookup::Identity(IdentityKind::Account, Token::from_bytes([3; 16]));
        assert_eq!(base.held(&noun), Ok(None));
        assert!(base.find(&lookup).unwrap().is_empty());
        assert_eq!(base.seen(&request), Ok(None));

        let seen = Seen {
            request: Request {
                id: request,
                key: KeyId::from_bytes([4; 16]),
                digest: Token::from_bytes([5; 16]),
            },
            sequence: 7,
            index: 0,
        };
        let rows = Delta::from([
            (Key::Noun(noun), Some(Value::Noun(held(1)))),
            (Key::Lookup(lookup, noun), Some(Value::Present)),
            (Key::Request(request), Some(Value::Request(seen))),
        ]);
        base.apply(&rows, &Checkpoint::default()).unwrap();
        assert_eq!(base.held(&noun), Ok(Some(held(1))));
        assert_eq!(base.find(&lookup).unwrap().as_ref(), [noun]);
        assert_eq!(base.seen(&request), Ok(Some(seen)));

        base.apply(&Delta::from([(Key::Lookup(lookup, noun), None)]), &Checkpoint::default()).unwrap();
        assert!(base.find(&lookup).unwrap().is_empty());
    }

    #[test]
    fn what_is_kept_is_what_another_reader_of_the_rows_finds() {
        let store = Arc::new(MemoryStore::default());
        let base = Base::new(Arc::clone(&store) as Arc<dyn Store>);
        let noun = Noun::Customer(CustomerId::from_bytes([1; 16]));
        for rev in 1..4 {
            let rows = Delta::from([(Key::Noun(noun), Some(Value::Noun(held(rev))))]);
            base.apply(&rows, &Checkpoint::default()).unwrap();
            let anew = Base::new(Arc::clone(&store) as Arc<dyn Store>);
            assert_eq!(base.held(&noun), anew.held(&noun));
        }
    }
}
