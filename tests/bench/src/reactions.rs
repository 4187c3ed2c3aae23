//! What follows by itself from a command: its cost beside the same command from which nothing follows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use seva::house::system_clock;
use seva_api::parse::timestamp;
use seva_api::pb::common::v1::CaseKind;
use seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient;
use seva_api::pb::intake::v1::{LogInteractionRequest, MakePromiseRequest};
use seva_api::pb::policy::v1::PublishPolicyRequest;
use seva_domain::policy::{Document, STARTER};
use seva_domain::values::At;
use tonic::transport::Channel;

use crate::args::Measures;
use crate::drive::{Load, drive};
use crate::house::{House, request};
use crate::import::{Customers, Known};
use crate::intake::{Tally, taken};
use crate::messages::interaction;
use crate::sizes::worked_seconds;
use crate::table::{Against, Row, Table};

/// How many commands are in flight.
const IN_FLIGHT: usize = 64;

/// How many customers there are: so many that no case holds many promises.
const CUSTOMERS: u64 = 40_000;

/// How long a promise has that is broken, and one that is not.
const SOON: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_secs(3_600);

/// A command, and what follows from it.
#[derive(Clone, Copy, Debug)]
enum Command {
    Enquiry,
    Suggestion,
    PromiseThatStands,
    PromiseThatBreaks,
}

impl Command {
    fn name(self) -> &'static str {
        match self {
            Command::Enquiry => "an enquiry: nothing follows",
            Command::Suggestion => "a suggestion: captured, routed",
            Command::PromiseThatStands => "a promise that stands: nothing follows",
            Command::PromiseThatBreaks => "a promise that breaks: broken, raised, placed",
        }
    }

    /// How long after the last command the last thing follows.
    fn rest(self) -> Duration {
        match self {
            Command::Enquiry | Command::Suggestion | Command::PromiseThatStands => Duration::ZERO,
            Command::PromiseThatBreaks => SOON,
        }
    }

    async fn ask(
        self,
        client: IntakeServiceClient<Channel>,
        known: Known,
        n: u64,
        tally: &Tally,
    ) -> anyhow::Result<()> {
        let request_id = format!("reaction-{self:?}-{n}").to_lowercase();
        let position = match self {
            Command::Enquiry => log(client, request_id, known, CaseKind::Enquiry, n, tally).await,
            Command::Suggestion => log(client, request_id, known, CaseKind::Suggestion, n, tally).await,
            Command::PromiseThatStands => promise(client, request_id, known, LATER, tally).await,
            Command::PromiseThatBreaks => promise(client, request_id, known, SOON, tally).await,
        }?;
        tally.reached(&position);
        Ok(())
    }
}

async fn log(
    client: IntakeServiceClient<Channel>,
    request_id: String,
    known: Known,
    kind: CaseKind,
    n: u64,
    tally: &Tally,
) -> anyhow::Result<String> {
    let message = LogInteractionRequest {
        identities: Vec::new(),
        customer_id: known.customer_id,
        kind: kind.into(),
        ..interaction(request_id, String::new(), n)
    };
    let asked = || {
        let (mut client, message) = (client.clone(), message.clone());
        async move { client.log_interaction(request(message)).await }
    };
    Ok(taken(tally, asked).await?.position)
}

async fn promise(
    client: IntakeServiceClient<Channel>,
    request_id: String,
    known: Known,
    within: Duration,
    tally: &Tally,
) -> anyhow::Result<String> {
    let due = At(system_clock()().0 + i64::try_from(within.as_micros()).unwrap_or(i64::MAX));
    let message = MakePromiseRequest {
        request_id,
        case_id: known.case_id,
        kind: "callback".to_owned(),
        due_at: Some(timestamp(due)),
        text: "We call you back as soon as the workshop has looked at it.".to_owned(),
        expected_rev: None,
    };
    let asked = || {
        let (mut client, message) = (client.clone(), message.clone());
        async move { client.make_promise(request(message)).await }
    };
    let made = taken(tally, asked).await?;
    anyhow::ensure!(made.made, "the policy refused a promise of the bench: {:?}", made.refusal);
    Ok(made.position)
}

