//! Questions to intake, by the number of customers.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rand::seq::IndexedRandom as _;
use seva_api::pb::common::v1::PageRequest;
use seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient;
use seva_api::pb::intake::v1::{
    GetCallerBriefRequest, GetCaseRequest, GetTimelineRequest, ListOpenCasesRequest,
};
use tonic::transport::Channel;

use crate::args::Measures;
use crate::drive::{Load, drive};
use crate::house::{House, request};
use crate::import::{Customers, Known};
use crate::table::{Against, Bound, Row, Table};

/// How many callers ask at once.
const IN_FLIGHT: [usize; 2] = [1, 16];

/// The longest that one question is asked.
const LASTS_MAX: Duration = Duration::from_secs(5);

/// How many rows a page has.
const PAGE_ROWS: u32 = 50;

/// How many customers the goal for queries is stated for.
const GOAL_CUSTOMERS: u64 = 1_000_000;

#[derive(Clone, Copy, Debug)]
enum Question {
    CallerBrief,
    Timeline,
    OpenCases,
    Case,
}

impl Question {
    const ALL: [Question; 4] =
        [Question::CallerBrief, Question::Timeline, Question::OpenCases, Question::Case];

    fn name(self) -> &'static str {
        match self {
            Question::CallerBrief => "GetCallerBrief",
            Question::Timeline => "GetTimeline page",
            Question::OpenCases => "ListOpenCases page",
            Question::Case => "GetCase",
        }
    }

    async fn ask(self, mut client: IntakeServiceClient<Channel>, known: Known) -> Result<(), tonic::Status> {
        let Known { customer_id, case_id } = known;
        let page = Some(PageRequest { page_size: PAGE_ROWS, page_token: String::new() });
        match self {
            Question::CallerBrief => {
                let question = GetCallerBriefRequest { customer_id, read: None };
                client.get_caller_brief(request(question)).await.map(|_| ())
            }
            Question::Timeline => {
                let question = GetTimelineRequest { customer_id, page, read: None };
                client.get_timeline(request(question)).await.map(|_| ())
            }
            Question::OpenCases => {
                let question = ListOpenCasesRequest { page, ..ListOpenCasesRequest::default() };
                client.list_open_cases(request(question)).await.map(|_| ())
            }
            Question::Case => {
                let question = GetCaseRequest { case_id, ..GetCaseRequest::default() };
                client.get_case(request(question)).await.map(|_| ())
            }
        }
    }
}

/// Asks every question about customers picked at random.
pub(crate) async fn measure(
    house: &House,
    measures: &Measures,
    customers: &Customers,
    table: &mut Table,
) -> anyhow::Result<()> {
    let sample: Arc<[Known]> = customers.sample.clone().into();
    // What making them wrote is let go to the disk first: it is questions that are measured.
    tokio::task::spawn_blocking(rustix::fs::sync).await?;
    for question in Question::ALL {
        for in_flight in IN_FLIGHT {
            let clients = house.intake(in_flight)?;
            let load = Load::free(in_flight, measures.lasts().min(LASTS_MAX));
            let driven = drive(load, |caller| {
                let (client, sample) = (clients[caller % clients.len()].clone(), Arc::clone(&sample));
                move |_| {
                    let known = sample.choose(&mut rand::rng()).cloned();
                    let client = client.clone();
                    async move {
                        let known = known.context("nobody to ask about")?;
                        question.ask(client, known).await.context("a query failed")
                    }
                }
            });
            let driven = driven.await?;
            let per_second = driven.per_second();
            let (p50, p99) = driven.latencies.p50_p99_ms();
            let is_stated = customers.count >= GOAL_CUSTOMERS && in_flight == 1;
            let goal = is_stated.then(|| Against::bounded(p99, "ms p99", Bound::GoalAtMost(5.0)));
            table.add(Row {
                name: format!("query, {} customers, {}", customers.count, question.name()),
                in_flight: Some(in_flight),
                per_second: Some(per_second),
                p50_ms: Some(p50),
                p99_ms: Some(p99),
                against: goal.into_iter().collect(),
                note: String::new(),
            });
        }
    }
    Ok(())
}
