//! `seva import`: records of the past from a file, row by row through the services that own what each row becomes.
//!
//! A run reads the file, applies the map (`map.rs` is its language), sends what is fit in order of time, and tells what came of every
//! row. Sending again changes nothing: each row has a key, and the service knows which keys it has recorded.

mod answers;
mod call;
mod check;
#[cfg(test)]
mod fuzz_tests;
mod group;
mod join;
mod map;
mod money;
mod progress;
mod queue;
mod read;
mod reject;
mod row;
mod select;
mod send;
#[cfg(test)]
mod send_tests;
mod shipped;
mod source;
mod summary;
#[cfg(test)]
mod tests;
mod thread;
mod time;
mod unary;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use jiff::Timestamp;
use seva_api::pb::common::v1::CaseKind;

use self::answers::Answers;
use self::call::Call;
use self::map::Map;
use self::read::Table;
use self::reject::Reject;
use self::select::Selected;
use self::send::Target;
use self::summary::Summary;
use crate::connect::{Bearer, Home, IMPORTER};
use crate::failure::{self, Exit};
use crate::{args, output};

/// Brings in interactions of the past from a CSV, TSV or JSON-lines file.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// The file to read.
    file: PathBuf,
    /// A map file, or the name of a shipped map.
    #[arg(long, value_name = "MAP")]
    map: String,
    /// Do everything but send.
    #[arg(long)]
    dry_run: bool,
    /// Print the summary as one JSON object.
    #[arg(long)]
    json: bool,
    /// Where rejected rows are listed, as JSON lines without their texts [default: FILE's name with .rejects.jsonl, if there are any].
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Send to this address instead of one from a data folder; one for each service that the map needs, intake's may go without a name.
    #[arg(long = "endpoint", value_name = "[SERVICE=]URL", conflicts_with = "at")]
    endpoints: Vec<String>,
    #[command(flatten)]
    target: args::Target,
}

/// Runs one import and says how it ended: done, or partly done where rows were rejected.
pub(crate) async fn run(args: ImportArgs) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let target = if args.dry_run { None } else { Some(target(&args)?) };
    let (map, selected) = prepare(&args)?;
    let mut summary = counted(&args, &map, &selected);
    let mut rejects = selected.rejects;
    let outcome = if let Some(target) = target {
        let mut answers = Answers::default();
        let outcome = send::send(&target, &map.import_key, Arc::from(selected.ready), &mut answers).await;
        summary.accepted = answers.recorded;
        summary.already_there = answers.already_there;
        summary.unchanged = answers.unchanged;
        summary.rows_per_second = rate(answers.answered as u64, answers.took.as_secs_f64());
        summary.position = answers.position;
        rejects.append(&mut answers.rejects);
        rejects.sort_by_key(|reject| reject.line);
        outcome
    } else {
        summary.accepted = selected.ready.len() as u64;
        summary.rows_per_second = rate(summary.rows_read, started.elapsed().as_secs_f64());
        Ok(())
    };
    summary.rejected(&rejects);
    let written = write_rejects(&args, &rejects);
    summary.rejects_file = written.as_ref().ok().cloned().flatten();
    summary.seconds = started.elapsed().as_secs_f64();
    summary.next = next(&args, &summary, outcome.is_ok());
    if args.json {
        output::print_json(&summary)?;
    } else {
        output::print(&summary.text());
    }
    outcome?;
    written?;
    Ok(if rejects.is_empty() { ExitCode::SUCCESS } else { Exit::Partial.into() })
}

/// Everything before sending.
fn prepare(args: &ImportArgs) -> anyhow::Result<(Map, Selected)> {
    let map = shipped::find(&args.map)?;
    let table = read_table(&args.file, &map)?;
    let mut others = Vec::new();
    for name in map.joins.iter().filter_map(|join| join.file.as_ref()) {
        let path = args.file.with_file_name(name);
        let other = read_table(&path, &map)?;
        if let Some(broken) = other.rejects.first() {
            let (file, count, line) = (path.display(), other.rejects.len(), broken.line);
            anyhow::bail!(
                "{file}, which the map joins, has {count} broken records, the first in line {line}"
            );
        }
        others.push(other);
    }
    let selected = select::select(&map, table, others, Timestamp::now()).map_err(|e| {
        failure::usage(format!("the map {} does not fit {}: {e}", args.map, args.file.display()))
    })?;
    Ok((map, selected))
}

