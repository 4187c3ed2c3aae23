//! SIGTERM and Ctrl-C become a cancellation token; a second signal ends the wait for a clean drain.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// How long a stopping process may take to finish what it has begun.
pub const DRAIN: Duration = Duration::from_secs(25);

/// How much longer than [`DRAIN`] a process may go on whose parent is gone.
const ORPHANED: Duration = Duration::from_secs(5);

/// Watches for the signals that stop this process.
#[derive(Debug)]
pub struct Shutdown {
    begin: CancellationToken,
    hurry: CancellationToken,
    _watcher: AbortOnDropHandle<()>,
}

impl Shutdown {
    /// Takes over SIGTERM and SIGINT, from this call on. Must be called inside a tokio runtime.
    pub fn listen() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let (begin, hurry) = (CancellationToken::new(), CancellationToken::new());
        let watcher = tokio::spawn(watch(terminate, interrupt, begin.clone(), hurry.clone()));
        Ok(Self { begin, hurry, _watcher: AbortOnDropHandle::new(watcher) })
    }

    /// Returns the token that is cancelled at the first signal.
    pub fn token(&self) -> CancellationToken {
        self.begin.clone()
    }

    /// Begins the shutdown also when standard input ends: whoever started this process held its other end, and is gone.
    ///
    /// Soon after [`DRAIN`] the process ends, whatever it is doing then: nobody is left who would kill it.
    pub fn with_parent(&self) {
        let begin = self.begin.clone();
        // A thread, because reading blocks; it ends with the process.
        std::thread::spawn(move || {
            // Whether the pipe broke or was closed makes no difference.
            let _end = io::copy(&mut io::stdin(), &mut io::sink());
            begin.cancel();
            std::thread::sleep(DRAIN + ORPHANED);
            std::process::exit(1);
        });
    }

    /// Begins the shutdown as if a signal had arrived.
    pub fn begin(&self) {
        self.begin.cancel();
    }

    /// Waits for `work` for at most [`DRAIN`]; a second signal ends the wait. Returns the work's
    /// result, or `None` when it was left unfinished.
    pub async fn drain<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.hurry.cancelled() => {
                tracing::warn!("told to stop twice: leaving work unfinished");
                None
            }
            () = tokio::time::sleep(DRAIN) => {
                tracing::warn!(drain_s = DRAIN.as_secs(), "drain took too long: leaving work unfinished");
                None
            }
        }
    }
}

async fn watch(
    mut terminate: Signal,
    mut interrupt: Signal,
    begin: CancellationToken,
    hurry: CancellationToken,
) {
    for token in [begin, hurry] {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "told to stop");
        token.cancel();
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    #[tokio::test]
    async fn the_first_signal_begins_and_the_second_hurries() {
        let shutdown = Shutdown::listen().unwrap();
        kill_process(getpid(), Signal::TERM).unwrap();
        shutdown.token().cancelled().await;
        assert_eq!(shutdown.drain(async { 7 }).await, Some(7));
        let endless = shutdown.drain(std::future::pending::<()>());
        kill_process(getpid(), Signal::INT).unwrap();
        assert_eq!(endless.await, None);
    }
}
