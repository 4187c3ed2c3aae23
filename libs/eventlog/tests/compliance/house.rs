//! A house with one log, in which the starter policy stands: where every case begins.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use seva_domain::plan::Intent;
use seva_domain::policy::STARTER;
use seva_domain::service::Service;
use seva_domain::values::At;
use seva_eventlog::jetstream::JetStreamLog;
use seva_eventlog::log::Log;
use seva_eventlog::memory::MemoryLog;
use seva_rights::Identity;
use seva_support::TestNats;

use crate::audit::Audit;
use crate::process::{Disk, Process, Setting};
use crate::submissions::submission;

/// A log of its own, and the server it stands on.
pub(crate) struct House {
    pub(crate) log: Log,
    pub(crate) nats: Option<TestNats>,
}

impl House {
    pub(crate) async fn in_memory() -> House {
        House { log: Log::Memory(MemoryLog::new(now)), nats: None }.with_policy().await
    }

    pub(crate) async fn on_jetstream() -> House {
        let nats = seva_support::nats().await;
        JetStreamLog::set_up(nats.connect(Identity::Operator).await, 1).await.unwrap();
        // Cases also write what no service may.
        let log = JetStreamLog::open(nats.connect_to_harm().await, Identity::Operator.consumers()).await;
        House { log: Log::JetStream(log.unwrap()), nats: Some(nats) }.with_policy().await
    }

    async fn with_policy(self) -> House {
        let policy = self.start(Service::Policy).await;
        let publish = Intent::Publish {
            document: STARTER.to_owned(),
            reason: "the first".to_owned(),
            expected_version: None,
        };
        policy.records(submission("the policy", publish)).await;
        self
    }

    /// The log over another connection, as another process of a service would have it.
    pub(crate) async fn another_log(&self, service: Service) -> Log {
        match &self.nats {
            Some(nats) => self.log_at(nats.addr(), service).await,
            None => self.log.clone(),
        }
    }

    /// The log as a service has it at an address of its server.
    pub(crate) async fn log_at(&self, addr: SocketAddr, service: Service) -> Log {
        let identity = Identity::Service(service);
        let options = self.nats.as_ref().unwrap().connect_as(identity);
        let client = options.connect(format!("nats://{addr}")).await.unwrap();
        Log::JetStream(JetStreamLog::open(client, identity.consumers()).await.unwrap())
    }

    /// A process of a service with a database of its own; it serves when this returns.
    pub(crate) async fn start(&self, service: Service) -> Process {
        self.start_on(service, &Disk::default(), Setting::default()).await
    }

    /// A process of a service over a database.
    pub(crate) async fn start_on(&self, service: Service, disk: &Disk, setting: Setting) -> Process {
        let process = Process::start(self.another_log(service).await, service, disk, setting).await;
        process.serves().await;
        process
    }

    /// Reads the whole log, checks what must hold in any, and runs it again.
    pub(crate) async fn audit(&self) -> Audit {
        let audit = Audit::of(&self.log).await;
        let report = seva_eventlog::simulate::run(&self.log).await.unwrap();
        assert_eq!(report.difference, None);
        assert_eq!(report.commits, self.log.end().await.unwrap());
        audit
    }
}

/// The time of this machine.
#[expect(
    clippy::disallowed_methods,
    reason = "the log and the processes of a case need some time; here is its edge"
)]
pub(crate) fn now() -> At {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    At(i64::try_from(since.as_micros()).unwrap())
}
