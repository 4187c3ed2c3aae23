//! The house of one test: a nats-server, all services in this process, and further processes of a service if the test wants them.

use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use seva::house::{Durability, Options};
use seva::ports::Settings;
use seva_domain::service::Service;
use seva_host::tls::Files;
use seva_refunds::provider::PaymentProvider;
use seva_rights::Identity;
use seva_support::{TestNats, eventually, nats};
use seva_vault::MasterKey;
use tempfile::TempDir;
use tonic::transport::Certificate;

use crate::clock::TestClock;
use crate::log::Recorded;
use crate::services::Services;

/// How long anything may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(60);

/// The master key of every test's house.
pub const MASTER: [u8; 32] = [7; 32];

/// A house. It can be used like the [`Services`] it runs.
pub struct House {
    // Dropped in this order: who uses a thing before the thing.
    services: Option<Services>,
    options: Options,
    ca: Option<Certificate>,
    clock: TestClock,
    data: TempDir,
    nats: TestNats,
}

impl Deref for House {
    type Target = Services;

    fn deref(&self) -> &Services {
        self.services.as_ref().expect("the services run, except while they restart")
    }
}

impl House {
    /// Starts all services over an empty log, and waits until they serve by the starter policy. Refunds are paid by nobody.
    pub async fn start() -> House {
        House::paid_by(None).await
    }

    /// The same, with ports under TLS whose certificate this authority vouches for.
    pub async fn under_tls(certificate: Files, ca: Certificate) -> House {
        let ports = Settings { tls: Some(certificate), ..Settings::default() };
        House::with(None, ports, Some(ca)).await
    }

    /// The same, with a payment provider for refunds.
    pub async fn paid_by(provider: Option<PaymentProvider>) -> House {
        House::with(provider, Settings::default(), None).await
    }

    async fn with(provider: Option<PaymentProvider>, ports: Settings, ca: Option<Certificate>) -> House {
        let clock = TestClock::default();
        let nats = nats().await;
        seva::nats::set_up(&nats.url(), nats.seeds(), 1).await.expect("the operator makes the streams");
        let data = tempfile::tempdir().expect("a temporary folder");
        let options = Options {
            services: Service::ALL.to_vec(),
            history: false,
            nats_url: nats.url(),
            seeds: nats.seeds().clone(),
            monitor_url: nats.monitor_url(),
            data: data.path().to_owned(),
            listen: ([127, 0, 0, 1], 0).into(),
            master: Some(MasterKey::from_bytes(MASTER)),
            durability: Durability::Always,
            identity: seva_tokens::identity(),
            clock: clock.clock(),
            checks_clock: false,
            payment_provider: provider,
            metrics_port: 0,
            clean_after: Duration::ZERO,
            ports,
        };
        let services = Services::start(&options).await.trusting(ca.clone());
        let house = House { services: Some(services), options, ca, clock, data, nats };
        house.settled().await;
        house
    }

    /// The clock of all its services.
    pub fn clock(&self) -> &TestClock {
        &self.clock
    }

    /// Where the databases are: a folder a service.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// The nats-server.
    pub fn nats(&self) -> &TestNats {
        &self.nats
    }

    /// What its services are started with; for a process of one's own, on other ports and in another folder.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The log as it stands now.
    pub async fn log(&self) -> Recorded {
        Recorded::read(self.nats.connect(Identity::Operator).await).await
    }

    /// A second process of one service: its own database and port, the same log.
    pub async fn second(&self, service: Service) -> Services {
        self.process(&[service]).await
    }

    /// A further process of some services.
    pub async fn process(&self, services: &[Service]) -> Services {
        let data = tempfile::tempdir().expect("a temporary folder");
        let options =
            Options { services: services.to_vec(), data: data.path().to_owned(), ..self.options.clone() };
        let second = Services::start(&options).await.trusting(self.ca.clone()).keeping(data);
        self.settled_with(&[&second]).await;
        second
    }

    /// Waits until every service has read, reacted to and folded all there is, and what was due has happened. Answers the log's last sequence.
    pub async fn settled(&self) -> u64 {
        self.settled_with(&[]).await
    }

    /// [`House::settled`], together with further processes.
    pub async fn settled_with(&self, others: &[&Services]) -> u64 {
        // 0 for none: a log that services serve by has a policy at least.
        let before = &AtomicU64::new(0);
        let mut all = vec![&**self];
        all.extend(others);
        let all = &all;
        eventually("all services at the end of the log, twice", PATIENCE, || async move {
            let mut end = None;
            for services in all {
                let this = services.end().await;
                if this.is_none() || end.is_some_and(|end| Some(end) != this) {
                    before.store(0, Ordering::Relaxed);
                    return None;
                }
                end = this;
            }
            let last = before.swap(end.unwrap_or(0), Ordering::Relaxed);
            end.filter(|end| *end == last)
        })
        .await
    }

    /// Stops all services and starts them again on the databases they left. Their addresses change.
    pub async fn restart_services(&mut self) {
        self.stop_services().await;
        self.services = Some(Services::start(&self.options).await.trusting(self.ca.clone()));
        self.settled().await;
    }

    /// Stops all services; `start_services` or `restart_services` begins them again.
    pub async fn stop_services(&mut self) {
        if let Some(services) = self.services.take() {
            services.stop().await;
        }
    }

    /// From the next start on, refunds are paid by this provider.
    pub fn pays_by(&mut self, provider: PaymentProvider) {
        self.options.payment_provider = Some(provider);
    }

    /// Starts the services after [`House::stop_services`].
    pub async fn start_services(&mut self) {
        self.restart_services().await;
    }

    /// Stops nats-server and starts it again on the same store and ports.
    pub async fn restart_nats(&mut self) {
        self.nats.restart().await.expect("nats-server starts again");
        self.settled().await;
    }

    /// Stops everything, lets something happen to what nats-server stored, and starts it all again.
    pub async fn while_stopped(&mut self, happen: impl FnOnce(&Path)) {
        self.stop_services().await;
        self.nats.stop().await.expect("nats-server stops");
        happen(self.nats.folder());
        self.nats.restart().await.expect("nats-server starts again");
        self.start_services().await;
    }

    /// Kills nats-server as a crash would, and starts it again.
    pub async fn crash_nats(&mut self) {
        self.nats.kill9().await.expect("nats-server can be killed");
        self.restart_nats().await;
    }

    /// Stops everything in good order.
    pub async fn stop(mut self) {
        self.stop_services().await;
        self.nats.stop().await.expect("nats-server stops");
    }
}
