//! LogInteraction over gRPC, beside a server that does nothing: at the front door, and sustained.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use seva_api::pb::intake::v1::LogInteractionRequest;
use seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient;
use tokio::sync::watch;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};

use crate::args::Measures;
use crate::drive::{Driven, Load, drive};
use crate::house::{House, Watcher, clients, request};
use crate::messages::interaction;
use crate::sizes::worked_seconds;
use crate::table::{Against, Bound, Row, Table};
use crate::{child, echo, publish};

/// How many customers there are to pick from at random.
pub(crate) const EXISTING: u64 = 10_000;

/// How often a command is sent again, and how long it waits before.
const ATTEMPTS_MAX: u32 = 1_000;
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// How far read models may lag before a sustained load holds back.
const LAG_MAX: Duration = Duration::from_secs(1);

/// How often the lag is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Whom commands are about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Nouns {
    New,
    Hot,
    Random,
}

impl Nouns {
    const ALL: [Nouns; 3] = [Nouns::Random, Nouns::Hot, Nouns::New];

    fn name(self) -> &'static str {
        match self {
            Nouns::New => "new customers",
            Nouns::Hot => "one hot customer",
            Nouns::Random => "random of 10,000",
        }
    }

    fn account(self, call: &str) -> String {
        match self {
            Nouns::New => format!("new-{call}"),
            Nouns::Hot => "hot".to_owned(),
            Nouns::Random => account(rand::random_range(0..EXISTING)),
        }
    }
}

/// The account of the n-th customer that was there before.
pub(crate) fn account(n: u64) -> String {
    format!("known-{n}")
}

/// What all callers of one measurement counted together.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Answers that the service is full.
    full: AtomicU64,
    /// Answers that it is not there, or that nobody can tell.
    unavailable: AtomicU64,
    /// Sequence of the last commit that was answered.
    pub(crate) last: AtomicU64,
}

impl Tally {
    /// A command was answered with this position.
    pub(crate) fn reached(&self, position: &str) {
        self.last.fetch_max(sequence(position), Relaxed);
    }
}

/// Calls a server that does nothing, in a process of its own.
pub(crate) async fn measure_echo(
    house: &House,
    measures: &Measures,
    table: &mut Table,
) -> anyhow::Result<()> {
    let folder = house.folder().join("echo");
    let (_child, endpoints) = child::start(&["echo"], &folder).await?;
    for in_flight in &measures.in_flight {
        let clients = clients(endpoints.service(echo::NAME)?, None, *in_flight)?;
        let tally = Arc::new(Tally::default());
        let load = Load::free(*in_flight, measures.lasts());
        let driven = calls(load, &clients, Nouns::Random, "0", &tally).await?;
        table.add(row("tonic echo".to_owned(), *in_flight, driven.per_second(), driven));
    }
    Ok(())
}

/// Logs interactions. Answers how many new customers there are now.
pub(crate) async fn measure(house: &House, measures: &Measures, table: &mut Table) -> anyhow::Result<u64> {
    let mut new = 0;
    for nouns in Nouns::ALL {
        for is_sustained in [false, true] {
            for in_flight in &measures.in_flight {
                let answered = run(house, measures, table, nouns, is_sustained, *in_flight).await?;
                new += if nouns == Nouns::New { answered } else { 0 };
            }
        }
    }
    Ok(new)
}

async fn run(
    house: &House,
    measures: &Measures,
    table: &mut Table,
    nouns: Nouns,
    is_sustained: bool,
    in_flight: usize,
) -> anyhow::Result<u64> {
    let clients = house.intake(in_flight)?;
    let tally = Arc::new(Tally::default());
    let run = format!("{}{}-{in_flight}", nouns.name().get(..1).unwrap_or_default(), u8::from(is_sustained));
    let mut load = Load::free(in_flight, measures.lasts());
    let (gate, held) = watch::channel(true);
    load.gate = held;
    let governor = is_sustained.then(|| tokio::spawn(govern(house.watcher(), Arc::clone(&tally), gate)));
    let log = house.log().await?;
    let (before, first) = (worked_seconds(house)?, log.end().await?);
    let began = Instant::now();
    let driven = calls(load, &clients, nouns, &run, &tally).await?;
    let ended = Instant::now();
    house.settled(tally.last.load(Relaxed)).await?;
    let lag = ended.elapsed();
    if let Some(governor) = governor {
        governor.abort();
    }
    let answered = driven.latencies.count();
    let took = if is_sustained { began.elapsed() } else { driven.took };
    let per_second = answered as f64 / took.as_secs_f64();
    let how = if is_sustained { "sustained" } else { "front door" };
    let mut row = row(format!("intake, {}, {how}", nouns.name()), in_flight, per_second, driven);
    row.against = against(table, in_flight, per_second, row.p50_ms.unwrap_or_default(), is_sustained);
    let after = worked_seconds(house)?;
    let [services, server] = [0, 1].map(|n| (after[n] - before[n]) * 1e6 / answered.max(1) as f64);
    let lag = lag.as_secs_f64();
    let together = answered as f64 / (log.end().await? - first).max(1) as f64;
    row.note = format!(
        "{together:.1} commands a commit; lag at the end {lag:.1} s; CPU a command: services {services:.0} us, nats-server {server:.0} us"
    );
    let (full, unavailable) = (tally.full.load(Relaxed), tally.unavailable.load(Relaxed));
    if full + unavailable > 0 {
        row.note += &format!("; {full} times full and {unavailable} times unavailable, sent again");
    }
    table.add(row);
    Ok(answered as u64)
}

