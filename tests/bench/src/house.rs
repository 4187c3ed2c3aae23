//! What is measured: a durable nats-server and all services in a process of their own, with clients of them.

use std::net::Ipv4Addr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use async_nats::{Client, ConnectOptions};
use futures::future::try_join_all;
use nkeys::KeyPair;
use seva::house::{CLEAN_AFTER, Durability, Options, start, system_clock};
use seva::ports::{Limits, Settings};
use seva_api::parse::timestamp;
use seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient;
use seva_api::pb::operations::v1::operations_service_client::OperationsServiceClient;
use seva_api::pb::operations::v1::{GetStatusRequest, GetStatusResponse};
use seva_api::pb::policy::v1::policy_service_client::PolicyServiceClient;
use seva_domain::service::Service;
use seva_eventlog::jetstream::JetStreamLog;
use seva_eventlog::log::Log;
use seva_host::endpoints::Endpoints;
use seva_host::nats_server::{self, NatsServer};
use seva_host::shutdown::Shutdown;
use seva_host::tls::authority::Authority;
use seva_rights::{Identity, Seeds};
use seva_vault::MasterKey;
use tempfile::TempDir;
use tokio::process::Child;
use tonic::Request;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::args::Measures;
use crate::child;
use crate::messages::ACTOR;

/// How many calls share a connection.
const CALLS_PER_CONNECTION: usize = 64;

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// How long services may take to be where the log is.
const SETTLED_WITHIN: Duration = Duration::from_secs(3_600);

/// How often they are asked.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// Everything that runs.
pub(crate) struct House {
    pub(crate) nats: NatsServer,
    seeds: Seeds,
    /// Of a user who may also make streams that are not Seva's.
    plain: KeyPair,
    services: Option<Child>,
    /// How many calls a service works on at once.
    calls_at_once: NonZeroUsize,
    /// Whether the services speak TLS.
    tls: bool,
    endpoints: Endpoints,
    // Removed last.
    folder: TempDir,
}

impl House {
    /// Starts a nats-server and the services, and waits until they serve.
    pub(crate) async fn start(measures: &Measures) -> anyhow::Result<House> {
        let folder = match &measures.scratch {
            Some(folder) => TempDir::with_prefix_in("seva-bench-", folder),
            None => TempDir::with_prefix("seva-bench-"),
        }?;
        let seeds = Seeds::make(folder.path().join("seeds"))?;
        let plain = KeyPair::new_user();
        let accounts = seeds.accounts(&[plain.public_key()])?;
        let options =
            nats_server::Options { accounts, ..nats_server::Options::new(folder.path().join("nats")) };
        let nats = NatsServer::start(options).await?;
        seva::nats::set_up(&nats.url(), &seeds, 1).await?;
        MasterKey::generate_file(folder.path().join("master.key"))?;
        let (calls_at_once, tls) = (measures.calls_at_once, measures.tls);
        let mut house = House {
            nats,
            seeds,
            plain,
            services: None,
            calls_at_once,
            tls,
            endpoints: Endpoints::default(),
            folder,
        };
        house.start_services().await?;
        house.settled(0).await?;
        Ok(house)
    }

    async fn start_services(&mut self) -> anyhow::Result<()> {
        let (nats, monitor) = (self.nats.url(), self.nats.monitor_url());
        let calls_at_once = self.calls_at_once.to_string();
        let mut part = vec!["services", &nats, &monitor, &calls_at_once];
        part.extend(self.tls.then_some("--tls"));
        let (child, endpoints) = child::start(&part, self.folder.path()).await?;
        self.services = Some(child);
        self.endpoints = endpoints;
        Ok(())
    }

    /// Kills the services, removes their databases, and starts them again: they fold the whole log anew.
    pub(crate) async fn start_empty(&mut self) -> anyhow::Result<()> {
        if let Some(mut services) = self.services.take() {
            services.kill().await?;
        }
        std::fs::remove_dir_all(self.databases())?;
        self.start_services().await
    }

    /// Where the databases are, one folder a service.
    pub(crate) fn databases(&self) -> PathBuf {
        self.folder.path().join("databases")
    }

