//! `seva call`: any method of a running service, with JSON in and out.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor, MethodDescriptor};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{MetadataKey, MetadataMap, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use crate::args::CallArgs;
use crate::connect::{self, Bearer, Home};
use crate::{failure, json, output, reflect};

/// The most bytes that are read from standard input.
const INPUT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The answer's metadata that says it was recorded before.
const REPLAYED: &str = "seva-replayed";

/// Calls a method and prints the answer.
pub(crate) async fn run(args: CallArgs) -> anyhow::Result<ExitCode> {
    let (service, method) = split(&args.method)?;
    let bearer = Bearer::find(&args.target, connect::MANAGER)?;
    let (url, ca) = address(&args, service)?;
    let channel = connect::channel(&url, ca.as_deref())?;
    let method = reflect::method(channel.clone(), &bearer, service, method).await.context(url)?;
    if method.is_client_streaming() || method.is_server_streaming() {
        return Err(failure::usage(format!("`{}` is a stream: `seva import` sends those", method.name())));
    }
    let mut request = bearer.request(message(&method, &args.request)?);
    add_metadata(request.metadata_mut(), &args.metadata)?;
    let answer = send(channel, &method, request).await?;
    if answer.metadata().contains_key(REPLAYED) {
        output::say("recorded before: this is the same answer again");
    }
    output::print_json(&json::dynamic(answer.get_ref())?)?;
    Ok(ExitCode::SUCCESS)
}

/// Reads `SERVICE/METHOD`; the dots of `SERVICE.METHOD` are not taken apart.
fn split(text: &str) -> anyhow::Result<(&str, &str)> {
    let parts = text.trim_start_matches('/').split_once('/');
    parts
        .filter(|(service, method)| !service.is_empty() && !method.is_empty() && !method.contains('/'))
        .ok_or_else(|| {
            failure::usage(format!(
                "`{text}` is no method: write SERVICE/METHOD, such as intake/LogInteraction"
            ))
        })
}

/// Where to call, and whom to trust there: as given, else as a data folder says of that service.
fn address(args: &CallArgs, service: &str) -> anyhow::Result<(String, Option<PathBuf>)> {
    if let Some(url) = &args.endpoint {
        return Ok((url.clone(), args.target.ca.clone()));
    }
    let endpoints = Home::find(&args.target, connect::MANAGER)?.endpoints;
    match reflect::home_of(&endpoints.services, service) {
        Some(url) => Ok((url.to_owned(), endpoints.ca_file)),
        None => {
            let known: Vec<&str> = endpoints.services.keys().map(String::as_str).collect();
            Err(failure::usage(format!(
                "no running service answers to `{service}`; there are {}",
                known.join(", ")
            )))
        }
    }
}

/// The request, from the JSON given or from standard input.
fn message(method: &MethodDescriptor, given: &str) -> anyhow::Result<DynamicMessage> {
    let mut text = given.to_owned();
    if given == "-" {
        text.clear();
        std::io::stdin()
            .take(INPUT_BYTES_MAX)
            .read_to_string(&mut text)
            .context("cannot read standard input")?;
    }
    let text = if text.trim().is_empty() { "{}" } else { text.as_str() };
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = DynamicMessage::deserialize(method.input(), &mut reader).and_then(|message| {
        reader.end()?;
        Ok(message)
    });
    read.map_err(|error| failure::usage(format!("the JSON is no `{}`: {error}", method.input().full_name())))
}

fn add_metadata(map: &mut MetadataMap, pairs: &[String]) -> anyhow::Result<()> {
    for pair in pairs {
        let parsed = pair.split_once('=').and_then(|(name, value)| {
            Some((MetadataKey::from_bytes(name.as_bytes()).ok()?, MetadataValue::try_from(value).ok()?))
        });
        let (name, value) =
            parsed.ok_or_else(|| failure::usage(format!("`{pair}` is no metadata: write name=value")))?;
        map.insert(name, value);
    }
    Ok(())
}

async fn send(
    channel: Channel,
    method: &MethodDescriptor,
    request: Request<DynamicMessage>,
) -> anyhow::Result<Response<DynamicMessage>> {
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let mut client = Grpc::new(channel).max_decoding_message_size(connect::ANSWER_BYTES_MAX);
    client.ready().await?;
    Ok(client.unary(request, PathAndQuery::try_from(path)?, Dynamic { answer: method.output() }).await?)
}

/// Writes any message, and reads messages of one type learnt at run time.
struct Dynamic {
    answer: MessageDescriptor,
}

impl Codec for Dynamic {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Writer;
    type Decoder = Reader;

    fn encoder(&mut self) -> Writer {
        Writer
    }

    fn decoder(&mut self) -> Reader {
        Reader { answer: self.answer.clone() }
    }
}

