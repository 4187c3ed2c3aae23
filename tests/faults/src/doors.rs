//! Where the processes answer, and which life each is in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use seva_domain::service::Service;
use seva_tokens::Client;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

/// A process of a service, as its callers see it. Clones are the same door.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) name: String,
    pub(crate) service: Service,
    pub(crate) port: u16,
    pub(crate) channel: Client,
    life: Arc<AtomicU64>,
    /// The last life in which it answered.
    answered: Arc<AtomicU64>,
}

impl Door {
    /// The door of a process whose certificate this authority vouches for.
    pub(crate) fn new(name: &str, service: Service, port: u16, ca: &Certificate) -> anyhow::Result<Door> {
        let endpoint = Endpoint::from_shared(format!("https://127.0.0.1:{port}")).context("an address")?;
        let endpoint = endpoint.tls_config(ClientTlsConfig::new().ca_certificate(ca.clone()))?;
        let channel = seva_tokens::client(endpoint.tcp_nodelay(true).connect_lazy());
        let (life, answered) = Default::default();
        Ok(Door { name: name.to_owned(), service, port, channel, life, answered })
    }

    /// How often the process was started.
    pub(crate) fn life(&self) -> u64 {
        self.life.load(Ordering::SeqCst)
    }

    /// Another life begins.
    pub(crate) fn begins_again(&self) -> u64 {
        self.life.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// It answered a call made in this life.
    pub(crate) fn has_answered(&self, life: u64) {
        self.answered.fetch_max(life, Ordering::SeqCst);
    }

    /// Whether it answered in its present life.
    pub(crate) fn was_up(&self) -> bool {
        self.answered.load(Ordering::SeqCst) == self.life()
    }
}

/// Every process that takes calls.
#[derive(Clone, Debug)]
pub(crate) struct Doors {
    pub(crate) escalation: Door,
    pub(crate) feedback: Door,
    pub(crate) intake: [Door; 2],
    pub(crate) policy: Door,
    pub(crate) refunds: [Door; 2],
}

impl Doors {
    /// All of them.
    pub(crate) fn all(&self) -> [&Door; 7] {
        let ([intake_1, intake_2], [refunds_1, refunds_2]) = (&self.intake, &self.refunds);
        [intake_1, intake_2, &self.feedback, &self.policy, &self.escalation, refunds_1, refunds_2]
    }

    /// One process of a service, and another where there is one.
    pub(crate) fn of(&self, service: Service) -> [&Door; 2] {
        match service {
            Service::Escalation => [&self.escalation, &self.escalation],
            Service::Feedback => [&self.feedback, &self.feedback],
            Service::Intake => self.intake.each_ref(),
            Service::Policy => [&self.policy, &self.policy],
            Service::Refunds => self.refunds.each_ref(),
        }
    }
}
