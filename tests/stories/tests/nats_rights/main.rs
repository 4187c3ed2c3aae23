//! Who may do what on NATS, tried on a real server: every call for every identity, against a table that people review.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod calls;
mod holes;
mod place;
mod program;
mod wire;

use seva_rights::Identity;

use crate::calls::{Call, Deed, calls};
use crate::place::Place;
use crate::wire::Wire;

/// What each call came to for each identity when the table was last agreed to.
const AGREED: &str = include_str!("table.txt");

/// What the table begins with.
const HEAD: &str = "\
# What comes of each call on NATS, for each identity, on a real server; compared by the test beside this file.
# `yes`: done. `-`: refused by the identity's rights. A number: let through, and refused by JetStream with that code.
# {me} is the identity's own name, {other} another one's, {key} a key that is not there yet; `victim` is a consumer of somebody else.
";

/// A line of the table.
fn line(cells: &[String], call: &str) -> String {
    let cells: String = cells.iter().map(|cell| format!("{cell:<11}")).collect();
    format!("{cells}{call}\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_can_do_what_they_must_and_nothing_else() {
    let place = Place::new().await;
    let before = place.state().await;
    let mut wires = Vec::new();
    for identity in Identity::ALL {
        wires.push((identity, Wire::connect(&place.nats, identity).await));
    }
    let mut found = HEAD.to_owned();
    found.push_str(&line(&Identity::ALL.map(|identity| identity.name().to_owned()), "call"));
    for call in calls(&place.configs) {
        let mut cells = Vec::new();
        for (identity, wire) in &mut wires {
            cells.push(wire.cell(&call, *identity).await);
        }
        found.push_str(&line(&cells, &call.label()));
    }

    let rows = |table: &str| -> Vec<String> { table.lines().map(ToOwned::to_owned).collect() };
    let (found_rows, agreed_rows) = (rows(&found), rows(AGREED));
    let called = calls(&place.configs).len() * Identity::ALL.len();
    let cells =
        |row: &String| row.split_whitespace().take(Identity::ALL.len()).map(ToOwned::to_owned).collect();
    let pairs = agreed_rows.iter().zip(&found_rows).skip(HEAD.lines().count() + 1);
    let met: usize = pairs
        .map(|(agreed, found)| {
            let (agreed, found): (Vec<String>, Vec<String>) = (cells(agreed), cells(found));
            agreed.iter().zip(&found).filter(|(agreed, found)| agreed == found).count()
        })
        .sum();
    let expected = (agreed_rows.len().saturating_sub(HEAD.lines().count() + 1)) * Identity::ALL.len();
    eprintln!("NATS rights: {called} cells called, {expected} expected, {met} met");
    assert!(found == AGREED, "table.txt says otherwise; if the change is meant, it should be:\n{found}");
    assert_eq!((called, expected), (met, met));

    // What was refused had no effect, whatever was answered.
    let after = place.state().await;
    assert_eq!(after.victims, before.victims, "nobody took anything from another one's consumer");
    assert_eq!(after.configs, before.configs);
    for (stream, names) in &after.consumers {
        let is_granted = |name: &String| {
            let creates = |identity: &Identity| {
                let right = format!("$JS.API.CONSUMER.CREATE.{stream}.{name}");
                identity.rights().publish.iter().any(|granted| granted.starts_with(&right))
            };
            name == "victim" || Identity::ALL.iter().any(creates)
        };
        assert!(names.iter().all(is_granted), "{stream}: {names:?}");
    }
    // Each service wrote one commit, and history one event.
    let grown = |stream: &str| after.ends[stream] - before.ends[stream];
    assert_eq!((grown("SEVA_LOG"), grown("SEVA_EVENTS")), (5, 1));
}

#[test]
fn the_table_has_a_row_for_every_stream_and_every_identity() {
    let configs = place::STREAMS.map(|stream| (stream, String::new())).into();
    let labels: Vec<String> = calls(&configs).iter().map(Call::label).collect();
    for stream in place::STREAMS {
        assert!(labels.iter().filter(|label| label.contains(stream)).count() > 30, "{stream}");
    }
    for identity in Identity::ALL {
        let inbox = format!("_INBOX_{}.>", identity.name());
        let listens = calls(&configs).iter().any(|call| call.deed == Deed::Listen && call.subject == inbox);
        assert!(listens, "{inbox}");
    }
}
