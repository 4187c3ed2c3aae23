//! The payment provider of a run: the product's sandbox, a process with a folder, a port and a ledger of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use seva_refunds::provider::exchange::Peer;
use tokio::process::{Child, Command};

use crate::history::{History, Line, now};
use crate::processes::{Setting, free_port};

/// What it is called in a history.
pub(crate) const NAME: &str = "provider";

/// Tells it to misbehave no more.
pub(crate) const BEHAVE: &str = r#"{"do":"behave"}"#;

/// How long it may take to hear what it is told. It may be down, or asked to answer late.
const HEARS_WITHIN: Duration = Duration::from_millis(500);

/// How often it was called.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub(crate) struct Calls {
    pub(crate) ask: u64,
    pub(crate) instruct: u64,
}

#[derive(Deserialize)]
struct Shown {
    calls: Calls,
}

/// The provider's process. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Provider {
    program: PathBuf,
    run: PathBuf,
    port: u16,
    history: History,
    life: u64,
    child: Option<Child>,
}

impl Provider {
    /// A provider that is not started yet.
    pub(crate) fn new(setting: &Setting, history: History) -> anyhow::Result<Provider> {
        let (program, run) = (setting.program.clone(), setting.folder.clone());
        Ok(Provider { program, run, port: free_port()?, history, life: 0, child: None })
    }

    /// Where it listens, in every life.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts it, for the first time or again.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        fs::create_dir_all(folder(&self.run))?;
        let log =
            File::options().create(true).append(true).open(self.run.join("logs").join("provider.log"))?;
        self.life += 1;
        self.history.write(&Line::Started { at: now(), process: NAME.to_owned(), life: self.life })?;
        let mut command = Command::new(&self.program);
        command
            .args(["sandbox-provider", "--listen", &format!("127.0.0.1:{}", self.port), "--data"])
            .arg(folder(&self.run))
            // It ends when this pipe does, however its parent ended.
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true);
        self.child = Some(command.spawn().context("the payment provider cannot be started")?);
        Ok(())
    }

    /// Kills it without warning.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        self.history.write(&Line::Killed { at: now(), process: NAME.to_owned() })?;
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// Starts it again if it ended by itself: that is a finding.
    pub(crate) fn look_after(&mut self) -> anyhow::Result<()> {
        let Some(child) = &mut self.child else { return Ok(()) };
        let Some(status) = child.try_wait()? else { return Ok(()) };
        let (process, life, status) = (NAME.to_owned(), self.life, status.to_string());
        self.history.write(&Line::Ended { at: now(), process, life, was_up: true, status })?;
        self.start()
    }

    /// Tells it something. Answers whether it heard: one that is down does not.
    pub(crate) async fn tell(&self, rule: &str) -> anyhow::Result<bool> {
        let peer = Peer::parse(&self.url())?;
        let told = peer.post("/control", &[], rule.to_owned().into(), HEARS_WITHIN).await;
        let is_heard = told.is_ok_and(|answer| answer.status == 200);
        let rule = if is_heard { rule } else { "not heard" }.to_owned();
        self.history.write(&Line::Told { at: now(), rule })?;
        Ok(is_heard)
    }

    /// How many instructions and questions it was sent since it was started.
    pub(crate) async fn calls(&self) -> anyhow::Result<Calls> {
        let answer = Peer::parse(&self.url())?.get("/control/ledger", HEARS_WITHIN).await?;
        let shown: Shown = serde_json::from_slice(&answer.body)?;
        Ok(shown.calls)
    }
}

/// Where a run's provider keeps its ledger.
pub(crate) fn folder(run: &Path) -> PathBuf {
    run.join("provider")
}
