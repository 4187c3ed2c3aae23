//! The page fits its columns, and its commands can be pasted.

use std::collections::BTreeMap;

use super::super::summary::{Counts, Log, OpenCases, Seconds, Story};
use super::*;
use crate::output::{COLUMNS, width};

fn summary() -> Summary {
    let id = |prefix: &str| format!("{prefix}_0123456789abcdef0123456789abcdef");
    let row = |prefix: &str| Row {
        id: id(prefix),
        since: "2026-03-02 08:41".to_owned(),
        about: "complaint".to_owned(),
        language: "ta".to_owned(),
        text: "அஞ்சறைப் பெட்டியின் மூடி மீது ".repeat(9),
    };
    Summary {
        data: "/data/demo".to_owned(),
        played: Counts {
            steps: 130,
            recorded_before: 0,
            texts: 114,
            languages: vec!["en".to_owned(), "ta".to_owned()],
        },
        inboxes: vec![Inbox {
            department: "packaging".to_owned(),
            waiting: 3,
            acknowledged: 1,
            adopted: 1,
            declined: 0,
            customers_told: 1,
            top: vec![row("sug"), row("sug")],
        }],
        open_cases: OpenCases {
            total: 31,
            by_kind: BTreeMap::from([("complaint".to_owned(), 20), ("enquiry".to_owned(), 11)]),
            oldest: vec![row("cas")],
        },
        story: Story {
            customer_id: id("cus"),
            name: "Meera Nair".to_owned(),
            identities: vec!["meera.nair@example.com".to_owned(); 6],
            entries: 13,
            lines: vec!["  2026-03-02 08:41  en  in phone".to_owned()],
        },
        made_good: vec!["  2026-03-02 08:41  refund          45.00 USD paid (re_1)".to_owned()],
        log: Log {
            incarnation: "a1b2".to_owned(),
            sequence: 412,
            position: "a1b2:1687552".to_owned(),
            durability: "always".to_owned(),
            policy_version: 1,
        },
        read_models: vec![ReadModel {
            service: "intake".to_owned(),
            name: "cases.v1".to_owned(),
            sequence: 412,
        }],
        seconds: Seconds { total: 3.25, ..Seconds::default() },
        next: Vec::new(),
    }
}

fn printed(remembered: bool, ends: bool) -> Printed<'static> {
    let dir = Path::new("/data/my demo");
    Printed { program: "cargo run --release --".to_owned(), dir, remembered, ends }
}

#[test]
fn the_page_is_never_wider_than_its_columns() {
    let mut summary = summary();
    summary.next = commands(&summary, &printed(true, false));
    for line in text(&summary).lines() {
        assert!(width(line) <= COLUMNS, "{} columns: {line}", width(line));
    }
}

#[test]
fn commands_name_the_folder_only_where_they_must() {
    let short = commands(&summary(), &printed(true, false));
    assert!(short.iter().all(|command| !command.contains("--at")), "{short:?}");
    assert_eq!(short[0], "cargo run --release -- status");
    let long = commands(&summary(), &printed(false, false));
    assert!(long.iter().all(|command| command.contains("--at '/data/my demo'")), "{long:?}");
}

#[test]
fn a_demo_that_ends_says_first_how_to_bring_it_back() {
    let commands = commands(&summary(), &printed(true, true));
    assert_eq!(commands[0], "cargo run --release -- demo --data '/data/my demo'");
}

#[test]
fn the_json_of_printed_calls_is_json() {
    for command in commands(&summary(), &printed(true, false)) {
        if let Some(json) = command.split('\'').nth(1) {
            serde_json::from_str::<serde_json::Value>(json).unwrap();
        }
    }
}

#[test]
fn words_are_quoted_for_a_shell() {
    assert_eq!(quoted("target/release/seva"), "target/release/seva");
    assert_eq!(quoted("it's here"), r"'it'\''s here'");
}
