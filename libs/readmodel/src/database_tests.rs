//! What is wrong with a database is noticed, put aside and never answered from.

use std::fs;
use std::path::Path;
use std::time::Duration;

use seva_eventlog::store::Change;
use tempfile::TempDir;

use crate::database::{Database, OpenError, open};

const TREE: &str = "tree.v1";

fn set(key: &[u8], value: &str) -> Change {
    (key.to_vec(), Some(value.as_bytes().to_vec()))
}

/// A folder with a database of three rows, closed.
fn closed() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(folder.path()).unwrap();
    database.tree(TREE).unwrap().apply(vec![set(b"a", "1"), set(b"b", "2"), set(b"c", "3")]).unwrap();
    database.flush().unwrap();
    drop(database);
    folder
}

/// Changes a tree of a closed database behind its back.
fn tamper(folder: &Path, change: impl FnOnce(&sled::Tree)) {
    let db = open(&folder.join("generation-1")).unwrap();
    change(&db.open_tree(TREE).unwrap());
    db.flush().unwrap();
}

fn opens(folder: &Path) -> bool {
    Database::open(folder).unwrap().tree(TREE).is_ok()
}

fn entries(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name != "LOCK").collect();
    names.sort();
    names
}

#[test]
fn rows_outlive_the_process() {
    let folder = closed();
    let database = Database::open(folder.path()).unwrap();
    assert_eq!(database.tree(TREE).unwrap().get(b"b").unwrap(), Some(b"2".to_vec()));
    assert!(database.size_on_disk() > 0);
}

#[test]
fn a_folder_is_one_process_s_and_the_next_one_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let first = Database::open(folder.path()).unwrap();
    let error = Database::open(folder.path()).unwrap_err();
    assert!(matches!(&error, OpenError::InUse(path) if path == folder.path()), "{error}");
    assert!(error.to_string().contains("in use by another process"), "{error}");
    drop(first);
    Database::open(folder.path()).unwrap();
}

#[test]
fn a_row_that_changed_or_is_gone_or_is_an_older_one_is_noticed_when_the_database_is_opened() {
    let changed = closed();
    tamper(changed.path(), |tree| {
        let mut value = tree.get(b"b").unwrap().unwrap().to_vec();
        *value.last_mut().unwrap() ^= 1;
        tree.insert(b"b", value).unwrap();
    });
    assert!(!opens(changed.path()));

    let gone = closed();
    tamper(gone.path(), |tree| assert!(tree.remove(b"b").unwrap().is_some()));
    assert!(!opens(gone.path()));

    let older = closed();
    let mut before = None;
    tamper(older.path(), |tree| before = tree.get(b"b").unwrap());
    let database = Database::open(older.path()).unwrap();
    database.tree(TREE).unwrap().apply(vec![set(b"b", "newer")]).unwrap();
    drop(database);
    tamper(older.path(), |tree| assert!(tree.insert(b"b", before.unwrap()).unwrap().is_some()));
    assert!(!opens(older.path()));

    let added = closed();
    tamper(added.path(), |tree| assert!(tree.insert(b"d", b"").unwrap().is_none()));
    assert!(!opens(added.path()));

    let swapped = closed();
    tamper(swapped.path(), |tree| {
        let (a, b) = (tree.get(b"a").unwrap().unwrap(), tree.get(b"b").unwrap().unwrap());
        tree.insert(b"a", b).unwrap();
        tree.insert(b"b", a).unwrap();
    });
    assert!(!opens(swapped.path()));
    assert!(opens(closed().path()));
}

#[tokio::test]
async fn a_row_damaged_while_it_is_in_use_is_an_error_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(folder.path()).unwrap();
    let store = database.tree(TREE).unwrap();
    store.apply(vec![set(b"a", "1")]).unwrap();
    database.with_sled(|db| {
        db.open_tree(TREE).unwrap().insert(b"a", b"no checksum at all").unwrap();
    });
    assert!(store.get(b"a").is_err());
    assert!(store.scan(b"", None, 10).is_err());
    assert!(store.scan_back(b"", None, 10).is_err());
    let damaged = database.damaged();
    tokio::time::timeout(Duration::from_secs(5), damaged.notified()).await.unwrap();
}

#[test]
fn what_is_put_aside_makes_room_for_an_empty_generation_and_only_the_last_of_it_stays() {
    let folder = closed();
    let database = Database::open(folder.path()).unwrap().quarantine().unwrap();
    assert_eq!(database.tree(TREE).unwrap().get(b"a").unwrap(), None);
    assert_eq!(entries(folder.path()), ["generation-2", "quarantine-1"]);
    drop(database.quarantine().unwrap());
    drop(Database::open(folder.path()).unwrap());
    assert_eq!(entries(folder.path()), ["generation-3", "quarantine-2"]);
}

#[test]
fn a_process_that_died_while_it_put_a_generation_aside_goes_on_with_the_next() {
    let folder = closed();
    fs::rename(folder.path().join("generation-1"), folder.path().join("quarantine-1")).unwrap();
    let database = Database::open(folder.path()).unwrap();
    assert_eq!(database.tree(TREE).unwrap().get(b"a").unwrap(), None);
    assert_eq!(entries(folder.path()), ["generation-2", "quarantine-1"]);
}

