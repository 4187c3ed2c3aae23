//! The demo with each service as a process of its own: the same answers as in one process, and nothing left behind.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use seva_host::endpoints::Endpoints;
use seva_stories::{command, seva};
use seva_support::eventually;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// What depends on the run: where it ran, how long it took, and how its records fell into commits.
const OF_THE_RUN: [&str; 5] = ["data", "log", "next", "read_models", "seconds"];

/// Plays the week in a folder and answers with the summary.
async fn played(dir: &Path, more: &[&str]) -> Value {
    let data = dir.to_str().expect("a plain folder name");
    let output = seva(&[&["demo", "--exit", "--json", "--data", data], more].concat()).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a summary")
}

/// Refunds are asked for and paid while the demo runs, so their lines begin with the minute of the run.
fn without_the_time_of_refunds(summary: &mut Value) {
    let lines = summary["made_good"].as_array_mut().expect("what was made good");
    let mut found = 0;
    for line in lines {
        let text = line.as_str().expect("a line");
        if let Some(at) = text.find("refund  ") {
            *line = text[at..].into();
            found += 1;
        }
    }
    assert!(found > 5, "only {found} lines tell of refunds");
}

/// What became of a person's cases is told under the minute of the last of it, which the demo did.
fn without_the_time_of_what_is_done(summary: &mut Value) {
    let lines = summary["story"]["lines"].as_array_mut().expect("a story");
    let last = lines.last_mut().expect("lines");
    let text = last.as_str().expect("a line");
    let at = text.find("done  ").expect("what is done");
    *last = text[at..].into();
}

/// Suggestions are captured while the demo runs, so they wait since the minute of the run.
fn without_the_time_of_suggestions(summary: &mut Value) {
    let inboxes = summary["inboxes"].as_array_mut().expect("inboxes");
    let rows = inboxes.iter_mut().flat_map(|inbox| inbox["top"].as_array_mut().expect("rows"));
    let without = rows.map(|row| row.as_object_mut().expect("a row").remove("since").expect("a time"));
    assert!(without.count() > 5, "hardly any suggestion waits");
}

/// The same master key and the same first start make the same ids and times.
fn begins_alike(first: &Path, second: &Path) {
    std::fs::copy(first.join("master.key"), second.join("master.key")).expect("the first demo's key");
    let kept = std::fs::read_to_string(first.join("demo.toml")).expect("what the first demo kept");
    let kept: toml::Table = kept.parse().expect("TOML");
    let mut start = toml::Table::new();
    start.insert("started_at".to_owned(), kept["started_at"].clone());
    std::fs::write(second.join("demo.toml"), start.to_string()).expect("a folder to write to");
}

#[tokio::test]
async fn separate_processes_give_the_same_answers_as_one() {
    let [one, separate] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut together = played(one.path(), &[]).await;
    begins_alike(one.path(), separate.path());
    let mut apart = played(separate.path(), &["--separate"]).await;
    assert!(together["story"]["entries"].as_u64().unwrap() > 5, "{together}");
    // What is known of cases and customers is held once a process.
    let names = |summary: &Value| -> (usize, Vec<Value>) {
        let names = summary["read_models"].as_array().unwrap().iter().map(|model| model["name"].clone());
        let (known, others): (Vec<_>, Vec<_>) = names.partition(|name| name == seva_api::known::NAME);
        (known.len(), others)
    };
    let ((once, together_too), (thrice, apart_too)) = (names(&together), names(&apart));
    assert_eq!((once, thrice, together_too), (1, 3, apart_too));
    let story = apart["story"].clone();
    for summary in [&mut together, &mut apart] {
        without_the_time_of_refunds(summary);
        without_the_time_of_what_is_done(summary);
        without_the_time_of_suggestions(summary);
    }
    for of_the_run in OF_THE_RUN {
        for summary in [&mut together, &mut apart] {
            assert!(summary.as_object_mut().unwrap().remove(of_the_run).is_some(), "no {of_the_run}");
        }
    }
    assert_eq!(together, apart);

    // Ports of their own, and databases where one process has them: either goes on from the other.
    let endpoints = Endpoints::read(separate.path()).unwrap();
    let pages: BTreeSet<&String> = endpoints.metrics.values().collect();
    assert_eq!(pages.len(), endpoints.services.len(), "{endpoints:?}");
    let again = played(separate.path(), &[]).await;
    assert_eq!(again["played"]["recorded_before"], again["played"]["steps"]);
    assert_eq!(again["story"], story);
}

/// A demo of separate processes that stays up.
async fn stays_up(dir: &TempDir) -> Child {
    let mut command = command();
    command.args(["demo", "--separate", "--data"]).arg(dir.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let demo = command.spawn().expect("the program runs");
    eventually("the demo is up", PATIENCE, async || Endpoints::read(dir.path()).ok()).await;
    demo
}

/// The service processes on a folder, by what the system says of their command lines: process id and service.
fn services_on(dir: &TempDir) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("a list of processes").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let line = std::fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        let words: Vec<&str> = line.split('\0').collect();
        if let [_, "serve", service, ..] = words[..]
            && line.contains(dir.path().to_str().expect("a plain folder name"))
        {
            found.push((pid, service.to_owned()));
        }
    }
    found
}

async fn none_is_left(dir: &TempDir) {
    eventually("no service is left", PATIENCE, async || services_on(dir).is_empty().then_some(())).await;
}

#[tokio::test]
async fn no_process_outlives_the_demo_whether_it_is_killed_or_loses_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut demo = stays_up(&dir).await;
    let services = Endpoints::read(dir.path()).unwrap().services;
    let mut running: Vec<String> = services_on(&dir).into_iter().map(|(_, service)| service).collect();
    running.sort();
    assert!(running.iter().eq(services.keys()), "{running:?}");
    let status = async || {
        seva(&["status", "--ready", "--actor", "operator", "--at", dir.path().to_str()?]).await.status.code()
    };
    eventually("every service is ready", PATIENCE, async || (status().await == Some(0)).then_some(())).await;
    demo.kill().await.unwrap();
    none_is_left(&dir).await;
    assert_eq!(status().await, Some(6));

    // What the killed demo left is its nats-server: the next one on the folder ends it, and then loses a service.
    std::fs::remove_file(dir.path().join("endpoints.toml")).unwrap();
    let mut demo = stays_up(&dir).await;
    let (pid, _) = services_on(&dir)[0];
    assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().await.unwrap().success());
    let status = tokio::time::timeout(PATIENCE, demo.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(1));
    assert_eq!(services_on(&dir), []);
}
