//! What an operator asks of one service's process: served the same by every service.

use std::sync::Arc;

use seva_domain::values::At;
use seva_eventlog::follow::Broken;
use seva_eventlog::writer::Phase;
use seva_readmodel::engine::{Engine, NotRunning, Running};
use seva_readmodel::rebuild::RebuildError;
use tonic::{Request, Response};

use crate::edge::log_error;
use crate::parse::timestamp;
use crate::pb::operations::v1::operations_service_server::OperationsService;
use crate::pb::operations::v1::{
    DigestReadModelsRequest, DigestReadModelsResponse, GetStatusRequest, GetStatusResponse, ReadModelDigest,
    ReadModelStatus, RebuildReadModelRequest, RebuildReadModelResponse,
};
use crate::status::Error;

/// Answers operators about one engine.
#[derive(Clone)]
pub struct Operations {
    engine: Engine,
    durability: &'static str,
    build: String,
}

impl Operations {
    /// Answers about an engine whose log was found to be this durable.
    pub fn new(engine: Engine, durability: &'static str, build: String) -> Operations {
        Operations { engine, durability, build }
    }

    fn running(&self) -> Result<Arc<Running>, Error> {
        self.engine.running().map_err(|error| Error::CatchingUp { message: error.to_string() })
    }

    fn status(&self) -> GetStatusResponse {
        let base = GetStatusResponse {
            service: self.engine.service().name().to_owned(),
            log_incarnation: self.engine.log().incarnation().to_owned(),
            durability: self.durability.to_owned(),
            build: self.build.clone(),
            ..GetStatusResponse::default()
        };
        let running = match self.engine.running() {
            Ok(running) => running,
            Err(error) => {
                let state = match error {
                    NotRunning::Yet(_) => "CATCHING_UP",
                    NotRunning::AnyMore(_) => "STOPPED",
                };
                return GetStatusResponse { state: state.to_owned(), reason: error.to_string(), ..base };
            }
        };
        let progress = running.writer.progress().borrow().clone();
        let followed = running.follow.borrow().clone();
        let (state, reason) = match &progress.phase {
            Phase::CatchingUp => ("CATCHING_UP", "it has not read the log to its end yet".to_owned()),
            Phase::PolicyMissing => ("POLICY_MISSING", "no policy has been published yet".to_owned()),
            Phase::LogUnavailable => ("LOG_UNAVAILABLE", "the log does not answer".to_owned()),
            Phase::Stopped(reason) => ("STOPPED", reason.clone()),
            Phase::Serving if !self.engine.log().is_connected() => {
                ("LOG_UNAVAILABLE", "the connection to the log is lost".to_owned())
            }
            Phase::Serving => ("SERVING", String::new()),
        };
        let models = running.projections.progress().borrow().clone();
        let read_models = models.into_iter().map(|(name, model)| ReadModelStatus {
            name: name.to_owned(),
            sequence: model.sequence,
            lag_messages: followed.sequence.saturating_sub(model.sequence),
            lag_seconds: seconds_between(model.stamp, followed.stamp),
            stopped: model.stopped.unwrap_or_default(),
        });
        GetStatusResponse {
            state: state.to_owned(),
            reason,
            followed_sequence: progress.followed,
            reacted_sequence: progress.reacted,
            shard_sequence: progress.tip,
            decision_sequence: progress.stored,
            backlog_bytes: progress.backlog_bytes as u64,
            next_due_at: progress.next_due.map(timestamp),
            policy_version: running.writer.policy().borrow().as_ref().map_or(0, |policy| policy.version),
            read_models: read_models.collect(),
            database_generation: running.generation(),
            // A row that cannot be read is noticed by the engine, which then says so itself.
            forgotten_to_clean: running.uncleaned().unwrap_or_default(),
            ..base
        }
    }
}

fn seconds_between(from: At, to: At) -> f64 {
    if from.0 == 0 { 0.0 } else { (to.0 - from.0).max(0) as f64 / 1e6 }
}

fn rebuild_error(error: RebuildError) -> Error {
    match error {
        RebuildError::Unknown(id) => Error::NotFound { what: "read model", id },
        RebuildError::Broken(Broken::Log(error)) => log_error(error),
        RebuildError::Stopping => Error::CatchingUp { message: error.to_string() },
        RebuildError::Broken(_) | RebuildError::Store(_) | RebuildError::Fold(_) => {
            Error::Internal(error.into())
        }
    }
}

#[tonic::async_trait]
impl OperationsService for Operations {
    async fn get_status(
        &self,
        _: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, tonic::Status> {
        Ok(Response::new(self.status()))
    }

    async fn digest_read_models(
        &self,
        _: Request<DigestReadModelsRequest>,
    ) -> Result<Response<DigestReadModelsResponse>, tonic::Status> {
        let projections = self.running()?.projections.clone();
        let digests = tokio::task::spawn_blocking(move || projections.digests()).await;
        let digests = digests.map_err(|error| Error::Internal(error.into()))?;
        let digests = digests.map_err(|error| Error::Internal(error.into()))?;
        let read_models = digests.into_iter().map(|digest| ReadModelDigest {
            name: digest.name.to_owned(),
            sequence: digest.sequence,
            rows: digest.rows,
            digest: digest.digest,
        });
        Ok(Response::new(DigestReadModelsResponse { read_models: read_models.collect() }))
    }

    async fn rebuild_read_model(
        &self,
        request: Request<RebuildReadModelRequest>,
    ) -> Result<Response<RebuildReadModelResponse>, tonic::Status> {
        let running = self.running()?;
        // On a task of its own: a caller that goes away must not leave it half done.
        let rebuilt = tokio::spawn(async move { running.rebuild(&request.get_ref().name).await }).await;
        let rebuilt = rebuilt.map_err(|error| Error::Internal(error.into()))?.map_err(rebuild_error)?;
        Ok(Response::new(RebuildReadModelResponse { records: rebuilt.records, seconds: rebuilt.seconds }))
    }
}