/// Gives each command for a while, waits until all that follows has happened, and adds what both cost.
pub(crate) async fn measure(
    house: &House,
    measures: &Measures,
    customers: &mut Customers,
    table: &mut Table,
) -> anyhow::Result<()> {
    customers.fill(house, customers.count.max(CUSTOMERS)).await?;
    publish_policy(house).await?;
    let known: Arc<[Known]> = customers.sample.iter().cloned().collect();
    anyhow::ensure!(!known.is_empty(), "no customer was imported");
    for (plain, reacting) in
        [(Command::Enquiry, Command::Suggestion), (Command::PromiseThatStands, Command::PromiseThatBreaks)]
    {
        let before = run(house, measures, &known, plain, None, table).await?;
        run(house, measures, &known, reacting, Some(before), table).await?;
    }
    Ok(())
}

/// Answers what one command cost, in microseconds of the processor.
async fn run(
    house: &House,
    measures: &Measures,
    known: &Arc<[Known]>,
    command: Command,
    beside: Option<f64>,
    table: &mut Table,
) -> anyhow::Result<f64> {
    let clients = house.intake(IN_FLIGHT)?;
    let tally = Arc::new(Tally::default());
    let next = Arc::new(AtomicU64::new(0));
    let before = worked_seconds(house)?;
    let began = Instant::now();
    let load = Load::free(IN_FLIGHT, measures.lasts());
    let driven = drive(load, |caller| {
        let client = clients[caller % clients.len()].clone();
        let (known, tally, next) = (Arc::clone(known), Arc::clone(&tally), Arc::clone(&next));
        move |_| {
            let n = next.fetch_add(1, Relaxed);
            let whom = known[usize::try_from(n).unwrap_or(0) % known.len()].clone();
            let (client, tally) = (client.clone(), Arc::clone(&tally));
            async move { command.ask(client, whom, n, &tally).await }
        }
    })
    .await?;
    tokio::time::sleep(command.rest()).await;
    house.settled(tally.last.load(Relaxed)).await?;
    let took = began.elapsed();
    let answered = driven.latencies.count();
    let after = worked_seconds(house)?;
    let [services, server] = [0, 1].map(|n| (after[n] - before[n]) * 1e6 / answered.max(1) as f64);
    let (p50, p99) = driven.latencies.p50_p99_ms();
    let against =
        beside.map(|beside| Against::plain((services + server) / beside, "x the CPU of the one before"));
    table.add(Row {
        name: command.name().to_owned(),
        in_flight: Some(IN_FLIGHT),
        per_second: Some(answered as f64 / took.as_secs_f64()),
        p50_ms: Some(p50),
        p99_ms: Some(p99),
        against: against.into_iter().collect(),
        note: format!(
            "all that follows included; CPU a command: services {services:.0} us, nats-server {server:.0} us"
        ),
    });
    Ok(services + server)
}

/// The starter policy, but a call back may be promised for this moment.
async fn publish_policy(house: &House) -> anyhow::Result<()> {
    let mut document =
        Document::parse(STARTER).map_err(|findings| anyhow!("the starter policy: {findings:?}"))?;
    for kind in document.promise.kinds.iter_mut().filter(|kind| kind.id == "callback") {
        kind.soonest_minutes = 0;
    }
    let publication = PublishPolicyRequest {
        request_id: "policy-of-the-bench".to_owned(),
        document: toml::to_string(&document)?,
        reason: "so that promises break while the bench runs".to_owned(),
        expected_version: None,
    };
    let published = house.policy()?.publish_policy(request(publication)).await;
    let position = published.context("the policy of the bench")?.into_inner().position;
    house.settled(crate::intake::sequence(&position)).await
}
