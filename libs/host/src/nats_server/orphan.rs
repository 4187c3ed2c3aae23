//! Ends a nats-server left behind by a process that was killed, before a second one opens its store.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::config::{Files, identity};
use super::monitor;

/// How long a server may take to end before it is killed, and again before we give up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ends the server that the folder's files describe, if it still runs.
///
/// The caller holds the folder's lock, so a server found here has no living owner. It is known by
/// the name its monitoring page gives, never by a process id alone.
pub(super) async fn end(files: &Files) {
    let Ok(text) = std::fs::read_to_string(&files.config) else {
        return;
    };
    let Some((name, monitor_url)) = identity(&text) else {
        return;
    };
    for signal in [Signal::TERM, Signal::KILL] {
        if !runs(&monitor_url, name).await {
            return;
        }
        let Some(pid) = pid(files) else { return };
        tracing::warn!(
            pid = pid.as_raw_nonzero().get(),
            "ending a nats-server left behind in this data folder"
        );
        if let Err(error) = kill_process(pid, signal) {
            tracing::warn!(%error, "the nats-server left behind cannot be signalled");
        }
        let deadline = Instant::now() + PATIENCE;
        while runs(&monitor_url, name).await && Instant::now() < deadline {
            sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn runs(monitor_url: &str, name: &str) -> bool {
    monitor::server_name(monitor_url).await.is_ok_and(|found| found == name)
}

fn pid(files: &Files) -> Option<Pid> {
    let number: i32 = std::fs::read_to_string(&files.pid).ok()?.trim().parse().ok()?;
    Pid::from_raw(number).filter(|_| number > 1)
}
