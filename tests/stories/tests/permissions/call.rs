//! Calls of any method with an empty message: whether they are let through is all that counts.

use seva_stories::{Client, Refusal};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request, Status};

/// Calls a method over a connection. What is behind the door may refuse the empty message.
pub(crate) async fn call<T>(channel: T, path: &str, request: Request<()>) -> Result<(), Status>
where
    T: tonic::client::GrpcService<tonic::body::Body>,
    T::ResponseBody: tonic::codegen::Body<Data = bytes::Bytes> + Send + 'static,
    <T::ResponseBody as tonic::codegen::Body>::Error: Into<tonic::codegen::StdError> + Send,
    T::Error: Into<tonic::codegen::StdError>,
{
    let mut client = Grpc::new(channel);
    client.ready().await.map_err(|_| Status::unavailable("no connection"))?;
    let path = PathAndQuery::try_from(path.to_owned()).unwrap();
    client.unary(request, path, tonic_prost::ProstCodec::<(), ()>::default()).await.map(|_| ())
}

/// What the door said: `None` if it let the call through.
pub(crate) async fn refused_at_the_door(
    channel: Client,
    path: &str,
    request: Request<()>,
) -> Option<Refusal> {
    let status = call(channel, path, request).await.err()?;
    matches!(status.code(), Code::PermissionDenied | Code::Unauthenticated | Code::Unimplemented)
        .then(|| Refusal::from(&status))
}
