//! One nats-server as a child process: started, awaited, killed, started again, stopped.

mod error;

use std::fs::{File, TryLockError};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

pub use error::StartError;

use super::config::{Config, Files};
use super::{find, monitor, orphan};
use crate::{chance, files};

/// How often other ports are tried when those picked turn out to be taken.
const ATTEMPTS_MAX: u32 = 10;

/// Below the range from which systems take ports for outgoing connections, so that a server that
/// comes back finds its own port free.
const FIRST_PORT: u16 = 10_000;
const LAST_PORT: u16 = 31_999;

/// How long a server may take to end by itself, and how long a lock or port may stay taken.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// What a nats-server is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder for its store, configuration and log; made when missing, locked while in use.
    pub store_dir: PathBuf,
    /// The client port; any free one when not given.
    pub port: Option<u16>,
    /// The monitoring port; any free one when not given.
    pub monitor_port: Option<u16>,
    /// Whether every write is on disk before it is acknowledged. Only a test says no.
    pub sync_always: bool,
    /// Who is let in and what they may do: the accounts and users of the server's configuration. Empty lets everybody do everything,
    /// which only a test of the server itself wants.
    pub accounts: String,
    /// How long it may take to be ready; a large store takes a while to open.
    pub ready_within: Duration,
}

impl Options {
    /// Asks for a durable server in `store_dir`, on free ports, ready within 20 s.
    pub fn new(store_dir: impl Into<PathBuf>) -> Self {
        let ready_within = Duration::from_secs(20);
        Self {
            store_dir: store_dir.into(),
            port: None,
            monitor_port: None,
            sync_always: true,
            accounts: String::new(),
            ready_within,
        }
    }
}

/// A running nats-server with JetStream. Dropping it kills it.
#[derive(Debug)]
pub struct NatsServer {
    program: PathBuf,
    config: Config,
    ready_within: Duration,
    child: Option<Child>,
    /// Says to other processes that the folder is taken; the system frees it when we die.
    _lock: File,
}

