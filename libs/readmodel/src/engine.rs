//! The engine of one service: its database, its follower, its writer and its read models, started together and made anew together.
//!
//! When the database turns out to be damaged, it is put aside and the log makes the next; meanwhile the service says that it is catching up.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use seva_domain::charge::Payment;
use seva_domain::service::Service;
use seva_eventlog::base::Base;
use seva_eventlog::follow::{self, Broken, Chains, Checker, FollowProgress, Heed, Own, WAITING_MAX};
use seva_eventlog::log::{Log, LogError};
use seva_eventlog::shard::{self, ShardError};
use seva_eventlog::store::{Store, StoreError};
use seva_eventlog::writer::{Clock, Parts, Writer};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::cleaning::{clean_when_due, remember_cleaned};
use crate::database::{Database, OpenError};
use crate::model::ReadModel;
use crate::projector::{Checkpoint, Live, Projections};
use crate::rebuild::{RebuildError, Rebuilt, rebuild, tree_name, without_rows};

/// The tree of what a service decides on. Its name changes with the shape of its rows.
fn shard_tree() -> String {
    format!("shard.f{}", shard::FORMAT)
}

/// How long an engine waits before it tries again what the log would not let it do.
const AGAIN: Duration = Duration::from_millis(500);

/// What an engine is made of.
pub struct Config {
    pub service: Service,
    pub log: Log,
    /// Where the database stands; `None` keeps it in memory.
    pub folder: Option<PathBuf>,
    pub models: Vec<Arc<dyn ReadModel>>,
    pub clock: Clock,
    /// The commits made in this process, by any of its services.
    pub own: Own,
    /// Names the build in commits.
    pub build: String,
    /// Whether a clock that is off the log's stops the writer.
    pub checks_clock: bool,
    /// Takes what the payment provider is to be told because of commits of this engine's writer.
    pub payments: Option<mpsc::Sender<Payment>>,
    /// Told of every message that the engine follows, before anything is made of it, for what is kept beside the database.
    pub heed: Option<Heed>,
    /// How long the database waits, once somebody was forgotten, for others to be: what was overwritten of all of them goes at once.
    pub clean_after: Duration,
}

/// What runs while the database is sound.
pub struct Running {
    pub writer: Writer,
    pub projections: Projections,
    /// What the service decides on, as far as the database holds it.
    pub shard: Arc<Base>,
    pub follow: watch::Receiver<FollowProgress>,
    pub(crate) database: Database,
    models: Vec<Arc<dyn ReadModel>>,
    log: Log,
    /// Which nouns the process understands.
    reads: fn(&str) -> bool,
    /// Held by a rebuild, and while the database is cleaned: one runs at a time.
    pub(crate) rebuilds: Mutex<()>,
    follower: JoinHandle<()>,
}

impl Running {
    /// Folds a read model anew from the log, beside the live rows, and swaps when it has caught up.
    pub async fn rebuild(&self, name: &str) -> Result<Rebuilt, RebuildError> {
        let model = self.models.iter().find(|model| model.name() == name);
        let model = Arc::clone(model.ok_or_else(|| RebuildError::Unknown(name.to_owned()))?);
        let _one_at_a_time = self.rebuilds.lock().await;
        let live = remembered_tree(&self.database, name)?;
        let tree = if live == tree_name(name, 1) { tree_name(name, 2) } else { tree_name(name, 1) };
        // A rebuild that came to nothing may have left some.
        self.database.drop_tree(&tree)?;
        let live = without_rows(&self.log, &self.database, model, tree.clone())?;
        let (rebuilt, old) = rebuild(&self.log, self.reads, &self.projections, live).await?;
        remember_tree(&self.database, name, &tree)?;
        // The new rows were once what they were before somebody was forgotten.
        remember_cleaned(&self.database, 0)?;
        unread(&old.store).await;
        self.database.drop_tree(&old.tree)?;
        Ok(rebuilt)
    }

    /// The database, for tests that change it behind the engine's back.
    #[cfg(test)]
    pub(crate) fn with_database(&self, change: impl FnOnce(&Database)) {
        change(&self.database);
    }

