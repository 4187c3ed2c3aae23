//! However a read model came to a position, its rows there are the same.

use std::sync::Arc;

use proptest::prelude::*;
use seva_eventlog::store::{MemoryStore, Store};

use crate::cast::{Counts, History, digest_of, folded_at_once, live};
use crate::database::Database;
use crate::projector::{Checkpoint, fold};

fn in_memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::default())
}

/// Commits of few nouns: one may have several records in one commit, and one's id begins with a zero byte.
fn commits() -> impl Strategy<Value = Vec<Counts>> {
    prop::collection::vec(prop::collection::vec((0_u8..4, 0_u64..9), 1..5), 1..12)
}

fn in_order<T>(run: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn batches_of_any_size_give_the_same_rows(commits in commits(), sizes in prop::collection::vec(1_usize..5, 12)) {
        let messages = in_order(async { History::of(&commits).await.followed().await });
        let expected = folded_at_once(&messages, &in_memory());
        let store = in_memory();
        let mut live = live(&store);
        let mut rest = messages.as_slice();
        for size in sizes {
            let (batch, more) = rest.split_at(size.min(rest.len()));
            fold(&mut live, batch).unwrap();
            rest = more;
        }
        fold(&mut live, rest).unwrap();
        prop_assert_eq!(digest_of(&store), expected);
    }

    #[test]
    fn a_restart_between_any_two_messages_changes_nothing(commits in commits(), is_restart in prop::collection::vec(any::<bool>(), 12)) {
        let messages = in_order(async { History::of(&commits).await.followed().await });
        let expected = folded_at_once(&messages, &in_memory());
        let folder = tempfile::tempdir().unwrap();
        let open = || Database::open(folder.path()).unwrap();
        let mut database = open();
        let mut store = database.tree("tallies.v1").unwrap();
        for (message, is_restart) in messages.iter().zip(is_restart) {
            if is_restart {
                drop((store, database));
                database = open();
                store = database.tree("tallies.v1").unwrap();
            }
            fold(&mut live(&store), std::slice::from_ref(message)).unwrap();
        }
        prop_assert_eq!(digest_of(&store), expected);
    }

    #[test]
    fn what_is_delivered_again_changes_nothing(commits in commits(), back in prop::collection::vec(0_usize..12, 12)) {
        let messages = in_order(async { History::of(&commits).await.followed().await });
        let expected = folded_at_once(&messages, &in_memory());
        let store = in_memory();
        let mut live = live(&store);
        for (n, back) in (0..messages.len()).zip(back) {
            fold(&mut live, &messages[n.saturating_sub(back)..=n]).unwrap();
        }
        fold(&mut live, &messages).unwrap();
        prop_assert_eq!(digest_of(&store), expected);
    }
}

#[test]
fn every_row_counts_in_the_digest_whatever_its_key_begins_with() {
    let digest = |count| {
        let messages = in_order(async { History::of(&[vec![(0, count)]]).await.followed().await });
        folded_at_once(&messages, &in_memory())
    };
    assert_eq!(digest(2).rows, 3, "the tally, its record, and the list's row");
    assert_ne!(digest(2).digest, digest(4).digest);
}

#[test]
fn a_record_that_is_missing_stops_the_fold_and_leaves_the_rows_as_they_were() {
    let messages = in_order(async {
        let mut history = History::of(&[vec![(1, 5)]]).await;
        history.commit_changed(&[(2, 1), (1, 6)], r#""rev":2"#, r#""rev":3"#).await;
        history.followed().await
    });
    let store = in_memory();
    let mut live = live(&store);
    fold(&mut live, &messages[..1]).unwrap();
    let before = digest_of(&store);
    let error = fold(&mut live, &messages).unwrap_err();
    assert!(error.contains("2.1") && error.contains("a row or a record is missing"), "{error}");
    assert_eq!(digest_of(&store), before);
    assert_eq!(Checkpoint::read(store.as_ref()).unwrap().unwrap().chains.sequence, 1);
}
