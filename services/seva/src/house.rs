//! The house: the services of one process, each with its own connection to NATS, its own database and its own port.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use futures::future::{BoxFuture, FutureExt as _, try_join_all};
use seva_api::access::{Audit, Door, Identity, Verifier};
use seva_api::edge::{Edge, Keys};
use seva_api::known::{self, Known};
use seva_api::operations::Operations;
use seva_api::pb::escalation::v1::escalation_service_server::EscalationServiceServer;
use seva_api::pb::feedback::v1::feedback_service_server::FeedbackServiceServer;
use seva_api::pb::intake::v1::intake_service_server::IntakeServiceServer;
use seva_api::pb::operations::v1::operations_service_server::OperationsServiceServer;
use seva_api::pb::policy::v1::policy_service_server::PolicyServiceServer;
use seva_api::pb::refunds::v1::refunds_service_server::RefundsServiceServer;
use seva_api::{REQUEST_BYTES_MAX, reflection};
use seva_domain::service::Service;
use seva_domain::values::At;
use seva_eventlog::follow::Own;
use seva_eventlog::jetstream::JetStreamLog;
use seva_eventlog::log::Log;
use seva_eventlog::writer::Clock;
use seva_host::nats_server::sync_always;
use seva_intake::Eraser;
use seva_readmodel::engine::{Config, Engine, EngineError};
use seva_readmodel::model::ReadModel;
use seva_refunds::Payer;
use seva_refunds::provider::PaymentProvider;
use seva_rights::{self as rights, Seeds};
use seva_vault::{MasterKey, Vault};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::ports::{self, Ports};
use crate::{health, history, metrics};

/// The build that commits name.
pub const BUILD: &str = concat!("seva-", env!("CARGO_PKG_VERSION"));

/// How long a database waits for others to be forgotten before it is cleaned, unless it is said otherwise.
pub const CLEAN_AFTER: Duration = Duration::from_secs(60 * 60);

/// What the log's server must promise before a write counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Durability {
    /// Every write is on disk before it is acknowledged: checked at start.
    Always,
    /// Writes of the last moments may be lost in a power failure.
    Relaxed,
}

impl Durability {
    /// What the status says of it.
    pub fn name(self) -> &'static str {
        match self {
            Durability::Always => "always",
            Durability::Relaxed => "relaxed",
        }
    }
}

/// What services are started with.
#[derive(Clone)]
pub struct Options {
    /// Each once.
    pub services: Vec<Service>,
    /// Whether the relay of history runs here, too: it owns no noun, so it is none of the services above.
    pub history: bool,
    /// The NATS server that holds the log.
    pub nats_url: String,
    /// What everybody connects to it with. Intake erases keys if the keeper's seed is among them.
    pub seeds: Seeds,
    /// Its monitoring page, where durability is checked.
    pub monitor_url: String,
    /// Where databases are kept.
    pub data: PathBuf,
    /// The address of the first service; further ones take the ports after it, or free ones where it is 0.
    pub listen: SocketAddr,
    /// What the keys of persons are wrapped with; history does without.
    pub master: Option<MasterKey>,
    pub durability: Durability,
    /// Whose tokens are believed.
    pub identity: Identity,
    pub clock: Clock,
    /// Whether a clock that is off the log's stops the writers.
    pub checks_clock: bool,
    /// Who pays refunds; without one, what is approved waits, and is tried again and again.
    pub payment_provider: Option<PaymentProvider>,
    /// The port of the metrics page; 0 for a free one.
    pub metrics_port: u16,
    /// How long a database waits, once somebody was forgotten, for others to be, before it is cleaned of all of them at once.
    pub clean_after: Duration,
    /// What the services' ports are opened with.
    pub ports: ports::Settings,
}

impl Options {
    /// The address of the n-th part of the house.
    pub(crate) fn listen(&self, n: u16) -> SocketAddr {
        let mut listen = self.listen;
        if listen.port() != 0 {
            listen.set_port(listen.port() + n);
        }
        listen
    }

    /// A connection of its own to the log's server.
    pub(crate) async fn connect(&self, identity: rights::Identity) -> anyhow::Result<async_nats::Client> {
        let connecting = self.seeds.connect_as(identity)?.retry_on_initial_connect();
        let connected = connecting.connect(&self.nats_url).await;
        connected.with_context(|| format!("no connection to {}", self.nats_url))
    }
}

/// The machine's clock.
#[expect(clippy::disallowed_methods, reason = "the one place where a process asks what time it is")]
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        At(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    })
}

/// Services that run in this process.
pub struct Running {
    /// Where each answers: `http://127.0.0.1:port`, or `https://` under TLS.
    pub services: BTreeMap<Service, String>,
    /// Where history answers, if it runs here.
    pub history: Option<String>,
    /// Where the metrics are.
    pub metrics: String,
    engines: Vec<BoxFuture<'static, anyhow::Result<()>>>,
    payers: Vec<JoinHandle<()>>,
    servers: Vec<JoinHandle<Result<(), tonic::transport::Error>>>,
    stop_engines: CancellationToken,
}

