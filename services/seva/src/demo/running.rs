//! The services that the demo plays through: all in its own process, or each in one of its own.

use std::collections::BTreeMap;
use std::path::Path;

use seva_host::shutdown::Shutdown;
use seva_host::tls::Files;
use tokio_util::sync::CancellationToken;

use super::Nats;
use super::separate::Processes;
use crate::serve;

/// Services that run.
pub(crate) enum Running {
    Together(Box<serve::Running>, CancellationToken),
    Separate(Processes),
}

impl Running {
    /// Starts all services over a log, with what the demo's folder holds.
    pub(crate) async fn start(
        separate: bool,
        dir: &Path,
        nats: Nats<'_>,
        provider: &str,
        tls: &Files,
    ) -> anyhow::Result<Running> {
        if separate {
            return Ok(Running::Separate(Processes::start(dir, nats, provider, tls).await?));
        }
        let stop = CancellationToken::new();
        let services = serve::start_all(dir, nats, provider, tls.clone(), stop.clone()).await?;
        Ok(Running::Together(Box::new(services), stop))
    }

    /// Where each service answers, by its name.
    pub(crate) fn services(&self) -> BTreeMap<String, String> {
        match self {
            Running::Together(services, _) => services.services.clone(),
            Running::Separate(processes) => processes.services.clone(),
        }
    }

    /// Where each service's metrics are, by its name.
    pub(crate) fn metrics(&self) -> BTreeMap<String, String> {
        match self {
            Running::Together(services, _) => services.metrics(),
            Running::Separate(processes) => processes.metrics.clone(),
        }
    }

    /// Waits until a process ends though nobody told it to, and says which.
    pub(crate) async fn lost_one(&mut self) -> anyhow::Error {
        match self {
            // What goes wrong in this process is told when it stops.
            Running::Together(..) => std::future::pending().await,
            Running::Separate(processes) => processes.lost_one().await,
        }
    }

    /// Stops all of them, in good order if that is possible in time.
    pub(crate) async fn stop(self, shutdown: &Shutdown) -> anyhow::Result<()> {
        match self {
            Running::Together(services, stop) => {
                stop.cancel();
                shutdown.drain(services.stopped()).await.unwrap_or(Ok(()))
            }
            Running::Separate(processes) => processes.stop(shutdown).await,
        }
    }
}
