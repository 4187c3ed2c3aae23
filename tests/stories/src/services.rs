//! Services that run in this process, and clients for them.

use std::sync::Arc;
use std::time::Duration;

use prost_types::Timestamp;
use seva::house::{self, Options, Running};
use seva_api::parse::timestamp;
use seva_api::pb::escalation::v1::escalation_service_client::EscalationServiceClient;
use seva_api::pb::feedback::v1::feedback_service_client::FeedbackServiceClient;
use seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient;
use seva_api::pb::operations::v1::operations_service_client::OperationsServiceClient;
use seva_api::pb::operations::v1::{DigestReadModelsRequest, GetStatusRequest, GetStatusResponse};
use seva_api::pb::policy::v1::policy_service_client::PolicyServiceClient;
use seva_api::pb::refunds::v1::refunds_service_client::RefundsServiceClient;
use seva_domain::service::Service;
use seva_eventlog::writer::Clock;
use seva_support::eventually;
use seva_tokens::Client;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

/// How long a folder may stay in use by what has just ended.
const PATIENCE: Duration = Duration::from_secs(20);

/// The largest answer that a client takes: a page of 1,000 long texts.
const ANSWER_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Services of one process.
pub struct Services {
    running: Running,
    shutdown: CancellationToken,
    clock: Clock,
    /// Whom its clients trust, under TLS.
    ca: Option<Certificate>,
    _data: Option<TempDir>,
}

impl Services {
    /// Starts them; what held the folder a moment ago is waited for.
    pub async fn start(options: &Options) -> Services {
        let (running, shutdown) = eventually("the services start", PATIENCE, || async {
            let shutdown = CancellationToken::new();
            match house::start(options, shutdown.clone()).await {
                Ok(running) => Some((running, shutdown)),
                Err(error) if format!("{error:#}").contains("in use") => None,
                Err(error) => panic!("the services do not start: {error:#}"),
            }
        })
        .await;
        Services { running, shutdown, clock: Arc::clone(&options.clock), ca: None, _data: None }
    }

    pub(crate) fn keeping(self, data: TempDir) -> Services {
        Services { _data: Some(data), ..self }
    }

    /// From now on clients trust this authority: what is started with a certificate needs it.
    pub fn trusting(self, ca: Option<Certificate>) -> Services {
        Services { ca, ..self }
    }

    /// Which services they are.
    pub fn names(&self) -> impl Iterator<Item = Service> {
        self.running.services.keys().copied()
    }

    /// Where a service answers: `http://127.0.0.1:port`, or `https://` under TLS.
    pub fn url(&self, service: Service) -> String {
        self.running.services.get(&service).expect("a service that runs here").clone()
    }

    /// Where the metrics are.
    pub fn metrics(&self) -> &str {
        &self.running.metrics
    }

    /// A connection of its own to a service, over which nobody in particular calls.
    pub fn connection(&self, service: Service) -> Channel {
        let mut endpoint = Endpoint::from_shared(self.url(service)).expect("a url");
        if let Some(ca) = &self.ca {
            let tls = ClientTlsConfig::new().ca_certificate(ca.clone());
            endpoint = endpoint.tls_config(tls).expect("an authority's certificate");
        }
        endpoint.connect_lazy()
    }

    /// A connection of its own to a service, over which somebody calls unless a request says who.
    pub fn channel(&self, service: Service) -> Client {
        seva_tokens::client(self.connection(service))
    }

    /// A client of intake with a connection of its own.
    pub fn intake(&self) -> IntakeServiceClient<Client> {
        IntakeServiceClient::new(self.channel(Service::Intake)).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// A client of escalation with a connection of its own.
    pub fn escalation(&self) -> EscalationServiceClient<Client> {
        EscalationServiceClient::new(self.channel(Service::Escalation))
            .max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// A client of refunds with a connection of its own.
    pub fn refunds(&self) -> RefundsServiceClient<Client> {
        RefundsServiceClient::new(self.channel(Service::Refunds)).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// A client of feedback with a connection of its own.
    pub fn feedback(&self) -> FeedbackServiceClient<Client> {
        FeedbackServiceClient::new(self.channel(Service::Feedback))
            .max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// A client of policy with a connection of its own.
    pub fn policy(&self) -> PolicyServiceClient<Client> {
        PolicyServiceClient::new(self.channel(Service::Policy)).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// What an operator asks of a service's process.
    pub fn operations(&self, service: Service) -> OperationsServiceClient<Client> {
        OperationsServiceClient::new(self.channel(service))
    }

    /// What each service says of itself.
    pub async fn statuses(&self) -> Vec<GetStatusResponse> {
        let mut statuses = Vec::new();
        for service in self.names() {
            let status = self.operations(service).get_status(GetStatusRequest {}).await;
            statuses.push(status.expect("every service says how it is").into_inner());
        }
        statuses
    }

    /// The digest of every read model of a service: name, rows, digest.
    pub async fn digests(&self, service: Service) -> Vec<(String, u64, String)> {
        let answer = self.operations(service).digest_read_models(DigestReadModelsRequest {}).await;
        let models = answer.expect("a service that serves has digests").into_inner().read_models;
        models.into_iter().map(|model| (model.name, model.rows, model.digest)).collect()
    }

    /// The end of the log, if every service serves and stands there with all it does.
    pub(crate) async fn end(&self) -> Option<u64> {
        let statuses = self.statuses().await;
        let known = statuses.iter().map(|status| status.followed_sequence.max(status.shard_sequence));
        let end = known.max()?;
        let now = timestamp((self.clock)());
        let is_past = |at: &Timestamp| (at.seconds, at.nanos) <= (now.seconds, now.nanos);
        let is_there = |status: &GetStatusResponse| {
            let models = &status.read_models;
            if let Some(stopped) = models.iter().find(|model| !model.stopped.is_empty()) {
                panic!("{}'s {} has stopped: {}", status.service, stopped.name, stopped.stopped);
            }
            assert_ne!(status.state, "STOPPED", "{} has stopped: {}", status.service, status.reason);
            status.state == "SERVING"
                && status.followed_sequence == end
                && status.reacted_sequence == end
                && !status.next_due_at.as_ref().is_some_and(is_past)
                && models.iter().all(|model| model.sequence == end)
        };
        statuses.iter().all(is_there).then_some(end)
    }

    /// Stops them in good order and waits until they have.
    pub async fn stop(self) {
        let Services { running, shutdown, .. } = self;
        shutdown.cancel();
        running.stopped().await.expect("services that are told to stop do so without a complaint");
    }
}
