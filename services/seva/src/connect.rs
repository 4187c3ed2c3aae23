//! From a data folder to clients: where services listen, who asks, and how long an answer may take.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use seva_api::access::{AUTHORIZATION, PURPOSE_KEY, Purpose};
use seva_api::pb::escalation::v1::escalation_service_client::EscalationServiceClient;
use seva_api::pb::feedback::v1::feedback_service_client::FeedbackServiceClient;
use seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient;
use seva_api::pb::operations::v1::operations_service_client::OperationsServiceClient;
use seva_api::pb::refunds::v1::refunds_service_client::RefundsServiceClient;
use seva_host::endpoints::{self, Endpoints};
use seva_rights::{Identity, Seeds};
use tonic::Request;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::args::{Creds, Target};
use crate::demo::IDENTITY;
use crate::failure;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long an answer may take.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// The largest answer: a page of long texts.
pub(crate) const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How many rows of a list are asked for at once.
pub(crate) const PAGE_ROWS: u32 = 200;

/// The folder of tokens in a folder of identities: one `NAME.token` each.
pub(crate) const TOKENS: &str = "tokens";

/// For whom the demo keeps tokens that verbs use by themselves.
pub(crate) const IMPORTER: &str = "importer";
pub(crate) const MANAGER: &str = "manager";
pub(crate) const OPERATOR: &str = "operator";

/// Who calls, and what for: goes along with every request.
#[derive(Clone, Debug)]
pub(crate) struct Bearer {
    authorization: AsciiMetadataValue,
    purpose: AsciiMetadataValue,
}

impl Bearer {
    /// Whoever a token names.
    pub(crate) fn new(token: &str, purpose: Purpose) -> anyhow::Result<Bearer> {
        let mut authorization = AsciiMetadataValue::try_from(format!("Bearer {}", token.trim()))
            .map_err(|_| failure::usage("the token is no text that can be sent"))?;
        authorization.set_sensitive(true);
        Ok(Bearer { authorization, purpose: AsciiMetadataValue::from_static(purpose.code()) })
    }

    /// The token that the demo keeps for whoever is named, else that of the file given, else the one kept for `usual`.
    pub(crate) fn find(target: &Target, usual: &str) -> anyhow::Result<Bearer> {
        let file = match (&target.actor, &target.token_file) {
            (None, Some(file)) => file.clone(),
            (actor, _) => kept(&folder(target)?, actor.as_deref().unwrap_or(usual))?,
        };
        Bearer::read(&file, target.purpose)
    }

    fn read(file: &Path, purpose: Purpose) -> anyhow::Result<Bearer> {
        let how =
            "name the file of a token with --token-file FILE or SEVA_TOKEN_FILE; `seva token` makes one";
        let token = std::fs::read_to_string(file)
            .map_err(|error| failure::usage(format!("{} cannot be read ({error}): {how}", file.display())))?;
        Bearer::new(&token, purpose)
    }

    /// A request from this caller, with a deadline.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(ANSWER_TIMEOUT);
        self.stamp(request.metadata_mut());
        request
    }

    /// Says in a request's metadata who calls, and what for.
    pub(crate) fn stamp(&self, metadata: &mut MetadataMap) {
        metadata.insert(AUTHORIZATION, self.authorization.clone());
        metadata.insert(PURPOSE_KEY, self.purpose.clone());
    }
}

/// Where the Seva is that a verb looks at.
pub(crate) fn endpoints(target: &Target) -> anyhow::Result<Endpoints> {
    Ok(Endpoints::read(&folder(target)?)?)
}

/// A connection to the log's server of the Seva that a verb looks at, with the rights of one identity.
pub(crate) async fn nats(
    target: &Target,
    creds: &Creds,
    identity: Identity,
) -> anyhow::Result<async_nats::Client> {
    let Endpoints { nats: url, nats_creds, .. } = endpoints(target)?;
    let seeds = Seeds::in_folder(creds.nats_creds.as_ref().unwrap_or(&nats_creds));
    let connected = seeds.connect_as(identity)?.connect(&url).await;
    connected.with_context(|| format!("no connection to {url} as {}", identity.name()))
}

/// The folder that a verb looks at.
fn folder(target: &Target) -> anyhow::Result<PathBuf> {
    Ok(match &target.at {
        Some(dir) => dir.clone(),
        None => endpoints::last()?,
    })
}

/// The file of a token that the demo keeps.
fn kept(dir: &Path, name: &str) -> anyhow::Result<PathBuf> {
    match seva_domain::values::Actor::parse(name) {
        Some(_) => Ok(dir.join(IDENTITY).join(TOKENS).join(format!("{name}.token"))),
        None => {
            Err(failure::usage(format!("`{name}` is no actor: use 1 to 64 of a-z, 0-9, `-`, `_`, `.`, `:`")))
        }
    }
}