    /// How many bytes the database takes on disk.
    pub fn size_on_disk(&self) -> u64 {
        self.database.size_on_disk()
    }

    /// Which generation of the database it is; 0 in memory.
    pub fn generation(&self) -> u64 {
        self.database.generation()
    }
}

/// Why a service is not there.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotRunning {
    /// It will be, by itself.
    #[error("{0}")]
    Yet(String),
    /// It cannot go on.
    #[error("{0}")]
    AnyMore(String),
}

/// The engine of a service. Clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    // A lock, because what runs is replaced when the database is; held only to clone a handle.
    running: Arc<RwLock<Result<Arc<Running>, NotRunning>>>,
    changed: watch::Receiver<u64>,
    log: Log,
    service: Service,
}

/// Why an engine could not be started, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Shard(#[from] ShardError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Engine {
    /// Starts an engine; the task ends when `stop` says so, or with why it cannot go on.
    pub fn start(
        config: Config,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(Engine, JoinHandle<Result<(), EngineError>>), EngineError> {
        let database = match &config.folder {
            Some(folder) => Database::open(folder)?,
            None => Database::in_memory(),
        };
        let starting = Err(NotRunning::Yet("it is starting".to_owned()));
        let running = Arc::new(RwLock::new(starting));
        let (change, changed) = watch::channel(0);
        let (log, service) = (config.log.clone(), config.service);
        let engine = Engine { running: Arc::clone(&running), changed, log, service };
        let task = tokio::spawn(supervise(config, database, running, change, stop));
        Ok((engine, task))
    }

    /// What runs, or why nothing does.
    pub fn running(&self) -> Result<Arc<Running>, NotRunning> {
        self.running.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes whenever what runs does.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changed.clone()
    }

    /// The log that the service writes to.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Which service it is.
    pub fn service(&self) -> Service {
        self.service
    }
}

/// Runs the parts; when the database turns out to be damaged, puts it aside and runs them over a new one.
async fn supervise(
    config: Config,
    mut database: Database,
    running: Arc<RwLock<Result<Arc<Running>, NotRunning>>>,
    change: watch::Sender<u64>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), EngineError> {
    let mut stop = std::pin::pin!(stop);
    let set = |now: Result<Arc<Running>, NotRunning>| {
        *running.write().unwrap_or_else(PoisonError::into_inner) = now;
        change.send_modify(|n| *n += 1);
    };
    let given_up = |error: EngineError| {
        set(Err(NotRunning::AnyMore(error.to_string())));
        error
    };
    let mut is_made_anew = false;
    loop {
        let damaged = database.damaged();
        let started = tokio::select! {
            started = run(&config, database, is_made_anew) => started,
            () = &mut stop => return Ok(()),
        };
        match started {
            Ok((parts, writer)) => {
                let parts = Arc::new(parts);
                set(Ok(Arc::clone(&parts)));
                let (stop_cleaning, stopped) = oneshot::channel();
                let cleaner = tokio::spawn(clean_when_due(Arc::clone(&parts), config.clean_after, stopped));
                let over = watch_over(&parts, writer, &damaged, &mut stop).await;
                drop(stop_cleaning);
                // One that panicked has nothing more to say.
                let _ended = cleaner.await;
                set(Err(match &over {
                    Over::Damaged => NotRunning::Yet(DAMAGED.to_owned()),
                    Over::Stopped => NotRunning::AnyMore("it is stopping".to_owned()),
                    Over::Failed(error) => NotRunning::AnyMore(error.to_string()),
                }));
                parts.follower.abort();
                match over {
                    Over::Stopped => {
                        // Best effort: what is not flushed the log gives back.
                        if let Err(error) = parts.database.flush() {
                            tracing::warn!(%error, "the database was not flushed");
                        }
                        return Ok(());
                    }
                    Over::Failed(error) => return Err(error),
                    Over::Damaged => {}
                }
                database = quarantined(parts).await.map_err(given_up)?;
                is_made_anew = true;
            }
            Err((database_again, error)) => {
                set(Err(NotRunning::Yet(error.to_string())));
                database = match recover(&error, database_again).await {
                    Ok(Some(sound)) => sound,
                    Ok(None) => return Err(given_up(error)),
                    Err(error) => return Err(given_up(error)),
                };
            }
        }
    }
}

