//! Runs services in this process.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use seva_api::access::Identity;
use seva_domain::service::Service;
use seva_host::endpoints::Endpoints;
use seva_host::shutdown::Shutdown;
use seva_host::tls::Files;
use seva_refunds::provider::PaymentProvider;
use seva_rights::Seeds;
use seva_vault::MasterKey;
use tokio_util::sync::CancellationToken;

use crate::args::{self, ServeArgs};
use crate::demo::{DATABASES, IDENTITY, MASTER_KEY_FILE, Nats};
use crate::house::{self, CLEAN_AFTER, Durability, Options, system_clock};
use crate::ports::Settings;
use crate::token::IDENTITY_FILE;
use crate::{failure, history};

/// The variable that holds the master key where no file does.
const MASTER_KEY: &str = "SEVA_MASTER_KEY";

/// Services that run in this process.
pub(crate) struct Running {
    /// Where each answers: service to `https://127.0.0.1:port`, or `http://` without TLS.
    pub(crate) services: BTreeMap<String, String>,
    metrics: String,
    house: house::Running,
}

impl Running {
    /// Each service's metrics page by the service's name: they share one.
    pub(crate) fn metrics(&self) -> BTreeMap<String, String> {
        self.services.keys().map(|service| (service.clone(), self.metrics.clone())).collect()
    }

    /// Waits until every service has stopped.
    pub(crate) async fn stopped(self) -> anyhow::Result<()> {
        self.house.stopped().await
    }
}

impl From<house::Running> for Running {
    fn from(house: house::Running) -> Running {
        let services = house.services.iter().map(|(service, url)| (service.name().to_owned(), url.clone()));
        let history = house.history.iter().map(|url| (history::NAME.to_owned(), url.clone()));
        Running { services: services.chain(history).collect(), metrics: house.metrics.clone(), house }
    }
}

/// Runs the services asked for until the process is told to stop.
pub(crate) async fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let shutdown = Shutdown::listen()?;
    if args.with_parent {
        shutdown.with_parent();
    }
    let (services, history) = parts(&args.services)?;
    let master = match &args.master_key_file {
        // What seals and opens nothing should not be given the key.
        _ if services.is_empty() => None,
        Some(file) => Some(MasterKey::from_file(file)?),
        None => Some(MasterKey::from_env(MASTER_KEY)?),
    };
    let identity = args.identity.as_deref().ok_or_else(|| {
        let how = "name a file with --identity FILE or SEVA_IDENTITY; `seva token` makes one for development";
        failure::usage(format!("nobody's tokens would be believed: {how}"))
    })?;
    let options = Options {
        identity: Identity::read(identity)?,
        services,
        history,
        nats_url: args.nats.clone(),
        seeds: Seeds::in_folder(&args.nats_creds),
        monitor_url: args.monitor.clone(),
        data: args.data.clone(),
        listen: args.listen,
        master,
        durability: match args.durability {
            args::Durability::Always => Durability::Always,
            args::Durability::Relaxed => Durability::Relaxed,
        },
        clock: system_clock(),
        checks_clock: true,
        payment_provider: args.payment_provider.as_deref().map(PaymentProvider::new).transpose()?,
        metrics_port: args.metrics_port,
        clean_after: Duration::from_secs(args.clean_after_seconds),
        ports: args.ports(),
    };
    let running = Running::from(house::start(&options, shutdown.token()).await?);
    let endpoints = Endpoints {
        nats: args.nats,
        nats_creds: std::path::absolute(args.nats_creds)?,
        monitor: args.monitor,
        master_key_file: args.master_key_file.unwrap_or_default(),
        // Who vouches for the certificate is not known here: a client says whom it trusts.
        ca_file: None,
        metrics: running.metrics(),
        services: running.services.clone(),
    };
    endpoints.join(&args.data)?;
    let token = shutdown.token();
    let stopped = running.stopped();
    tokio::pin!(stopped);
    let over = tokio::select! {
        over = &mut stopped => Some(over),
        () = token.cancelled() => shutdown.drain(stopped).await,
    };
    over.unwrap_or_else(|| bail!("calls that were under way did not end in time"))?;
    Ok(ExitCode::SUCCESS)
}

/// The services that these names name, each once, and whether history is one of them; all if there is no name.
pub(crate) fn parts(names: &[String]) -> anyhow::Result<(Vec<Service>, bool)> {
    if names.is_empty() {
        return Ok((Service::ALL.to_vec(), true));
    }
    let mut services = Vec::new();
    for name in names.iter().filter(|name| *name != history::NAME) {
        let known = Service::ALL.map(Service::name).join(", ");
        let service = Service::parse(name)
            .with_context(|| format!("there is no service `{name}`: take {known} or {}", history::NAME))?;
        if !services.contains(&service) {
            services.push(service);
        }
    }
    Ok((services, names.iter().any(|name| name == history::NAME)))
}

/// Starts all services and history on free loopback ports under TLS, with the master key that the data folder holds.
pub(crate) async fn start_all(
    data_dir: &Path,
    nats: Nats<'_>,
    payment_provider: &str,
    tls: Files,
    shutdown: CancellationToken,
) -> anyhow::Result<Running> {
    let options = Options {
        services: Service::ALL.to_vec(),
        history: true,
        nats_url: nats.server.url(),
        seeds: nats.seeds.clone(),
        monitor_url: nats.server.monitor_url(),
        data: data_dir.join(DATABASES),
        listen: ([127, 0, 0, 1], 0).into(),
        master: Some(MasterKey::from_file(data_dir.join(MASTER_KEY_FILE))?),
        durability: Durability::Always,
        identity: Identity::read(&data_dir.join(IDENTITY).join(IDENTITY_FILE))?,
        clock: system_clock(),
        checks_clock: true,
        payment_provider: Some(PaymentProvider::new(payment_provider)?),
        metrics_port: 0,
        clean_after: CLEAN_AFTER,
        ports: Settings { tls: Some(tls), ..Settings::default() },
    };
    Ok(Running::from(house::start(&options, shutdown).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> anyhow::Result<(Vec<Service>, bool)> {
        parts(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn nothing_named_is_everything_and_history_is_a_name_like_the_others() {
        assert_eq!(named(&[]).unwrap(), (Service::ALL.to_vec(), true));
        assert_eq!(named(&["history"]).unwrap(), (Vec::new(), true));
        assert_eq!(named(&["intake", "intake"]).unwrap(), (vec![Service::Intake], false));
        assert_eq!(named(&["history", "policy"]).unwrap(), (vec![Service::Policy], true));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = named(&["parrots"]).unwrap_err().to_string();
        assert!(error.contains("refunds or history"), "{error}");
    }
}
