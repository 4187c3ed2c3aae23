//! From a data folder to clients: where services listen, who asks, and how long an answer may take.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use seva_api::pb::escalation::v1::escalation_service_client::EscalationServiceClient;
use seva_api::pb::feedback::v1::feedback_service_client::FeedbackServiceClient;
use seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient;
use seva_api::pb::operations::v1::operations_service_client::OperationsServiceClient;
use seva_api::pb::refunds::v1::refunds_service_client::RefundsServiceClient;
use seva_host::endpoints::{self, Endpoints};
use seva_rights::{Identity, Seeds};
use tonic::Request;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};

use crate::args::{Creds, Target};
use crate::failure;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long an answer may take.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// The largest answer: a page of long texts.
pub(crate) const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How many rows of a list are asked for at once.
pub(crate) const PAGE_ROWS: u32 = 200;

/// The metadata that names the caller.
const ACTOR: &str = "seva-actor";

/// A running Seva, seen by one caller.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) endpoints: Endpoints,
    actor: String,
}

impl Home {
    /// The Seva that runs on the folder named, else the last demo's.
    pub(crate) fn find(target: &Target) -> anyhow::Result<Home> {
        let dir: PathBuf = match &target.at {
            Some(dir) => dir.clone(),
            None => endpoints::last()?,
        };
        Home::new(Endpoints::read(&dir)?, &target.actor)
    }

    /// A Seva whose endpoints are known.
    pub(crate) fn new(endpoints: Endpoints, actor: &str) -> anyhow::Result<Home> {
        check_actor(actor)?;
        Ok(Home { endpoints, actor: actor.to_owned() })
    }

    /// Looks at these services only, each of which has to be there; at all if none is named.
    pub(crate) fn narrow(&mut self, names: &[String]) -> anyhow::Result<()> {
        for name in names {
            self.endpoints.service(name)?;
        }
        self.endpoints.services.retain(|name, _| names.is_empty() || names.contains(name));
        Ok(())
    }

    /// A connection to the log's server, with the rights of one identity.
    pub(crate) async fn connect(
        &self,
        identity: Identity,
        creds: &Creds,
    ) -> anyhow::Result<async_nats::Client> {
        let url = &self.endpoints.nats;
        let seeds = Seeds::in_folder(creds.nats_creds.as_ref().unwrap_or(&self.endpoints.nats_creds));
        let connected = seeds.connect_as(identity)?.connect(url).await;
        connected.with_context(|| format!("no connection to {url} as {}", identity.name()))
    }

    /// A client of the intake service.
    pub(crate) fn intake(&self) -> anyhow::Result<IntakeServiceClient<Channel>> {
        Ok(IntakeServiceClient::new(self.channel("intake")?).max_decoding_message_size(ANSWER_BYTES_MAX))
    }

    /// A client of the feedback service.
    pub(crate) fn feedback(&self) -> anyhow::Result<FeedbackServiceClient<Channel>> {
        Ok(FeedbackServiceClient::new(self.channel("feedback")?).max_decoding_message_size(ANSWER_BYTES_MAX))
    }

    /// A client of the escalation service.
    pub(crate) fn escalation(&self) -> anyhow::Result<EscalationServiceClient<Channel>> {
        let channel = self.channel("escalation")?;
        Ok(EscalationServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX))
    }

    /// A client of the refunds service.
    pub(crate) fn refunds(&self) -> anyhow::Result<RefundsServiceClient<Channel>> {
        Ok(RefundsServiceClient::new(self.channel("refunds")?).max_decoding_message_size(ANSWER_BYTES_MAX))
    }

    /// A client for each service's operations, by the service's name.
    pub(crate) fn operations(&self) -> anyhow::Result<Vec<(String, OperationsServiceClient<Channel>)>> {
        let names = self.endpoints.services.keys();
        names.map(|name| Ok((name.clone(), OperationsServiceClient::new(self.channel(name)?)))).collect()
    }

    /// A request from this caller, with a deadline.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        request(message, &self.actor)
    }

    fn channel(&self, service: &str) -> anyhow::Result<Channel> {
        channel(self.endpoints.service(service)?)
    }
}

/// A connection to an address, made when it is first used.
pub(crate) fn channel(url: &str) -> anyhow::Result<Channel> {
    let endpoint = Endpoint::from_shared(url.to_owned()).with_context(|| format!("`{url}` is no address"))?;
    Ok(endpoint.connect_timeout(CONNECT_TIMEOUT).timeout(ANSWER_TIMEOUT).connect_lazy())
}

/// A request from a caller whose id was checked, with a deadline.
pub(crate) fn request<T>(message: T, actor: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(ANSWER_TIMEOUT);
    if let Ok(value) = MetadataValue::try_from(actor) {
        request.metadata_mut().insert(ACTOR, value);
    }
    request
}

/// Refuses a caller's id that services would refuse.
pub(crate) fn check_actor(actor: &str) -> anyhow::Result<()> {
    match seva_domain::values::Actor::parse(actor) {
        Some(_) => Ok(()),
        None => {
            Err(failure::usage(format!("`{actor}` is no actor: use 1 to 64 of a-z, 0-9, `-`, `_`, `.`, `:`")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_its_caller_and_has_a_deadline() {
        let request = request((), "agent-12");
        assert_eq!(request.metadata().get(ACTOR).unwrap(), "agent-12");
        assert!(request.metadata().contains_key("grpc-timeout"));
    }

    #[test]
    fn a_caller_whose_id_services_refuse_is_refused_here() {
        assert!(check_actor("agent-12").is_ok());
        assert_eq!(failure::exit_of(&check_actor("Agent 12").unwrap_err()), failure::Exit::Usage);
    }
}
