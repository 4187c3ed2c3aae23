//! `seva demo`: a log and all services of its own, a shop's week played through them, and what came of it.

mod amends;
mod cast;
mod finding;
mod kept;
mod made_good;
mod play;
mod print;
mod provider;
mod running;
mod scenario;
mod separate;
mod settled;
mod story;
mod summary;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::Timestamp;
use seva_host::endpoints::{self, Endpoints};
use seva_host::nats_server::{NatsServer, Options};
use seva_host::shutdown::Shutdown;
use seva_host::tls::Files;
use seva_host::tls::authority::Authority;
use seva_rights::Seeds;
use seva_vault::MasterKey;

pub(crate) use self::cast::IDENTITY;
use self::kept::Kept;
use self::print::Printed;
use self::provider::Provider;
use self::running::Running;
use self::scenario::Week;
use self::summary::{Seconds, Summary};
use crate::args::DemoArgs;
use crate::connect::Home;
use crate::failure::Exit;
use crate::output;

/// The databases' folder in the demo's folder.
pub(crate) const DATABASES: &str = "databases";

/// The folder of the seeds in the demo's folder.
const SEEDS: &str = "seeds";

/// The folder of certificates and their keys in the demo's folder.
const TLS: &str = "tls";

/// The master key's file in the demo's folder.
pub(crate) const MASTER_KEY_FILE: &str = "master.key";

/// How long everything may take to be read, reacted to and folded after the last step.
const SETTLE_PATIENCE: Duration = Duration::from_secs(60);

/// Runs the demo: starts, plays, prints, and stays up until it is told to stop, or ends at once with `--exit`.
pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let shutdown = Shutdown::listen()?;
    let mut clock = Clock::start();
    let dir = folder(args.data.as_deref())?;
    output::say(&format!("1/6 Starting nats-server in {}", dir.join("nats").display()));
    let seeds = Seeds::make(dir.join(SEEDS))?;
    let accounts = seeds.accounts(&[])?;
    let starting = NatsServer::start(Options { accounts, ..Options::new(dir.join("nats")) });
    let mut nats = tokio::select! {
        biased;
        () = shutdown.token().cancelled_owned() => return Ok(Exit::Partial.into()),
        started = starting => started?,
    };
    clock.seconds.log_started = clock.lap();
    let log = Nats { server: &nats, seeds: &seeds };
    let outcome = with_log(&args, &dir, log, &shutdown, clock).await;
    let stopped = nats.stop().await.context("nats-server did not stop");
    let code = outcome?;
    stopped?;
    Ok(code)
}

/// Starts the services on a running log, shows them, and stops them whatever happened.
async fn with_log(
    args: &DemoArgs,
    dir: &Path,
    nats: Nats<'_>,
    shutdown: &Shutdown,
    mut clock: Clock,
) -> anyhow::Result<ExitCode> {
    match args.separate {
        false => output::say("2/6 Starting the services"),
        true => output::say("2/6 Starting the services, each as a process of its own"),
    }
    let master_key_file = dir.join(MASTER_KEY_FILE);
    if !master_key_file.exists() {
        MasterKey::generate_file(&master_key_file)?;
    }
    cast::keep(dir, &Week::load()?)?;
    // An authority for this start: its key is nowhere but in this process, and ends with it.
    let authority = Authority::new()?;
    let (ca_file, tls) = (authority.write(&dir.join(TLS))?, authority.issue(&dir.join(TLS))?);
    let told_to_stop = shutdown.token();
    let (provider, mut running) = tokio::select! {
        biased;
        () = told_to_stop.cancelled() => return Ok(Exit::Partial.into()),
        started = start(args.separate, dir, nats, &tls) => started?,
    };
    clock.seconds.services_started = clock.lap();
    let endpoints = Endpoints {
        nats: nats.server.url(),
        nats_creds: nats.seeds.folder().to_owned(),
        monitor: nats.server.monitor_url(),
        master_key_file,
        ca_file: Some(ca_file),
        metrics: running.metrics(),
        services: running.services(),
    };
    let mut outcome = tokio::select! {
        biased;
        () = told_to_stop.cancelled() => Ok(false),
        error = running.lost_one() => Err(error),
        shown = show(args, dir, endpoints, clock) => shown.map(|()| true),
    };
    if matches!(outcome, Ok(true)) && !args.exit {
        print::stays(dir);
        tokio::select! {
            () = told_to_stop.cancelled() => {}
            error = running.lost_one() => outcome = Err(error),
        }
    }
    let stopped = running.stop(shutdown).await;
    let provider_stopped = provider.stop().await;
    let outcome = outcome?;
    stopped?;
    provider_stopped?;
    match outcome {
        true => Ok(ExitCode::SUCCESS),
        false => {
            output::say(&format!(
                "Stopped before the end; `demo --data {}` goes on from here.",
                dir.display()
            ));
            Ok(Exit::Partial.into())
        }
    }
}

