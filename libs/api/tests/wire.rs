//! What a caller is told over the wire, whatever it sends.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use prost::Message as _;
use prost::bytes::Bytes;
use seva_api::pb::policy::v1::policy_service_client::PolicyServiceClient;
use seva_api::pb::policy::v1::policy_service_server::{PolicyService, PolicyServiceServer};
use seva_api::pb::policy::v1::{
    CheckPolicyRequest, CheckPolicyResponse, GetPolicyRequest, GetPolicyResponse, ListPolicyVersionsRequest,
    ListPolicyVersionsResponse, PublishPolicyRequest, PublishPolicyResponse,
};
use seva_api::status::{self, Error};
use seva_api::{REQUEST_BYTES_MAX, reflection};
use seva_support::RawCodec;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

/// Answers what each test needs and refuses the rest.
struct Policies;

#[tonic::async_trait]
impl PolicyService for Policies {
    async fn publish_policy(
        &self,
        _: Request<PublishPolicyRequest>,
    ) -> Result<Response<PublishPolicyResponse>, Status> {
        Err(Error::Stale { current_rev: 4 }.into())
    }

    async fn check_policy(
        &self,
        _: Request<CheckPolicyRequest>,
    ) -> Result<Response<CheckPolicyResponse>, Status> {
        Ok(Response::new(CheckPolicyResponse::default()))
    }

    async fn get_policy(&self, _: Request<GetPolicyRequest>) -> Result<Response<GetPolicyResponse>, Status> {
        // Longer than any request may be.
        let document = "x".repeat(2 * REQUEST_BYTES_MAX);
        Ok(Response::new(GetPolicyResponse { document, ..GetPolicyResponse::default() }))
    }

    async fn list_policy_versions(
        &self,
        _: Request<ListPolicyVersionsRequest>,
    ) -> Result<Response<ListPolicyVersionsResponse>, Status> {
        Err(Error::Internal("never told".into()).into())
    }
}

/// A server for one test; it ends with the set.
async fn serve() -> (Channel, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr: SocketAddr = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        Server::builder()
            .layer(tower::util::MapResponseLayer::new(status::complete_response))
            .add_service(PolicyServiceServer::new(Policies))
            .add_service(reflection::service(&["seva.policy.v1.PolicyService"]).unwrap())
            .add_service(tonic_health::server::health_reporter().1)
            .serve_with_incoming(TcpListenerStream::new(listener))
            .await
            .unwrap();
    });
    let channel = Channel::from_shared(format!("http://{addr}")).unwrap().connect().await.unwrap();
    (channel, tasks)
}

/// Calls a method with messages that are these bytes; what it was refused with.
async fn refused(path: &'static str, messages: Vec<Bytes>) -> Status {
    let (channel, _server) = serve().await;
    let mut client = tonic::client::Grpc::new(channel).max_encoding_message_size(usize::MAX);
    client.ready().await.unwrap();
    let request = Request::new(tokio_stream::iter(messages));
    match client.streaming(request, PathAndQuery::from_static(path), RawCodec).await {
        Err(status) => status,
        Ok(answer) => answer.into_inner().message().await.unwrap_err(),
    }
}

const CHECK: &str = "/seva.policy.v1.PolicyService/CheckPolicy";

#[track_caller]
fn assert_refused(status: &Status, code: Code, reason: &str) {
    assert_eq!(status.code(), code, "{status:?}");
    assert_eq!(status.get_error_details().error_info().unwrap().reason, reason);
}

#[tokio::test]
async fn what_does_not_decode_is_the_callers_mistake() {
    let status = refused(CHECK, vec![Bytes::from_static(&[0x0a, 2, 0xff, 0xfe])]).await;
    assert_refused(&status, Code::InvalidArgument, "MALFORMED");
    let violations = status.get_error_details().bad_request().unwrap().field_violations.clone();
    assert_eq!(violations[0].field, "document");
}

