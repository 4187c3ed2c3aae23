//! What an operator asks of the relay's process: the questions that every service answers.

use std::sync::Arc;

use seva_api::pb::operations::v1::operations_service_server::OperationsService;
use seva_api::pb::operations::v1::{
    DigestReadModelsRequest, DigestReadModelsResponse, GetStatusRequest, GetStatusResponse, ReadModelStatus,
    RebuildReadModelRequest, RebuildReadModelResponse,
};
use seva_api::status::Error;
use seva_domain::values::At;
use tonic::{Request, Response};

use crate::relay::{Phase, Relay};
use crate::stream::STREAM;

/// Answers operators about the relay.
#[derive(Clone)]
pub struct Operations {
    relay: Relay,
    durability: &'static str,
    build: Arc<str>,
}

impl Operations {
    /// Answers about a relay whose log was found to be this durable.
    pub fn new(relay: Relay, durability: &'static str, build: &str) -> Operations {
        Operations { relay, durability, build: build.into() }
    }

    /// How far the relay is. The published stream stands where other services have their read models.
    async fn status(&self) -> GetStatusResponse {
        let progress = self.relay.progress().borrow().clone();
        let followed = self.relay.followed().borrow().clone();
        // Asked of the log: what waits is more than what was read.
        let end = self.relay.log().end().await;
        let is_connected = end.is_ok() && self.relay.log().is_connected();
        let end = end.unwrap_or(followed.sequence);
        let (state, reason) = match progress.phase {
            Phase::Starting => ("CATCHING_UP", "it looks where it goes on".to_owned()),
            Phase::Waiting(reason) => ("LOG_UNAVAILABLE", reason),
            Phase::Stopped(reason) => ("STOPPED", reason),
            Phase::Relaying if !is_connected => {
                ("LOG_UNAVAILABLE", "the connection to the log is lost".to_owned())
            }
            Phase::Relaying => ("SERVING", String::new()),
        };
        let stream = ReadModelStatus {
            name: STREAM.to_owned(),
            sequence: progress.relayed,
            lag_messages: end.saturating_sub(progress.relayed),
            lag_seconds: seconds_between(progress.stamp, followed.stamp),
            stopped: if state == "STOPPED" { reason.clone() } else { String::new() },
        };
        GetStatusResponse {
            service: "history".to_owned(),
            state: state.to_owned(),
            reason,
            log_incarnation: self.relay.log().incarnation().to_owned(),
            followed_sequence: followed.sequence.max(progress.relayed),
            reacted_sequence: progress.relayed,
            read_models: vec![stream],
            durability: self.durability.to_owned(),
            build: self.build.to_string(),
            ..GetStatusResponse::default()
        }
    }
}

/// Nothing, where nothing has been published by this process yet.
fn seconds_between(from: At, to: At) -> f64 {
    if from.0 == 0 { 0.0 } else { (to.0 - from.0).max(0) as f64 / 1e6 }
}

#[tonic::async_trait]
impl OperationsService for Operations {
    async fn get_status(
        &self,
        _: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, tonic::Status> {
        Ok(Response::new(self.status().await))
    }

    async fn digest_read_models(
        &self,
        _: Request<DigestReadModelsRequest>,
    ) -> Result<Response<DigestReadModelsResponse>, tonic::Status> {
        // It has none: what it publishes stands in NATS.
        Ok(Response::new(DigestReadModelsResponse::default()))
    }

    async fn rebuild_read_model(
        &self,
        request: Request<RebuildReadModelRequest>,
    ) -> Result<Response<RebuildReadModelResponse>, tonic::Status> {
        let id = request.into_inner().name;
        Err(Error::NotFound { what: "read model", id }.into())
    }
}
