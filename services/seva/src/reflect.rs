//! What a running service says about itself: its methods and their messages, by gRPC server reflection.

use prost::Message as _;
use prost_reflect::{DescriptorPool, MethodDescriptor};
use prost_types::FileDescriptorProto;
use std::collections::{BTreeMap, BTreeSet};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::connect::Bearer;
use crate::failure;

/// The most files that one service's description may take.
const FILES_MAX: usize = 256;

/// Finds a method on a server by the names a person would use for it.
pub(crate) async fn method(
    channel: Channel,
    bearer: &Bearer,
    service: &str,
    method: &str,
) -> anyhow::Result<MethodDescriptor> {
    let mut reflection = Reflection { client: ServerReflectionClient::new(channel), bearer };
    let listed = reflection.services().await?;
    let mut methods = Vec::new();
    for name in candidates(&listed, service) {
        let pool = reflection.describe(name).await?;
        let Some(found) = pool.get_service_by_name(name) else { continue };
        if let Some(found) = found.methods().find(|one| one.name().eq_ignore_ascii_case(method)) {
            return Ok(found);
        }
        methods.extend(found.methods().map(|one| format!("{}/{}", found.name(), one.name())));
    }
    if methods.is_empty() {
        return Err(failure::usage(format!(
            "there is no service `{service}`; there are {}",
            listed.join(", ")
        )));
    }
    Err(failure::usage(format!("there is no method `{method}`; there are {}", methods.join(", "))))
}

/// The service of a data folder that a service's name points to: `intake` for `intake`, `IntakeService` and
/// `seva.intake.v1.IntakeService`; for what every service answers, the first there is.
pub(crate) fn home_of<'a>(services: &'a BTreeMap<String, String>, service: &str) -> Option<&'a str> {
    let short = short(service);
    if let Some((_, url)) = services.iter().find(|(name, _)| name.eq_ignore_ascii_case(&short)) {
        return Some(url);
    }
    let everywhere = ["operations", "health", "serverreflection"].contains(&short.as_str());
    if everywhere { services.values().next().map(String::as_str) } else { None }
}

/// The services on a server that a name may mean, the best first: the one with that full name, or those with that last
/// name; after a short name, all the others, so that `intake/GetStatus` finds what every service answers.
fn candidates<'a>(listed: &'a [String], service: &str) -> Vec<&'a str> {
    if let Some(exact) = listed.iter().find(|name| name.eq_ignore_ascii_case(service)) {
        return vec![exact];
    }
    if service.contains('.') {
        return Vec::new();
    }
    let wanted = short(service);
    let (meant, others): (Vec<&str>, Vec<&str>) =
        listed.iter().map(String::as_str).partition(|name| short(name) == wanted);
    match (meant.is_empty(), service.to_ascii_lowercase().ends_with("service")) {
        (_, false) => [meant, others].concat(),
        (_, true) => meant,
    }
}

/// A service's name without package and `Service`, in lower case.
fn short(service: &str) -> String {
    let last = service.rsplit('.').next().unwrap_or(service).to_ascii_lowercase();
    last.strip_suffix("service").map_or_else(|| last.clone(), str::to_owned)
}

struct Reflection<'a> {
    client: ServerReflectionClient<Channel>,
    bearer: &'a Bearer,
}