    /// Where everything is.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process that runs the services.
    pub(crate) fn services_pid(&self) -> Option<u32> {
        self.services.as_ref().and_then(Child::id)
    }

    /// Clients of intake, enough for so many calls at once.
    pub(crate) fn intake(&self, in_flight: usize) -> anyhow::Result<Vec<IntakeServiceClient<Channel>>> {
        let url = self.endpoints.service(Service::Intake.name())?;
        clients(url, self.endpoints.ca_file.as_deref(), in_flight)
    }

    /// A connection to a service.
    fn channel(&self, service: &str) -> anyhow::Result<Channel> {
        channel(self.endpoints.service(service)?, self.endpoints.ca_file.as_deref())
    }

    /// A client of policy.
    pub(crate) fn policy(&self) -> anyhow::Result<PolicyServiceClient<Channel>> {
        Ok(PolicyServiceClient::new(self.channel(Service::Policy.name())?))
    }

    /// A client of a service's operations.
    pub(crate) fn operations(&self, service: &str) -> anyhow::Result<OperationsServiceClient<Channel>> {
        Ok(OperationsServiceClient::new(self.channel(service)?))
    }

    /// What watches how far the services are.
    pub(crate) fn watcher(&self) -> anyhow::Result<Watcher> {
        let names = self.endpoints.services.keys();
        Ok(Watcher { services: names.map(|name| self.operations(name)).collect::<anyhow::Result<_>>()? })
    }

    /// Waits until every service has folded the log up to here, and all that follows from it.
    pub(crate) async fn settled(&self, sequence: u64) -> anyhow::Result<()> {
        self.watcher()?.settled(sequence).await
    }

    /// A connection with the rights of an identity.
    pub(crate) async fn connect(&self, identity: Identity) -> anyhow::Result<Client> {
        Ok(self.seeds.connect_as(identity)?.connect(self.nats.url()).await?)
    }

    /// A connection that may do everything.
    pub(crate) async fn connect_plainly(&self) -> anyhow::Result<Client> {
        Ok(ConnectOptions::with_nkey(self.plain.seed()?).connect(self.nats.url()).await?)
    }

    /// The log, read by the bench itself.
    pub(crate) async fn log(&self) -> anyhow::Result<Log> {
        let client = self.connect(Identity::Operator).await?;
        Ok(Log::JetStream(JetStreamLog::open(client, Identity::Operator.consumers()).await?))
    }
}

/// Asks all services how far they are. Clones ask the same ones.
#[derive(Clone)]
pub(crate) struct Watcher {
    services: Vec<OperationsServiceClient<Channel>>,
}

impl Watcher {
    /// Up to where every service has folded and stored, and where the furthest of them has read to.
    pub(crate) async fn reached(&mut self) -> anyhow::Result<(u64, u64)> {
        let asked = self.services.iter_mut().map(|service| service.get_status(request(GetStatusRequest {})));
        let answers = try_join_all(asked).await?;
        let (mut least, mut end) = (u64::MAX, 0);
        for status in answers.into_iter().map(tonic::Response::into_inner) {
            least = least.min(reached(&status)?);
            end = end.max(status.followed_sequence).max(status.shard_sequence);
        }
        Ok((least, end))
    }

