//! The provider's connections, which can end without an answer.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::answer::Cut;

/// How long to wait when no connection can be taken.
const PAUSE: Duration = Duration::from_millis(100);

/// The answer is lost on purpose.
#[derive(Debug, thiserror::Error)]
#[error("the answer is lost on purpose")]
struct Lost;

/// Takes connections until told to stop; those that are open then are cut.
pub(super) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        while open.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => drop(open.spawn(converse(stream, router.clone()))),
            Err(error) => {
                tracing::warn!(%error, "no connection could be taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, router: Router) {
    let answering = service_fn(move |request: Request<Incoming>| {
        let router = router.clone();
        async move {
            let answered: Result<_, Infallible> = router.oneshot(request.map(Body::new)).await;
            let response = answered.unwrap_or_else(|never| match never {});
            // An error from here on makes hyper close the connection and write nothing.
            if response.extensions().get::<Cut>().is_some() { Err(Lost) } else { Ok(response) }
        }
    });
    let talking = async {
        stream.set_nodelay(true)?;
        http1::Builder::new()
            .serve_connection(TokioIo::new(stream), answering)
            .await
            .map_err(std::io::Error::other)
    };
    if let Err(error) = talking.await {
        tracing::debug!(%error, "a connection has ended early");
    }
}
