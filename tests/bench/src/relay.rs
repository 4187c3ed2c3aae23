//! How fast events are published: of a log that is there, and beside an import.

use std::time::{Duration, Instant};

use anyhow::bail;
use seva_eventlog::follow::Own;
use seva_eventlog::jetstream::JetStreamLog;
use seva_eventlog::log::Log;
use seva_history::relay::{Progress, Relay};
use seva_history::stream::Published;
use seva_rights::Identity;
use tokio_util::sync::CancellationToken;

use crate::args::Measures;
use crate::house::House;
use crate::import::Customers;
use crate::table::{Row, Table};

/// How long the relay may take to be where the log is.
const PATIENCE: Duration = Duration::from_secs(600);

/// Publishes the log from its beginning, then goes on while customers are imported.
pub(crate) async fn measure(
    house: &House,
    measures: &Measures,
    customers: &mut Customers,
    table: &mut Table,
) -> anyhow::Result<()> {
    let count = if measures.quick { 10_000 } else { 40_000 };
    if customers.count < count {
        customers.fill(house, count).await?;
    }
    eprintln!("publishing the log ...");
    let client = house.connect(Identity::History).await?;
    let log = Log::JetStream(JetStreamLog::open(client.clone(), Identity::History.consumers()).await?);
    let published = Published::open(client).await?;
    let stop = CancellationToken::new();
    let began = Instant::now();
    let (relay, task) = Relay::start(log, published, Own::default(), stop.clone());
    let there = caught_up(&relay).await?;
    let took = began.elapsed().as_secs_f64();
    let note = format!("{} events of {} commits", there.published, there.relayed);
    table.add(row("publish events, of a log that is there", there.published as f64 / took, note));

    let began = Instant::now();
    customers.fill(house, customers.count + count).await?;
    let imported = began.elapsed();
    let beside = caught_up(&relay).await?;
    let lag = (began.elapsed() - imported).as_secs_f64();
    let events = beside.published - there.published;
    // Each row makes a customer and a case.
    let records = 2.0 * count as f64 / imported.as_secs_f64();
    let note = format!("beside {records:.0} records/s of the log; lag at the end {lag:.1} s");
    table.add(row("publish events, beside an import", events as f64 / began.elapsed().as_secs_f64(), note));
    stop.cancel();
    Ok(task.await??)
}

/// Waits until everything up to the log's end is published.
async fn caught_up(relay: &Relay) -> anyhow::Result<Progress> {
    let end = relay.log().end().await?;
    let mut progress = relay.progress();
    let reached = progress.wait_for(|progress| progress.relayed >= end);
    match tokio::time::timeout(PATIENCE, reached).await {
        Ok(reached) => Ok(reached?.clone()),
        Err(_) => bail!("the relay did not reach {end}"),
    }
}

fn row(name: &str, per_second: f64, note: String) -> Row {
    Row { name: name.to_owned(), per_second: Some(per_second), note, ..Row::default() }
}
