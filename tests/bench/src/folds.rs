//! How fast the log is folded: by services that start with empty databases, by a rebuild beside the live rows, and run again in memory.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::StreamExt as _;
use seva_api::pb::operations::v1::{GetStatusRequest, RebuildReadModelRequest};
use seva_domain::service::Service;
use seva_domain::values::At;
use seva_eventlog::log::Log;
use seva_eventlog::memory::MemoryLog;
use seva_eventlog::simulate::{self, Report};

use crate::house::{House, request, unhurried};
use crate::table::{Against, Bound, Row, Table};

/// How much of the log is copied into memory to be run again, in bytes.
const COPIED_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// How long the next message of the log may take.
const NEXT_WITHIN: Duration = Duration::from_secs(10);

/// What this learns by the way.
pub(crate) struct Folded {
    /// How many records the log holds.
    pub(crate) records: u64,
}

/// Measures all three. The services begin anew meanwhile.
pub(crate) async fn measure(house: &mut House, table: &mut Table) -> anyhow::Result<Folded> {
    let end = house.log().await?.end().await?;
    eprintln!("folding {end} commits into empty databases ...");
    house.start_empty().await?;
    let began = Instant::now();
    house.settled(end).await?;
    let folding = began.elapsed().as_secs_f64();
    let (records, rebuilding) = rebuild(house).await?;
    let live = records as f64 / folding;
    let note = format!("{records} records; all services of the process at once, from empty databases");
    table.add(row("fold, live".to_owned(), live, Vec::new(), note));
    let mut took = 0.0;
    for (name, seconds) in &rebuilding {
        took += seconds;
        let rate = records as f64 / seconds;
        table.add(row(format!("rebuild, {name}"), rate, Vec::new(), format!("{seconds:.1} s")));
    }
    let all = records as f64 / took;
    let times = Against::bounded(all / live, "x fold, live", Bound::Goal(3.0));
    table.add(row("rebuild, all of intake's".to_owned(), all, vec![times], "one after the other".to_owned()));
    run_again(house, table).await?;
    Ok(Folded { records })
}

/// Rebuilds every read model of intake. Answers how many records the log holds, and how many seconds each took.
async fn rebuild(house: &House) -> anyhow::Result<(u64, Vec<(String, f64)>)> {
    let mut client = house.operations(Service::Intake.name())?;
    let status = client.get_status(request(GetStatusRequest {})).await?.into_inner();
    let (mut records, mut took) = (0, Vec::new());
    for model in status.read_models {
        let name = model.name;
        let rebuilt =
            client.rebuild_read_model(unhurried(RebuildReadModelRequest { name: name.clone() })).await?;
        records = rebuilt.get_ref().records;
        took.push((name, rebuilt.get_ref().seconds));
    }
    Ok((records, took))
}

/// Runs the log again as it stands on the server, and a copy of it in memory.
async fn run_again(house: &House, table: &mut Table) -> anyhow::Result<()> {
    let log = house.log().await?;
    let began = Instant::now();
    let report = simulate::run(&log).await?;
    add_run("run again, from the server", &report, began.elapsed(), table);
    let copy = copy(&log).await?;
    let began = Instant::now();
    let report = simulate::run(&copy).await?;
    add_run("run again, from memory", &report, began.elapsed(), table);
    Ok(())
}

fn add_run(name: &str, report: &Report, took: Duration, table: &mut Table) {
    let records = report.facts + report.automatic;
    let per_second = records as f64 / took.as_secs_f64();
    let goal = Against::bounded(per_second, "/s", Bound::Goal(200_000.0));
    let difference = match &report.difference {
        Some(difference) => format!("DIFFERENCE at {}.{}", difference.sequence, difference.index),
        None => "no difference".to_owned(),
    };
    let note = format!("{records} records in {} commits, one core; {difference}", report.commits);
    table.add(row(name.to_owned(), per_second, vec![goal], note));
}

/// The beginning of a log, in memory.
async fn copy(log: &Log) -> anyhow::Result<Log> {
    let copy = Log::Memory(MemoryLog::new(|| At(0)));
    let end = log.end().await?;
    let mut messages = log.follow(1).await?;
    let mut ends = std::collections::BTreeMap::new();
    let (mut bytes, mut sequence) = (0, 0);
    while sequence < end && bytes < COPIED_BYTES_MAX {
        let next = tokio::time::timeout(NEXT_WITHIN, messages.next()).await.context("the log fell silent")?;
        let stored = next.context("the log ended")??;
        bytes += stored.bytes.len();
        let last = ends.entry(stored.service).or_insert(0);
        sequence = copy.append(stored.service, *last, stored.bytes).await?;
        *last = sequence;
    }
    Ok(copy)
}

fn row(name: String, per_second: f64, against: Vec<Against>, note: String) -> Row {
    Row { name, per_second: Some(per_second), against, note, ..Row::default() }
}
