//! How far a run is: a bar on a terminal, else a line every ten seconds, always on stderr.

use std::io::{IsTerminal as _, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output;

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows how many rows were answered.
pub(crate) enum Progress {
    Bar(ProgressBar),
    Lines { rows: u64, started: Instant, told: Instant },
}

impl Progress {
    /// Begins at none of so many rows.
    pub(crate) fn new(rows: u64) -> Progress {
        if !stderr().is_terminal() {
            let now = Instant::now();
            return Progress::Lines { rows, started: now, told: now };
        }
        let bar = ProgressBar::new(rows);
        let form = "{wide_bar} {human_pos} of {human_len} rows, {per_sec}, {eta} left";
        bar.set_style(ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar()));
        Progress::Bar(bar)
    }

    /// Tells how many rows were answered by now.
    pub(crate) fn answered(&mut self, answered: u64) {
        match self {
            Progress::Bar(bar) => bar.set_position(answered),
            Progress::Lines { rows, started, told } => {
                if told.elapsed() >= LINE_EVERY {
                    *told = Instant::now();
                    let rate = answered as f64 / started.elapsed().as_secs_f64();
                    let left = rows.saturating_sub(answered) as f64 / rate.max(f64::MIN_POSITIVE);
                    output::say(&format!("{answered} of {rows} rows, {rate:.0} rows/s, {left:.0} s left"));
                }
            }
        }
    }

    /// Clears the bar.
    pub(crate) fn finish(&self) {
        match self {
            Progress::Bar(bar) => bar.finish_and_clear(),
            Progress::Lines { .. } => {}
        }
    }
}
