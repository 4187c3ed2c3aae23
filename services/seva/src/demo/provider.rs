//! The payment provider of the demo: the sandbox, as a process of its own.

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use seva_host::child::Child;

/// How long it may take until it listens.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// How often it is looked whether it does.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The provider that runs.
pub(crate) struct Provider {
    child: Child,
    pub(crate) url: String,
}

/// What it writes when it listens.
#[derive(Deserialize)]
struct Address {
    url: String,
}

impl Provider {
    /// Starts it on the ledger that the demo's folder holds, and waits until it listens.
    pub(crate) async fn start(dir: &Path) -> anyhow::Result<Provider> {
        let data = dir.join("provider");
        let address = data.join(crate::sandbox::ADDRESS_FILE);
        match std::fs::remove_file(&address) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("{} cannot be removed", address.display()));
            }
            _ => {}
        }
        let program = std::env::current_exe().context("this program cannot be found to be started again")?;
        let args: Vec<OsString> =
            vec!["sandbox-provider".into(), "--with-parent".into(), "--data".into(), data.into()];
        let log = dir.join("logs").join("provider.log");
        let mut child = Child::start("provider", &program, args, log)?;
        let until = Instant::now() + READY_WITHIN;
        while Instant::now() < until {
            if let Ok(text) = std::fs::read_to_string(&address) {
                let Address { url } = serde_json::from_str(&text)?;
                return Ok(Provider { child, url });
            }
            child.check()?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!("the payment provider does not listen after {} s", READY_WITHIN.as_secs())
    }

    /// Tells it to end, and waits until it has.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.child.terminate()?;
        match tokio::time::timeout(READY_WITHIN, self.child.wait()).await {
            Ok(ended) => Ok(ended?),
            Err(_) => Ok(self.child.kill().await?),
        }
    }
}
