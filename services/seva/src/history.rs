//! History as a part of the house: the relay over a connection of its own, and a port where operators ask how far it is.

use std::sync::Arc;

use anyhow::Context as _;
use futures::future::{BoxFuture, FutureExt as _};
use seva_api::access::{Audit, Door, Verifier};
use seva_api::pb::operations::v1::operations_service_server::OperationsServiceServer;
use seva_api::{REQUEST_BYTES_MAX, reflection};
use seva_eventlog::follow::Own;
use seva_eventlog::jetstream::JetStreamLog;
use seva_eventlog::log::Log;
use seva_history::Operations;
use seva_history::relay::Relay;
use seva_history::stream::Published;
use seva_rights::Identity;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::house::{BUILD, Options};
use crate::ports::Ports;
use crate::{health, metrics};

/// What it is called in commands, folders and answers.
pub(crate) const NAME: &str = "history";

/// The relay to be started, after the services and on the next address.
pub(crate) struct Part<'a> {
    pub(crate) options: &'a Options,
    pub(crate) verifier: &'a Arc<Verifier>,
    /// The commits made in this process.
    pub(crate) own: &'a Own,
    pub(crate) ports: &'a Ports,
    pub(crate) gauges: &'a metrics::Gauges,
    pub(crate) stop: &'a CancellationToken,
}

/// The relay, once it runs.
pub(crate) struct Started {
    pub(crate) url: String,
    /// Ends with the relay.
    pub(crate) relay: BoxFuture<'static, anyhow::Result<()>>,
    /// Ends when its last audit record is written.
    pub(crate) audit: JoinHandle<()>,
    pub(crate) server: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Part<'_> {
    pub(crate) async fn start(self, shutdown: CancellationToken) -> anyhow::Result<Started> {
        let Part { options, verifier, own, ports, gauges, stop } = self;
        let client = options.connect(Identity::History).await?;
        let log = JetStreamLog::open(client.clone(), Identity::History.consumers()).await?;
        let log = Log::JetStream(log);
        let context = async_nats::jetstream::new(client.clone());
        let clock = Arc::clone(&options.clock);
        let (audit, writing) = Audit::open(context, NAME, Arc::clone(&clock), stop.clone()).await?;
        let door = Door::new(Arc::clone(verifier), audit, clock);
        let published = Published::open(client).await?;
        let (relay, task) = Relay::start(log, published, own.clone(), stop.clone());
        let operations = Operations::new(relay.clone(), options.durability.name(), BUILD);
        let (reporter, health_service) = tonic_health::server::health_reporter();
        tokio::spawn(health::follow_relay(relay.clone(), reporter, shutdown.clone()));
        tokio::spawn(gauges.clone().follow_relay(relay, stop.clone()));
        let routes = Routes::new(
            OperationsServiceServer::new(operations).max_decoding_message_size(REQUEST_BYTES_MAX),
        )
        .add_service(health_service)
        .add_service(reflection::service(&[health::HISTORY])?)
        .add_service(reflection::service_v1alpha(&[health::HISTORY])?);
        let listen = options.listen(u16::try_from(options.services.len())?);
        let (listener, url) = ports.open(listen).await?;
        let server = tokio::spawn(ports.serve(listener, routes, door, shutdown));
        tracing::info!(service = NAME, url, "listening");
        let relay = async move { task.await?.context("publishing cannot go on") }.boxed();
        Ok(Started { url, relay, audit: tokio::spawn(writing), server })
    }
}
