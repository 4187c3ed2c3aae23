//! `seva sandbox-provider`: a payment provider to try refunds with, a process of its own that pays nobody and misbehaves when told to.
//!
//! It has the shape that refund APIs share: `POST /v1/refunds` under an `Idempotency-Key`, `GET /v1/refunds?idempotency_key=…` and
//! `GET /v1/refunds/{id}`, signed webhooks. One key stands for one refund: the same body gets the answer it got first, for ever, another
//! body is refused with 409. What it has answered is on disk. `POST /control` makes it misbehave (`behaviour.rs` says how, and which
//! charges do so by their name), `GET /control/ledger` shows what it paid.

mod answer;
mod app;
mod behaviour;
mod book;
mod connection;
mod control;
mod desk;
mod entry;
mod ledger;
mod routes;
mod webhooks;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use seva_host::files;
use seva_host::shutdown::Shutdown;
use seva_refunds::provider::exchange::Peer;
use seva_refunds::provider::webhook::Secret;
use tokio::net::TcpListener;

use self::app::App;
use self::desk::Desk;
use self::webhooks::Webhooks;
use crate::house::system_clock;
use crate::{args, output};

/// The file in the data folder that says where the provider listens.
pub(crate) const ADDRESS_FILE: &str = "provider.json";

/// Options of `seva sandbox-provider`.
#[derive(Args, Debug)]
pub(crate) struct SandboxArgs {
    /// Where to listen, on loopback only; port 0 for a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0", value_parser = loopback)]
    listen: SocketAddr,
    /// Where its ledger is kept, and its address in `provider.json`.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where settled refunds are told, on this machine only.
    #[arg(long, value_name = "URL", requires = "webhook_secret_file", value_parser = Peer::parse)]
    webhook: Option<Peer>,
    /// The secret that webhooks are signed under.
    #[arg(long, value_name = "FILE", requires = "webhook")]
    webhook_secret_file: Option<PathBuf>,
    /// End when standard input does: for whoever starts this process as a part of another.
    #[arg(long)]
    with_parent: bool,
}

/// Runs the provider until the process is told to stop.
pub(crate) async fn run(args: SandboxArgs) -> anyhow::Result<ExitCode> {
    let shutdown = Shutdown::listen()?;
    if args.with_parent {
        shutdown.with_parent();
    }
    let clock = system_clock();
    let webhooks = match (args.webhook, &args.webhook_secret_file) {
        (Some(peer), Some(file)) => Some(Webhooks::new(peer, Secret::from_file(file)?, clock.clone())),
        _ => None,
    };
    let (desk, torn_bytes) = Desk::open(&args.data)?;
    if torn_bytes > 0 {
        output::say(&format!(
            "The ledger's last line was not finished ({torn_bytes} bytes) and never answered: it is dropped."
        ));
    }
    let listen = args.listen;
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("{listen} cannot be listened on"))?;
    let url = format!("http://{}", listener.local_addr()?);
    let app = App::new(desk.clone(), webhooks, clock);
    app.resume().await;
    files::write_whole(&args.data.join(ADDRESS_FILE), &format!("{}\n", serde_json::json!({ "url": url })))?;
    output::print(&format!(
        "The sandbox provider listens on {url} and keeps its ledger in {}.",
        args.data.display()
    ));
    tokio::select! {
        () = connection::serve(listener, routes::router(app), shutdown.token()) => Ok(ExitCode::SUCCESS),
        () = desk.broken() => bail!("the ledger could not be written, so nothing more can be promised"),
    }
}

/// Reads an address and refuses those that other machines can reach: the sandbox speaks in the clear.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address = args::address(text)?;
    let is_loopback = address.ip().is_loopback();
    is_loopback.then_some(address).ok_or_else(|| "it listens on loopback only, such as 127.0.0.1".to_owned())
}
