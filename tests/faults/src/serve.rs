//! One service in this process: what the fault run starts, kills and starts again. The same house that `seva serve` starts.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use seva::house::{self, Durability, Options, system_clock};
use seva_domain::service::Service;
use seva_host::shutdown::Shutdown;
use seva_host::telemetry::{self, Format};
use seva_vault::MasterKey;

/// Options of `serve`, the same as those of `seva serve`.
#[derive(clap::Args, Debug)]
pub struct ServeArgs {
    /// Which service.
    service: String,
    /// The NATS server that holds the log.
    #[arg(long, value_name = "URL")]
    nats: String,
    /// Its monitoring page.
    #[arg(long, value_name = "URL")]
    monitor: String,
    /// Where its database is kept.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where to listen.
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// The master key.
    #[arg(long, value_name = "FILE")]
    master_key_file: PathBuf,
}

/// Runs a service until the process is told to stop, or its parent is gone.
pub async fn run(args: ServeArgs) -> anyhow::Result<()> {
    telemetry::init(Format::Json)?;
    let shutdown = Shutdown::listen()?;
    std::thread::spawn(|| {
        let mut rest = Vec::new();
        // Whether the pipe broke or was closed: whoever held it is gone.
        let _gone = std::io::stdin().read_to_end(&mut rest);
        std::process::exit(0);
    });
    let options = Options {
        services: vec![Service::parse(&args.service).context("there is no such service")?],
        history: false,
        nats_url: args.nats,
        monitor_url: args.monitor,
        data: args.data,
        listen: args.listen,
        master: Some(MasterKey::from_file(&args.master_key_file)?),
        durability: Durability::Always,
        clock: system_clock(),
        checks_clock: true,
        replicas: 1,
        payment_provider: None,
        metrics_port: 0,
    };
    house::start(&options, shutdown.token()).await?.stopped().await
}
