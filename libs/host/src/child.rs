//! A program as a child process: told to end by SIGTERM, and by the end of its standard input if this process is killed.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{ChildStdin, Command};

use crate::files;

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: tokio::process::Child,
    /// Open as long as we are there to hold it.
    _stdin: Option<ChildStdin>,
    log: PathBuf,
    /// How long the log was before.
    log_begin: u64,
}

/// Why a child did not start, or is not there any more.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It ended though nobody told it to, or not as it should.
    #[error("{name} has ended ({status}); its log {log} says: {said}")]
    Ended {
        /// What it is called.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// Its log file.
        log: PathBuf,
        /// The log's last line.
        said: String,
    },
    /// The operating system refused something.
    #[error("{name} could not be run: {path} was refused; check permissions and free space")]
    System {
        /// What it is called.
        name: String,
        /// What was refused.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl Child {
    /// Starts `program`. What it says is added to `log`, whose folder is made when missing.
    ///
    /// It has to watch its standard input, as [`crate::shutdown::Shutdown::with_parent`] does, to end when this process is killed.
    pub fn start<A: AsRef<OsStr>>(
        name: &str,
        program: &Path,
        args: impl IntoIterator<Item = A>,
        log: PathBuf,
    ) -> Result<Child, Error> {
        let refused = |path: &Path| {
            let (name, path) = (name.to_owned(), path.to_owned());
            move |source| Error::System { name, path, source }
        };
        let open = || {
            std::fs::create_dir_all(log.parent().unwrap_or(Path::new(".")))?;
            let file = File::options().create(true).append(true).open(&log)?;
            Ok((file.metadata()?.len(), file.try_clone()?, file))
        };
        let (log_begin, out, err) = open().map_err(refused(&log))?;
        let mut process = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(err)
            // Ctrl-C at the terminal is for us: we say in which order our children end.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(refused(program))?;
        // Taken out, because waiting for a child closes what it holds of its standard input.
        let stdin = process.stdin.take();
        Ok(Child { name: name.to_owned(), process, _stdin: stdin, log, log_begin })
    }

    /// What it was called when it was started.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Says why it is not running, if it is not.
    pub fn check(&mut self) -> Result<(), Error> {
        let status = self.process.try_wait().map_err(|source| self.refused(source))?;
        status.map_or(Ok(()), |status| Err(self.ended(status)))
    }

    /// Asks it to end in good order.
    pub fn terminate(&self) -> Result<(), Error> {
        let pid = self.process.id().and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
        // One that has ended by itself is found out by whoever waits for it.
        pid.map_or(Ok(()), |pid| kill_process(pid, Signal::TERM)).map_err(|error| self.refused(error.into()))
    }

    /// Waits until it has ended; says so if it did not end in good order.
    pub async fn wait(&mut self) -> Result<(), Error> {
        let status = self.process.wait().await.map_err(|source| self.refused(source))?;
        if status.success() { Ok(()) } else { Err(self.ended(status)) }
    }

    /// Kills it, and waits until it is gone.
    pub async fn kill(&mut self) -> Result<(), Error> {
        self.process.kill().await.map_err(|source| self.refused(source))
    }

    fn ended(&self, status: ExitStatus) -> Error {
        let said = files::last_line(&self.log, self.log_begin);
        Error::Ended { name: self.name.clone(), status, log: self.log.clone(), said }
    }

    fn refused(&self, source: io::Error) -> Error {
        Error::System { name: self.name.clone(), path: self.log.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn shell(folder: &Path, script: &str) -> Child {
        Child::start("sh", Path::new("/bin/sh"), ["-c", script], folder.join("logs/sh.log")).unwrap()
    }

    #[tokio::test]
    async fn a_child_is_told_to_end_and_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = shell(dir.path(), "trap 'exit 0' TERM; echo ready; read -r nothing");
        let log = dir.path().join("logs/sh.log");
        let ready = async {
            while std::fs::read_to_string(&log).unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ready).await.unwrap();
        child.check().unwrap();
        child.terminate().unwrap();
        child.wait().await.unwrap();
        child.terminate().unwrap();
    }

    #[tokio::test]
    async fn a_child_whose_waiting_is_given_up_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = shell(dir.path(), "read -r nothing");
        let waited = tokio::time::timeout(Duration::from_millis(1), child.wait()).await;
        assert!(waited.is_err());
        child.check().unwrap();
        child.kill().await.unwrap();
    }

    #[tokio::test]
    async fn a_child_that_fails_is_named_with_its_last_words() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = shell(dir.path(), "echo out of paper >&2; exit 3");
        let error = child.wait().await.unwrap_err().to_string();
        assert!(error.starts_with("sh has ended (exit status: 3)"), "{error}");
        assert!(error.ends_with("out of paper"), "{error}");
        assert_eq!(child.check().unwrap_err().to_string(), error);
    }
}
