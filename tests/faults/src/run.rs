//! A run from beginning to verdict, and a kept one judged again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use futures::future::join_all;
use seva_eventlog::jetstream::JetStreamLog;
use seva_eventlog::log::Log;
use seva_host::nats_server::{self, NatsServer};
use seva_rights::{Identity, Seeds};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::history::{Line, now};
use crate::house::House;
use crate::judge::{self, Verdict};
use crate::load::Load;
use crate::nemesis::Nemesis;
use crate::{policy, provider, settle};

pub use crate::report::table;

/// How long clients may go on sending again what has no outcome, after the last kill.
const LAST_TRIES_MAX: Duration = Duration::from_secs(30);

/// How fast the processes' clocks go, unless told otherwise: a policy's minute is a second.
const RATE: i64 = 60;

/// What a run is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program with the verb `serve`: this crate's, or `seva` itself.
    pub program: PathBuf,
    /// Where everything is kept; must not hold a run yet.
    pub folder: PathBuf,
    /// What all randomness follows from.
    pub seed: u64,
    pub kills: u32,
    /// After so long no more is killed.
    pub within: Duration,
    pub clients: u32,
    /// How many customers most interactions are with.
    pub hot: u32,
    /// How often the log's server is halted for a while between kills, in per cent.
    pub halts: u32,
    /// How long everything may take to serve at first, and to reach the end of the log after the last kill.
    pub settle_within: Duration,
    /// How many times as fast as the machine's the processes' clocks go: with 60, the policy's minutes are seconds.
    pub rate: i64,
    /// The mistake that the processes are to make, if they are built to make any.
    pub planted: Option<String>,
}

impl Plan {
    /// A run of this many kills, kept in a folder.
    pub fn new(program: impl Into<PathBuf>, folder: impl Into<PathBuf>, seed: u64, kills: u32) -> Plan {
        let within = Duration::from_secs(20 + 8 * u64::from(kills));
        Plan {
            program: program.into(),
            folder: folder.into(),
            seed,
            kills,
            within,
            clients: 8,
            hot: 50,
            halts: 15,
            settle_within: Duration::from_secs(60),
            rate: RATE,
            planted: None,
        }
    }

    /// For a program whose clock cannot be told: what happens by itself takes as long as the policy says.
    pub fn by_the_machines_clock(self) -> Plan {
        Plan { rate: 1, settle_within: Duration::from_secs(20 * 60), ..self }
    }
}

/// Runs a plan and judges it. What it started has ended when this returns, or panics.
pub async fn run(plan: &Plan) -> anyhow::Result<Verdict> {
    let mut house = House::begin(plan).await?;
    (0..house.processes.all.len()).try_for_each(|n| house.processes.start(n))?;
    let doors = house.doors.clone();
    let log = connect(&house.nats, &house.seeds).await?;
    let trouble = match house.up(&doors.all(), plan.settle_within).await {
        Ok(()) => {
            policy::publish(&doors.policy, policy::OUTCOME_WITHIN_SECONDS, plan.settle_within).await?;
            under_load(&mut house, plan).await?;
            let House { processes, pace, .. } = &mut house;
            settle::settled(&doors.all(), &log, processes, *pace, plan.settle_within).await?
        }
        Err(error) => Some(error.to_string()),
    };
    let is_settled = trouble.is_none();
    house.history.write(&Line::Settled { at: now(), trouble })?;
    if is_settled {
        for door in doors.all() {
            let digests = settle::digests(door, &house.history).await;
            digests.with_context(|| format!("the digests of {}", door.name))?;
        }
    }
    let House { processes, mut nats, .. } = house;
    drop(processes);
    let verdict = judge::judge(&plan.folder, &log).await?;
    nats.stop().await?;
    Ok(verdict)
}

/// Kills under load, until all is done and every client has its last answer.
async fn under_load(house: &mut House, plan: &Plan) -> anyhow::Result<()> {
    let House { processes, doors, history, rng, pace, nats, .. } = house;
    let stop = CancellationToken::new();
    let load = Load::new(doors.clone(), history.clone(), *pace, plan.hot, stop.clone());
    let clients: Vec<_> = (0..plan.clients).map(|n| tokio::spawn(load.clone().run(n, plan.seed))).collect();
    let mut nemesis = Nemesis { processes: &mut *processes, nats, history, rng, halts: plan.halts };
    let killed = nemesis.run(plan.kills, Instant::now() + plan.within).await;
    stop.cancel();
    let abort: Vec<_> = clients.iter().map(tokio::task::JoinHandle::abort_handle).collect();
    // What has no answer by then has no outcome.
    match tokio::time::timeout(LAST_TRIES_MAX, join_all(clients)).await {
        Ok(ended) => ended.into_iter().try_for_each(|client| client?)?,
        Err(_) => abort.iter().for_each(tokio::task::AbortHandle::abort),
    }
    killed?;
    processes.provider.tell(provider::BEHAVE).await?;
    history.write(&Line::Healed { at: now() })
}

/// Judges a kept run again, by a copy of its log: nothing in the folder changes.
pub async fn check_history(folder: &Path) -> anyhow::Result<Verdict> {
    let copy = tempfile::tempdir()?;
    copy_folder(&folder.join("nats").join("store"), &copy.path().join("store"))?;
    let (mut nats, seeds) = serve_log(copy.path()).await?;
    let verdict = judge::judge(folder, &connect(&nats, &seeds).await?).await?;
    nats.stop().await?;
    Ok(verdict)
}

/// Starts the log's server in a folder, under the rights that everybody has.
pub(crate) async fn serve_log(folder: &Path) -> anyhow::Result<(NatsServer, Seeds)> {
    let seeds = Seeds::make(folder.join("seeds"))?;
    let accounts = seeds.accounts(&[])?;
    let nats = NatsServer::start(nats_server::Options { accounts, ..nats_server::Options::new(folder) });
    Ok((nats.await?, seeds))
}

/// The log as an operator reads it.
pub(crate) async fn connect(nats: &NatsServer, seeds: &Seeds) -> anyhow::Result<Log> {
    let client = seeds.connect_as(Identity::Operator)?.connect(nats.url()).await?;
    Ok(Log::JetStream(JetStreamLog::open(client, Identity::Operator.consumers()).await?))
}

fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_folder(&source, &target)?;
        } else {
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}
