//! The process's metrics, and the loopback page they are read from.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What a Prometheus server expects in answer to a scrape.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every metric of one process; names begin with `seva_`.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
}

/// The page cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("metrics cannot be served on 127.0.0.1:{port}; choose a free port")]
pub struct BindError {
    port: u16,
    #[source]
    source: io::Error,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { registry: Registry::with_prefix("seva") }
    }
}

impl Metrics {
    /// Returns the registry, for each part of the process to add what it counts before serving.
    pub fn registry(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// Writes all metrics in the OpenMetrics text form.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// Opens the page on loopback; port 0 means any free one.
    pub async fn bind(self, port: u16) -> Result<Page, BindError> {
        let wrap = |source| BindError { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(wrap)?;
        let addr = listener.local_addr().map_err(wrap)?;
        Ok(Page { metrics: self, listener, addr })
    }
}

/// The metrics page, bound but not yet answering.
#[derive(Debug)]
pub struct Page {
    metrics: Metrics,
    listener: TcpListener,
    addr: SocketAddr,
}

impl Page {
    /// Returns the page's address, as `http://127.0.0.1:9100/metrics`.
    pub fn url(&self) -> String {
        format!("http://{}/metrics", self.addr)
    }

    /// Answers scrapes until `stop` is cancelled.
    pub async fn serve(self, stop: CancellationToken) -> io::Result<()> {
        let router = Router::new().route("/metrics", get(scrape)).with_state(Arc::new(self.metrics));
        axum::serve(self.listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
    }
}

async fn scrape(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    match metrics.text() {
        Ok(text) => (StatusCode::OK, [(CONTENT_TYPE, OPEN_METRICS)], text),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, [(CONTENT_TYPE, "text/plain")], String::new()),
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;
    use crate::nats_server::http;

    #[tokio::test]
    async fn a_registered_counter_is_served_until_stopped() {
        let mut metrics = Metrics::default();
        let seen: Counter = Counter::default();
        metrics.registry().register("things_seen", "Things seen", seen.clone());
        seen.inc_by(3);
        let page = metrics.bind(0).await.unwrap();
        let base = page.url().trim_end_matches("/metrics").to_owned();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(page.serve(stop.clone()));
        let answer = http::get(&base, "/metrics").await.unwrap();
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("seva_things_seen_total 3"), "{}", answer.body);
        stop.cancel();
        serving.await.unwrap().unwrap();
    }
}