/// A running Seva, seen by one caller.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) endpoints: Endpoints,
    dir: PathBuf,
    bearer: Bearer,
}

impl Home {
    /// The Seva that runs on the folder named, else the last demo's; seen by whoever the command line names, else by `usual`.
    pub(crate) fn find(target: &Target, usual: &str) -> anyhow::Result<Home> {
        let dir = folder(target)?;
        let mut endpoints = Endpoints::read(&dir)?;
        endpoints.ca_file = target.ca.clone().or(endpoints.ca_file);
        Ok(Home { endpoints, bearer: Bearer::find(target, usual)?, dir })
    }

    /// A Seva whose endpoints are known, with tokens in its folder.
    pub(crate) fn new(endpoints: Endpoints, dir: &Path, actor: &str) -> anyhow::Result<Home> {
        let bearer = Bearer::read(&kept(dir, actor)?, Purpose::Service)?;
        Ok(Home { endpoints, bearer, dir: dir.to_owned() })
    }

    /// A request of somebody whose token is kept.
    pub(crate) fn request_by<T>(&self, actor: &str, message: T) -> anyhow::Result<Request<T>> {
        Ok(Bearer::read(&kept(&self.dir, actor)?, Purpose::Service)?.request(message))
    }

    /// Looks at these services only, each of which has to be there; at all if none is named.
    pub(crate) fn narrow(&mut self, names: &[String]) -> anyhow::Result<()> {
        for name in names {
            self.endpoints.service(name)?;
        }
        self.endpoints.services.retain(|name, _| names.is_empty() || names.contains(name));
        Ok(())
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
        self.bearer.request(message)
    }

    fn channel(&self, service: &str) -> anyhow::Result<Channel> {
        channel(self.endpoints.service(service)?, self.endpoints.ca_file.as_deref())
    }
}

/// How a server is reached: an `https` address needs the certificate of the authority that vouches for it.
pub(crate) fn endpoint(url: &str, ca: Option<&Path>) -> anyhow::Result<Endpoint> {
    let endpoint = Endpoint::from_shared(url.to_owned())
        .map_err(|_| failure::usage(format!("`{url}` is no address such as https://127.0.0.1:7001")))?;
    let endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT);
    if endpoint.uri().scheme_str() != Some("https") {
        return Ok(endpoint);
    }
    let Some(ca) = ca else {
        return Err(failure::usage(format!(
            "whom to trust at {url} is not known: name the authority's certificate with --ca FILE"
        )));
    };
    let pem = fs::read(ca).with_context(|| format!("{} cannot be read", ca.display()))?;
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
    endpoint.tls_config(tls).with_context(|| format!("{} is no certificate in PEM", ca.display()))
}

/// A connection to an address, made when it is first used.
pub(crate) fn channel(url: &str, ca: Option<&Path>) -> anyhow::Result<Channel> {
    Ok(endpoint(url, ca)?.timeout(ANSWER_TIMEOUT).connect_lazy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_carries_its_callers_token_a_purpose_and_a_deadline() {
        let request = Bearer::new("abc.def.ghi\n", Purpose::Refund).unwrap().request(());
        assert_eq!(request.metadata().get(AUTHORIZATION).unwrap(), "Bearer abc.def.ghi");
        assert_eq!(request.metadata().get(PURPOSE_KEY).unwrap(), "refund");
        assert!(request.metadata().contains_key("grpc-timeout"));
        assert!(!format!("{request:?}").contains("abc"), "a token is never printed");
    }

    #[test]
    fn nobody_is_named_by_a_path() {
        let dir = Path::new("/data");
        assert_eq!(kept(dir, "agent-12").unwrap(), Path::new("/data/identity/tokens/agent-12.token"));
        assert_eq!(failure::exit_of(&kept(dir, "../agent").unwrap_err()), failure::Exit::Usage);
    }

    #[test]
    fn an_address_under_tls_needs_somebody_to_trust() {
        assert!(endpoint("http://127.0.0.1:7001", None).is_ok());
        let error = endpoint("https://127.0.0.1:7001", None).unwrap_err();
        assert_eq!(failure::exit_of(&error), failure::Exit::Usage);
        assert!(error.to_string().contains("--ca FILE"), "{error}");
        let missing = endpoint("https://127.0.0.1:7001", Some(Path::new("/nowhere/ca.pem"))).unwrap_err();
        assert!(missing.to_string().contains("/nowhere/ca.pem"), "{missing}");
    }
}