/// What callers are told while the log makes the next database.
const DAMAGED: &str = "its database is damaged and is being made anew from the log";

enum Over {
    Stopped,
    Damaged,
    Failed(EngineError),
}

async fn watch_over(
    parts: &Running,
    mut writer: JoinHandle<Result<(), ShardError>>,
    damaged: &tokio::sync::Notify,
    stop: &mut (impl Future<Output = ()> + Unpin),
) -> Over {
    let mut follow = parts.follow.clone();
    let broken = async {
        match follow.wait_for(|progress| progress.broken.is_some()).await {
            Ok(progress) => progress.broken.clone(),
            Err(_) => None,
        }
    };
    tokio::select! {
        // In this order: a follower that is broken ends the writer as well, which does not know why.
        biased;
        () = stop => Over::Stopped,
        Some(broken) = broken => Over::Failed(broken.into()),
        () = damaged.notified() => Over::Damaged,
        result = &mut writer => match result {
            Ok(Ok(())) => Over::Stopped,
            Ok(Err(ShardError::Store(_))) => Over::Damaged,
            // The noun's row is not where the log says it should be: the row is what is wrong.
            Ok(Err(ShardError::Unreadable { source: seva_domain::noun::Unreadable::Rev { .. }, .. })) => Over::Damaged,
            Ok(Err(error)) => Over::Failed(error.into()),
            Err(error) => Over::Failed(EngineError::Store(StoreError(error.to_string()))),
        },
    }
}

