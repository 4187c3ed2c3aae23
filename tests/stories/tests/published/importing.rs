//! Imports: one of so many rows, and one that goes on until the test has seen enough.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream;
use seva_api::pb::common::v1::CaseKind;
use seva_api::pb::intake::v1::import_interactions_request::Part;
use seva_api::pb::intake::v1::{ImportInteractionsRequest, ImportStart, LogInteractionRequest};
use seva_stories::House;
use seva_stories::say::interaction;
use tokio::task::JoinHandle;

/// No test wants more rows than these.
const ROWS_MAX: u64 = 10_000_000;

/// Imports so many rows, and waits until all that follows from them is recorded.
pub(crate) async fn import(house: &House, rows: u64) {
    assert_eq!(Import::of(house, rows).task.await.unwrap(), rows);
    house.settled().await;
}

/// An import under way.
pub(crate) struct Import {
    enough: Arc<AtomicBool>,
    /// Ends with how many rows came in.
    task: JoinHandle<u64>,
}

impl Import {
    /// An import that only [`Import::end`] ends.
    pub(crate) fn start(house: &House) -> Import {
        Import::of(house, ROWS_MAX)
    }

    fn of(house: &House, rows: u64) -> Import {
        let enough = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&enough);
        let rows = (0..rows).take_while(move |_| !until.load(Ordering::Relaxed)).map(|n| Part::Row(row(n)));
        let start = Part::Start(ImportStart { import_key: "past".to_owned() });
        let parts =
            std::iter::once(start).chain(rows).map(|part| ImportInteractionsRequest { part: Some(part) });
        let mut intake = house.intake();
        let task = tokio::spawn(async move {
            let answers = intake.import_interactions(stream::iter(parts)).await;
            let mut answers = answers.unwrap().into_inner();
            let mut count = 0;
            while answers.message().await.unwrap().is_some() {
                count += 1;
            }
            count
        });
        Import { enough, task }
    }

    pub(crate) fn goes_on(&self) -> bool {
        !self.task.is_finished()
    }

    /// Ends it; answers how many rows came in.
    pub(crate) async fn end(self) -> u64 {
        self.enough.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

/// Every third row is a suggestion, which feedback captures and routes.
fn row(n: u64) -> LogInteractionRequest {
    let text = "Please deliver on Sundays too.";
    let kind = if n.is_multiple_of(3) { CaseKind::Suggestion } else { CaseKind::Enquiry };
    let seconds = 1_600_000_000 + i64::try_from(n).unwrap();
    LogInteractionRequest {
        occurred_at: Some(prost_types::Timestamp { seconds, nanos: 0 }),
        kind: kind.into(),
        ..interaction(&format!("row-{n}"), &format!("A-{}", n % 500), text)
    }
}
