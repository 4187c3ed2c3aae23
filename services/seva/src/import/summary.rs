//! What a run came to, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::reject::Reject;

/// The counts of one run.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Summary {
    pub(crate) file: String,
    pub(crate) map: String,
    pub(crate) import_key: String,
    pub(crate) dry_run: bool,
    /// Records read, good and bad.
    pub(crate) rows_read: u64,
    /// Rows that the map's `where` leaves out.
    pub(crate) left_out: u64,
    /// Rows equal, under the map's key, to an earlier row of the file.
    pub(crate) repeats: u64,
    /// Recorded by this run or, in a dry run, fit to be sent.
    pub(crate) accepted: u64,
    /// Recorded by an earlier run.
    pub(crate) already_there: u64,
    /// Said what was so anyhow, and left no record.
    pub(crate) unchanged: u64,
    pub(crate) rejected: u64,
    pub(crate) rejected_by_reason: BTreeMap<String, u64>,
    /// Where the rejects are, if there are any.
    pub(crate) rejects_file: Option<String>,
    /// Requests that rows fit to be sent become, by RPC.
    pub(crate) by_rpc: BTreeMap<&'static str, u64>,
    /// Interactions fit to be sent, by kind.
    pub(crate) by_kind: BTreeMap<String, u64>,
    /// How many different sets of identities the rows to be sent name.
    pub(crate) customers_named: u64,
    pub(crate) seconds: f64,
    /// Answered, or in a dry run checked, over the seconds of doing that.
    pub(crate) rows_per_second: f64,
    /// The last position that an answer named: what to wait for when reading.
    pub(crate) position: Option<String>,
    pub(crate) next: String,
}

impl Summary {
    /// Counts the rejects.
    pub(crate) fn rejected(&mut self, rejects: &[Reject]) {
        self.rejected = rejects.len() as u64;
        self.rejected_by_reason.clear();
        for reject in rejects {
            *self.rejected_by_reason.entry(reject.reason.name().to_owned()).or_default() += 1;
        }
    }

    /// The summary as lines for people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            // Writing to a String cannot fail.
            writeln!(text, "{name:<16}{value}").ok();
        };
        let accepted = if self.dry_run { "would be sent" } else { "accepted" };
        line("import", format!("{} from {} by map {}", self.import_key, self.file, self.map));
        line("rows read", self.rows_read.to_string());
        line(accepted, self.accepted.to_string());
        if !self.dry_run {
            line("already there", self.already_there.to_string());
        }
        if self.unchanged > 0 {
            line("unchanged", format!("{}: it was so anyhow", self.unchanged));
        }
        if self.repeats > 0 {
            line("repeats", format!("{} rows equal to an earlier one of the file", self.repeats));
        }
        if self.left_out > 0 {
            line("left out", format!("{} by the map's where", self.left_out));
        }
        line("rejected", self.rejected.to_string());
        for (reason, count) in &self.rejected_by_reason {
            line("", format!("{count} {reason}"));
        }
        if let Some(file) = &self.rejects_file {
            line("", format!("each with its line in {file}"));
        }
        let kinds: Vec<_> = self.by_kind.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        if self.by_rpc.len() > 1 {
            let rpcs: Vec<_> = self.by_rpc.iter().map(|(rpc, count)| format!("{count} {rpc}")).collect();
            line("requests", rpcs.join(", "));
        }
        if !kinds.is_empty() {
            line("kinds", kinds.join(", "));
        }
        if self.customers_named > 0 {
            line("customers", format!("{} named", self.customers_named));
        }
        line("time", format!("{:.1} s, {:.0} rows/s", self.seconds, self.rows_per_second));
        line("next", self.next.clone());
        text
    }
}
