//! nats-servers run with a configuration of `deploy/`, on ports and in folders of the test.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_nats::Client;
use rand::Rng as _;
use seva_host::nats_server::{find, sync_always};
use seva_rights::{Identity, Seeds};
use seva_support::eventually;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::files::text;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Ports that servers of this process will listen on, some of which do not yet.
static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port below those that systems take for outgoing connections, so that a server that comes back finds it free.
pub(crate) fn free_port() -> u16 {
    let mut rng = rand::rng();
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut ports = (0..1_000).map(|_| rng.random_range(10_000..32_000));
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.find(|port| is_free(port) && taken.insert(*port)).expect("a free port")
}

/// A text with whole lines replaced, each of which has to be there once.
pub(crate) fn with_lines(text: &str, replaced: &[(&str, String)]) -> String {
    let mut lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
    for (old, new) in replaced {
        let mut found = lines.iter_mut().filter(|line| line.trim() == *old);
        let line = found.next().unwrap_or_else(|| panic!("there is no line `{old}`"));
        assert!(found.next().is_none(), "there are two lines `{old}`");
        line.clone_from(new);
    }
    lines.join("\n")
}

/// A nats-server. Dropping it kills it.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) monitor: String,
    pub(crate) seeds: Seeds,
    child: Option<Child>,
    environment: Vec<(&'static str, String)>,
    folder: TempDir,
}

impl Server {
    /// A server to be started with a file of `deploy/`.
    pub(crate) fn new(
        file: &str,
        seeds: &Seeds,
        routes: &[(&str, String)],
        environment: Vec<(&'static str, String)>,
    ) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let [port, monitor] = [free_port(), free_port()];
        let mut replaced = vec![
            ("listen: 127.0.0.1:4222", format!("listen: 127.0.0.1:{port}")),
            ("http: 127.0.0.1:8222", format!("http: 127.0.0.1:{monitor}")),
            ("store_dir: /var/lib/nats", format!("store_dir: {:?}", folder.path().join("store"))),
        ];
        replaced.extend_from_slice(routes);
        std::fs::write(folder.path().join("nats-accounts.conf"), seeds.accounts(&[]).unwrap()).unwrap();
        std::fs::write(folder.path().join("server.conf"), with_lines(&text(file), &replaced)).unwrap();
        Server {
            url: format!("nats://127.0.0.1:{port}"),
            monitor: format!("http://127.0.0.1:{monitor}"),
            seeds: seeds.clone(),
            child: None,
            environment,
            folder,
        }
    }

    /// A connection to it, once it takes clients.
    pub(crate) async fn connect(&self, identity: Identity) -> Option<Client> {
        self.seeds.connect_as(identity).unwrap().connect(&self.url).await.ok()
    }

    /// Starts it, for the first time or again; it need not be ready.
    pub(crate) async fn start(&mut self) {
        let program = find().await.unwrap_or_else(|error| panic!("no nats-server for this test: {error}"));
        let mut command = Command::new(program);
        command.arg("-c").arg(self.folder.path().join("server.conf")).envs(self.environment.clone());
        let log = File::create(self.folder.path().join("server.log")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        self.child = Some(command.spawn().unwrap());
    }

    /// Kills it as a crash would.
    pub(crate) async fn kill9(&mut self) {
        self.child.take().expect("a server that runs").kill().await.unwrap();
    }

    /// Waits until it says how it syncs.
    pub(crate) async fn syncs_always(&mut self) -> bool {
        let (child, monitor) = (Mutex::new(self.child.as_mut()), &self.monitor);
        let log = self.folder.path().join("server.log");
        eventually("the server answers", PATIENCE, async || {
            let ended = child.lock().unwrap().as_mut().and_then(|child| child.try_wait().transpose());
            if let Some(status) = ended {
                panic!("the server ended: {status:?}\n{}", std::fs::read_to_string(&log).unwrap_or_default());
            }
            sync_always(monitor).await.ok()
        })
        .await
    }
}

/// The settings of a configuration, each with the line above it.
fn settings(text: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let pairs = lines.windows(2).filter(|pair| {
        let is_list = pair[1].starts_with("nats://")
            || pair[1].starts_with("include ")
            || pair[1].contains(['{', '}', ']']);
        !pair[1].is_empty() && !pair[1].starts_with('#') && !is_list
    });
    pairs.map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect()
}

#[test]
fn every_setting_stands_on_a_line_of_its_own_below_its_reason() {
    for file in ["deploy/nats-server.conf", "deploy/nats-cluster.conf"] {
        let settings = settings(&text(file));
        assert!(settings.len() >= 7, "{file}: {settings:?}");
        for (above, setting) in settings {
            assert!(above.starts_with("# "), "{file}: `{setting}` has no reason");
            assert_eq!(setting.matches(": ").count(), 1, "{file}: `{setting}` is more than one setting");
        }
    }
}