#[tokio::test]
async fn what_does_not_decode_is_the_callers_mistake_whosever_message_it_is() {
    let status =
        refused("/grpc.health.v1.Health/Check", vec![Bytes::from_static(&[0x0a, 2, 0xff, 0xfe])]).await;
    assert_refused(&status, Code::InvalidArgument, "MALFORMED");
}

#[tokio::test]
async fn a_status_under_a_stream_is_complete_and_short() {
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;

    let question = MessageRequest::FileContainingSymbol("x".repeat(70_000));
    let question = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let status = refused(path, vec![question.encode_to_vec().into()]).await;
    assert_refused(&status, Code::NotFound, "NOT_FOUND");
    assert!(status.message().len() < 2_000, "{}", status.message().len());
}

#[tokio::test]
async fn no_message_at_all_is_the_callers_mistake() {
    assert_refused(&refused(CHECK, Vec::new()).await, Code::InvalidArgument, "MALFORMED");
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_with_the_limit() {
    for bytes in [REQUEST_BYTES_MAX, 1024 * 1024, 8 * 1024 * 1024] {
        let document = "x".repeat(bytes);
        let message = CheckPolicyRequest { document }.encode_to_vec();
        let status = refused(CHECK, vec![message.into()]).await;
        assert_refused(&status, Code::InvalidArgument, "MESSAGE_TOO_LARGE");
        assert!(status.message().contains(&REQUEST_BYTES_MAX.to_string()));
    }
}

#[tokio::test]
async fn a_method_that_is_not_there_has_a_reason() {
    let status = refused("/seva.policy.v1.PolicyService/Nothing", vec![Bytes::new()]).await;
    assert_refused(&status, Code::Unimplemented, "UNIMPLEMENTED");
    let status = refused("/seva.nothing.v1.NothingService/Nothing", vec![Bytes::new()]).await;
    assert_refused(&status, Code::Unimplemented, "UNIMPLEMENTED");
}

#[tokio::test]
async fn answers_are_not_limited_as_requests_are_and_refusals_arrive_whole() {
    let (channel, _server) = serve().await;
    let mut client = PolicyServiceClient::new(channel);
    let document = "x".repeat(REQUEST_BYTES_MAX - 16);
    client.check_policy(CheckPolicyRequest { document }).await.unwrap();
    let policy = client.get_policy(GetPolicyRequest::default()).await.unwrap().into_inner();
    assert_eq!(policy.document.len(), 2 * REQUEST_BYTES_MAX);

    let stale = client.publish_policy(PublishPolicyRequest::default()).await.unwrap_err();
    assert_refused(&stale, Code::Aborted, "STALE_REV");
    assert_eq!(stale.get_error_details().error_info().unwrap().metadata["current_rev"], "4");
    let internal = client.list_policy_versions(ListPolicyVersionsRequest::default()).await.unwrap_err();
    assert_refused(&internal, Code::Internal, "INTERNAL");
    assert!(!internal.message().contains("never told"));
}

#[tokio::test]
async fn reflection_tells_of_what_is_served() {
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

    let (channel, _server) = serve().await;
    let ask = |what| ServerReflectionRequest { host: String::new(), message_request: Some(what) };
    let questions = [
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol("seva.policy.v1.PolicyService".to_owned())),
        ask(MessageRequest::FileByFilename("google/protobuf/timestamp.proto".to_owned())),
    ];
    let answers = ServerReflectionClient::new(channel)
        .server_reflection_info(tokio_stream::iter(questions))
        .await
        .unwrap();
    let answers: Vec<_> =
        answers.into_inner().map(|answer| answer.unwrap().message_response.unwrap()).collect().await;
    let MessageResponse::ListServicesResponse(list) = &answers[0] else { panic!("{:?}", answers[0]) };
    let mut names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "seva.policy.v1.PolicyService"]
    );
    for answer in &answers[1..] {
        assert!(matches!(answer, MessageResponse::FileDescriptorResponse(_)), "{answer:?}");
    }
}
