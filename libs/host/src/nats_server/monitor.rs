//! What a nats-server's monitoring page tells: whether it is up, who it is, how it syncs.

use serde::Deserialize;

use super::http;

/// Why the monitoring page did not tell.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server runs without JetStream.
    #[error(
        "the nats-server behind {monitor_url} runs without JetStream; enable it in the server's configuration"
    )]
    NoJetStream {
        /// The monitoring address.
        monitor_url: String,
    },
    /// The page could not be fetched.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// The page answered with a failure.
    #[error("{monitor_url}/varz answered with status {status}; check that it belongs to a nats-server")]
    Status {
        /// The monitoring address.
        monitor_url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The page is not that of a nats-server.
    #[error("{monitor_url}/varz is not the page of a nats-server; check the address")]
    Unreadable {
        /// The monitoring address.
        monitor_url: String,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
}

#[derive(Deserialize)]
struct Varz {
    server_name: String,
    #[serde(default)]
    jetstream: JetStream,
}

#[derive(Default, Deserialize)]
struct JetStream {
    config: Option<JetStreamConfig>,
}

#[derive(Deserialize)]
struct JetStreamConfig {
    /// The server leaves the field out when it is false.
    #[serde(default)]
    sync_always: bool,
}

/// Says whether the server syncs every write to disk before it acknowledges it.
///
/// Only the monitoring page tells: a client connection cannot see the setting.
pub async fn sync_always(monitor_url: &str) -> Result<bool, Error> {
    let config = varz(monitor_url).await?.jetstream.config;
    config
        .map(|config| config.sync_always)
        .ok_or_else(|| Error::NoJetStream { monitor_url: monitor_url.to_owned() })
}

/// Returns the name of the server that answers at `monitor_url`.
pub(super) async fn server_name(monitor_url: &str) -> Result<String, Error> {
    Ok(varz(monitor_url).await?.server_name)
}

/// Says whether the server called `name` answers at `monitor_url` and is ready for clients.
pub(super) async fn is_ready(monitor_url: &str, name: &str) -> bool {
    let healthy = http::get(monitor_url, "/healthz").await.is_ok_and(|answer| answer.status == 200);
    healthy && server_name(monitor_url).await.is_ok_and(|found| found == name)
}

async fn varz(monitor_url: &str) -> Result<Varz, Error> {
    let answer = http::get(monitor_url, "/varz").await?;
    if answer.status != 200 {
        return Err(Error::Status { monitor_url: monitor_url.to_owned(), status: answer.status });
    }
    serde_json::from_str(&answer.body)
        .map_err(|source| Error::Unreadable { monitor_url: monitor_url.to_owned(), source })
}
