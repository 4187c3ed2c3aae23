//! What every store must do: the one in memory and the one on sled are held to the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use seva_eventlog::store::{Change, Row, Store};
use tempfile::TempDir;

use crate::database::Database;

const TREE: &str = "tree.v1";

/// A database in memory and one on disk, each with its tree.
struct Stores {
    databases: Vec<(Database, Arc<dyn Store>)>,
    folder: TempDir,
}

impl Stores {
    fn empty() -> Stores {
        let folder = tempfile::tempdir().unwrap();
        let databases = [Database::in_memory(), Database::open(folder.path()).unwrap()];
        let with_tree = |database: Database| {
            let tree = database.tree(TREE).unwrap();
            (database, tree)
        };
        Stores { databases: databases.map(with_tree).into(), folder }
    }

    fn each(&self, check: impl Fn(&dyn Store)) {
        self.databases.iter().for_each(|(_, store)| check(store.as_ref()));
    }

    /// Closes the database on disk and opens it again: every row is checked.
    fn reopened(self) -> Arc<dyn Store> {
        let Stores { databases, folder } = self;
        drop(databases);
        Database::open(folder.path()).unwrap().tree(TREE).unwrap()
    }
}

fn row(key: &[u8], value: &str) -> Row {
    (key.to_vec(), value.as_bytes().to_vec())
}

fn set(key: &[u8], value: &str) -> Change {
    (key.to_vec(), Some(value.as_bytes().to_vec()))
}

#[test]
fn what_is_written_is_read_and_what_is_removed_is_gone() {
    Stores::empty().each(|store| {
        store.apply(vec![set(b"a", "1"), set(b"b", "")]).unwrap();
        assert_eq!(store.get(b"a").unwrap(), Some(b"1".to_vec()));
        assert_eq!(store.get(b"b").unwrap(), Some(Vec::new()));
        store.apply(vec![(b"a".to_vec(), None), (b"never".to_vec(), None)]).unwrap();
        assert_eq!(store.get(b"a").unwrap(), None);
        assert_eq!(store.scan(b"", None, 10).unwrap(), [row(b"b", "")]);
    });
}

#[test]
fn of_two_changes_of_a_row_in_one_batch_the_last_counts() {
    let stores = Stores::empty();
    stores.each(|store| {
        store.apply(vec![set(b"a", "0"), set(b"b", "0")]).unwrap();
        let twice =
            vec![set(b"a", "1"), set(b"a", "2"), (b"b".to_vec(), None), set(b"b", "3"), set(b"c", "4")];
        store.apply(twice).unwrap();
        store.apply(vec![set(b"c", "5"), (b"c".to_vec(), None)]).unwrap();
        assert_eq!(store.scan(b"", None, 10).unwrap(), [row(b"a", "2"), row(b"b", "3")]);
    });
    assert_eq!(stores.reopened().scan(b"", None, 10).unwrap(), [row(b"a", "2"), row(b"b", "3")]);
}

#[test]
fn a_scan_stays_within_its_prefix_wherever_it_begins() {
    Stores::empty().each(|store| {
        store.apply(vec![set(b"a", "1"), set(b"b1", "2"), set(b"b2", "3"), set(b"c", "4")]).unwrap();
        let both = [row(b"b1", "2"), row(b"b2", "3")];
        let back = [row(b"b2", "3"), row(b"b1", "2")];
        assert_eq!(store.scan(b"b", None, 10).unwrap(), both);
        assert_eq!(store.scan(b"b", Some(b"a"), 10).unwrap(), both);
        assert_eq!(store.scan(b"b", Some(b"b2"), 10).unwrap(), both[1..]);
        assert_eq!(store.scan(b"b", Some(b"c"), 10).unwrap(), []);
        assert_eq!(store.scan_back(b"b", None, 10).unwrap(), back);
        assert_eq!(store.scan_back(b"b", Some(b"d"), 10).unwrap(), back);
        assert_eq!(store.scan_back(b"b", Some(b"b2"), 10).unwrap(), back[1..]);
        assert_eq!(store.scan_back(b"b", Some(b"a"), 10).unwrap(), []);
        assert_eq!(store.scan(b"b", None, 1).unwrap(), both[..1]);
        assert_eq!(store.scan_back(b"b", None, 1).unwrap(), back[..1]);
        assert_eq!(store.scan(b"b", None, 0).unwrap(), []);
    });
}

/// Keys of few and awkward bytes, so that prefixes meet.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0, 1, b's', 0xfe, 0xff]), 0..4)
        .prop_filter("a row of a tree's own", |key| key != b"\0sum")
}

fn change() -> impl Strategy<Value = Change> {
    (key(), prop::option::of(prop::collection::vec(any::<u8>(), 0..9)))
}

/// What to look for after the batches: prefix, an end, a limit.
fn look() -> impl Strategy<Value = (Vec<u8>, Option<Vec<u8>>, usize)> {
    (key(), prop::option::of(key()), 0_usize..9)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_store_answers_as_a_map_would(
        batches in prop::collection::vec(prop::collection::vec(change(), 0..6), 0..8),
        looks in prop::collection::vec(look(), 1..12),
    ) {
        let stores = Stores::empty();
        let mut map: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        for batch in &batches {
            stores.each(|store| store.apply(batch.clone()).unwrap());
            for (key, value) in batch {
                match value {
                    Some(value) => map.insert(key.clone(), value.clone()),
                    None => map.remove(key),
                };
            }
        }
        let all: Vec<Row> = map.into_iter().collect();
        for (prefix, bound, limit) in &looks {
            let under = || all.iter().filter(|(key, _)| key.starts_with(prefix)).cloned();
            let after = |key: &Vec<u8>| bound.as_ref().is_none_or(|from| key >= from);
            let before = |key: &Vec<u8>| bound.as_ref().is_none_or(|before| key < before);
            let ahead: Vec<Row> = under().filter(|(key, _)| after(key)).take(*limit).collect();
            let mut back: Vec<Row> = under().filter(|(key, _)| before(key)).collect();
            back.reverse();
            back.truncate(*limit);
            stores.each(|store| {
                assert_eq!(store.scan(prefix, bound.as_deref(), *limit).unwrap(), ahead);
                assert_eq!(store.scan_back(prefix, bound.as_deref(), *limit).unwrap(), back);
                let one = all.iter().find(|(key, _)| key == prefix).map(|(_, value)| value.clone());
                assert_eq!(store.get(prefix).unwrap(), one);
            });
        }
        prop_assert_eq!(stores.reopened().scan(b"", None, 1_000).unwrap(), all);
    }

    #[test]
    fn a_batch_is_what_its_changes_are_one_by_one(changes in prop::collection::vec(change(), 0..24)) {
        let (at_once, one_by_one) = (Stores::empty(), Stores::empty());
        at_once.each(|store| store.apply(changes.clone()).unwrap());
        one_by_one.each(|store| changes.iter().for_each(|change| store.apply(vec![change.clone()]).unwrap()));
        let all = |stores: Stores| stores.reopened().scan(b"", None, 1_000).unwrap();
        prop_assert_eq!(all(at_once), all(one_by_one));
    }
}
