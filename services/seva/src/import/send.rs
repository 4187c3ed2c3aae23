//! Rows to the intake service, and what it answers to each. A stream that breaks is taken up at the first row without an answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::{Stream, StreamExt as _, stream};
use seva_api::pb::intake::v1::import_interactions_request::Part;
use seva_api::pb::intake::v1::import_interactions_response::Result as Answer;
use seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient;
use seva_api::pb::intake::v1::{ImportInteractionsRequest, ImportStart, LogInteractionResponse};
use tokio::sync::Semaphore;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use super::progress::Progress;
use super::reject::{Reason, Reject};
use super::row::Ready;
use crate::{failure, output};

/// The most rows sent and not yet answered.
const IN_FLIGHT_MAX: usize = 512;
/// How long a row may be without an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// How long connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How often in a row the stream is taken up without a row being answered.
const ATTEMPTS_MAX: u32 = 6;

/// Where and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// For example `http://127.0.0.1:7001`.
    pub(crate) endpoint: String,
    pub(crate) actor: String,
}

/// What the service answered so far.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// How many rows have an answer: always the first ones.
    pub(crate) answered: usize,
    pub(crate) recorded: u64,
    pub(crate) already_there: u64,
    pub(crate) rejects: Vec<Reject>,
    pub(crate) position: Option<String>,
    /// How long it took from the first connection on.
    pub(crate) took: Duration,
}

/// Sends all rows. What was answered before an error stays in `answers`.
pub(crate) async fn send(
    target: &Target,
    import_key: &str,
    rows: Arc<[Ready]>,
    answers: &mut Answers,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut progress = Progress::new(rows.len() as u64);
    let mut attempt = 0;
    let outcome = loop {
        let before = answers.answered;
        let broken = match stream_once(target, import_key, &rows, answers, &mut progress).await {
            Ok(()) => break Ok(()),
            Err(broken) => broken,
        };
        attempt = if answers.answered > before { 1 } else { attempt + 1 };
        if !broken.transient || attempt >= ATTEMPTS_MAX || (answers.answered == 0 && broken.connecting) {
            break Err(broken.error);
        }
        let wait = Duration::from_millis(250) * 2u32.pow(attempt);
        let (rows, seconds, why) = (answers.answered, wait.as_secs_f64(), failure::explain(&broken.error));
        output::say(&format!("the stream broke after {rows} rows and is taken up in {seconds:.1} s: {why}"));
        tokio::time::sleep(wait).await;
    };
    progress.finish();
    answers.took = started.elapsed();
    outcome
}

/// Why a stream ended early, and whether another can do better.
struct Broken {
    error: anyhow::Error,
    transient: bool,
    connecting: bool,
}

impl Broken {
    fn by(status: Status) -> Broken {
        let transient = match status.code() {
            Code::Aborted | Code::Cancelled | Code::ResourceExhausted | Code::Unavailable | Code::Unknown => {
                true
            }
            Code::Ok
            | Code::AlreadyExists
            | Code::DataLoss
            | Code::DeadlineExceeded
            | Code::FailedPrecondition
            | Code::Internal
            | Code::InvalidArgument
            | Code::NotFound
            | Code::OutOfRange
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::Unimplemented => false,
        };
        let error = anyhow::Error::new(status).context("the intake service ended the import");
        Broken { error, transient, connecting: false }
    }

    fn for_now(message: &str) -> Broken {
        Broken { error: failure::unavailable(message), transient: true, connecting: false }
    }

    fn for_good(error: anyhow::Error) -> Broken {
        Broken { error, transient: false, connecting: false }
    }
}

async fn connect(target: &Target) -> Result<Channel, Broken> {
    let endpoint = Endpoint::from_shared(target.endpoint.clone()).map_err(|_| {
        Broken::for_good(failure::usage(format!(
            "`{}` is no address such as http://127.0.0.1:7001",
            target.endpoint
        )))
    })?;
    endpoint.connect_timeout(CONNECT_WITHIN).connect().await.map_err(|e| Broken {
        error: anyhow::Error::new(e)
            .context(format!("nothing answers at {}: `seva demo` starts the services", target.endpoint)),
        transient: true,
        connecting: true,
    })
}

/// Sends what has no answer yet over one stream.
async fn stream_once(
    target: &Target,
    import_key: &str,
    rows: &Arc<[Ready]>,
    answers: &mut Answers,
    progress: &mut Progress,
) -> Result<(), Broken> {
    let first = answers.answered;
    let window = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    let mut request = Request::new(requests(import_key, Arc::clone(rows), first, Arc::clone(&window)));
    let actor = AsciiMetadataValue::try_from(target.actor.as_str())
        .context("the actor cannot be sent")
        .map_err(Broken::for_good)?;
    request.metadata_mut().insert("seva-actor", actor);

    let mut client = IntakeServiceClient::new(connect(target).await?);
    let mut responses = client.import_interactions(request).await.map_err(Broken::by)?.into_inner();
    loop {
        let response = match tokio::time::timeout(ANSWER_WITHIN, responses.message()).await {
            Err(_) => return Err(Broken::for_now("the intake service did not answer a row within 60 s")),
            Ok(Err(status)) => return Err(Broken::by(status)),
            Ok(Ok(None)) => break,
            Ok(Ok(Some(response))) => response,
        };
        let expected = (answers.answered - first) as u64;
        let (Some(row), Some(result)) = (rows.get(answers.answered), response.result) else {
            return Err(Broken::for_good(anyhow::anyhow!(
                "the intake service answered a row that was not sent, or without a result"
            )));
        };
        if response.row != expected {
            let message =
                format!("the intake service answered row {} where row {expected} was due", response.row);
            return Err(Broken::for_good(anyhow::anyhow!(message)));
        }
        answers.take(row, result);
        window.add_permits(1);
        progress.answered(answers.answered as u64);
    }
    if answers.answered < rows.len() {
        return Err(Broken::for_now("the intake service ended the stream before every row had its answer"));
    }
    Ok(())
}

/// The opening message, then each row as soon as the window has room for it.
fn requests(
    import_key: &str,
    rows: Arc<[Ready]>,
    first: usize,
    window: Arc<Semaphore>,
) -> impl Stream<Item = ImportInteractionsRequest> + use<> {
    let start = ImportInteractionsRequest {
        part: Some(Part::Start(ImportStart { import_key: import_key.to_owned() })),
    };
    let rows = stream::unfold(first, move |at| {
        let (rows, window) = (Arc::clone(&rows), Arc::clone(&window));
        async move {
            let request = rows.get(at)?.request.clone();
            // The answer gives the permit back.
            window.acquire().await.ok()?.forget();
            Some((ImportInteractionsRequest { part: Some(Part::Row(request)) }, at + 1))
        }
    });
    stream::iter([start]).chain(rows)
}

impl Answers {
    fn take(&mut self, row: &Ready, result: Answer) {
        self.answered += 1;
        match result {
            Answer::Recorded(recorded) => {
                self.recorded += 1;
                self.reached(recorded);
            }
            Answer::AlreadyRecorded(recorded) => {
                self.already_there += 1;
                self.reached(recorded);
            }
            Answer::Refused(refusal) => {
                let field = (!refusal.field.is_empty()).then_some(refusal.field);
                self.rejects.push(Reject::new(
                    row.line,
                    Reason::Refused(refusal.reason),
                    field,
                    refusal.message,
                ));
            }
        }
    }

    fn reached(&mut self, response: LogInteractionResponse) {
        if !response.position.is_empty() {
            self.position = Some(response.position);
        }
    }
}
