//! How much memory and work the services take, and how many bytes a record takes on disk.

use std::path::Path;

use anyhow::Context as _;
use seva_eventlog::jetstream::STREAM;
use seva_rights::Identity;

use crate::house::House;
use crate::table::{Against, Bound, Row, Table};

const MIB: f64 = 1024.0 * 1024.0;

/// In what Linux tells processes their time.
const TICKS_PER_SECOND: f64 = 100.0;

/// How many customers the goal for memory is stated for.
const GOAL_CUSTOMERS: u64 = 1_000_000;

/// The memory of the services' process and of the nats-server.
pub(crate) fn memory(house: &House, customers: u64, table: &mut Table) -> anyhow::Result<()> {
    let services = resident_mib(house.services_pid())?;
    let figure = match customers >= GOAL_CUSTOMERS {
        true => Against::bounded(services, "MiB", Bound::GoalAtMost(512.0)),
        false => Against::plain(services, "MiB"),
    };
    let row = |name: String, figure| Row { name, against: vec![figure], ..Row::default() };
    table.add(row(format!("memory, {customers} customers, services"), figure));
    let server = Against::plain(resident_mib(house.nats.pid())?, "MiB");
    table.add(row(format!("memory, {customers} customers, nats-server"), server));
    Ok(())
}

/// What the log and the databases take on disk.
pub(crate) struct Disk {
    /// What takes it, and how many bytes.
    parts: Vec<(String, u64)>,
    commits: u64,
}

impl Disk {
    /// Looks at the log and at every database.
    pub(crate) async fn look(house: &House) -> anyhow::Result<Disk> {
        let client = house.connect(Identity::Operator).await?;
        let stream = async_nats::jetstream::new(client).get_stream(STREAM).await?;
        let state = &stream.cached_info().state;
        let mut parts = vec![("log".to_owned(), state.bytes)];
        for entry in std::fs::read_dir(house.databases())? {
            let entry = entry?;
            let name = format!("database of {}", entry.file_name().to_string_lossy());
            parts.push((name, folder_bytes(&entry.path())?));
        }
        Ok(Disk { parts, commits: state.messages })
    }

    /// Adds what that is by record.
    pub(crate) fn add(self, customers: u64, records: u64, table: &mut Table) {
        for (what, bytes) in self.parts {
            let by_record = Against::plain(bytes as f64 / records as f64, "bytes/record");
            let name = format!("disk, {customers} customers, {what}");
            let note =
                format!("{:.0} MiB; {records} records in {} commits", bytes as f64 / MIB, self.commits);
            table.add(Row { name, against: vec![by_record], note, ..Row::default() });
        }
    }
}

/// How much work the processor did for the services and for the nats-server, in seconds since each began.
pub(crate) fn worked_seconds(house: &House) -> anyhow::Result<[f64; 2]> {
    Ok([worked(house.services_pid())?, worked(house.nats.pid())?])
}

fn worked(pid: Option<u32>) -> anyhow::Result<f64> {
    let pid = pid.context("the process is not there")?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // After the name, which may hold anything but ends with the last parenthesis: fields 14 and 15 are user and system time.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok(ticks / TICKS_PER_SECOND)
}

fn resident_mib(pid: Option<u32>) -> anyhow::Result<f64> {
    let pid = pid.context("the process is not there")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}

/// What the files of a folder take, those below it included. A file that goes meanwhile takes nothing.
fn folder_bytes(folder: &Path) -> anyhow::Result<u64> {
    let mut folders = vec![folder.to_owned()];
    let mut bytes = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                Ok(metadata) => bytes += metadata.len(),
                Err(_) => {}
            }
        }
    }
    Ok(bytes)
}
