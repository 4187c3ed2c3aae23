//! One service in this process: what the fault run starts, kills and starts again. The same house that `seva serve` starts.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use seva::house::{self, CLEAN_AFTER, Durability, Options};
use seva::ports::Settings;
use seva_domain::service::Service;
use seva_host::shutdown::Shutdown;
use seva_host::telemetry::{self, Format};
use seva_host::tls::Files;
use seva_refunds::provider::PaymentProvider;
use seva_rights::Seeds;
use seva_vault::MasterKey;

use crate::clock::Pace;

/// How long the payment provider may take to answer: less than it takes when told to answer late.
const PROVIDER_ANSWER_MAX: Duration = Duration::from_millis(1_500);

/// Options of `serve`, the same as those of `seva serve`, and how its clock goes.
#[derive(clap::Args, Debug)]
pub struct ServeArgs {
    /// Which service.
    service: String,
    /// The NATS server that holds the log.
    #[arg(long, value_name = "URL")]
    nats: String,
    /// The folder of the seeds.
    #[arg(long, value_name = "DIR")]
    nats_creds: PathBuf,
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
    /// What it shows its callers.
    #[arg(long, value_name = "FILE")]
    tls_cert: PathBuf,
    /// The key to it.
    #[arg(long, value_name = "FILE")]
    tls_key: PathBuf,
    /// Who pays refunds.
    #[arg(long, value_name = "URL")]
    payment_provider: Option<String>,
    /// Since when the clock goes faster than the machine's, in microseconds since 1970.
    #[arg(long, value_name = "TIME", default_value_t = 0)]
    clock_began: i64,
    /// How many times as fast as the machine's it goes.
    #[arg(long, value_name = "N", default_value_t = 1)]
    clock_rate: i64,
}

/// Runs a service until the process is told to stop, or its parent is gone.
pub async fn run(args: ServeArgs) -> anyhow::Result<()> {
    telemetry::init(Format::Json)?;
    let shutdown = Shutdown::listen()?;
    end_with_parent();
    let pace = Pace { began: args.clock_began, rate: args.clock_rate };
    let provider = args.payment_provider.as_deref().map(PaymentProvider::new).transpose()?;
    let options = Options {
        services: vec![Service::parse(&args.service).context("there is no such service")?],
        history: false,
        nats_url: args.nats,
        seeds: Seeds::in_folder(args.nats_creds),
        monitor_url: args.monitor,
        data: args.data,
        listen: args.listen,
        master: Some(MasterKey::from_file(&args.master_key_file)?),
        durability: Durability::Always,
        identity: seva_tokens::identity(),
        clock: pace.clock(),
        // A clock that is faster on purpose would stop the writers.
        checks_clock: pace.rate == 1,
        payment_provider: provider.map(|provider| provider.answering_within(PROVIDER_ANSWER_MAX)),
        metrics_port: 0,
        clean_after: CLEAN_AFTER,
        ports: Settings {
            tls: Some(Files { certificate: args.tls_cert, key: args.tls_key }),
            ..Settings::default()
        },
    };
    house::start(&options, shutdown.token()).await?.stopped().await
}

/// Ends this process when its parent does, however that ended.
pub fn end_with_parent() {
    std::thread::spawn(|| {
        let mut rest = Vec::new();
        // Whether the pipe broke or was closed: whoever held it is gone.
        let _gone = std::io::stdin().read_to_end(&mut rest);
        std::process::exit(0);
    });
}
