//! An engine over a log in memory and a database on disk: made anew, rebuilt, or stopped, but never wrong.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use seva_domain::service::Service;
use seva_domain::values::At;
use seva_eventlog::follow::Own;
use seva_eventlog::log::Log;
use seva_eventlog::store::MemoryStore;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::cast::{History, Tallies, folded_at_once};
use crate::engine::{Config, Engine, EngineError, NotRunning, Running};
use crate::projector::ModelDigest;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

struct Process {
    engine: Engine,
    task: JoinHandle<Result<(), EngineError>>,
    stop: oneshot::Sender<()>,
}

impl Process {
    fn start(log: &Log, folder: &Path) -> Process {
        let config = Config {
            service: Service::Intake,
            log: log.clone(),
            folder: Some(folder.to_owned()),
            models: vec![Arc::new(Tallies)],
            clock: Arc::new(|| At(1)),
            own: Own::default(),
            build: "test".to_owned(),
            checks_clock: false,
            payments: None,
            heed: None,
            clean_after: Duration::ZERO,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let until = async move { drop(stopped.await) };
        let (engine, task) = Engine::start(config, until).unwrap();
        Process { engine, task, stop }
    }

    /// What runs, once it has folded the log to its end.
    async fn caught_up(&self) -> Arc<Running> {
        let end = self.engine.log().end().await.unwrap();
        let mut changed = self.engine.changed();
        let found = async {
            loop {
                let running = self.engine.running();
                if let Ok(running) = running {
                    let mut progress = running.projections.progress();
                    let reached =
                        progress.wait_for(|progress| progress.values().all(|model| model.sequence >= end));
                    if reached.await.is_ok() {
                        return running;
                    }
                }
                changed.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("the engine catches up")
    }

    async fn stop(self) {
        let Process { engine, task, stop } = self;
        drop(engine);
        stop.send(()).unwrap();
        tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap().unwrap();
    }
}

async fn digest(process: &Process) -> ModelDigest {
    let running = process.caught_up().await;
    running.projections.digests().unwrap().remove(0)
}

/// A log of some length, with the digest that its tallies must have.
async fn history() -> (History, ModelDigest) {
    let commits: Vec<_> = (0..40_u64).map(|n| vec![((n % 7) as u8, n), ((n % 3) as u8, 1)]).collect();
    let history = History::of(&commits).await;
    let expected = folded_at_once(&history.followed().await, &(Arc::new(MemoryStore::default()) as _));
    (history, expected)
}

/// What stopped holding the folder a moment ago may hold it for another.
async fn start_again(log: &Log, folder: &Path) -> Process {
    let again = async {
        loop {
            let is_free = crate::database::Database::open(folder).is_ok();
            if is_free {
                return Process::start(log, folder);
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.expect("the folder is free")
}

fn put_aside(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    entries.filter(|name| name.to_string_lossy().starts_with("quarantine-")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_gives_the_same_rows_again_and_again_and_after_a_restart() {
    let (history, expected) = history().await;
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(&history.log, folder.path());
    for _ in 0..3 {
        for _ in 0..2 {
            let running = process.caught_up().await;
            let rebuilt = running.rebuild("tallies.v1").await.unwrap();
            assert_eq!(rebuilt.records, 80);
            drop(running);
            assert_eq!(digest(&process).await, expected);
        }
        process.stop().await;
        process = start_again(&history.log, folder.path()).await;
        assert_eq!(digest(&process).await, expected);
    }
    assert_eq!(put_aside(folder.path()), 0, "nothing was found damaged");
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_the_old_rows_are_answered_while_new_ones_take_their_place() {
    let (history, expected) = history().await;
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&history.log, folder.path());
    let running = process.caught_up().await;
    let is_over = Arc::new(AtomicBool::new(false));
    let (projections, over) = (running.projections.clone(), Arc::clone(&is_over));
    let reader = tokio::task::spawn_blocking(move || {
        let mut reads = 0_u64;
        while !over.load(Ordering::Relaxed) {
            let rows = projections.rows("tallies.v1").unwrap();
            assert_eq!(
                rows.scan(&[], None, 1_000).unwrap().len() as u64,
                expected.rows + 1,
                "and the checkpoint"
            );
            reads += 1;
        }
        (reads, expected)
    });
    for _ in 0..20 {
        running.rebuild("tallies.v1").await.unwrap();
    }
    is_over.store(true, Ordering::Relaxed);
    let (reads, expected) = reader.await.unwrap();
    assert!(reads > 20, "{reads} reads");
    drop(running);
    assert_eq!(digest(&process).await, expected);
    assert_eq!(put_aside(folder.path()), 0, "nothing was found damaged");
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_log_is_put_aside() {
    let (history, expected) = history().await;
    let folder = tempfile::tempdir().unwrap();
    let other = History::of(&[vec![(9, 9)], vec![(9, 1)]]).await;
    let process = Process::start(&other.log, folder.path());
    digest(&process).await;
    process.stop().await;
    let process = start_again(&history.log, folder.path()).await;
    assert_eq!(digest(&process).await, expected);
    assert_eq!(put_aside(folder.path()), 1);
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_turns_out_damaged_makes_the_database_anew() {
    let (history, expected) = history().await;
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&history.log, folder.path());
    let running = process.caught_up().await;
    let rows = running.projections.rows("tallies.v1").unwrap();
    let (key, _) = rows.scan(b"r", None, 1).unwrap().remove(0);
    running.with_database(|database| {
        database.with_sled(|db| {
            db.open_tree("tallies.v1").unwrap().insert(key.clone(), b"not what was written").unwrap();
        });
    });
    assert!(rows.get(&key).is_err());
    let mut changed = process.engine.changed();
    drop((rows, running));
    let anew = async {
        while put_aside(folder.path()) == 0 {
            changed.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, anew).await.unwrap();
    assert_eq!(digest(&process).await, expected);
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_not_where_the_log_says_makes_the_database_anew() {
    let (mut history, _) = history().await;
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&history.log, folder.path());
    let running = process.caught_up().await;
    running.with_database(|database| {
        database.with_sled(|db| {
            assert!(db.open_tree("tallies.v1").unwrap().remove([1; 16]).unwrap().is_some());
        });
    });
    drop(running);
    history.commit(&[(1, 100)]).await;
    let expected = folded_at_once(&history.followed().await, &(Arc::new(MemoryStore::default()) as _));
    let mut changed = process.engine.changed();
    let anew = async {
        while put_aside(folder.path()) == 0 {
            changed.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, anew).await.unwrap();
    assert_eq!(digest(&process).await, expected);
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_nobody_knows_stops_the_engine_which_says_why() {
    let (mut history, _) = history().await;
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&history.log, folder.path());
    process.caught_up().await;
    history.commit_changed(&[(1, 5)], "import.closed.v1", "import.doubled.v1").await;
    let Process { engine, task, stop: _stop } = process;
    let error = tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap().unwrap_err();
    assert!(error.to_string().contains("import.doubled.v1"), "{error}");
    match engine.running() {
        Err(NotRunning::AnyMore(why)) => assert_eq!(why, error.to_string()),
        Err(NotRunning::Yet(why)) => panic!("{why}"),
        Ok(_) => panic!("it runs"),
    }
}
