//! A tonic server that takes intake's messages and does nothing with them: what gRPC alone can do.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::path::Path;
use std::task::{Context, Poll};

use seva_api::codec::ProstCodec;
use seva_api::pb::intake::v1::{LogInteractionRequest, LogInteractionResponse};
use seva_host::endpoints::Endpoints;
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::child;

/// The service's name among endpoints.
pub(crate) const NAME: &str = "echo";

/// Answers every call of intake with an empty answer to LogInteraction.
#[derive(Clone, Debug)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "seva.intake.v1.IntakeService";
}

impl UnaryService<LogInteractionRequest> for Echo {
    type Response = LogInteractionResponse;
    type Future = BoxFuture<Response<LogInteractionResponse>, Status>;

    fn call(&mut self, request: Request<LogInteractionRequest>) -> Self::Future {
        let LogInteractionRequest { request_id, .. } = request.into_inner();
        let response = LogInteractionResponse {
            interaction_id: format!("int_{request_id:0>32}"),
            case_id: format!("cas_{request_id:0>32}"),
            customer_id: format!("cus_{request_id:0>32}"),
            case_opened: true,
            position: request_id,
        };
        Box::pin(std::future::ready(Ok(Response::new(response))))
    }
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let codec = ProstCodec::<LogInteractionResponse, LogInteractionRequest>::default();
            Ok(Grpc::new(codec).unary(Echo, request).await)
        })
    }
}

/// Serves until the process that asked for it is gone.
pub(crate) async fn serve(folder: &Path) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let services = [(NAME.to_owned(), url)].into();
    Endpoints { services, ..Endpoints::default() }.write(folder)?;
    let server = Server::builder().add_service(Echo).serve_with_incoming_shutdown(
        TcpIncoming::from(listener).with_nodelay(Some(true)),
        child::orphaned(),
    );
    Ok(server.await?)
}
