//! `seva-faults`: kills services under load and judges what is left; judges a kept run again.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use seva_faults::judge::Verdict;
use seva_faults::run::{self, Plan};
use seva_faults::serve::{self, ServeArgs};

/// Kills services under load and judges what is left.
#[derive(Debug, Parser)]
#[command(name = "seva-faults")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run, judge, and keep everything.
    Run {
        /// How many processes are killed.
        #[arg(long, default_value_t = 50)]
        kills: u32,
        /// What all randomness follows from.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// After so long no more is killed.
        #[arg(long, value_name = "SECONDS")]
        seconds: Option<u64>,
        /// How many clients call at once.
        #[arg(long, default_value_t = 8)]
        clients: u32,
        /// Where everything is kept.
        #[arg(long, value_name = "DIR")]
        keep: PathBuf,
        /// The program to run as `PROGRAM serve …`, for example `seva`: its clock is the machine's, so what happens by itself takes
        /// minutes [default: this one, whose clock is 60 times as fast].
        #[arg(long, value_name = "PROGRAM")]
        program: Option<PathBuf>,
    },
    /// Judge a kept run again, by a copy of its log.
    CheckHistory {
        /// What `run --keep` was given.
        folder: PathBuf,
    },
    /// Run one service: what is killed.
    Serve(ServeArgs),
}

fn main() -> anyhow::Result<ExitCode> {
    // The payment provider of a run is the product's own, in a process that ends with the run.
    if std::env::args().nth(1).is_some_and(|verb| verb == "sandbox-provider") {
        serve::end_with_parent();
        return Ok(seva::main());
    }
    let cli = Cli::parse();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(dispatch(cli.verb))
}

async fn dispatch(verb: Verb) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Run { kills, seed, seconds, clients, keep, program } => {
            let is_product = program.is_some();
            let program = program.map_or_else(std::env::current_exe, Ok)?;
            let mut plan = Plan { clients, ..Plan::new(program, std::path::absolute(keep)?, seed, kills) };
            if is_product {
                plan = plan.by_the_machines_clock();
            }
            if let Some(seconds) = seconds {
                plan.within = Duration::from_secs(seconds);
            }
            show(&unless_told_to_stop(run::run(&plan)).await?)
        }
        Verb::CheckHistory { folder } => show(&unless_told_to_stop(run::check_history(&folder)).await?),
        Verb::Serve(args) => serve::run(args).await.map(|()| ExitCode::SUCCESS),
    }
}

/// Ctrl-C ends what was started, too: dropping a run kills its processes.
async fn unless_told_to_stop(run: impl Future<Output = anyhow::Result<Verdict>>) -> anyhow::Result<Verdict> {
    tokio::select! {
        verdict = run => verdict,
        stop = tokio::signal::ctrl_c() => {
            stop?;
            anyhow::bail!("stopped before the end")
        }
    }
}

fn show(verdict: &Verdict) -> anyhow::Result<ExitCode> {
    std::io::stdout().write_all(run::table(verdict).as_bytes())?;
    Ok(if verdict.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
