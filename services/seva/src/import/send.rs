//! Rows to their services, and what these answer to each: interactions through the import's stream, the rest one by one beside it.
//!
//! The stream is what opens the import, and closes it once every row has its answer. Where it breaks, the rows without an answer go again.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::FuturesUnordered;
use futures::{Stream, StreamExt as _, stream};
use seva_api::pb::escalation::v1::escalation_service_client::EscalationServiceClient;
use seva_api::pb::intake::v1::import_interactions_request::Part;
use seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient;
use seva_api::pb::intake::v1::{
    ImportInteractionsRequest, ImportInteractionsResponse, ImportStart, LogInteractionRequest,
};
use seva_api::pb::refunds::v1::refunds_service_client::RefundsServiceClient;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Request, Status, Streaming};

use super::answers::Answers;
use super::call::Call;
use super::progress::Progress;
use super::queue::{INTERACTIONS_MAX, Queue};
use super::row::Ready;
use super::unary::{self, Came, Services};
use crate::connect::{self, Bearer};
use crate::{failure, output};

/// How long a row may be without an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// How long connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How often in a row the stream is taken up without a row being answered.
const ATTEMPTS_MAX: u32 = 6;

/// Where and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Each service's, for example `https://127.0.0.1:7001`.
    pub(crate) endpoints: BTreeMap<String, String>,
    /// Whom to trust there under TLS.
    pub(crate) ca: Option<PathBuf>,
    pub(crate) bearer: Bearer,
}

/// Sends all rows. What was answered before an error stays in `answers`.
pub(crate) async fn send(
    target: &Target,
    import_key: &str,
    rows: Arc<[Ready]>,
    answers: &mut Answers,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let progress = Progress::new(rows.len() as u64);
    let mut run = Run { queue: Queue::new(&rows), rows, answers, progress };
    let mut attempt = 0;
    let outcome = loop {
        let before = run.answers.answered;
        let broken = match run.through_one_stream(target, import_key).await {
            Ok(()) => break Ok(()),
            Err(broken) => broken,
        };
        let answered = run.answers.answered;
        attempt = if answered > before { 1 } else { attempt + 1 };
        if !broken.transient || attempt >= ATTEMPTS_MAX || (answered == 0 && broken.connecting) {
            break Err(broken.error);
        }
        let wait = Duration::from_millis(250) * 2u32.pow(attempt);
        let (seconds, why) = (wait.as_secs_f64(), failure::explain(&broken.error));
        output::say(&format!(
            "the stream broke after {answered} rows and is taken up in {seconds:.1} s: {why}"
        ));
        tokio::time::sleep(wait).await;
    };
    run.progress.finish();
    run.answers.took = started.elapsed();
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
        let error = anyhow::Error::new(status).context("a service ended the import");
        Broken { error, transient, connecting: false }
    }

    fn for_now(message: &str) -> Broken {
        Broken { error: failure::unavailable(message), transient: true, connecting: false }
    }

    fn for_good(error: anyhow::Error) -> Broken {
        Broken { error, transient: false, connecting: false }
    }
}

/// The services that the rows go to.
async fn services(target: &Target, import_key: &str, rows: &[Ready]) -> Result<Services, Broken> {
    let is_for = |service| rows.iter().any(|row| row.call.service() == service);
    let import = unary::metadata(import_key).map_err(Broken::for_good)?;
    let to_intake = channel(target, "intake").await?;
    // Where no row goes to a service, intake's channel stands for it.
    let (mut to_escalation, mut to_refunds) = (to_intake.clone(), to_intake.clone());
    if is_for("escalation") {
        to_escalation = channel(target, "escalation").await?;
    }
    if is_for("refunds") {
        to_refunds = channel(target, "refunds").await?;
    }
    let intake = IntakeServiceClient::new(to_intake);
    let escalation = EscalationServiceClient::new(to_escalation);
    let refunds = RefundsServiceClient::new(to_refunds);
    Ok(Services { intake, escalation, refunds, bearer: target.bearer.clone(), import })
}

async fn channel(target: &Target, service: &str) -> Result<Channel, Broken> {
    let Some(address) = target.endpoints.get(service) else {
        let message = format!("the map needs the {service} service, whose address is not given");
        return Err(Broken::for_good(failure::usage(message)));
    };
    let endpoint = connect::endpoint(address, target.ca.as_deref()).map_err(Broken::for_good)?;
    endpoint.connect_timeout(CONNECT_WITHIN).connect().await.map_err(|e| Broken {
        error: anyhow::Error::new(e)
            .context(format!("nothing answers at {address}: `seva demo` starts the services")),
        transient: true,
        connecting: true,
    })
}

/// The rows of a run, and what became of them so far.
struct Run<'a> {
    rows: Arc<[Ready]>,
    queue: Queue,
    answers: &'a mut Answers,
    progress: Progress,
}

/// The import's stream: what it takes, what it answers, and the rows on it, in order.
struct Logged {
    sender: mpsc::Sender<LogInteractionRequest>,
    answers: Streaming<ImportInteractionsResponse>,
    rows: VecDeque<usize>,
    answered: u64,
}

