//! The ports of a process: what stands between a caller's connection and a service's methods.

mod settings;

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};

use anyhow::Context as _;
use futures::future::{BoxFuture, FutureExt as _};
use prometheus_client::registry::Registry;
use seva_api::access::{Caller, Door};
use seva_api::status::{self, Error};
use seva_host::incoming::{self, Incoming};
use seva_host::layers::{self, Guards, Rate, Rates, Refusal};
use seva_host::tls::{self, Tls};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::codegen::http::{Extensions, HeaderMap};
use tonic::service::Routes;
use tonic::transport::Server;
use tower::util::MapResponseLayer;

pub use self::settings::{Limits, Settings};

/// How many callers are told apart where they are held to a rate.
const CALLERS_MAX: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// What all ports of this process have in common. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Ports {
    tls: Option<Tls>,
    limits: Limits,
    connections: incoming::Counters,
    requests: layers::Counters,
    rates: Rates,
}

impl Ports {
    /// Reads the certificate, and follows its changes until `stop` is cancelled.
    pub(crate) fn new(
        settings: &Settings,
        registry: &mut Registry,
        stop: CancellationToken,
    ) -> anyhow::Result<Ports> {
        let (connections, requests) = (incoming::Counters::default(), layers::Counters::default());
        connections.register(registry);
        requests.register(registry);
        let certificates = tls::Counters::default();
        let start = |files: &tls::Files| {
            certificates.register(registry);
            Tls::start(files.clone(), certificates, stop)
        };
        let tls = settings.tls.as_ref().map(start).transpose()?;
        let per_second = settings.calls_per_second;
        let rate = Rate { per_second, burst: per_second.saturating_mul(TWO), callers_max: CALLERS_MAX };
        let rates = Rates::new(rate, caller, requests.clone(), answer);
        Ok(Ports { tls, limits: settings.limits, connections, requests, rates })
    }

    /// Opens a port. Answers where it is reached, too: `https://127.0.0.1:port`, or `http://` without TLS.
    pub(crate) async fn open(&self, listen: SocketAddr) -> anyhow::Result<(TcpListener, String)> {
        let listener =
            TcpListener::bind(listen).await.with_context(|| format!("{listen} cannot be listened on"))?;
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr()?);
        Ok((listener, url))
    }

    /// Answers calls until the shutdown begins, then ends those under way.
    pub(crate) fn serve(
        &self,
        listener: TcpListener,
        routes: Routes,
        door: Door,
        shutdown: CancellationToken,
    ) -> BoxFuture<'static, Result<(), tonic::transport::Error>> {
        let Limits { calls_at_once, connections, streams, headers_bytes, keepalive, age, grace } =
            self.limits;
        let in_flight_max = calls_at_once.get();
        let limits =
            layers::Limits { in_flight_max, streams: is_long, always: asks_how_it_is, ..Default::default() };
        let guards = Guards::new(limits, self.requests.clone()).answering(answer);
        // tonic's own grace ends a connection without ever asking its client to make a new one.
        let age_max = age + grace;
        let limits = incoming::Limits { connections_max: connections, age_max, ..Default::default() };
        let incoming = Incoming::new(listener, self.tls.clone(), limits, self.connections.clone());
        Server::builder()
            .max_concurrent_streams(streams)
            .http2_max_header_list_size(headers_bytes)
            .http2_keepalive_interval(Some(keepalive))
            .http2_keepalive_timeout(Some(keepalive))
            .max_connection_age(age)
            .layer(MapResponseLayer::new(status::complete_response))
            .layer(guards)
            .layer(door.clone())
            .layer(self.rates.clone())
            .layer(door.book())
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, shutdown.cancelled_owned())
            .boxed()
    }
}

const TWO: NonZeroU32 = NonZeroU32::new(2).unwrap();

/// Who calls: whom the door let through.
fn caller<'a>(_: &'a HeaderMap, extensions: &'a Extensions) -> Option<&'a str> {
    extensions.get::<Caller>().map(|caller| caller.principal.subject.as_str())
}

/// What a caller is told who is turned away before a service hears of it.
fn answer(refusal: &Refusal) -> Status {
    match refusal {
        Refusal::TooOften { retry_after } => Error::TooOften { retry_after: *retry_after }.into(),
        Refusal::Busy { .. } | Refusal::Panicked { .. } | Refusal::TooLate { .. } => {
            status::complete(refusal.into())
        }
    }
}

/// Methods that last as long as their caller wants: streams, and an operator's long work.
fn is_long(path: &str) -> bool {
    let method = path.rsplit('/').next().unwrap_or_default();
    matches!(
        method,
        "ImportInteractions" | "ServerReflectionInfo" | "Watch" | "DigestReadModels" | "RebuildReadModel"
    )
}

/// Methods by which orchestrators and operators see how a service is.
fn asks_how_it_is(path: &str) -> bool {
    matches!(path, "/grpc.health.v1.Health/Check" | "/seva.operations.v1.OperationsService/GetStatus")
}
