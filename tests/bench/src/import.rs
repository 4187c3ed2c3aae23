//! ImportInteractions: rows a second, and the way customers come to be here in numbers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures::{Stream, StreamExt as _, stream};
use seva::house::system_clock;
use seva_api::pb::intake::v1::import_interactions_request::Part;
use seva_api::pb::intake::v1::import_interactions_response::Result as Outcome;
use seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient;
use seva_api::pb::intake::v1::{ImportInteractionsRequest, ImportStart, LogInteractionResponse};
use seva_domain::values::At;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::args::Measures;
use crate::house::{House, unhurried};
use crate::intake::{account, sequence};
use crate::messages::past;
use crate::table::{Against, Bound, Row, Table};

/// The most rows of a stream sent and not yet answered.
const ROWS_ON_THE_WAY_MAX: usize = 512;

/// How many streams fill the house.
const STREAMS: u64 = 4;

/// How often a stream is taken up without one row more being answered, and how long it rests before.
const ATTEMPTS_MAX: u32 = 600;
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// How long a row may be without an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// How many customers are remembered to ask about, of one filling.
const SAMPLE_MAX: u64 = 50_000;

/// How long ago what is imported began to happen, in microseconds: 20 days.
const AGO_US: i64 = 20 * 24 * 3_600 * 1_000_000;

/// A customer that was imported, and the case.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) customer_id: String,
    pub(crate) case_id: String,
}

/// Customers that are here.
#[derive(Debug, Default)]
pub(crate) struct Customers {
    /// How many, whatever brought them.
    pub(crate) count: u64,
    /// How many of them imports brought: accounts are numbered by it.
    imported: u64,
    /// Some of them, evenly picked.
    pub(crate) sample: Vec<Known>,
}

impl Customers {
    /// Customers made by other means than an import.
    pub(crate) fn add(&mut self, count: u64) {
        self.count += count;
    }

    /// Imports customers until there are so many. Answers how many that were.
    pub(crate) async fn fill(&mut self, house: &House, until: u64) -> anyhow::Result<u64> {
        let missing = until.saturating_sub(self.count);
        if missing > 0 {
            self.import(house, missing, STREAMS).await?;
        }
        Ok(missing)
    }

    /// Imports so many customers, one interaction each, by so many streams, and waits until everything is folded.
    async fn import(&mut self, house: &House, count: u64, streams: u64) -> anyhow::Result<Imported> {
        eprintln!("importing {count} customers by {streams} streams ...");
        let began = Instant::now();
        let since = At(system_clock()().0 - AGO_US);
        let mut tasks = JoinSet::new();
        let each = count.div_ceil(streams);
        for n in 0..streams {
            let first = self.imported + n * each;
            let rows = Rows {
                first,
                end: (first + each).min(self.imported + count),
                since,
                client: house.intake(1)?,
            };
            tasks.spawn(rows.send((count / SAMPLE_MAX).max(1)));
        }
        let (mut last, mut again) = (0, 0);
        while let Some(sent) = tasks.join_next().await {
            let sent = sent??;
            last = last.max(sent.last);
            again += sent.again;
            self.sample.extend(sent.sample);
        }
        let answered = began.elapsed();
        house.settled(last).await?;
        self.imported += count;
        self.count += count;
        Ok(Imported { answered, settled: began.elapsed(), again })
    }
}

struct Imported {
    answered: Duration,
    settled: Duration,
    again: u32,
}

/// Imports customers by one stream, then by several.
pub(crate) async fn measure(
    house: &House,
    measures: &Measures,
    customers: &mut Customers,
    table: &mut Table,
) -> anyhow::Result<()> {
    for streams in [1, STREAMS] {
        let count = if measures.quick { 10_000 } else { 40_000 };
        let Imported { answered, settled, again } = customers.import(house, count, streams).await?;
        let per_second = count as f64 / settled.as_secs_f64();
        // Each row makes a customer and a case.
        let records = Against::bounded(2.0 * per_second, "records/s", Bound::Goal(5_000.0));
        let lag = (settled - answered).as_secs_f64();
        let note = format!(
            "{count} rows, each a new customer; lag at the end {lag:.1} s; taken up again {again} times"
        );
        table.add(Row {
            name: "import, sustained".to_owned(),
            in_flight: usize::try_from(streams).ok(),
            per_second: Some(per_second),
            against: vec![records],
            note,
            ..Row::default()
        });
    }
    Ok(())
}

