//! What the bench is asked for.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use seva::ports::Limits;

/// How many customers there are when queries are measured for the first time.
const CUSTOMERS_FEW: u64 = 100_000;

/// How many there are when they are measured for the last time.
const CUSTOMERS_MANY: u64 = 1_000_000;

/// Measures Seva beside what its parts can do alone, and prints one table.
#[derive(Debug, Parser)]
#[command(name = "seva-bench", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) part: Option<Part>,
    #[command(flatten)]
    pub(crate) measures: Measures,
}

/// What is measured, and for how long.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Measures {
    /// Two seconds a measurement, and queries at 100,000 customers only.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only these; ratios need what they are a ratio to.
    #[arg(long, value_name = "NAME")]
    only: Vec<Group>,
    /// How long one measurement lasts [default: 10, with --quick 2].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: Option<u64>,
    /// How many customers there are when queries are measured for the last time [default: 1000000, with --quick 100000].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1_000..=20_000_000))]
    customers: Option<u64>,
    /// How many calls are in flight, one measurement each.
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 16, 64, 256])]
    pub(crate) in_flight: Vec<usize>,
    /// How many calls a service works on at once, where five times as much is asked.
    #[arg(long, value_name = "N", default_value_t = Limits::CALLS_AT_ONCE)]
    pub(crate) calls_at_once: NonZeroUsize,
    /// Let the services speak TLS.
    #[arg(long)]
    pub(crate) tls: bool,
    /// One JSON object instead of the table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the log and the databases are put, in a folder that is removed afterwards [default: the system's].
    #[arg(long, value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
}

/// What belongs together.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Group {
    /// A tonic server that does nothing, with intake's messages.
    Echo,
    /// Guarded publishing to JetStream.
    Publish,
    /// LogInteraction.
    Intake,
    /// Five times as much as can be done.
    Overload,
    /// ImportInteractions.
    Import,
    /// What follows by itself from a command, and what that costs.
    Reaction,
    /// Publishing events.
    Relay,
    /// Folding, rebuilding and running again.
    Fold,
    /// Queries.
    Query,
    /// Memory, and bytes on disk.
    Size,
}

/// Processes of the bench's own.
#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    /// The server that does nothing.
    #[command(hide = true)]
    Echo { folder: PathBuf },
    /// All services, as `seva serve` runs them.
    #[command(hide = true)]
    Services {
        nats: String,
        monitor: String,
        calls_at_once: NonZeroUsize,
        #[arg(long)]
        tls: bool,
        folder: PathBuf,
    },
}

impl Measures {
    /// Whether a group is asked for.
    pub(crate) fn wants(&self, group: Group) -> bool {
        self.only.is_empty() || self.only.contains(&group)
    }

    /// Whether any of these groups is asked for.
    pub(crate) fn wants_any(&self, groups: &[Group]) -> bool {
        groups.iter().any(|group| self.wants(*group))
    }

    /// How long one measurement lasts.
    pub(crate) fn lasts(&self) -> Duration {
        Duration::from_secs(self.seconds.unwrap_or(if self.quick { 2 } else { 10 }))
    }

    /// How many customers there are when queries are measured, time after time.
    pub(crate) fn sizes(&self) -> Vec<u64> {
        let last = self.customers.unwrap_or(if self.quick { CUSTOMERS_FEW } else { CUSTOMERS_MANY });
        [CUSTOMERS_FEW, last]
            .into_iter()
            .filter(|size| *size <= last)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }
}
