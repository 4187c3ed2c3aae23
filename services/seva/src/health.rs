//! Standard health: SERVING only while a service takes commands.

use std::time::Duration;

use seva_domain::service::Service;
use seva_eventlog::writer::Phase;
use seva_history::relay::{self, Relay};
use seva_readmodel::engine::Engine;
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// How often it is looked whether the log can still be reached.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The name that a service's health is asked by, and its methods are called under.
pub fn service_name(service: Service) -> &'static str {
    match service {
        Service::Escalation => "seva.escalation.v1.EscalationService",
        Service::Feedback => "seva.feedback.v1.FeedbackService",
        Service::Intake => "seva.intake.v1.IntakeService",
        Service::Policy => "seva.policy.v1.PolicyService",
        Service::Refunds => "seva.refunds.v1.RefundsService",
    }
}

/// What the relay's health is asked by: it has no service of its own to be called.
pub const HISTORY: &str = "seva.operations.v1.OperationsService";

/// Reports the relay's health until the shutdown begins: serving while it publishes.
pub async fn follow_relay(relay: Relay, reporter: HealthReporter, shutdown: CancellationToken) {
    let report = async |status| {
        reporter.set_service_status("", status).await;
        reporter.set_service_status(HISTORY, status).await;
    };
    let mut progress = relay.progress();
    loop {
        let publishes = progress.borrow_and_update().phase == relay::Phase::Relaying;
        let is_serving = publishes && relay.log().is_connected();
        report(if is_serving { ServingStatus::Serving } else { ServingStatus::NotServing }).await;
        tokio::select! {
            next = progress.changed() => if next.is_err() { break },
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = shutdown.cancelled() => break,
        }
    }
    report(ServingStatus::NotServing).await;
}

/// Reports a service's health until the shutdown begins: from then on it is not serving.
pub async fn follow(engine: Engine, reporter: HealthReporter, shutdown: CancellationToken) {
    let name = service_name(engine.service());
    let report = async |status| {
        reporter.set_service_status("", status).await;
        reporter.set_service_status(name, status).await;
    };
    let mut changed = engine.changed();
    loop {
        report(ServingStatus::NotServing).await;
        if let Ok(running) = engine.running() {
            let mut progress = running.writer.progress();
            drop(running);
            loop {
                let takes_commands = progress.borrow_and_update().phase == Phase::Serving;
                let is_serving = takes_commands && engine.log().is_connected();
                report(if is_serving { ServingStatus::Serving } else { ServingStatus::NotServing }).await;
                tokio::select! {
                    next = progress.changed() => if next.is_err() { break },
                    next = changed.changed() => if next.is_err() { return } else { break },
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    () = shutdown.cancelled() => return report(ServingStatus::NotServing).await,
                }
            }
            continue;
        }
        tokio::select! {
            next = changed.changed() => if next.is_err() { return },
            () = shutdown.cancelled() => return report(ServingStatus::NotServing).await,
        }
    }
}
