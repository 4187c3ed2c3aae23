//! Runs services in this process.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use seva_domain::service::Service;
use seva_host::endpoints::Endpoints;
use seva_host::shutdown::Shutdown;
use seva_vault::MasterKey;
use tokio_util::sync::CancellationToken;

use crate::args::{self, ServeArgs};
use crate::demo::{DATABASES, MASTER_KEY_FILE};
use crate::house::{self, Durability, Options, system_clock};

/// The variable that holds the master key where no file does.
const MASTER_KEY: &str = "SEVA_MASTER_KEY";

/// Services that run in this process.
pub(crate) struct Running {
    /// Where each answers: service to `http://127.0.0.1:port`.
    pub(crate) services: BTreeMap<String, String>,
    metrics: String,
    house: house::Running,
}

impl Running {
    /// Each service's metrics page by the service's name: they share one.
    pub(crate) fn metrics(&self) -> BTreeMap<String, String> {
        self.services.keys().map(|service| (service.clone(), self.metrics.clone())).collect()
    }

    /// Waits until every service has stopped.
    pub(crate) async fn stopped(self) -> anyhow::Result<()> {
        self.house.stopped().await
    }
}

impl From<house::Running> for Running {
    fn from(house: house::Running) -> Running {
        let services = house.services.iter().map(|(service, url)| (service.name().to_owned(), url.clone()));
        Running { services: services.collect(), metrics: house.metrics.clone(), house }
    }
}

/// Runs the services asked for until the process is told to stop.
pub(crate) async fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let shutdown = Shutdown::listen()?;
    if args.with_parent {
        shutdown.with_parent();
    }
    let services = services(&args.services)?;
    let master = match &args.master_key_file {
        Some(file) => MasterKey::from_file(file)?,
        None => MasterKey::from_env(MASTER_KEY)?,
    };
    let options = Options {
        services,
        nats_url: args.nats.clone(),
        monitor_url: args.monitor.clone(),
        data: args.data.clone(),
        listen: args.listen,
        master,
        durability: match args.durability {
            args::Durability::Always => Durability::Always,
            args::Durability::Relaxed => Durability::Relaxed,
        },
        clock: system_clock(),
        checks_clock: true,
        replicas: args.replicas,
        metrics_port: args.metrics_port,
    };
    let running = Running::from(house::start(&options, shutdown.token()).await?);
    let endpoints = Endpoints {
        nats: args.nats,
        monitor: args.monitor,
        master_key_file: args.master_key_file.unwrap_or_default(),
        metrics: running.metrics(),
        services: running.services.clone(),
    };
    endpoints.join(&args.data)?;
    let token = shutdown.token();
    let stopped = running.stopped();
    tokio::pin!(stopped);
    let over = tokio::select! {
        over = &mut stopped => Some(over),
        () = token.cancelled() => shutdown.drain(stopped).await,
    };
    over.unwrap_or_else(|| bail!("calls that were under way did not end in time"))?;
    Ok(ExitCode::SUCCESS)
}

/// The services that these names name, each once; all if there is no name.
pub(crate) fn services(names: &[String]) -> anyhow::Result<Vec<Service>> {
    let mut services = Vec::new();
    for name in names {
        let known = Service::ALL.map(Service::name).join(", ");
        let service =
            Service::parse(name).with_context(|| format!("there is no service `{name}`: take {known}"))?;
        if !services.contains(&service) {
            services.push(service);
        }
    }
    Ok(if services.is_empty() { Service::ALL.to_vec() } else { services })
}

/// Starts all services on free loopback ports, with the master key that the data folder holds.
pub(crate) async fn start_all(
    data_dir: &Path,
    nats_url: &str,
    monitor_url: &str,
    shutdown: CancellationToken,
) -> anyhow::Result<Running> {
    let options = Options {
        services: Service::ALL.to_vec(),
        nats_url: nats_url.to_owned(),
        monitor_url: monitor_url.to_owned(),
        data: data_dir.join(DATABASES),
        listen: ([127, 0, 0, 1], 0).into(),
        master: MasterKey::from_file(data_dir.join(MASTER_KEY_FILE))?,
        durability: Durability::Always,
        clock: system_clock(),
        checks_clock: true,
        replicas: 1,
        metrics_port: 0,
    };
    Ok(Running::from(house::start(&options, shutdown).await?))
}
