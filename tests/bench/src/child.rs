//! Processes of the bench's own: this program again, told to be something else.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use seva_host::endpoints::{Endpoints, FILE};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

/// How long a process may take until it says where it listens.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Starts this program as a part, and waits until it has written its endpoints into the folder.
pub(crate) async fn start(part: &[&str], folder: &Path) -> anyhow::Result<(Child, Endpoints)> {
    std::fs::create_dir_all(folder)?;
    let file = folder.join(FILE);
    if file.exists() {
        std::fs::remove_file(&file)?;
    }
    let mut child = Command::new(std::env::current_exe()?)
        .args(part)
        .arg(folder)
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("a part of the bench did not start")?;
    let until = Instant::now() + READY_WITHIN;
    while Instant::now() < until {
        if let Some(status) = child.try_wait()? {
            bail!("a part of the bench ended at once: {status}");
        }
        if let Ok(endpoints) = Endpoints::read(folder) {
            return Ok((child, endpoints));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    bail!("a part of the bench did not say where it listens")
}

/// Ends when the process that started this one is gone: it holds the other end of the standard input.
pub(crate) async fn orphaned() {
    let (over, is_over) = oneshot::channel::<()>();
    // A thread, because reading blocks; it ends with the process.
    std::thread::spawn(move || {
        let _end = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        drop(over);
    });
    let _gone = is_over.await;
}