fn read_table(path: &Path, map: &Map) -> anyhow::Result<Table> {
    let file = path.display();
    let bytes_long = fs::metadata(path).with_context(|| format!("cannot read {file}"))?.len();
    if bytes_long > read::FILE_BYTES_MAX {
        anyhow::bail!(
            "{file} has {bytes_long} bytes, more than the {} that are read at once: split it",
            read::FILE_BYTES_MAX
        );
    }
    let bytes = fs::read(path).with_context(|| format!("cannot read {file}"))?;
    read::read(&bytes, map).with_context(|| format!("cannot read {file}"))
}

/// What is known before sending.
fn counted(args: &ImportArgs, map: &Map, selected: &Selected) -> Summary {
    let mut summary = Summary {
        file: args.file.display().to_string(),
        map: args.map.clone(),
        import_key: map.import_key.clone(),
        dry_run: args.dry_run,
        rows_read: selected.read,
        left_out: selected.left_out,
        repeats: selected.repeats,
        ..Summary::default()
    };
    let mut customers = HashSet::new();
    for ready in &selected.ready {
        *summary.by_rpc.entry(ready.call.rpc().name()).or_default() += 1;
        let Call::LogInteraction(request) = &ready.call else { continue };
        let kind = CaseKind::try_from(request.kind).unwrap_or_default().as_str_name();
        let kind = kind.trim_start_matches("CASE_KIND_").to_ascii_lowercase();
        *summary.by_kind.entry(kind).or_default() += 1;
        if !request.identities.is_empty() {
            customers
                .insert(request.identities.iter().map(|i| (i.kind, i.value.as_str())).collect::<Vec<_>>());
        }
    }
    summary.customers_named = customers.len() as u64;
    summary
}

/// Where the services are, whom to trust there, and who sends.
fn target(args: &ImportArgs) -> anyhow::Result<Target> {
    let bearer = Bearer::find(&args.target, IMPORTER)?;
    if args.endpoints.is_empty() {
        let endpoints = Home::find(&args.target, IMPORTER)?.endpoints;
        return Ok(Target { endpoints: endpoints.services, ca: endpoints.ca_file, bearer });
    }
    Ok(Target { endpoints: named(args), ca: args.target.ca.clone(), bearer })
}

/// The addresses that were given.
fn named(args: &ImportArgs) -> BTreeMap<String, String> {
    let given = args.endpoints.iter().map(|given| match given.split_once('=') {
        Some((service, url)) => (service.to_owned(), url.to_owned()),
        None => ("intake".to_owned(), given.clone()),
    });
    given.collect()
}

/// Writes the rejects if there are any or a file for them was named, and says where.
fn write_rejects(args: &ImportArgs, rejects: &[Reject]) -> anyhow::Result<Option<String>> {
    if rejects.is_empty() && args.rejects.is_none() {
        return Ok(None);
    }
    let file = args.rejects.clone().unwrap_or_else(|| {
        let stem = args.file.file_stem().unwrap_or(args.file.as_os_str());
        Path::new(stem).with_added_extension("rejects.jsonl")
    });
    fs::write(&file, reject::json_lines(rejects)?)
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(Some(file.display().to_string()))
}

/// A command that makes sense now.
fn next(args: &ImportArgs, summary: &Summary, sent: bool) -> String {
    let endpoints = args.endpoints.iter().map(|endpoint| format!(" --endpoint {}", quoted(endpoint)));
    let ca = args.target.ca.iter().map(|ca| format!(" --ca {}", quoted(&ca.display().to_string())));
    let place = match &args.target.at {
        Some(folder) => format!(" --at {}", quoted(&folder.display().to_string())),
        None => endpoints.collect::<String>(),
    };
    let place = place + &ca.collect::<String>();
    let import = format!("seva import {} --map {}{place}", quoted(&summary.file), quoted(&args.map));
    match (summary.dry_run, sent) {
        (true, _) => import,
        (false, false) => {
            format!("{import}   # the same again: what is recorded stays as it is, the rest follows")
        }
        (false, true) if !args.endpoints.is_empty() => format!("{import}   # again: nothing is added"),
        (false, true) => format!("seva status{place}"),
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:@=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn rate(rows: u64, seconds: f64) -> f64 {
    rows as f64 / seconds.max(1e-9)
}