#[test]
fn older_generations_are_swept_and_strange_files_left_alone() {
    let folder = closed();
    fs::rename(folder.path().join("generation-1"), folder.path().join("generation-7")).unwrap();
    fs::create_dir(folder.path().join("generation-3")).unwrap();
    fs::write(folder.path().join("generation-x"), "").unwrap();
    let database = Database::open(folder.path()).unwrap();
    assert_eq!(database.tree(TREE).unwrap().get(b"a").unwrap(), Some(b"1".to_vec()));
    assert_eq!(entries(folder.path()), ["generation-7", "generation-x"]);
}

#[test]
fn a_database_that_cannot_be_opened_is_put_aside() {
    let folder = closed();
    let file = folder.path().join("generation-1").join("db");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let database = Database::open(folder.path()).unwrap();
    assert_eq!(database.tree(TREE).unwrap().get(b"a").unwrap(), None);
    assert_eq!(entries(folder.path()), ["generation-2", "quarantine-1"]);
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Database::open(&file).unwrap_err();
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
}

/// Whether these bytes stand in any file of a folder.
fn stands_in(folder: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return stands_in(&path, bytes);
        }
        fs::read(&path).is_ok_and(|content| content.windows(bytes.len()).any(|window| window == bytes))
    })
}

#[test]
fn what_was_overwritten_or_removed_stands_nowhere_once_the_database_has_moved_on() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(folder.path()).unwrap();
    let (held, named) = (database.tree(TREE).unwrap(), "named.v1");
    let (gone, kept) = ("Zgonesecretword", "Zkeptordinaryword");
    held.apply(vec![set(b"a", gone), set(b"b", gone), set(b"c", kept)]).unwrap();
    database.tree(named).unwrap().apply(vec![set(b"n", kept)]).unwrap();
    database.tree("left.v1").unwrap().apply(vec![set(b"x", gone)]).unwrap();
    held.apply(vec![set(b"a", "other"), (b"b".to_vec(), None)]).unwrap();
    database.flush().unwrap();
    assert!(stands_in(folder.path(), gone.as_bytes()), "sled keeps what was overwritten");

    database.move_on(&[named]).unwrap();
    assert_eq!(database.generation(), 2);
    assert_eq!(entries(folder.path()), ["generation-2"]);
    assert!(!stands_in(folder.path(), gone.as_bytes()));
    assert!(stands_in(folder.path(), kept.as_bytes()), "the search finds what is there");
    assert_eq!(held.get(b"a").unwrap(), Some(b"other".to_vec()));
    held.apply(vec![set(b"d", "after")]).unwrap();
    drop((held, database));

    let database = Database::open(folder.path()).unwrap();
    let rows = database.tree(TREE).unwrap().scan(b"", None, 10).unwrap();
    let keys: Vec<&[u8]> = rows.iter().map(|(key, _)| key.as_slice()).collect();
    assert_eq!(keys, [b"a", b"c", b"d"]);
    assert_eq!(database.tree(named).unwrap().get(b"n").unwrap(), Some(kept.as_bytes().to_vec()));
}

#[test]
fn rows_are_written_and_read_while_the_database_moves_on() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(folder.path()).unwrap();
    let store = database.tree(TREE).unwrap();
    let key = |n: u32| n.to_be_bytes();
    for n in 0..40 {
        store.apply((n * 100..n * 100 + 100).map(|n| set(&key(n), "before")).collect()).unwrap();
    }
    std::thread::scope(|scope| {
        let moving = scope.spawn(|| database.move_on(&[]));
        let mut n = 0;
        while !moving.is_finished() {
            let changes =
                vec![set(&key(n), "during"), (key(3_999 - n).to_vec(), None), set(&key(5_000 + n), "new")];
            store.apply(changes).unwrap();
            assert_eq!(store.get(&key(n)).unwrap(), Some(b"during".to_vec()));
            n = (n + 1) % 2_000;
        }
        moving.join().unwrap().unwrap();
    });
    let before = store.scan(b"", None, 10_000).unwrap();
    drop((store, database));
    // Opening checks the sum of the rows.
    let after = Database::open(folder.path()).unwrap().tree(TREE).unwrap().scan(b"", None, 10_000).unwrap();
    assert_eq!(after, before);
}

#[test]
fn a_process_that_died_while_it_moved_on_goes_on_where_it_was() {
    let folder = closed();
    fs::write(folder.path().join("copying-2"), "").unwrap();
    fs::create_dir(folder.path().join("generation-2")).unwrap();
    let database = Database::open(folder.path()).unwrap();
    assert_eq!(database.tree(TREE).unwrap().get(b"b").unwrap(), Some(b"2".to_vec()));
    assert_eq!(entries(folder.path()), ["generation-1"]);
    database.move_on(&[TREE]).unwrap();
    assert_eq!(entries(folder.path()), ["generation-2"]);
}
