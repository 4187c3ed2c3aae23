//! What a run has started: the log's server, the payment provider and the processes.

use std::fs;
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use seva_host::nats_server::NatsServer;
use seva_host::tls::authority::Authority;
use seva_rights::Seeds;
use seva_vault::MasterKey;
use tokio::time::Instant;
use tonic::transport::Certificate;

use crate::clock::Pace;
use crate::doors::{Door, Doors};
use crate::history::{History, Line, now};
use crate::processes::{Processes, Setting, master_key};
use crate::run::{self, Plan};
use crate::settle;

/// What a run has started. Dropping it ends all.
pub(crate) struct House {
    // In this order: the server is the last to end.
    pub(crate) processes: Processes,
    pub(crate) doors: Doors,
    pub(crate) history: History,
    pub(crate) rng: StdRng,
    pub(crate) pace: Pace,
    pub(crate) nats: NatsServer,
    /// What everybody connects to it with.
    pub(crate) seeds: Seeds,
}

impl House {
    /// Starts the log's server and the payment provider, and begins the history. No process is started yet.
    pub(crate) async fn begin(plan: &Plan) -> anyhow::Result<House> {
        let Plan { program, folder, seed, kills, clients, rate, planted, .. } = plan;
        fs::create_dir_all(folder)?;
        let history = History::create(folder)?;
        let pace = Pace::new(*rate);
        let (seed, kills, clients) = (*seed, *kills, *clients);
        history.write(&Line::Began { at: now(), seed, kills, clients, pace })?;
        MasterKey::generate_file(master_key(folder))?;
        let (nats, seeds) = run::serve_log(&folder.join("nats")).await?;
        seva::nats::set_up(&nats.url(), &seeds, 1).await?;
        let authority = Authority::new()?;
        let ca = Certificate::from_pem(fs::read(authority.write(folder)?)?);
        let setting = Setting {
            program: program.clone(),
            folder: folder.clone(),
            nats: nats.url(),
            seeds: seeds.folder().to_owned(),
            monitor: nats.monitor_url(),
            certificate: authority.issue(folder)?,
            ca,
            pace,
            planted: planted.clone(),
        };
        let (mut processes, doors) = Processes::new(setting, history.clone())?;
        processes.provider.start()?;
        Ok(House { processes, doors, history, rng: StdRng::seed_from_u64(seed), pace, nats, seeds })
    }

    /// Waits until these processes serve.
    pub(crate) async fn up(&mut self, doors: &[&Door], within: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + within;
        for door in doors {
            while settle::status(door).await.map_or(true, |status| status.state != "SERVING") {
                anyhow::ensure!(Instant::now() < until, "{} did not serve within {within:?}", door.name);
                self.processes.look_after()?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            door.has_answered(door.life());
        }
        Ok(())
    }
}
