//! Imports: rows of the past, written in the order sent, each with an answer of its own.

use std::sync::Arc;

use futures::{Stream, StreamExt as _};
use seva_api::edge::{Asked, Backfill, Edge, Turn};
use seva_api::intake::{self, Bracket, Logging};
use seva_api::pb::intake::v1::import_interactions_request::Part;
use seva_api::pb::intake::v1::import_interactions_response::Result as Outcome;
use seva_api::pb::intake::v1::{
    ImportInteractionsRequest, ImportInteractionsResponse, ImportRefusal, LogInteractionRequest,
};
use seva_api::replayed::body;
use seva_api::status::Error;
use seva_domain::import;
use seva_domain::values::{Actor, ImportId};
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

/// How many rows of one import are on their way at once.
const ROWS_MAX: usize = 256;

type Answer = Result<ImportInteractionsResponse, Status>;

/// Opens an import and answers its rows, in order.
pub(crate) async fn run(
    edge: Edge,
    caller: Actor,
    mut requests: Streaming<ImportInteractionsRequest>,
) -> Result<impl Stream<Item = Answer> + Send + 'static, Error> {
    let first = requests.message().await.map_err(|_| no_start())?;
    let Some(Part::Start(start)) = first.and_then(|first| first.part) else { return Err(no_start()) };
    let key = intake::import_key(&start)?;
    let import = Arc::new(Import { id: edge.identities().import(&caller, &key), key, caller, edge });
    import.bracket(import::Command::Start, "start").await?;
    let (answers, answered) = mpsc::channel(ROWS_MAX);
    tokio::spawn(rows(import, requests, answers));
    Ok(tokio_stream::wrappers::ReceiverStream::new(answered))
}

fn no_start() -> Error {
    Error::malformed("start", "is missing: the first message of an import opens it")
}

/// Writes the rows of a stream until it ends, then closes the import. A row that may do better later ends the stream: rows after it wait.
async fn rows(
    import: Arc<Import>,
    requests: Streaming<ImportInteractionsRequest>,
    answers: mpsc::Sender<Answer>,
) {
    let mut count = Count::default();
    let mut before = Turn::first();
    let numbered = requests.enumerate().map(|(n, request)| {
        let import = Arc::clone(&import);
        let (turn, next) = Turn::after(std::mem::replace(&mut before, Turn::first()));
        before = next;
        async move { import.row(n as u64, request, turn).await }
    });
    // In order: the answer of a row is given after those of the rows before it.
    let mut answered = std::pin::pin!(numbered.buffered(ROWS_MAX));
    while let Some(answer) = answered.next().await {
        if let Ok(answer) = &answer {
            count.add(answer);
        }
        let is_over = answer.is_err();
        if answers.send(answer).await.is_err() || is_over {
            return;
        }
    }
    let Count { recorded, already_recorded, refused } = count;
    let close = import::Command::Close { recorded, already_recorded, refused };
    if let Err(error) = import.bracket(close, "close").await {
        // The rows are recorded and answered; only the count of this sending is not.
        tracing::warn!(%error, import = %import.id, "an import was not closed");
    }
}

#[derive(Default)]
struct Count {
    recorded: u64,
    already_recorded: u64,
    refused: u64,
}

impl Count {
    fn add(&mut self, answer: &ImportInteractionsResponse) {
        match &answer.result {
            Some(Outcome::Recorded(_)) => self.recorded += 1,
            Some(Outcome::AlreadyRecorded(_)) => self.already_recorded += 1,
            Some(Outcome::Refused(_)) | None => self.refused += 1,
        }
    }
}

struct Import {
    id: ImportId,
    key: String,
    caller: Actor,
    edge: Edge,
}

impl Import {
    /// Records that the import began or ended. Each sending ends anew, so its request has the time in its name.
    async fn bracket(&self, command: import::Command, which: &str) -> Result<(), Error> {
        let name = match command {
            import::Command::Start => which.to_owned(),
            import::Command::Close { .. } => format!("{which} {}", self.edge.now().0),
        };
        let request = self.edge.identities().row(&self.caller, &self.key, &format!("\0{name}"));
        let draft = Bracket { import: self.id, command };
        let asked =
            Asked { caller: &self.caller, request, body: name.as_bytes(), import: None, within: None };
        self.edge.write(asked, &draft).await.map(|_| ())
    }

    /// Writes one row. An error is one that ends the stream.
    async fn row(&self, n: u64, request: Result<ImportInteractionsRequest, Status>, turn: Turn) -> Answer {
        let row = match request?.part {
            Some(Part::Row(row)) => row,
            Some(Part::Start(_)) | None => {
                return Err(
                    Error::malformed("row", "is missing: every message after the first is a row").into()
                );
            }
        };
        let result = match self.log(&row, turn).await {
            Ok(outcome) => outcome,
            Err(error) if is_passing(&error) => return Err(error.into()),
            Err(error) => Outcome::Refused(refusal(error)),
        };
        Ok(ImportInteractionsResponse { row: n, result: Some(result) })
    }

    async fn log(&self, row: &LogInteractionRequest, turn: Turn) -> Result<Outcome, Error> {
        let draft = match Logging::parse_row(row, self.edge.now()) {
            Ok(draft) => draft,
            Err(error) => {
                // The rows after it must not overtake those before it.
                turn.give_up().await;
                return Err(error);
            }
        };
        let request = self.edge.identities().row(&self.caller, &self.key, &row.request_id);
        let body = body("ImportInteractions", row);
        let import = Some(Backfill { import: self.id, occurred_at: None });
        let asked = Asked { caller: &self.caller, request, body: &body, import, within: None };
        let written = self.edge.write_in_turn(asked, &draft, Some(turn)).await?;
        let logged = intake::logged(&written)?;
        Ok(if written.is_replayed { Outcome::AlreadyRecorded(logged) } else { Outcome::Recorded(logged) })
    }
}

/// Whether the same row may do better later.
fn is_passing(error: &Error) -> bool {
    match error {
        Error::BacklogFull
        | Error::CatchingUp { .. }
        | Error::Internal(_)
        | Error::LogUnavailable
        | Error::OutcomeUnknown { .. }
        | Error::PositionNotReached
        | Error::QueueFull
        | Error::TooOften { .. } => true,
        Error::Denied { .. }
        | Error::Malformed(_)
        | Error::MessageTooLarge { .. }
        | Error::NoSuchMethod
        | Error::NotFound { .. }
        | Error::PolicyInvalid(_)
        | Error::Refused { .. }
        | Error::RequestIdReused
        | Error::Stale { .. }
        | Error::Unauthenticated => false,
    }
}

fn refusal(error: Error) -> ImportRefusal {
    let field = match &error {
        Error::Malformed(violations) => violations.first().map(|v| v.field.clone()).unwrap_or_default(),
        _ => String::new(),
    };
    let reason = match &error {
        Error::Malformed(_) => "INVALID_ARGUMENT",
        _ => error.reason(),
    };
    ImportRefusal { reason: reason.to_owned(), field, message: error.to_string() }
}