impl Run<'_> {
    /// Sends what has no answer yet, its interactions over one stream.
    async fn through_one_stream(&mut self, target: &Target, import_key: &str) -> Result<(), Broken> {
        let services = services(target, import_key, &self.rows).await?;
        let (sender, interactions) = mpsc::channel(INTERACTIONS_MAX);
        let mut request = Request::new(requests(import_key, interactions));
        services.bearer.stamp(request.metadata_mut());
        let mut intake = services.intake.clone();
        let answers = intake.import_interactions(request).await.map_err(Broken::by)?.into_inner();
        let mut logged = Logged { sender, answers, rows: VecDeque::new(), answered: 0 };

        let mut calls = FuturesUnordered::new();
        let broken = loop {
            while let next @ [_, ..] = self.queue.next().as_slice() {
                for n in next.iter().copied() {
                    let row = &self.rows[n];
                    if let Call::LogInteraction(request) = &row.call {
                        logged.rows.push_back(n);
                        // There is room for as many as are sent at once; if the stream is gone its answers say so.
                        let _is_gone = logged.sender.try_send(request.clone()).is_err();
                        continue;
                    }
                    match self.answers.id_for(row) {
                        Ok(id) => calls.push(asked(services.clone(), Arc::clone(&self.rows), n, id)),
                        Err(reject) => {
                            self.answers.refused(reject);
                            self.answered(n);
                        }
                    }
                }
            }
            if self.queue.is_done() {
                break None;
            }
            let step = tokio::select! {
                answer = logged.next() => self.logged(&mut logged, answer),
                Some((n, came)) = calls.next() => self.came(n, came),
            };
            if let Err(broken) = step {
                break Some(broken);
            }
        };
        // What was asked beside the stream has its answer on the way, whatever became of the stream.
        while let Some((n, came)) = calls.next().await {
            if self.came(n, came).is_err() {
                tracing::debug!(row = n, "a request failed after the stream had ended");
            }
        }
        logged.rows.drain(..).for_each(|n| self.queue.again(n));
        match broken {
            Some(broken) => Err(broken),
            None => logged.ended().await,
        }
    }

    fn answered(&mut self, n: usize) {
        self.queue.answered(n);
        self.progress.answered(self.answers.answered as u64);
    }

    /// What became of a request of its own.
    fn came(&mut self, n: usize, came: Came) -> Result<(), Broken> {
        match came {
            Came::Taken(taken) => self.answers.took(taken),
            Came::Refused(reject) => self.answers.refused(reject),
            Came::Failed(status) => {
                self.queue.again(n);
                return Err(Broken::by(status));
            }
        }
        self.answered(n);
        Ok(())
    }

    /// What the stream said.
    fn logged(
        &mut self,
        logged: &mut Logged,
        answer: Result<Option<ImportInteractionsResponse>, Broken>,
    ) -> Result<(), Broken> {
        let Some(response) = answer? else {
            return Err(Broken::for_now(
                "the intake service ended the stream before every row had its answer",
            ));
        };
        let (Some(n), Some(result)) = (logged.rows.front().copied(), response.result) else {
            return Err(Broken::for_good(anyhow::anyhow!(
                "the intake service answered a row that was not sent, or without a result"
            )));
        };
        let expected = logged.answered;
        if response.row != expected {
            let message =
                format!("the intake service answered row {} where row {expected} was due", response.row);
            return Err(Broken::for_good(anyhow::anyhow!(message)));
        }
        logged.rows.pop_front();
        logged.answered += 1;
        self.answers.logged(&self.rows[n], result);
        self.answered(n);
        Ok(())
    }
}

impl Logged {
    /// The next answer. Without a row on the stream none is due, so none is late.
    async fn next(&mut self) -> Result<Option<ImportInteractionsResponse>, Broken> {
        if self.rows.is_empty() {
            return self.answers.message().await.map_err(Broken::by);
        }
        match tokio::time::timeout(ANSWER_WITHIN, self.answers.message()).await {
            Err(_) => Err(Broken::for_now("the intake service did not answer a row within 60 s")),
            Ok(answer) => answer.map_err(Broken::by),
        }
    }

    /// Ends the stream, which closes the import.
    async fn ended(self) -> Result<(), Broken> {
        let Logged { sender, mut answers, .. } = self;
        drop(sender);
        match tokio::time::timeout(ANSWER_WITHIN, answers.message()).await {
            Err(_) => Err(Broken::for_now("the intake service did not close the import within 60 s")),
            Ok(Err(status)) => Err(Broken::by(status)),
            Ok(Ok(_)) => Ok(()),
        }
    }
}

async fn asked(services: Services, rows: Arc<[Ready]>, n: usize, id: String) -> (usize, Came) {
    (n, services.ask(&rows[n], &id).await)
}

/// The opening message, then each interaction.
fn requests(
    import_key: &str,
    interactions: mpsc::Receiver<LogInteractionRequest>,
) -> impl Stream<Item = ImportInteractionsRequest> + use<> {
    let start = ImportInteractionsRequest {
        part: Some(Part::Start(ImportStart { import_key: import_key.to_owned() })),
    };
    let row = |request| ImportInteractionsRequest { part: Some(Part::Row(request)) };
    stream::iter([start]).chain(ReceiverStream::new(interactions).map(row))
}
