//! `seva demo --separate`: every service as a process of its own, started, watched, told to end, and never left behind.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use futures::future::{join_all, select_all};
use seva_domain::service::Service;
use seva_host::child::Child;
use seva_host::endpoints::{self, Endpoints};
use seva_host::shutdown::Shutdown;
use seva_host::tls::Files;

use super::Nats;
use crate::history;
use crate::token::IDENTITY_FILE;

/// How long the processes may take until all of them listen.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// How often it is looked whether they do.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A program to run beside the demo.
struct Process {
    /// What it is called, also in `DIR/logs/<name>.log`.
    name: &'static str,
    args: Vec<OsString>,
}

/// The processes of a Seva: this program again, once for each service, and once for history.
fn processes(dir: &Path, nats: Nats<'_>, provider: &str, tls: &Files) -> Vec<Process> {
    let names = Service::ALL.into_iter().map(Service::name).chain([history::NAME]);
    names.map(|name| serve(name, dir, nats, provider, tls)).collect()
}

/// One service, in the folder that it has in a demo of one process too, on a port of its own.
fn serve(name: &'static str, dir: &Path, nats: Nats<'_>, provider: &str, tls: &Files) -> Process {
    let mut args: Vec<OsString> = ["serve", name, "--with-parent", "--nats"].map(Into::into).into();
    args.extend([nats.server.url().into(), "--monitor".into(), nats.server.monitor_url().into()]);
    args.extend(["--nats-creds".into(), nats.seeds.folder().into()]);
    args.extend(["--payment-provider".into(), provider.into()]);
    args.extend(["--data".into(), dir.join(super::DATABASES).into()]);
    args.extend(["--identity".into(), dir.join(super::IDENTITY).join(IDENTITY_FILE).into()]);
    args.extend(["--master-key-file".into(), dir.join(super::MASTER_KEY_FILE).into()]);
    args.extend(["--tls-cert".into(), tls.certificate.clone().into()]);
    args.extend(["--tls-key".into(), tls.key.clone().into()]);
    Process { name, args }
}

/// The processes that run.
pub(crate) struct Processes {
    children: Vec<Child>,
    /// Where each service answers, by its name.
    pub(crate) services: BTreeMap<String, String>,
    /// Where each service's metrics are, by its name.
    pub(crate) metrics: BTreeMap<String, String>,
}

impl Processes {
    /// Starts all of them at once, and waits until every service listens.
    pub(crate) async fn start(
        dir: &Path,
        nats: Nats<'_>,
        provider: &str,
        tls: &Files,
    ) -> anyhow::Result<Processes> {
        let databases = dir.join(super::DATABASES);
        forget_endpoints(&databases)?;
        let program = std::env::current_exe().context("this program cannot be found to be started again")?;
        let mut children = Vec::new();
        for Process { name, args } in processes(dir, nats, provider, tls) {
            let log = dir.join("logs").join(format!("{name}.log"));
            children.push(Child::start(name, &program, args, log)?);
        }
        let Endpoints { services, metrics, .. } = listening(&databases, &mut children).await?;
        Ok(Processes { children, services, metrics })
    }

    /// Waits until one of them ends though nobody told it to, and says which.
    pub(crate) async fn lost_one(&mut self) -> anyhow::Error {
        let waits = self.children.iter_mut().map(|child| {
            Box::pin(async move {
                match child.wait().await {
                    Ok(()) => anyhow!("{} has ended though nobody told it to", child.name()),
                    Err(error) => error.into(),
                }
            })
        });
        select_all(waits).await.0
    }

    /// Tells all of them to end, waits a bounded time, and kills those that are left.
    pub(crate) async fn stop(mut self, shutdown: &Shutdown) -> anyhow::Result<()> {
        for child in &self.children {
            child.terminate()?;
        }
        let ended = join_all(self.children.iter_mut().map(Child::wait));
        match shutdown.drain(ended).await {
            Some(ended) => Ok(ended.into_iter().collect::<Result<(), _>>()?),
            None => {
                for child in &mut self.children {
                    child.kill().await?;
                }
                Ok(())
            }
        }
    }
}

/// Removes what an earlier run's processes wrote, so that only what these write is read.
fn forget_endpoints(databases: &Path) -> anyhow::Result<()> {
    let file = databases.join(endpoints::FILE);
    match std::fs::remove_file(&file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", file.display()))
        }
        _ => Ok(()),
    }
}

/// What the processes have written together, once all of them have.
async fn listening(databases: &Path, children: &mut [Child]) -> anyhow::Result<Endpoints> {
    let until = Instant::now() + READY_WITHIN;
    while Instant::now() < until {
        if let Ok(endpoints) = Endpoints::read(databases)
            && children.iter().all(|child| endpoints.services.contains_key(child.name()))
        {
            return Ok(endpoints);
        }
        for child in children.iter_mut() {
            child.check()?;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    bail!("not every service listens after {} s", READY_WITHIN.as_secs())
}