    /// Waits until every service has folded the log up to here, and all that follows from it.
    pub(crate) async fn settled(&mut self, sequence: u64) -> anyhow::Result<()> {
        let until = Instant::now() + SETTLED_WITHIN;
        while Instant::now() < until {
            let (reached, end) = self.reached().await?;
            if reached >= sequence.max(end).max(1) {
                return Ok(());
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
        bail!("the services are not where the log is after {} s", SETTLED_WITHIN.as_secs())
    }
}

/// Up to where a service has read, reacted, folded and stored; 0 while it does not serve, or something is due.
fn reached(status: &GetStatusResponse) -> anyhow::Result<u64> {
    if let Some(stopped) = status.read_models.iter().find(|model| !model.stopped.is_empty()) {
        bail!("{} has stopped: {}", stopped.name, stopped.stopped);
    }
    if status.state == "STOPPED" {
        bail!("{} has stopped: {}", status.service, status.reason);
    }
    // The database holds the rows of this service's own commits only.
    let is_stored = status.decision_sequence >= status.shard_sequence;
    let folded = status.read_models.iter().map(|model| model.sequence).min().unwrap_or(u64::MAX);
    let reached = status.followed_sequence.min(status.reacted_sequence).min(folded);
    let now = timestamp(system_clock()());
    let is_overdue =
        status.next_due_at.as_ref().is_some_and(|due| (due.seconds, due.nanos) <= (now.seconds, now.nanos));
    Ok(match status.state == "SERVING" && !is_overdue {
        true if is_stored => reached,
        true => reached.min(status.decision_sequence),
        false => 0,
    })
}

/// Clients for one address, enough for so many calls at once.
pub(crate) fn clients(
    url: &str,
    ca: Option<&Path>,
    in_flight: usize,
) -> anyhow::Result<Vec<IntakeServiceClient<Channel>>> {
    let connections = in_flight.div_ceil(CALLS_PER_CONNECTION).max(1);
    (0..connections).map(|_| Ok(IntakeServiceClient::new(channel(url, ca)?))).collect()
}

fn channel(url: &str, ca: Option<&Path>) -> anyhow::Result<Channel> {
    let mut endpoint = Endpoint::from_shared(url.to_owned()).context("no address")?.tcp_nodelay(true);
    if let Some(ca) = ca {
        let ca = Certificate::from_pem(std::fs::read(ca)?);
        endpoint = endpoint.tls_config(ClientTlsConfig::new().ca_certificate(ca))?;
    }
    Ok(endpoint.connect_lazy())
}

/// A request from the bench, with a deadline.
pub(crate) fn request<T>(message: T) -> Request<T> {
    let mut request = unhurried(message);
    request.set_timeout(ANSWER_WITHIN);
    request
}

/// A request from the bench that may take as long as it takes.
pub(crate) fn unhurried<T>(message: T) -> Request<T> {
    let mut request = seva_tokens::as_actor(ACTOR, message);
    seva_tokens::complete(request.metadata_mut());
    request
}

/// Runs all services in this process, as `seva serve` does, until the bench is gone.
pub(crate) async fn serve(
    nats: String,
    monitor: String,
    calls_at_once: NonZeroUsize,
    tls: bool,
    folder: PathBuf,
) -> anyhow::Result<()> {
    let shutdown = Shutdown::listen()?;
    let master_key_file = folder.join("master.key");
    let seeds = Seeds::in_folder(folder.join("seeds"));
    let authority = tls.then(Authority::new).transpose()?;
    let ca_file = authority.as_ref().map(|authority| authority.write(&folder)).transpose()?;
    let tls = authority.map(|authority| authority.issue(&folder)).transpose()?;
    let options = Options {
        services: Service::ALL.to_vec(),
        history: false,
        nats_url: nats.clone(),
        seeds: seeds.clone(),
        monitor_url: monitor.clone(),
        data: folder.join("databases"),
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        master: Some(MasterKey::from_file(&master_key_file)?),
        durability: Durability::Always,
        identity: seva_tokens::identity(),
        clock: system_clock(),
        checks_clock: true,
        payment_provider: None,
        metrics_port: 0,
        clean_after: CLEAN_AFTER,
        // One caller stands for all of a company's systems.
        ports: Settings {
            tls,
            calls_per_second: NonZeroU32::MAX,
            limits: Limits { calls_at_once, ..Limits::default() },
        },
    };
    let running = start(&options, shutdown.token()).await?;
    let services = running.services.iter().map(|(service, url)| (service.name().to_owned(), url.clone()));
    let pages = running.services.keys().map(|service| (service.name().to_owned(), running.metrics.clone()));
    let endpoints = Endpoints {
        nats,
        nats_creds: seeds.folder().to_owned(),
        monitor,
        master_key_file,
        ca_file,
        metrics: pages.collect(),
        services: services.collect(),
    };
    endpoints.write(&folder)?;
    tokio::select! {
        over = running.stopped() => over,
        () = child::orphaned() => Ok(()),
    }
}