impl Running {
    /// Waits until the services have drained after the shutdown began, or one of them cannot go on.
    pub async fn stopped(self) -> anyhow::Result<()> {
        let Running { engines, payers, servers, stop_engines, .. } = self;
        let served = async {
            for server in try_join_all(servers).await? {
                server?;
            }
            // What is with the payment provider is written down before the writers end.
            try_join_all(payers).await?;
            Ok(())
        };
        let mut engines = try_join_all(engines);
        let result = tokio::select! {
            served = served => served,
            over = &mut engines => {
                stop_engines.cancel();
                return over.map(|_| ());
            }
        };
        stop_engines.cancel();
        engines.await?;
        result
    }
}

async fn engine_over(engine: JoinHandle<Result<(), EngineError>>) -> anyhow::Result<()> {
    engine.await?.context("a service cannot go on")
}

async fn audit_over(audit: JoinHandle<()>) -> anyhow::Result<()> {
    audit.await.context("audit records cannot be written")
}

/// Starts services. They drain when `shutdown` is cancelled.
pub async fn start(options: &Options, shutdown: CancellationToken) -> anyhow::Result<Running> {
    options.ports.check(options.listen)?;
    check_durability(options).await?;
    let verifier = Arc::new(Verifier::open(&options.identity, (options.clock)()).await?);
    let stop_engines = CancellationToken::new();
    let mut page = seva_host::metrics::Metrics::default();
    let ports = Ports::new(&options.ports, page.registry(), stop_engines.clone())?;
    let gauges = metrics::Gauges::register(page.registry());
    let own = Own::default();
    let mut running = Running {
        services: BTreeMap::new(),
        history: None,
        metrics: String::new(),
        engines: Vec::new(),
        payers: Vec::new(),
        servers: Vec::new(),
        stop_engines: stop_engines.clone(),
    };
    let mut known = None;
    for (n, service) in (0_u16..).zip(&options.services) {
        let listen = options.listen(n);
        let part = Part {
            service: *service,
            listen,
            options,
            verifier: &verifier,
            ports: &ports,
            stop: &stop_engines,
            own: &own,
            known: known.clone(),
        };
        let started = part.start(shutdown.clone(), &gauges).await;
        let Started { url, engine, known: holds, audit, payer, server } =
            started.with_context(|| format!("{} did not start", service.name()))?;
        known = known.or(holds);
        running.services.insert(*service, url);
        running.engines.push(engine_over(engine).boxed());
        running.engines.push(audit_over(audit).boxed());
        running.payers.extend(payer);
        running.servers.push(server);
    }
    if options.history {
        let part = history::Part {
            options,
            verifier: &verifier,
            own: &own,
            ports: &ports,
            gauges: &gauges,
            stop: &stop_engines,
        };
        let started = part.start(shutdown).await.context("history did not start")?;
        let history::Started { url, relay, audit, server } = started;
        running.history = Some(url);
        running.engines.push(relay);
        running.engines.push(audit_over(audit).boxed());
        running.servers.push(server);
    }
    let page = page.bind(options.metrics_port).await?;
    running.metrics = page.url();
    let until = stop_engines.clone();
    tokio::spawn(async move {
        if let Err(error) = page.serve(until).await {
            tracing::warn!(%error, "the metrics page has ended");
        }
    });
    Ok(running)
}

async fn check_durability(options: &Options) -> anyhow::Result<()> {
    if options.durability == Durability::Relaxed {
        tracing::warn!("durability is relaxed: acknowledged writes may be lost in a power failure");
        return Ok(());
    }
    let how =
        "start nats-server with `sync_interval: always` and a monitoring port, or say `--durability relaxed`";
    match sync_always(&options.monitor_url).await {
        Ok(true) => Ok(()),
        Ok(false) => bail!("the log's server acknowledges writes before they are on disk: {how}"),
        Err(error) => Err(error).with_context(|| format!("whether the log is durable cannot be told: {how}")),
    }
}

/// One service to be started.
struct Part<'a> {
    service: Service,
    listen: SocketAddr,
    options: &'a Options,
    verifier: &'a Arc<Verifier>,
    ports: &'a Ports,
    stop: &'a CancellationToken,
    /// The commits made in this process.
    own: &'a Own,
    /// The engine that holds what is known of cases and customers, once there is one.
    known: Option<Engine>,
}