fn row(name: String, in_flight: usize, per_second: f64, driven: Driven) -> Row {
    let (p50, p99) = driven.latencies.p50_p99_ms();
    let (p50_ms, p99_ms) = (Some(p50), Some(p99));
    Row { name, in_flight: Some(in_flight), per_second: Some(per_second), p50_ms, p99_ms, ..Row::default() }
}

/// The raw limits of the same run, and what is asked for beside them.
fn against(
    table: &Table,
    in_flight: usize,
    per_second: f64,
    p50_ms: f64,
    is_sustained: bool,
) -> Vec<Against> {
    let mut against = Vec::new();
    if is_sustained && in_flight >= 256 {
        against.push(Against::bounded(per_second, "/s", Bound::Floor(2_500.0)));
        against.push(Against::bounded(per_second, "/s", Bound::Goal(4_000.0)));
    }
    if let Some(one) = table.find(publish::ONE, in_flight) {
        let times = per_second / one.per_second.unwrap_or(f64::NAN);
        let unit = "x publish";
        if is_sustained {
            against.push(Against::plain(times, unit));
        } else if in_flight == 1 {
            against.push(Against::plain(times, unit));
            let more = p50_ms - one.p50_ms.unwrap_or(f64::NAN);
            against.push(Against::bounded(more, "ms over publish p50", Bound::GoalAtMost(0.5)));
        } else if in_flight == 16 {
            against.push(Against::bounded(times, unit, Bound::Floor(2.0)));
        } else if in_flight >= 256 {
            against.push(Against::bounded(times, unit, Bound::Floor(2.0)));
            against.push(Against::bounded(times, unit, Bound::Goal(3.0)));
        } else {
            against.push(Against::plain(times, unit));
        }
    }
    if let Some(echo) = table.find("tonic echo", in_flight) {
        let times = per_second / echo.per_second.unwrap_or(f64::NAN);
        let goal = (!is_sustained && in_flight >= 256).then_some(Bound::Goal(0.4));
        against.push(Against { unit: "x echo", figure: times, bound: goal });
    }
    against
}

async fn calls(
    load: Load,
    clients: &[IntakeServiceClient<Channel>],
    nouns: Nouns,
    run: &str,
    tally: &Arc<Tally>,
) -> anyhow::Result<Driven> {
    drive(load, |caller| {
        let client = clients[caller % clients.len()].clone();
        let (tally, run) = (Arc::clone(tally), run.to_owned());
        move |number| {
            let (client, tally) = (client.clone(), Arc::clone(&tally));
            let call = format!("{run}-{caller}-{number}");
            let account = nouns.account(&call);
            let n = number * 1_009 + caller as u64 * 7;
            async move { log(client, interaction(call, account, n), &tally).await }
        }
    })
    .await
}

/// Logs one interaction, again and again while the service is full or not there.
async fn log(
    client: IntakeServiceClient<Channel>,
    message: LogInteractionRequest,
    tally: &Tally,
) -> anyhow::Result<()> {
    let asked = || {
        let (mut client, message) = (client.clone(), message.clone());
        async move { client.log_interaction(request(message)).await }
    };
    let logged = taken(tally, asked).await?;
    tally.reached(&logged.position);
    Ok(())
}

/// Asks again and again while the service is full or not there.
pub(crate) async fn taken<T, F>(tally: &Tally, mut ask: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    for _ in 0..ATTEMPTS_MAX {
        match ask().await {
            Ok(response) => return Ok(response.into_inner()),
            Err(status) if status.code() == Code::ResourceExhausted => tally.full.fetch_add(1, Relaxed),
            Err(status) if status.code() == Code::Unavailable => tally.unavailable.fetch_add(1, Relaxed),
            Err(status) => return Err(status).context("a command failed"),
        };
        tokio::time::sleep(AGAIN_AFTER).await;
    }
    bail!("a command was turned away {ATTEMPTS_MAX} times")
}

/// The sequence of the commit that a position token names; 0 if it is none.
pub(crate) fn sequence(position: &str) -> u64 {
    let position = position.rsplit_once('-').map_or("0", |(_, position)| position);
    u64::from_str_radix(position, 16).unwrap_or(0) >> 12
}

/// Holds callers back while what was answered a second ago is not folded yet, so that what they reach can go on for ever.
async fn govern(watcher: anyhow::Result<Watcher>, tally: Arc<Tally>, gate: watch::Sender<bool>) {
    let Ok(mut watcher) = watcher else { return };
    let mut answered: VecDeque<(Instant, u64)> = VecDeque::new();
    while let Ok((reached, _)) = watcher.reached().await {
        answered.push_back((Instant::now(), tally.last.load(Relaxed)));
        while answered.front().is_some_and(|(_, sequence)| *sequence <= reached) {
            answered.pop_front();
        }
        let is_open = answered.front().is_none_or(|(when, _)| when.elapsed() < LAG_MAX);
        gate.send_if_modified(|was| std::mem::replace(was, is_open) != is_open);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
