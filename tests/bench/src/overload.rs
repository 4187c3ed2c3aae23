//! Five times as much is asked as can be done: how much is done then, and how long it takes whom it is done for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tonic::Code;
use tonic::transport::Channel;

use crate::args::Measures;
use crate::cores::Cores;
use crate::drive::{Load, drive};
use crate::house::{House, request};
use crate::intake::{EXISTING, account, sequence};
use crate::latencies::Latencies;
use crate::messages::interaction;
use crate::table::{Against, Bound, Row, Table};

/// How many times as much is asked then.
const TIMES: f64 = 5.0;

/// How many calls may be without an answer; beyond it, what was due is not sent any more and is told.
const OPEN_MAX: usize = 8_192;

/// How many connections the calls share: each takes 200 at once.
const CONNECTIONS: usize = 16;

/// How often calls are sent.
const TICK: Duration = Duration::from_millis(2);

/// How much less may be done than could be, and how much longer it may take.
const GOODPUT: f64 = 0.6;
const P99: f64 = 3.0;

/// What became of a call.
enum Came {
    Done(Duration, u64),
    Refused(Duration),
}

/// Measures what can be done, by as many callers as a service works for at once, and then what is done under five times as much. Those who call have a
/// processor of their own: what is asked in vain costs them as much as it costs the services.
pub(crate) async fn measure(house: &House, measures: &Measures, table: &mut Table) -> anyhow::Result<()> {
    let clients = house.intake(CONNECTIONS * 64)?;
    let cores = Cores::part(house)?;
    let callers = measures.calls_at_once.get();
    // Connections are made, and caches filled, before anything is measured.
    capacity(house, &clients, callers, Duration::from_secs(1), "w").await?;
    let (capacity, latencies) = capacity(house, &clients, callers, measures.lasts(), "c").await?;
    let at_capacity = latencies.p50_p99_ms();
    table.add(Row {
        name: "intake, at capacity".to_owned(),
        in_flight: Some(callers),
        per_second: Some(capacity),
        p50_ms: Some(at_capacity.0),
        p99_ms: Some(at_capacity.1),
        ..Row::default()
    });
    let Flood { took, sent, unsent, refused, refusals, done } =
        flood(house, &clients, capacity * TIMES, measures.lasts()).await?;
    let apart = if cores.is_some() { "a processor of their own" } else { "no processor of their own" };
    if let Some(cores) = cores {
        cores.share(house)?;
    }
    let per_second = done.count() as f64 / took.as_secs_f64();
    let (p50, p99) = done.p50_p99_ms();
    let (offered, refusal) = (sent as f64 / took.as_secs_f64(), refusals.p50_p99_ms());
    table.add(Row {
        name: "intake, five times as much".to_owned(),
        per_second: Some(per_second),
        p50_ms: Some(p50),
        p99_ms: Some(p99),
        against: vec![
            Against::plain(offered / capacity, "x capacity offered"),
            Against::bounded(per_second / capacity, "x capacity done", Bound::Goal(GOODPUT)),
            Against::bounded(p99 / at_capacity.1, "x p99 at capacity", Bound::GoalAtMost(P99)),
        ],
        note: format!(
            "callers have {apart}; {refused} refused, p50 {:.1} ms, p99 {:.1} ms; {unsent} not sent: {OPEN_MAX} were without an answer",
            refusal.0, refusal.1
        ),
        ..Row::default()
    });
    Ok(())
}

/// Calls a second that are done when as many are asked as can be, and how long each takes.
async fn capacity(
    house: &House,
    clients: &[IntakeServiceClient<Channel>],
    callers: usize,
    lasts: Duration,
    run: &str,
) -> anyhow::Result<(f64, Latencies)> {
    let last = Arc::new(AtomicU64::new(0));
    let driven = drive(Load::free(callers, lasts), |caller| {
        let client = clients[caller % clients.len()].clone();
        let (last, run) = (Arc::clone(&last), run.to_owned());
        move |number| {
            let (client, last) = (client.clone(), Arc::clone(&last));
            let n = number * 1_009 + caller as u64 * 7;
            let name = format!("{run}-{caller}-{number}");
            async move {
                match call(client, name, n).await? {
                    Came::Done(_, sequence) => last.fetch_max(sequence, Relaxed),
                    Came::Refused(_) => {
                        bail!("a call was refused though no more were asked than can be done")
                    }
                };
                Ok(())
            }
        }
    })
    .await?;
    house.settled(last.load(Relaxed)).await?;
    Ok((driven.per_second(), driven.latencies))
}

/// What came of a flood.
struct Flood {
    took: Duration,
    sent: u64,
    unsent: u64,
    refused: usize,
    refusals: Latencies,
    done: Latencies,
}

/// Sends so many calls a second, whatever becomes of them.
async fn flood(
    house: &House,
    clients: &[IntakeServiceClient<Channel>],
    per_second: f64,
    lasts: Duration,
) -> anyhow::Result<Flood> {
    let began = Instant::now();
    let (mut sent, mut unsent, mut last) = (0_u64, 0, 0);
    let (mut done, mut refusals) = (Latencies::default(), Latencies::default());
    let mut calls = JoinSet::new();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let is_over = began.elapsed() >= lasts;
        if is_over && calls.is_empty() {
            break;
        }
        tokio::select! {
            _ = ticks.tick(), if !is_over => {
                let due = (began.elapsed().as_secs_f64() * per_second) as u64;
                while sent + unsent < due {
                    if calls.len() >= OPEN_MAX {
                        unsent = due - sent;
                        break;
                    }
                    let client = clients[sent as usize % clients.len()].clone();
                    calls.spawn(call(client, format!("f-{sent}"), sent));
                    sent += 1;
                }
            }
            Some(came) = calls.join_next() => match came.context("a caller broke off")?? {
                Came::Done(took, sequence) => {
                    done.add(took);
                    last = last.max(sequence);
                }
                Came::Refused(took) => refusals.add(took),
            }
        }
    }
    // What was sent before the end counts with the time until it was answered.
    let took = began.elapsed();
    house.settled(last).await?;
    Ok(Flood { took, sent, unsent, refused: refusals.count(), refusals, done })
}

/// One call, sent once.
async fn call(mut client: IntakeServiceClient<Channel>, name: String, n: u64) -> anyhow::Result<Came> {
    let message = interaction(name, account(n.wrapping_mul(7_919) % EXISTING), n);
    let sent = Instant::now();
    match client.log_interaction(request(message)).await {
        Ok(answer) => Ok(Came::Done(sent.elapsed(), sequence(&answer.get_ref().position))),
        Err(status) if status.code() == Code::ResourceExhausted => Ok(Came::Refused(sent.elapsed())),
        Err(status) => Err(status).context("a call was neither done nor refused"),
    }
}