/// One service that was started.
struct Started {
    url: String,
    engine: JoinHandle<Result<(), EngineError>>,
    /// Its engine, if that holds what is known of cases and customers.
    known: Option<Engine>,
    audit: JoinHandle<()>,
    payer: Option<JoinHandle<()>>,
    server: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Part<'_> {
    async fn start(self, shutdown: CancellationToken, gauges: &metrics::Gauges) -> anyhow::Result<Started> {
        let Part { service, listen, options, verifier, ports, stop, own, known } = self;
        let identity = rights::Identity::Service(service);
        let client = options.connect(identity).await?;
        let log = JetStreamLog::open(client.clone(), identity.consumers()).await?;
        let master = options.master.clone().context("a service needs the master key")?;
        let context = async_nats::jetstream::new(client);
        // Persons are intake's: whoever else forgot one would forget without its knowing.
        let keeper = match service == Service::Intake && options.seeds.holds(rights::Identity::Keeper) {
            true => Some(async_nats::jetstream::new(options.connect(rights::Identity::Keeper).await?)),
            false => None,
        };
        let vault = Vault::connect(context.clone(), keeper, master).await?;
        let clock = Arc::clone(&options.clock);
        let (audit, writing) = Audit::open(context, service.name(), clock, stop.clone()).await?;
        let door = Door::new(Arc::clone(verifier), audit.clone(), Arc::clone(&options.clock));
        let (to_payer, payments) = mpsc::channel(seva_refunds::WAITING_MAX);
        let provider = options.payment_provider.clone().filter(|_| service == Service::Refunds);
        let keys = Keys::new(vault);
        let holds_known = known.is_none() && known::is_asked_by(service);
        let mut models = models(service);
        if holds_known {
            models.push(Arc::new(Known));
        }
        let config = Config {
            payments: provider.is_some().then_some(to_payer),
            service,
            log: Log::JetStream(log),
            folder: Some(options.data.join(service.name())),
            models,
            clock: Arc::clone(&options.clock),
            build: BUILD.to_owned(),
            checks_clock: options.checks_clock,
            own: own.clone(),
            heed: Some(keys.heed()),
            clean_after: options.clean_after,
        };
        let (engine, task) = Engine::start(config, stop.clone().cancelled_owned())?;
        let knows = known.unwrap_or_else(|| engine.clone());
        let edge = Edge::new(engine.clone(), knows, keys, audit, Arc::clone(&options.clock));
        if service == Service::Intake {
            tokio::spawn(Eraser::new(edge.clone()).run(stop.clone()));
        }
        let payer = provider
            .map(|provider| tokio::spawn(Payer::new(edge.clone(), provider).run(payments, shutdown.clone())));
        if service == Service::Policy {
            let edge = edge.clone();
            tokio::spawn(async move {
                if let Err(error) = seva_policy::publish_starter(&edge).await {
                    tracing::error!(%error, "the starter policy was not published");
                }
            });
        }
        let operations = Operations::new(engine.clone(), options.durability.name(), BUILD.to_owned());
        let (reporter, health_service) = tonic_health::server::health_reporter();
        tokio::spawn(health::follow(engine.clone(), reporter, shutdown.clone()));
        tokio::spawn(gauges.clone().follow(engine.clone(), stop.clone()));
        let name = health::service_name(service);
        let told = [name, "seva.operations.v1.OperationsService"];
        let routes = routes(service, edge)
            .add_service(
                OperationsServiceServer::new(operations).max_decoding_message_size(REQUEST_BYTES_MAX),
            )
            .add_service(health_service)
            .add_service(reflection::service(&told)?)
            .add_service(reflection::service_v1alpha(&told)?);
        let (listener, url) = ports.open(listen).await?;
        let server = tokio::spawn(ports.serve(listener, routes, door, shutdown));
        tracing::info!(service = service.name(), url, "listening");
        let known = holds_known.then_some(engine);
        Ok(Started { url, engine: task, known, audit: tokio::spawn(writing), payer, server })
    }
}

fn models(service: Service) -> Vec<Arc<dyn ReadModel>> {
    match service {
        Service::Escalation => seva_escalation::read_models::all(),
        Service::Feedback => seva_feedback::read_models::all(),
        Service::Intake => seva_intake::read_models::all(),
        Service::Policy => seva_policy::read_models::all(),
        Service::Refunds => seva_refunds::read_models::all(),
    }
}

/// A service's own methods. No message is taken apart that is longer than a request may be.
fn routes(service: Service, edge: Edge) -> Routes {
    let max = REQUEST_BYTES_MAX;
    match service {
        Service::Escalation => {
            let methods = EscalationServiceServer::new(seva_escalation::Escalations::new(edge));
            Routes::new(methods.max_decoding_message_size(max))
        }
        Service::Feedback => {
            let methods = FeedbackServiceServer::new(seva_feedback::Feedback::new(edge));
            Routes::new(methods.max_decoding_message_size(max))
        }
        Service::Intake => {
            let methods = IntakeServiceServer::new(seva_intake::Intake::new(edge));
            Routes::new(methods.max_decoding_message_size(max))
        }
        Service::Policy => {
            let methods = PolicyServiceServer::new(seva_policy::Policy::new(edge));
            Routes::new(methods.max_decoding_message_size(max))
        }
        Service::Refunds => {
            let methods = RefundsServiceServer::new(seva_refunds::Refunds::new(edge));
            Routes::new(methods.max_decoding_message_size(max))
        }
    }
}
