//! The program itself, serving as a process, with everything it says kept.

use std::fs::File;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use seva_api::pb::operations::v1::GetStatusRequest;
use seva_api::pb::operations::v1::operations_service_client::OperationsServiceClient;
use seva_host::endpoints::{self, Endpoints};
use seva_support::{TestNats, eventually};
use seva_tokens::Client;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tonic::transport::Endpoint;

use crate::program::command;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// All services in a process of their own.
pub struct Served {
    child: Child,
    pub endpoints: Endpoints,
}

impl Served {
    /// Starts them with their databases in `folder/data`, and adds what they say to `folder/said`. The master key is that of the file
    /// `folder/master.key`, if there is one.
    pub async fn start(nats: &TestNats, folder: &Path) -> Result<Served> {
        let data = folder.join("data");
        let mut command = command();
        command.args(["serve", "--nats", &nats.url(), "--monitor", &nats.monitor_url()]);
        command.arg("--nats-creds").arg(nats.seeds().folder());
        command.args(["--clean-after-seconds", "0", "--data"]).arg(&data);
        command.env("SEVA_LOG_LEVEL", "debug");
        let key = folder.join("master.key");
        if key.exists() {
            command.arg("--master-key-file").arg(key);
        } else {
            command.env("SEVA_MASTER_KEY", "5a".repeat(32));
        }
        let said = File::options().create(true).append(true).open(folder.join("said"))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        // What a process before this one left behind would be taken for this one's.
        match std::fs::remove_file(data.join(endpoints::FILE)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        let child = command.kill_on_drop(true).spawn()?;
        let endpoints =
            eventually("the services listen", PATIENCE, async || Endpoints::read(&data).ok()).await;
        let served = Served { child, endpoints };
        served.settled().await;
        Ok(served)
    }

    /// A connection to a service.
    pub fn channel(&self, service: &str) -> Result<Client> {
        let endpoint = Endpoint::from_shared(self.endpoints.service(service)?.to_owned())?;
        Ok(seva_tokens::client(endpoint.connect_lazy()))
    }

    /// Waits until every service has read, reacted to and folded all there is.
    pub async fn settled(&self) {
        eventually("every service is at the end of the log", PATIENCE, async || {
            let mut positions = Vec::new();
            for service in self.endpoints.services.keys() {
                let mut operations = OperationsServiceClient::new(self.channel(service).ok()?);
                let status = operations.get_status(GetStatusRequest {}).await.ok()?.into_inner();
                if status.state != "SERVING" {
                    return None;
                }
                positions.extend([status.followed_sequence, status.reacted_sequence]);
                positions.extend(status.read_models.iter().map(|model| model.sequence));
            }
            positions.windows(2).all(|pair| pair[0] == pair[1]).then_some(())
        })
        .await;
    }

    /// The page of numbers that an operator's monitoring reads.
    pub async fn metrics(&self) -> Result<Vec<u8>> {
        let url = self.endpoints.metrics.values().next().context("no metrics")?;
        let (host, path) =
            url.strip_prefix("http://").and_then(|url| url.split_once('/')).context("a url")?;
        let mut stream = TcpStream::connect(host).await?;
        let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut page = Vec::new();
        stream.read_to_end(&mut page).await?;
        ensure!(page.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&page));
        Ok(page)
    }

    /// Asks the process to end, and waits until it has.
    pub async fn stop(mut self) -> Result<ExitStatus> {
        let pid = self.child.id().context("it has ended already")?;
        let kill = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
        ensure!(kill.success(), "it cannot be told to end");
        Ok(tokio::time::timeout(PATIENCE, self.child.wait()).await??)
    }
}
