//! The verdict as a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::judge::{Recovery, Verdict};

/// The verdict, for people.
pub fn table(verdict: &Verdict) -> String {
    let mut text = format!("{:<52} {:>9} {:>10}\n", "validator", "checked", "violations");
    for (name, finding) in &verdict.findings {
        line(&mut text, format_args!("{name:<52} {:>9} {:>10}", finding.checked, finding.violations));
    }
    for violation in verdict.violations() {
        line(&mut text, format_args!("  ! {violation}"));
    }
    text.push('\n');
    for (name, count) in &verdict.counts {
        line(&mut text, format_args!("{name:<52} {count:>9}"));
    }
    recoveries(&mut text, &verdict.recoveries);
    text
}

/// Every recovery, and what they come to by process.
fn recoveries(text: &mut String, recoveries: &[Recovery]) {
    text.push_str("\nV9 from each kill to the first answer after it, in ms (of these down, before the process was started again):\n");
    let mut by_process: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (n, Recovery { process, micros, down_micros }) in recoveries.iter().enumerate() {
        let ms = |micros: Option<i64>| micros.map_or("-".to_owned(), |micros| (micros / 1_000).to_string());
        line(text, format_args!("{:>4}  {process:<10} {:>8} ({:>5})", n + 1, ms(*micros), ms(*down_micros)));
        if let Some(micros) = micros {
            let back = micros - down_micros.unwrap_or(0);
            by_process.entry(process).or_default().push(back / 1_000);
        }
    }
    text.push_str(
        "from the start after a kill to the first answer, in ms: kills answered, least, median, most\n",
    );
    for (process, mut times) in by_process {
        times.sort_unstable();
        let (least, median, most) = (times.first(), times.get(times.len() / 2), times.last());
        let ms = |time: Option<&i64>| time.map_or("-".to_owned(), i64::to_string);
        let (least, median, most) = (ms(least), ms(median), ms(most));
        line(text, format_args!("      {process:<10} {:>8} {least:>8} {median:>8} {most:>8}", times.len()));
    }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to memory does not fail.
    let _written = writeln!(text, "{arguments}");
}