/// Puts the database of parts that are over aside, once nobody uses them any more.
async fn quarantined(parts: Arc<Running>) -> Result<Database, EngineError> {
    tracing::error!("the database is damaged: it is put aside and made anew from the log");
    let mut parts = parts;
    loop {
        match Arc::try_unwrap(parts) {
            Ok(running) => return Ok(running.database.quarantine()?),
            Err(shared) => {
                parts = shared;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// Whether parts that could not be started can be started over another database, or later.
async fn recover(error: &EngineError, database: Database) -> Result<Option<Database>, EngineError> {
    match error {
        EngineError::Store(_) | EngineError::Shard(_) | EngineError::Broken(Broken::OtherLog { .. }) => {
            tracing::error!(%error, "the database does not fit the log: it is put aside and made anew");
            Ok(Some(database.quarantine()?))
        }
        EngineError::Log(LogError::Unavailable(_))
        | EngineError::Broken(Broken::Log(LogError::Unavailable(_))) => {
            tracing::warn!(%error, "the log cannot be reached, trying again");
            tokio::time::sleep(AGAIN).await;
            Ok(Some(database))
        }
        EngineError::Log(_) | EngineError::Open(_) | EngineError::Broken(_) => Ok(None),
    }
}

/// Waits until nobody reads rows any more that nobody can find any more.
async fn unread(rows: &Arc<dyn Store>) {
    while Arc::strong_count(rows) > 1 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

type Started = (Running, JoinHandle<Result<(), ShardError>>);

/// Starts the parts over a database.
async fn run(
    config: &Config,
    database: Database,
    is_made_anew: bool,
) -> Result<Started, (Database, EngineError)> {
    match prepare(config, &database).await {
        Ok(prepared) => start(config, database, prepared, is_made_anew),
        Err(error) => Err((database, error)),
    }
}

struct Prepared {
    shard: Arc<Base>,
    models: Vec<Live>,
    begin: Chains,
    end: u64,
}

/// Opens every tree, checks every row, and checks that the log holds what they say.
async fn prepare(config: &Config, database: &Database) -> Result<Prepared, EngineError> {
    let incarnation = config.log.incarnation();
    let shard = Arc::new(Base::new(database.tree(&shard_tree())?));
    let mut begins = Vec::new();
    match shard.checkpoint()? {
        Some(checkpoint) if checkpoint.incarnation != incarnation || checkpoint.format != shard::FORMAT => {
            return Err(Broken::OtherLog { sequence: checkpoint.resume.sequence }.into());
        }
        Some(checkpoint) => {
            let (sequence, digest) = checkpoint.tip;
            let mut tip = Chains { sequence, ..Chains::default() };
            if sequence > 0 {
                tip.shards.insert(config.service.name().to_owned(), (sequence, digest));
            }
            follow::verify(&config.log, &tip).await?;
            begins.push(checkpoint.resume);
        }
        None => begins.push(Chains::default()),
    }
    let mut models = Vec::new();
    for model in &config.models {
        let tree = remembered_tree(database, model.name())?;
        let store = database.tree(&tree)?;
        let mut checkpoint = Checkpoint::read(store.as_ref())?.unwrap_or_default();
        if checkpoint.chains.sequence > 0 && checkpoint.incarnation != incarnation {
            return Err(Broken::OtherLog { sequence: checkpoint.chains.sequence }.into());
        }
        checkpoint.incarnation = incarnation.to_owned();
        begins.push(checkpoint.chains.clone());
        let stored = checkpoint.chains.sequence;
        models.push(Live { model: Arc::clone(model), tree, store, checkpoint, stored });
    }
    for chains in &begins {
        follow::verify(&config.log, chains).await?;
    }
    let begin = begins.into_iter().min_by_key(|chains| chains.sequence).unwrap_or_default();
    let end = config.log.end().await?;
    Ok(Prepared { shard, models, begin, end })
}

#[expect(clippy::result_large_err, reason = "a failure gives the database back, once a start")]
fn start(
    config: &Config,
    database: Database,
    prepared: Prepared,
    is_made_anew: bool,
) -> Result<Started, (Database, EngineError)> {
    let Prepared { shard, models, begin, end } = prepared;
    let own = config.own.clone();
    let (to_writer, writer_follows) = mpsc::channel(WAITING_MAX);
    let (to_projector, projector_follows) = mpsc::channel(WAITING_MAX);
    let parts = Parts {
        service: config.service,
        log: config.log.clone(),
        base: Arc::clone(&shard),
        clock: Arc::clone(&config.clock),
        own: own.clone(),
        followed: writer_follows,
        catch_up_to: end,
        build: config.build.clone(),
        checks_clock: config.checks_clock,
        payments: config.payments.clone(),
    };
    let (writer, task) = match Writer::start(parts) {
        Ok(started) => started,
        Err(error) => return Err((database, error.into())),
    };
    let may_be_damaged = (!is_made_anew).then(|| database.damaged());
    let projections = Projections::start(models, projector_follows, may_be_damaged);
    let (progress, follow) =
        watch::channel(FollowProgress { sequence: begin.sequence, ..Default::default() });
    let checker = Checker::new(begin, reads(config.service), own);
    let (log, users) = (config.log.clone(), vec![to_writer, to_projector]);
    let follower = tokio::spawn(follow::run(log, checker, config.heed.clone(), users, progress));
    let running = Running {
        writer,
        projections,
        shard,
        follow,
        database,
        models: config.models.clone(),
        log: config.log.clone(),
        reads: reads(config.service),
        rebuilds: Mutex::default(),
        follower,
    };
    Ok((running, task))
}

/// The tree that remembers which trees hold the read models' rows.
pub(crate) const TREES: &str = "trees";

fn remembered_tree(database: &Database, model: &str) -> Result<String, StoreError> {
    let trees = database.tree(TREES)?;
    let name = trees.get(model.as_bytes())?.map(|name| String::from_utf8_lossy(&name).into_owned());
    Ok(name.unwrap_or_else(|| tree_name(model, 0)))
}

fn remember_tree(database: &Database, model: &str, tree: &str) -> Result<(), StoreError> {
    database.tree(TREES)?.apply(vec![(model.as_bytes().to_vec(), Some(tree.as_bytes().to_vec()))])?;
    database.flush()
}

/// Which nouns a service's process understands the records of.
fn reads(service: Service) -> fn(&str) -> bool {
    match service {
        Service::Escalation => |noun| Service::Escalation.reads(noun),
        Service::Feedback => |noun| Service::Feedback.reads(noun),
        Service::Intake => |noun| Service::Intake.reads(noun),
        Service::Policy => |noun| Service::Policy.reads(noun),
        Service::Refunds => |noun| Service::Refunds.reads(noun),
    }
}
