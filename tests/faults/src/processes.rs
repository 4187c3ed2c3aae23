//! The processes under test: each with a folder, a port and a log of its own, started again under the same name.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context as _;
use rand::Rng as _;
use seva_domain::service::Service;
use seva_host::tls::Files;
use tokio::process::{Child, Command};
use tonic::transport::Certificate;

use crate::clock::Pace;
use crate::doors::{Door, Doors};
use crate::history::{History, Line, now};
use crate::provider::Provider;

/// What every process is started with.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// The program with the verb `serve`.
    pub(crate) program: PathBuf,
    pub(crate) folder: PathBuf,
    pub(crate) nats: String,
    /// The folder of the seeds.
    pub(crate) seeds: PathBuf,
    pub(crate) monitor: String,
    /// What they show their callers, and who vouches for it.
    pub(crate) certificate: Files,
    pub(crate) ca: Certificate,
    /// How their clocks go.
    pub(crate) pace: Pace,
    /// The mistake that the processes are to make, if they are built to make any.
    pub(crate) planted: Option<String>,
}

/// A process. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) door: Door,
    /// Whether it knows the payment provider. One that does not leaves what it was to pay as if it had died before the call.
    pub(crate) pays: bool,
    child: Option<Child>,
}

/// The processes of the run.
#[derive(Debug)]
pub(crate) struct Processes {
    setting: Setting,
    history: History,
    pub(crate) all: Vec<Process>,
    pub(crate) provider: Provider,
}

/// Picks a port below those that systems take for outgoing connections, so that a process that comes back finds it free. It does not follow
/// from the seed: runs at the same time take different ones.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    let mut rng = rand::rng();
    (0..1_000)
        .map(|_| rng.random_range(10_000..32_000))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .context("no free port")
}

impl Processes {
    /// Two of intake and of refunds, one of each other service, and the payment provider; none is started yet.
    pub(crate) fn new(setting: Setting, history: History) -> anyhow::Result<(Processes, Doors)> {
        fs::create_dir_all(setting.folder.join("logs"))?;
        let door = |name: &str, service| Door::new(name, service, free_port()?, &setting.ca);
        let doors = Doors {
            escalation: door("escalation", Service::Escalation)?,
            feedback: door("feedback", Service::Feedback)?,
            intake: [door("intake-1", Service::Intake)?, door("intake-2", Service::Intake)?],
            policy: door("policy", Service::Policy)?,
            refunds: [door("refunds-1", Service::Refunds)?, door("refunds-2", Service::Refunds)?],
        };
        let process = |door: &Door| Process { door: door.clone(), pays: true, child: None };
        let all = doors.all().map(process).into();
        let provider = Provider::new(&setting, history.clone())?;
        Ok((Processes { setting, history, all, provider }, doors))
    }

    /// Which process a door is of.
    pub(crate) fn place(&self, door: &Door) -> anyhow::Result<usize> {
        self.all.iter().position(|process| process.door.name == door.name).context("no such process")
    }

    /// Whether a process was started and not killed since.
    pub(crate) fn is_running(&self, n: usize) -> bool {
        self.all[n].child.is_some()
    }

    /// Starts a process, for the first time or again.
    pub(crate) fn start(&mut self, n: usize) -> anyhow::Result<()> {
        let Setting { program, folder, nats, seeds, monitor, certificate, ca: _, pace, planted } =
            &self.setting;
        let process = &mut self.all[n];
        let name = &process.door.name;
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.join("logs").join(format!("{name}.log")))?;
        let mut command = Command::new(program);
        command
            .args(["serve", process.door.service.name(), "--nats", nats, "--monitor", monitor])
            .arg("--nats-creds")
            .arg(seeds)
            .arg("--data")
            .arg(folder.join("databases").join(name))
            .args(["--listen", &format!("127.0.0.1:{}", process.door.port)])
            .arg("--master-key-file")
            .arg(master_key(folder))
            .arg("--tls-cert")
            .arg(&certificate.certificate)
            .arg("--tls-key")
            .arg(&certificate.key)
            // It ends when this pipe does, however its parent ended.
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .env_remove("SEVA_PLANTED");
        if process.pays {
            command.args(["--payment-provider", &self.provider.url()]);
        }
        // The product itself has the machine's clock.
        if pace.rate > 1 {
            command.arg(format!("--clock-began={}", pace.began)).arg(format!("--clock-rate={}", pace.rate));
        }
        if let Some(planted) = planted {
            command.env("SEVA_PLANTED", planted);
        }
        let life = process.door.begins_again();
        self.history.write(&Line::Started { at: now(), process: name.clone(), life })?;
        process.child =
            Some(command.spawn().with_context(|| format!("{} cannot be started", program.display()))?);
        Ok(())
    }

    /// Kills a process without warning.
    pub(crate) async fn kill(&mut self, n: usize) -> anyhow::Result<()> {
        let process = &mut self.all[n];
        self.history.write(&Line::Killed { at: now(), process: process.door.name.clone() })?;
        if let Some(mut child) = process.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// Starts those again that ended by themselves, as whoever operates them would.
    pub(crate) fn look_after(&mut self) -> anyhow::Result<()> {
        self.provider.look_after()?;
        for n in 0..self.all.len() {
            let process = &mut self.all[n];
            let Some(child) = &mut process.child else { continue };
            let Some(status) = child.try_wait()? else { continue };
            self.history.write(&Line::Ended {
                at: now(),
                process: process.door.name.clone(),
                life: process.door.life(),
                was_up: process.door.was_up(),
                status: status.to_string(),
            })?;
            process.child = None;
            self.start(n)?;
        }
        Ok(())
    }
}

/// Where the master key of a run stands.
pub(crate) fn master_key(folder: &Path) -> PathBuf {
    folder.join("master.key")
}