/// The rows of one stream.
struct Rows {
    first: u64,
    end: u64,
    since: At,
    client: Vec<IntakeServiceClient<Channel>>,
}

#[derive(Debug, Default)]
struct Sent {
    /// Sequence of the last commit answered.
    last: u64,
    /// How often the stream was taken up again.
    again: u32,
    sample: Vec<Known>,
}

impl Rows {
    /// Sends all rows; a stream that breaks is taken up at the first row without an answer.
    async fn send(self, sample_every: u64) -> anyhow::Result<Sent> {
        let mut sent = Sent::default();
        let (mut next, mut attempts) = (self.first, 0);
        while next < self.end {
            let before = next;
            let Err(status) = self.stream(&mut next, sample_every, &mut sent).await else { continue };
            attempts = if next > before { 1 } else { attempts + 1 };
            let is_passing = matches!(status.code(), Code::ResourceExhausted | Code::Unavailable);
            if !is_passing || attempts >= ATTEMPTS_MAX {
                return Err(status).context("an import failed");
            }
            sent.again += 1;
            tokio::time::sleep(AGAIN_AFTER).await;
        }
        Ok(sent)
    }

    async fn stream(&self, next: &mut u64, sample_every: u64, sent: &mut Sent) -> Result<(), Status> {
        let window = Arc::new(Semaphore::new(ROWS_ON_THE_WAY_MAX));
        let requests = self.requests(*next, Arc::clone(&window));
        let mut client = self.client.first().cloned().ok_or_else(|| Status::internal("no client"))?;
        let mut answers = client.import_interactions(unhurried(requests)).await?.into_inner();
        while *next < self.end {
            let answer = tokio::time::timeout(ANSWER_WITHIN, answers.message()).await;
            let answer = answer.map_err(|_| Status::deadline_exceeded("a row has no answer"))??;
            let answer = answer.ok_or_else(|| Status::unavailable("the stream ended early"))?;
            match answer.result {
                Some(Outcome::Recorded(logged) | Outcome::AlreadyRecorded(logged)) => {
                    if next.is_multiple_of(sample_every) {
                        let LogInteractionResponse { customer_id, case_id, .. } = &logged;
                        sent.sample
                            .push(Known { customer_id: customer_id.clone(), case_id: case_id.clone() });
                    }
                    sent.last = sent.last.max(sequence(&logged.position));
                }
                Some(Outcome::Refused(refusal)) => {
                    return Err(Status::failed_precondition(format!(
                        "a row was refused: {}",
                        refusal.message
                    )));
                }
                None => return Err(Status::internal("an answer without a result")),
            }
            *next += 1;
            window.add_permits(1);
        }
        // The end of the stream: the import is closed then.
        answers.message().await.map(|_| ())
    }

    fn requests(
        &self,
        from: u64,
        window: Arc<Semaphore>,
    ) -> impl Stream<Item = ImportInteractionsRequest> + use<> {
        let start = ImportStart { import_key: format!("fill-{}", self.first) };
        let (end, since) = (self.end, self.since);
        let rows = stream::unfold(from, move |n| {
            let window = Arc::clone(&window);
            async move {
                if n >= end {
                    return None;
                }
                // The answer gives the permit back.
                window.acquire().await.ok()?.forget();
                let row = past(format!("row-{n}"), account(n), n, since);
                Some((ImportInteractionsRequest { part: Some(Part::Row(row)) }, n + 1))
            }
        });
        stream::iter([ImportInteractionsRequest { part: Some(Part::Start(start)) }]).chain(rows)
    }
}

/// Makes sure of the customers that commands are picked from at random.
pub(crate) async fn first(house: &House, customers: &mut Customers, count: u64) -> anyhow::Result<()> {
    customers.fill(house, count).await?;
    if customers.sample.is_empty() {
        bail!("nobody was imported");
    }
    Ok(())
}
