//! `seva-bench`: measures Seva beside what gRPC and JetStream alone can do, in one run on one server, and prints one table.

mod args;
mod child;
mod cores;
mod drive;
mod echo;
mod folds;
mod house;
mod import;
mod intake;
mod latencies;
mod messages;
mod overload;
mod publish;
mod queries;
mod reactions;
mod relay;
mod sizes;
mod table;

use std::process::ExitCode;

use anyhow::bail;
use clap::Parser as _;
use seva_host::shutdown::Shutdown;
use seva_host::telemetry;

use self::args::{Cli, Group, Measures, Part};
use self::house::House;
use self::import::Customers;
use self::table::Table;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match cli.part {
            Some(Part::Echo { folder }) => echo::serve(&folder).await,
            Some(Part::Services { nats, monitor, calls_at_once, tls, folder }) => {
                if std::env::var_os(telemetry::LEVEL).is_some() {
                    telemetry::init(telemetry::Format::Auto)?;
                }
                house::serve(nats, monitor, calls_at_once, tls, folder).await
            }
            None => {
                // What runs is stopped, and what was written is removed, also when the bench is told to stop.
                let told_to_stop = Shutdown::listen()?;
                let token = told_to_stop.token();
                tokio::select! {
                    printed = print(&cli.measures) => printed,
                    () = token.cancelled() => bail!("told to stop"),
                }
            }
        }
    })
}

async fn print(measures: &Measures) -> anyhow::Result<()> {
    let mut table = Table::default();
    measure(measures, &mut table).await?;
    if measures.json {
        table.print_json()?
    } else {
        table.print()?
    }
    Ok(())
}

async fn measure(measures: &Measures, table: &mut Table) -> anyhow::Result<()> {
    let mut house = House::start(measures).await?;
    let mut customers = Customers::default();
    if measures.wants(Group::Echo) {
        intake::measure_echo(&house, measures, table).await?;
    }
    if measures.wants(Group::Publish) {
        publish::measure(&house, measures, table).await?;
    }
    if measures.wants(Group::Intake) {
        import::first(&house, &mut customers, intake::EXISTING).await?;
        let new = intake::measure(&house, measures, table).await?;
        customers.add(new);
    }
    if measures.wants(Group::Overload) {
        overload::measure(&house, measures, table).await?;
    }
    if measures.wants(Group::Import) {
        import::measure(&house, measures, &mut customers, table).await?;
    }
    if measures.wants(Group::Reaction) {
        reactions::measure(&house, measures, &mut customers, table).await?;
    }
    if measures.wants(Group::Relay) {
        relay::measure(&house, measures, &mut customers, table).await?;
    }
    if measures.wants_any(&[Group::Fold, Group::Query, Group::Size]) {
        for size in measures.sizes() {
            customers.fill(&house, size).await?;
            at_size(&mut house, measures, &customers, table).await?;
        }
    }
    Ok(())
}

/// What depends on how many customers there are.
async fn at_size(
    house: &mut House,
    measures: &Measures,
    customers: &Customers,
    table: &mut Table,
) -> anyhow::Result<()> {
    if measures.wants(Group::Query) {
        queries::measure(house, measures, customers, table).await?;
    }
    if measures.wants(Group::Size) {
        sizes::memory(house, customers.count, table)?;
    }
    if measures.wants_any(&[Group::Fold, Group::Size]) {
        // Before the databases are made anew: as they are once lived through.
        let disk = sizes::Disk::look(house).await?;
        let folded = folds::measure(house, table).await?;
        if measures.wants(Group::Size) {
            disk.add(customers.count, folded.records, table);
        }
    }
    Ok(())
}