/// The demo's server, and what is connected to it with.
#[derive(Clone, Copy)]
pub(crate) struct Nats<'a> {
    pub(crate) server: &'a NatsServer,
    pub(crate) seeds: &'a Seeds,
}

/// Makes the streams, and starts the payment provider and then the services.
async fn start(
    separate: bool,
    dir: &Path,
    nats: Nats<'_>,
    tls: &Files,
) -> anyhow::Result<(Provider, Running)> {
    crate::nats::set_up(&nats.server.url(), nats.seeds, 1).await?;
    let provider = Provider::start(dir).await?;
    match Running::start(separate, dir, nats, &provider.url, tls).await {
        Ok(running) => Ok((provider, running)),
        Err(error) => {
            provider.stop().await?;
            Err(error)
        }
    }
}

/// Plays the week, waits until it has settled, reads it back and prints it.
async fn show(args: &DemoArgs, dir: &Path, endpoints: Endpoints, mut clock: Clock) -> anyhow::Result<()> {
    endpoints.write(dir)?;
    let remembered = match endpoints::remember(dir) {
        Ok(()) => true,
        Err(error) => {
            output::say(&format!("    other verbs will need --at: {error}"));
            false
        }
    };
    let home = Home::new(endpoints, dir, cast::DEMO)?;
    let week = Week::load()?;
    let mut kept = Kept::open(dir, Timestamp::now())?;

    output::say(&format!("3/6 Playing a week of {} steps through the services", week.steps.len()));
    let played = play::play(&home, &week, &mut kept).await?;
    output::say("    and, of a charge that was too much, what became of it");
    let amends = amends::play(&home, &kept).await?;
    clock.seconds.played = clock.lap();

    output::say("4/6 Waiting until every service has read, reacted to and folded it");
    let settled = settled::settled(&home, SETTLE_PATIENCE).await?;
    clock.seconds.settled = clock.lap();

    output::say("5/6 Reading it back");
    let mut summary = summary::read_back(&home, &played, &amends, &settled).await?;
    clock.seconds.read_back = clock.lap();
    summary.seconds = clock.total();
    summary.data = dir.display().to_string();
    let printed = Printed { program: print::program(), dir, remembered, ends: args.exit };
    summary.next = print::commands(&summary, &printed);

    output::say("6/6 Done\n");
    print_summary(args.json, &summary)
}

fn print_summary(json: bool, summary: &Summary) -> anyhow::Result<()> {
    if json {
        return output::print_json(summary);
    }
    output::print(&print::text(summary));
    Ok(())
}

/// The folder given, made if it is missing, or a fresh one that stays.
fn folder(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    match given {
        Some(dir) => {
            std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
            Ok(std::path::absolute(dir)?)
        }
        None => Ok(tempfile::Builder::new()
            .prefix("seva-demo-")
            .tempdir()
            .context("cannot make a folder")?
            .keep()),
    }
}

/// Measures the parts of the run.
struct Clock {
    began: Instant,
    lap: Instant,
    seconds: Seconds,
}

impl Clock {
    fn start() -> Clock {
        let now = Instant::now();
        Clock { began: now, lap: now, seconds: Seconds::default() }
    }

    /// Seconds since the last lap.
    fn lap(&mut self) -> f64 {
        let now = Instant::now();
        let took = now - self.lap;
        self.lap = now;
        rounded(took)
    }

    /// All laps, with the time in all.
    fn total(&self) -> Seconds {
        Seconds { total: rounded(self.began.elapsed()), ..self.seconds }
    }
}

/// Seconds to the millisecond.
fn rounded(took: Duration) -> f64 {
    (took.as_secs_f64() * 1000.0).round() / 1000.0
}
