//! The program: history as a process of its own, what is published as it comes, and the catalogue.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use seva_api::pb::operations::v1::operations_service_client::OperationsServiceClient;
use seva_api::pb::operations::v1::{GetStatusRequest, GetStatusResponse};
use seva_domain::published::catalogue;
use seva_host::endpoints::Endpoints;
use seva_stories::{House, command, say, seva};
use seva_support::eventually;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tonic::transport::Endpoint;

use crate::stream::{check, published};

const PATIENCE: Duration = Duration::from_secs(60);

/// `seva serve history` over a house's log.
struct Served {
    child: Child,
    endpoints: Endpoints,
}

impl Served {
    async fn start(house: &House, data: &Path) -> Served {
        // What an earlier process left does not tell that this one listens.
        std::fs::remove_file(data.join(seva_host::endpoints::FILE)).unwrap_or_default();
        let (nats, monitor) = (house.nats().url(), house.nats().monitor_url());
        let mut command = command();
        command.args(["serve", "history", "--nats", &nats, "--monitor", &monitor, "--data"]).arg(data);
        command.arg("--nats-creds").arg(house.nats().seeds().folder());
        command.env_remove("SEVA_MASTER_KEY").stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.kill_on_drop(true).spawn().unwrap();
        let endpoints = eventually("history listens", PATIENCE, async || Endpoints::read(data).ok()).await;
        Served { child, endpoints }
    }

    async fn status(&self) -> Option<GetStatusResponse> {
        let url = self.endpoints.service("history").unwrap().to_owned();
        let mut operations = OperationsServiceClient::new(seva_tokens::client(
            Endpoint::from_shared(url).unwrap().connect_lazy(),
        ));
        Some(operations.get_status(GetStatusRequest {}).await.ok()?.into_inner())
    }

    /// Waits until it says that it has published everything up to here.
    async fn caught_up(&self, end: u64) -> GetStatusResponse {
        eventually("history has published all", PATIENCE, async || {
            self.status().await.filter(|status| status.state == "SERVING" && status.reacted_sequence == end)
        })
        .await
    }

    async fn signal(mut self, signal: &str) -> std::process::ExitStatus {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().await.unwrap().success());
        tokio::time::timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap()
    }
}

/// `seva events tail`, and what it prints.
async fn tail(args: &[&str], data: &Path) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut command = command();
    command.args(["events", "tail"]).args(args).arg("--at").arg(data);
    let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn history_is_a_process_of_its_own_that_says_how_far_it_is_and_drains() {
    let house = House::start().await;
    let data = tempfile::tempdir().unwrap();
    let served = Served::start(&house, data.path()).await;
    served.caught_up(house.settled().await).await;
    served.signal("-KILL").await;

    house.feedback().capture_suggestion(say::suggestion("one", "Deliver on Sundays.")).await.unwrap();
    let end = house.settled().await;
    let served = Served::start(&house, data.path()).await;
    let status = served.caught_up(end).await;
    assert_eq!(status.service, "history");
    let stream = &status.read_models[0];
    assert_eq!((stream.name.as_str(), stream.sequence, stream.lag_messages), ("SEVA_EVENTS", end, 0));
    let metrics = metrics(&served.endpoints.metrics["history"]).await;
    let relayed = format!("seva_relayed_sequence{{service=\"history\"}} {end}");
    assert!(metrics.contains(&relayed), "{relayed} is not in {metrics}");
    assert!(metrics.contains("seva_relay_lag_messages{service=\"history\"} 0"), "{metrics}");
    let told = seva(&["status", "--at", data.path().to_str().unwrap()]).await;
    assert!(String::from_utf8_lossy(&told.stdout).contains("SEVA_EVENTS"), "{told:?}");
    assert!(served.signal("-TERM").await.success());
    check(house.nats()).await;
    house.stop().await;
}

/// The page of numbers that an operator's monitoring reads, once it tells of the relay.
async fn metrics(url: &str) -> String {
    eventually("numbers of the relay", PATIENCE, async || {
        let rest = url.strip_prefix("http://")?;
        let (host, path) = rest.split_once('/')?;
        let mut stream = tokio::net::TcpStream::connect(host).await.ok()?;
        let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.ok()?;
        let mut page = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut page).await.ok()?;
        let is_there = page.contains("seva_relay_lag_messages{service=\"history\"} 0");
        is_there.then_some(page)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn events_are_printed_as_they_come_until_there_are_enough_or_somebody_stops_it() {
    let house = House::start().await;
    let data = tempfile::tempdir().unwrap();
    let served = Served::start(&house, data.path()).await;
    let mut feedback = house.feedback();
    feedback.capture_suggestion(say::suggestion("one", "Deliver on Sundays.")).await.unwrap();
    served.caught_up(house.settled().await).await;

    let at = data.path().to_str().unwrap();
    let all = published(house.nats()).await;
    let count = all.len().to_string();
    let output = seva(&["events", "tail", "--from-start", "--json", "--limit", &count, "--at", at]).await;
    assert!(output.status.success(), "{output:?}");
    let printed: Vec<serde_json::Value> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(printed.len(), all.len());
    for (event, message) in printed.iter().zip(&all) {
        assert_eq!(event["id"], message.header("ce-id"));
        assert_eq!(event["data"], serde_json::from_slice::<serde_json::Value>(&message.body).unwrap());
        assert_eq!(
            (&event["specversion"], &event["datacontenttype"]),
            (&"1.0".into(), &"application/json".into())
        );
    }

    let (child, mut lines) = tail(&["--filter", "*.routed", "--from-start"], data.path()).await;
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    assert!(line.contains(" suggestion.routed.v1 sug_") && line.contains("\"department\":"), "{line}");
    feedback.capture_suggestion(say::suggestion("two", "Deliver on Mondays.")).await.unwrap();
    let next = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    assert!(next.contains(" suggestion.routed.v1 sug_") && next != line, "{next}");
    let stopped = Served { child, endpoints: Endpoints::default() }.signal("-INT").await;
    assert!(stopped.success(), "{stopped}");
    assert_eq!(lines.next_line().await.unwrap(), None);

    let wrong = seva(&["events", "tail", "--filter", "Case", "--at", at]).await;
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    assert!(served.signal("-TERM").await.success());
    house.stop().await;
}

#[tokio::test]
async fn the_catalogue_names_every_type() {
    let output = seva(&["events", "catalogue"]).await;
    let page = String::from_utf8(output.stdout).unwrap();
    for described in catalogue() {
        assert!(page.contains(&format!("### `{}`", described.wire_type)), "{}", described.wire_type);
    }
    assert!(output.status.success());
}