impl NatsServer {
    /// Finds a nats-server, starts it, and waits until clients can connect.
    ///
    /// A server left behind in the folder by a process that was killed is ended first.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let Options { store_dir, port, monitor_port, sync_always, accounts, ready_within } = options;
        let program = find::find().await?;
        let wrap = |source| StartError::System { path: store_dir.clone(), source };
        std::fs::create_dir_all(&store_dir).map_err(wrap)?;
        let folder = std::path::absolute(&store_dir).map_err(wrap)?;
        let files = Files::in_folder(&folder);
        let lock = lock(&files.lock, &folder).await?;
        orphan::end(&files).await;
        let name = format!("seva-{:016x}", chance::number());
        let config = Config { name, port: 0, monitor_port: 0, sync_always, accounts, files };
        let mut server = Self { program, config, ready_within, child: None, _lock: lock };
        let ports_are_ours = port.is_none() || monitor_port.is_none();
        let mut attempts = 0;
        loop {
            attempts += 1;
            server.config.port = port.map_or_else(free_port, Ok)?;
            server.config.monitor_port = monitor_port.map_or_else(free_port, Ok)?;
            match server.launch().await {
                Err(error) if ports_are_ours && is_taken(&error) && attempts < ATTEMPTS_MAX => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(server),
            }
        }
    }

    /// Returns the address for clients, as `nats://127.0.0.1:4222`.
    pub fn url(&self) -> String {
        self.config.url()
    }

    /// Returns the address of the monitoring page, as `http://127.0.0.1:8222`.
    pub fn monitor_url(&self) -> String {
        self.config.monitor_url()
    }

    /// Returns the path of its log file.
    pub fn log_file(&self) -> &Path {
        &self.config.files.log
    }

    /// Returns its process id, or `None` after it was killed or stopped.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref()?.id()
    }

    /// Says whether the process still runs, also when somebody else killed it.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Kills it without warning, as a crash would, and waits until it is gone.
    pub async fn kill9(&mut self) -> io::Result<()> {
        match self.child.take() {
            Some(mut child) => child.kill().await,
            None => Ok(()),
        }
    }

    /// Halts the process without ending it: connections stay open and nothing answers. Returns
    /// once all its threads have halted.
    pub async fn freeze(&self) -> io::Result<()> {
        self.signal(Signal::STOP)?;
        let pid = WaitId::Pid(self.process()?);
        let stopped = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let deadline = Instant::now() + STOP_TIMEOUT;
        while waitid(pid.clone(), stopped)?.is_none() {
            if Instant::now() >= deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    /// Lets a frozen process go on.
    pub fn thaw(&self) -> io::Result<()> {
        self.signal(Signal::CONT)
    }

    /// Starts it again on the same ports and store, stopping it first if it runs.
    pub async fn restart(&mut self) -> Result<(), StartError> {
        self.stop().await.map_err(|source| StartError::System { path: self.program.clone(), source })?;
        let deadline = Instant::now() + self.ready_within;
        loop {
            match self.launch().await {
                Err(error) if is_taken(&error) && Instant::now() < deadline => {
                    sleep(Duration::from_millis(200)).await
                }
                done => return done,
            }
        }
    }

    /// Asks it to end, waits for that a bounded time, then kills it.
    pub async fn stop(&mut self) -> io::Result<()> {
        if self.is_running() {
            self.signal(Signal::TERM)?;
        }
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        match timeout(STOP_TIMEOUT, child.wait()).await {
            Ok(ended) => ended.map(|_status| ()),
            Err(_elapsed) => {
                tracing::warn!(log = %self.config.files.log.display(), "nats-server did not end when asked: killing it");
                child.kill().await
            }
        }
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(self.process()?, signal)?)
    }

    fn process(&self) -> io::Result<Pid> {
        let pid = self.pid().and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
        pid.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "nats-server is not running"))
    }

    /// Starts the process with the configuration at hand and waits until it is ready.
    async fn launch(&mut self) -> Result<(), StartError> {
        let files = &self.config.files;
        let text = self.config.text().map_err(|path| StartError::Path { path })?;
        files::write_whole(&files.accounts, &self.config.accounts)?;
        files::write_whole(&files.config, &text)?;
        let wrap = |path: &Path| {
            let path = path.to_owned();
            move |source| StartError::System { path, source }
        };
        // What it says before it opens its log, as about a wrong setting, belongs there too.
        let log = File::options().create(true).append(true).open(&files.log).map_err(wrap(&files.log))?;
        let log_begin = log.metadata().map_err(wrap(&files.log))?.len();
        let child = Command::new(&self.program)
            .arg("-c")
            .arg(&files.config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(wrap(&files.log))?)
            .stderr(log)
            // Ctrl-C at the terminal is for us: the server must outlive the drain.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(wrap(&self.program))?;
        self.child = Some(child);
        let ready = self.wait_until_ready(log_begin).await;
        if ready.is_err() {
            // The reason to report is why it is not ready, not how its end went.
            drop(self.kill9().await);
        }
        ready
    }

    async fn wait_until_ready(&mut self, log_begin: u64) -> Result<(), StartError> {
        let deadline = Instant::now() + self.ready_within;
        let monitor_url = self.config.monitor_url();
        while Instant::now() < deadline {
            let log = self.config.files.log.clone();
            let status = match &mut self.child {
                Some(child) => {
                    child.try_wait().map_err(|source| StartError::System { path: log.clone(), source })?
                }
                None => None,
            };
            if let Some(status) = status {
                let said = files::last_line(&log, log_begin);
                return Err(StartError::Ended { status, log, said });
            }
            if monitor::is_ready(&monitor_url, &self.config.name).await {
                return Ok(());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Err(StartError::NotReady { within: self.ready_within, log: self.config.files.log.clone() })
    }
}

impl Drop for NatsServer {
    /// Kills the process and waits a moment for its end, so that its folder can be removed.
    fn drop(&mut self) {
        let Some(child) = &mut self.child else { return };
        if child.start_kill().is_err() {
            return;
        }
        for _ in 0..500 {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Takes the folder for this process. A lock held only by a program just being started is waited for.
async fn lock(path: &Path, folder: &Path) -> Result<File, StartError> {
    let wrap = |source| StartError::System { path: path.to_owned(), source };
    let file = File::options().create(true).write(true).truncate(false).open(path).map_err(wrap)?;
    let deadline = Instant::now() + LOCK_TIMEOUT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                sleep(Duration::from_millis(20)).await
            }
            Err(TryLockError::WouldBlock) => {
                return Err(StartError::InUse { folder: folder.to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(wrap(source)),
        }
    }
}

fn free_port() -> Result<u16, StartError> {
    let span = u64::from(LAST_PORT - FIRST_PORT) + 1;
    (0..1000)
        .filter_map(|_| u16::try_from(chance::number() % span).ok())
        .map(|offset| FIRST_PORT + offset)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .ok_or(StartError::NoPort)
}

fn is_taken(error: &StartError) -> bool {
    matches!(error, StartError::Ended { said, .. } if said.contains("address already in use"))
}

#[cfg(test)]
mod tests;