impl Reflection<'_> {
    /// The full names of all services, in the server's order.
    async fn services(&mut self) -> anyhow::Result<Vec<String>> {
        match self.ask(MessageRequest::ListServices(String::new())).await? {
            MessageResponse::ListServicesResponse(list) => {
                Ok(list.service.into_iter().map(|one| one.name).collect())
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Everything that is needed to speak to a service.
    async fn describe(&mut self, service: &str) -> anyhow::Result<DescriptorPool> {
        let mut files = Vec::new();
        let mut known = BTreeSet::new();
        let mut missing = BTreeSet::new();
        let mut question = MessageRequest::FileContainingSymbol(service.to_owned());
        loop {
            for file in self.files(question).await? {
                if known.insert(file.name().to_owned()) {
                    missing.extend(file.dependency.iter().cloned());
                    files.push(file);
                }
            }
            missing.retain(|name| !known.contains(name));
            let Some(next) = missing.pop_first() else { break };
            anyhow::ensure!(files.len() < FILES_MAX, "{service} is described in more than {FILES_MAX} files");
            question = MessageRequest::FileByFilename(next);
        }
        let mut pool = DescriptorPool::new();
        pool.add_file_descriptor_protos(files)?;
        Ok(pool)
    }

    /// The files that an answer brings. A server need not know those that come with protobuf itself.
    async fn files(&mut self, question: MessageRequest) -> anyhow::Result<Vec<FileDescriptorProto>> {
        let built_in = match &question {
            MessageRequest::FileByFilename(name) => DescriptorPool::global().get_file_by_name(name),
            _ => None,
        };
        if let Some(file) = built_in {
            return Ok(vec![file.file_descriptor_proto().clone()]);
        }
        match self.ask(question).await? {
            MessageResponse::FileDescriptorResponse(found) => {
                let files = found.file_descriptor_proto.iter();
                Ok(files
                    .map(|bytes| FileDescriptorProto::decode(bytes.as_slice()))
                    .collect::<Result<_, _>>()?)
            }
            other => Err(unexpected(&other)),
        }
    }

    /// One question, one answer, on a stream of its own: a server ends the stream at the first that it cannot answer.
    async fn ask(&mut self, question: MessageRequest) -> anyhow::Result<MessageResponse> {
        let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
        let stream = self.bearer.request(tokio_stream::once(request));
        let mut answers = self.client.server_reflection_info(stream).await?.into_inner();
        let answer = answers.message().await?.and_then(|answer| answer.message_response);
        answer.ok_or_else(|| Status::new(Code::Internal, "the server gave no answer about itself").into())
    }
}

fn unexpected(answer: &MessageResponse) -> anyhow::Error {
    match answer {
        MessageResponse::ErrorResponse(error) => {
            Status::new(Code::from(error.error_code), error.error_message.clone()).into()
        }
        _ => anyhow::anyhow!("the server answered another question about itself"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed() -> Vec<String> {
        ["grpc.health.v1.Health", "seva.intake.v1.IntakeService", "seva.operations.v1.OperationsService"]
            .map(str::to_owned)
            .into()
    }

    #[test]
    fn a_service_is_found_by_full_last_and_short_name() {
        let listed = listed();
        for name in ["seva.intake.v1.IntakeService", "IntakeService", "intakeservice", "intake", "Intake"] {
            assert_eq!(candidates(&listed, name).first(), Some(&"seva.intake.v1.IntakeService"), "{name}");
        }
        assert_eq!(candidates(&listed, "IntakeService").len(), 1);
        assert_eq!(candidates(&listed, "Health").first(), Some(&"grpc.health.v1.Health"));
    }

    #[test]
    fn a_short_name_also_reaches_what_every_service_answers() {
        assert!(candidates(&listed(), "intake").contains(&"seva.operations.v1.OperationsService"));
        assert!(candidates(&listed(), "refunds").contains(&"seva.operations.v1.OperationsService"));
    }

    #[test]
    fn a_wrong_full_name_means_nothing() {
        assert!(candidates(&listed(), "seva.intake.v2.IntakeService").is_empty());
        assert!(candidates(&listed(), "RefundsService").is_empty());
    }

    #[test]
    fn a_name_points_to_the_process_that_serves_it() {
        let urls = [("feedback", "http://127.0.0.1:2"), ("intake", "http://127.0.0.1:1")];
        let services: BTreeMap<String, String> =
            urls.map(|(name, url)| (name.to_owned(), url.to_owned())).into();
        assert_eq!(home_of(&services, "seva.intake.v1.IntakeService"), Some("http://127.0.0.1:1"));
        assert_eq!(home_of(&services, "IntakeService"), Some("http://127.0.0.1:1"));
        assert_eq!(home_of(&services, "feedback"), Some("http://127.0.0.1:2"));
        assert_eq!(home_of(&services, "OperationsService"), Some("http://127.0.0.1:2"));
        assert_eq!(home_of(&services, "grpc.health.v1.Health"), Some("http://127.0.0.1:2"));
        assert_eq!(home_of(&services, "refunds"), None);
    }
}
