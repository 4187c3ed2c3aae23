//! `seva verify`: whether the log is whole, and whether its facts still lead to everything that follows from them.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use serde_json::json;
use seva_eventlog::jetstream::JetStreamLog;
use seva_eventlog::log::Log;
use seva_eventlog::simulate::{self, Report};
use seva_rights::Identity;

use crate::args::VerifyArgs;
use crate::connect;
use crate::failure::Exit;
use crate::output;

/// Reads the whole log, checks that nothing is missing or changed, and runs its facts again in memory.
pub(crate) async fn run(args: VerifyArgs) -> anyhow::Result<ExitCode> {
    let client = connect::nats(&args.target, &args.creds, Identity::Operator).await?;
    let log = Log::JetStream(JetStreamLog::open(client, Identity::Operator.consumers()).await?);
    let began = Instant::now();
    let report = simulate::run(&log).await.context("the log is not whole")?;
    let seconds = began.elapsed().as_secs_f64();
    if args.json {
        let Report { commits, facts, automatic, rule_events, difference } = &report;
        let difference = difference.as_ref().map(|d| json!({"sequence": d.sequence, "index": d.index}));
        output::print_json(&json!({
            "commits": commits, "facts": facts, "automatic": automatic, "rule_events": rule_events,
            "difference": difference, "seconds": seconds,
        }))?;
    } else {
        tell(&report, seconds);
    }
    Ok(if report.difference.is_some() { Exit::Error.into() } else { ExitCode::SUCCESS })
}

fn tell(report: &Report, seconds: f64) {
    let Report { commits, facts, automatic, rule_events, difference } = report;
    output::print(&format!(
        "{commits} commits read in {seconds:.1} s: none is missing, and each continues the one before it.\n\
         {facts} records of facts were run again; {automatic} records and {rule_events} events follow from them."
    ));
    match difference {
        None => output::print("Every one of them came out as the log has it, byte for byte."),
        Some(difference) => output::print(&format!(
            "Record {} of the commit at {} came out otherwise than the log has it:\n  log        {}\n  run again  {}",
            difference.index,
            difference.sequence,
            difference.logged.as_deref().unwrap_or("(nothing)"),
            difference.simulated.as_deref().unwrap_or("(nothing)"),
        )),
    }
}