struct Writer;

impl Encoder for Writer {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, item: DynamicMessage, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(buffer).map_err(|error| Status::internal(error.to_string()))
    }
}

struct Reader {
    answer: MessageDescriptor,
}

impl Decoder for Reader {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let message = DynamicMessage::decode(self.answer.clone(), buffer);
        message.map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use prost_reflect::DescriptorPool;

    use super::*;
    use crate::failure::{Exit, exit_of};

    fn log_interaction() -> MethodDescriptor {
        let pool = DescriptorPool::decode(seva_api::pb::DESCRIPTORS).unwrap();
        let service = pool.get_service_by_name("seva.intake.v1.IntakeService").unwrap();
        service.methods().find(|method| method.name() == "LogInteraction").unwrap()
    }

    /// A token that nobody looks at.
    fn nobody() -> Bearer {
        Bearer::new("none", seva_api::access::Purpose::Service).unwrap()
    }

    /// A server that nobody here wrote: health and reflection, on a free port.
    async fn server() -> Channel {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (_, health) = tonic_health::server::health_reporter();
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()
            .unwrap();
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        let router = tonic::transport::Server::builder().add_service(health).add_service(reflection);
        tokio::spawn(router.serve_with_incoming(incoming));
        connect::channel(&url, None).unwrap()
    }

    #[tokio::test]
    async fn a_method_that_was_unknown_when_this_was_built_is_called() {
        let channel = server().await;
        let method = reflect::method(channel.clone(), &nobody(), "health", "check").await.unwrap();
        let request = Request::new(message(&method, r#"{"service": ""}"#).unwrap());
        let answer = send(channel, &method, request).await.unwrap();
        assert_eq!(json::dynamic(answer.get_ref()).unwrap(), serde_json::json!({"status": "SERVING"}));
    }

    #[tokio::test]
    async fn what_a_server_refuses_and_what_it_does_not_have_end_in_their_exit_codes() {
        let channel = server().await;
        let method =
            reflect::method(channel.clone(), &nobody(), "grpc.health.v1.Health", "Check").await.unwrap();
        let request = Request::new(message(&method, r#"{"service": "refunds"}"#).unwrap());
        assert_eq!(exit_of(&send(channel.clone(), &method, request).await.unwrap_err()), Exit::NotFound);
        let error = reflect::method(channel.clone(), &nobody(), "health", "Chek").await.unwrap_err();
        assert_eq!(exit_of(&error), Exit::Usage);
        assert!(failure::explain(&error).contains("Health/Check"), "{error}");
        let nowhere = connect::channel("http://127.0.0.1:1", None).unwrap();
        assert_eq!(
            exit_of(&reflect::method(nowhere, &nobody(), "health", "Check").await.unwrap_err()),
            Exit::Unavailable
        );
    }

    #[test]
    fn a_method_is_a_service_and_a_name() {
        assert_eq!(split("intake/LogInteraction").unwrap(), ("intake", "LogInteraction"));
        assert_eq!(
            split("/seva.intake.v1.IntakeService/GetCase").unwrap(),
            ("seva.intake.v1.IntakeService", "GetCase")
        );
        for wrong in ["intake", "intake/", "/GetCase", "a/b/c"] {
            assert_eq!(exit_of(&split(wrong).unwrap_err()), Exit::Usage, "{wrong}");
        }
    }

    #[test]
    fn json_becomes_a_request_with_either_spelling_of_a_field() {
        for text in
            [r#"{"request_id": "r1", "kind": "CASE_KIND_ENQUIRY"}"#, r#"{"requestId": "r1", "kind": 1}"#]
        {
            let json = json::dynamic(&message(&log_interaction(), text).unwrap()).unwrap();
            assert_eq!(json, serde_json::json!({"request_id": "r1", "kind": "CASE_KIND_ENQUIRY"}));
        }
        assert_eq!(json::dynamic(&message(&log_interaction(), " ").unwrap()).unwrap(), serde_json::json!({}));
    }

    #[test]
    fn json_that_is_no_request_is_a_usage_error() {
        for wrong in [r#"{"requestt_id": "r1"}"#, r#"{"kind": "NICE"}"#, "{", "{} {}"] {
            assert_eq!(exit_of(&message(&log_interaction(), wrong).unwrap_err()), Exit::Usage, "{wrong}");
        }
    }

    #[test]
    fn metadata_is_name_and_value() {
        let mut map = MetadataMap::new();
        add_metadata(&mut map, &["x-trace=a=b".to_owned()]).unwrap();
        assert_eq!(map.get("x-trace").unwrap(), "a=b");
        assert!(add_metadata(&mut map, &["x-trace".to_owned()]).is_err());
        assert!(add_metadata(&mut map, &["x trace=1".to_owned()]).is_err());
    }
}
