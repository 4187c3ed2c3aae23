//! Processes are killed under load, and nothing that was acknowledged is lost, doubled or told otherwise. SEVA_FAULT_KILLS says how many.

use std::fs;

use seva_faults::run::{self, Plan};

/// What the run follows from: processes run as they like, but are killed in the same order after the same waits.
const SEED: u64 = 7;

/// How many kills are made where nobody says.
const KILLS: u32 = 12;

/// Validators that may find nothing to look at: an outcome is not always unknown.
const MAY_BE_IDLE: [&str; 1] = ["V3 unknown, at most once"];

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_outlives_every_kill() {
    let kills = std::env::var("SEVA_FAULT_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan::new(env!("CARGO_BIN_EXE_seva-faults"), folder.path(), SEED, kills);
    let verdict = run::run(&plan).await.unwrap();
    let table = run::table(&verdict);
    println!("{table}");
    if !verdict.is_clean() {
        panic!("kept in {}:\n{table}", folder.keep().display());
    }
    for (name, finding) in &verdict.findings {
        assert!(finding.checked > 0 || MAY_BE_IDLE.contains(name), "{name} looked at nothing");
    }
    assert!(verdict.counts["kills"] >= u64::from(kills.min(2)), "{table}");
    // A kept run is judged the same, and a falsified one is not.
    let again = run::check_history(folder.path()).await.unwrap();
    assert_eq!(again.findings, verdict.findings);
    let history = folder.path().join(seva_faults::history::FILE);
    let text = fs::read_to_string(&history).unwrap();
    fs::write(
        &history,
        text.replace(r#""body":0"#, r#""body":1"#).replace(r#""occurred_at":1"#, r#""occurred_at":2"#),
    )
    .unwrap();
    assert!(!run::check_history(folder.path()).await.unwrap().is_clean());
}
