//! What sources must not say, and the few places that may, each with its reason.

use crate::house::{Source, files};

/// All code of a folder that is not there for tests.
fn program(folder: &str) -> Vec<Source> {
    files(folder, ".rs").into_iter().filter(|source| !source.is_test()).collect()
}

#[track_caller]
fn nowhere(sources: &[Source], wanted: &str) {
    let places: Vec<String> = sources.iter().flat_map(|source| source.places(wanted)).collect();
    assert_eq!(places, Vec::<String>::new(), "`{wanted}` has no place there");
}

#[test]
fn the_domain_does_nothing_but_decide() {
    let domain = program("libs/domain/src");
    assert!(domain.len() > 20, "the domain's sources were not found");
    let waits = ["async", "await", "tokio", "std::thread", "Mutex"];
    let looks_outside =
        ["std::fs", "std::net", "std::env", "std::process", "println!", "eprintln!", "tracing"];
    for wanted in waits.into_iter().chain(looks_outside) {
        nowhere(&domain, wanted);
    }
}

#[test]
fn the_domain_knows_no_time_but_what_it_is_told() {
    let domain = program("libs/domain/src");
    for wanted in ["now()", "SystemTime", "Instant", "std::time"] {
        nowhere(&domain, wanted);
    }
}

#[test]
fn the_domain_gives_the_same_answer_every_time() {
    let domain = program("libs/domain/src");
    for wanted in ["f32", "f64", "rand", "new_v4", "HashMap", "HashSet"] {
        nowhere(&domain, wanted);
    }
}

#[test]
fn a_fold_names_every_event_so_that_a_new_one_breaks_the_build() {
    let mut folds = files("libs/domain/src", "/state.rs");
    assert!(folds.len() >= 5, "the folds were not found");
    folds.extend(program("services").into_iter().filter(|source| source.path.contains("/read_models/")));
    nowhere(&folds, "_ =>");
}

/// Where a gRPC status may be made.
const STATUS: &[&str] = &[
    // Every error of a service becomes a status here, and nowhere else.
    "libs/api/src/status.rs",
    // A request is turned away before it reaches a service: `host` knows no `api`, and lets the service word it.
    "libs/host/src/layers/mod.rs",
    // The caller's side: tonic's codec asks for a status where an answer cannot be read.
    "services/seva/src/call.rs",
    // The caller's side: a server that says nothing about itself counts as a server that failed.
    "services/seva/src/reflect.rs",
];

#[test]
fn errors_become_statuses_in_one_place() {
    let mut sources = program("libs");
    sources.extend(program("services"));
    for allowed in STATUS {
        let made = sources
            .iter()
            .filter(|source| source.path == *allowed)
            .flat_map(|source| source.places("Status::"));
        assert!(made.count() > 0, "{allowed} needs no exception any more");
    }
    sources.retain(|source| !STATUS.contains(&source.path.as_str()));
    nowhere(&sources, "Status::");
}
