//! Many due times at once: promises that nobody keeps, everything killed in the midst of them, and each breaks once, at its time.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use seva_domain::case;
use seva_domain::noun::{Event, Noun};
use tokio::time::Instant;

use crate::calls::{self, Outcome};
use crate::doors::Door;
use crate::history::now;
use crate::house::House;
use crate::judge::{self, Facts, Verdict};
use crate::load::is_transient;
use crate::run::{self, Plan};
use crate::write::{Verb, Write};
use crate::{policy, settle};

/// How many writes are asked for at once.
const AT_ONCE: usize = 128;

/// How many promises a hot case holds; a cold one holds one.
const HOT: u32 = 50;

/// How many promises are due a second, where there are many: so few that lateness is not that of a queue.
const DUE_A_SECOND: u64 = 500;

/// How long everything is down, in mid-run.
const DOWN: Duration = Duration::from_secs(1);

/// How long one write may take, all its tries together.
const PATIENCE: Duration = Duration::from_secs(60);

/// How late promises broke, by the machine's clock.
#[derive(Clone, Debug, Default)]
pub struct Lateness {
    /// In microseconds, sorted.
    pub micros: Vec<i64>,
}

impl Lateness {
    /// So many of a thousand are not later.
    pub fn ms_at(&self, per_mille: usize) -> i64 {
        let n = (self.micros.len() * per_mille / 1_000).min(self.micros.len().saturating_sub(1));
        self.micros.get(n).map_or(0, |micros| micros / 1_000)
    }
}

/// What came of the due times.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub promised: u64,
    pub broken: u64,
    /// How late they were while everything was up: those of cases that have many, and those of cases that have one.
    pub hot: Lateness,
    pub cold: Lateness,
    /// How late those were that were due while everything was down, or had not caught up yet.
    pub missed: Lateness,
}

/// Makes so many promises, kills everything when half of them are due, and judges what came of them.
pub async fn run(plan: &Plan, count: u32) -> anyhow::Result<(Report, Verdict)> {
    let mut house = House::begin(plan).await?;
    let (intake, policy) = (house.doors.intake[0].clone(), house.doors.policy.clone());
    let places = [house.processes.place(&policy)?, house.processes.place(&intake)?];
    places.iter().try_for_each(|n| house.processes.start(*n))?;
    house.up(&[&policy, &intake], plan.settle_within).await?;
    policy::publish(&policy, policy::OUTCOME_WITHIN_SECONDS, plan.settle_within).await?;
    let log = run::connect(&house.nats, &house.seeds).await?;

    let begun = Instant::now();
    let cases = cases(&intake, count).await?;
    // As many promises as twice the cases, and some time to spare.
    let ahead = 3 * begun.elapsed() + Duration::from_secs(3);
    let spread = Duration::from_secs(10 + u64::from(count) / DUE_A_SECOND);
    let from = now() + micros(ahead);
    promise(&intake, &cases, count, from, spread).await?;
    anyhow::ensure!(now() < from, "the promises were due before they were all made");

    let middle = from + micros(spread) / 2;
    while now() < middle {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let down_from = now();
    for n in places {
        house.processes.kill(n).await?;
    }
    house.nats.kill9().await?;
    tokio::time::sleep(DOWN).await;
    house.nats.restart().await?;
    places.iter().try_for_each(|n| house.processes.start(*n))?;
    house.up(&[&policy, &intake], plan.settle_within).await?;
    let up_from = now();
    let House { processes, pace, .. } = &mut house;
    let within = ahead + spread + plan.settle_within + Duration::from_millis(2 * u64::from(count));
    let trouble = settle::settled(&[&policy, &intake], &log, processes, *pace, within).await?;
    anyhow::ensure!(trouble.is_none(), "{}", trouble.unwrap_or_default());

    let (facts, verdict) = judge::judge_promises(&log).await?;
    house.nats.stop().await?;
    Ok((report(&facts, down_from..up_from), verdict))
}

/// Half of the promises are in cases with many, half in cases of their own. Answers each case, and how many promises it is to hold.
async fn cases(intake: &Door, count: u32) -> anyhow::Result<Vec<(String, u32)>> {
    let hot = (count / 2).div_ceil(HOT);
    let cold = count.saturating_sub(hot * HOT);
    let open = async |n: u32| {
        let marker = format!("timers-{n}");
        let account = marker.clone();
        let write = Write { verb: Verb::Log, marker, account, occurred_at: now(), ..Write::default() };
        let case = asks(intake, &write).await?.into_iter().next().context("an interaction is in a case")?;
        anyhow::Ok((case, if n < hot { HOT } else { 1 }))
    };
    stream::iter(0..hot + cold).map(open).buffer_unordered(AT_ONCE).try_collect().await
}

/// Gives all promises, due one after the other from a time on.
async fn promise(
    intake: &Door,
    cases: &[(String, u32)],
    count: u32,
    from: i64,
    spread: Duration,
) -> anyhow::Result<()> {
    let each = micros(spread) / i64::from(count.max(1));
    // The promises of one case are due far from each other, as those of others are in between.
    let rounds = (0..HOT).flat_map(|round| cases.iter().filter(move |(_, holds)| round < *holds));
    let make = async |(n, (case, _)): (i64, &(String, u32))| {
        let write = Write {
            verb: Verb::MakePromise,
            marker: format!("timers-promise-{n}"),
            about: case.clone(),
            number: from + n * each,
            ..Write::default()
        };
        asks(intake, &write).await.map(drop)
    };
    stream::iter((0..).zip(rounds)).map(make).buffer_unordered(AT_ONCE).try_collect().await
}

async fn asks(door: &Door, write: &Write) -> anyhow::Result<Vec<String>> {
    let until = Instant::now() + PATIENCE;
    loop {
        match calls::write(door, write).await {
            Outcome::Ok(written) => return Ok(written.ids),
            Outcome::Fail(reason) if !is_transient(&reason) => {
                anyhow::bail!("{:?} is refused: {reason}", write.verb)
            }
            Outcome::Fail(reason) | Outcome::Unknown(reason) => {
                anyhow::ensure!(Instant::now() < until, "{:?} has no outcome: {reason}", write.verb);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn report(facts: &Facts, down: std::ops::Range<i64>) -> Report {
    let mut report = Report::default();
    let mut held: BTreeMap<Noun, u32> = BTreeMap::new();
    for (standing, event) in facts.events() {
        match event {
            Event::Case(case::Event::PromiseMade(_)) => {
                report.promised += 1;
                *held.entry(standing.record.noun).or_default() += 1;
            }
            Event::Case(case::Event::PromiseBroken(broken)) => {
                report.broken += 1;
                let late = standing.record.recorded_at.0 - broken.due.0;
                // What waited for the start is behind for a moment.
                let was_down = down.contains(&broken.due.0) || down.contains(&standing.record.recorded_at.0);
                let is_hot = held.get(&standing.record.noun).is_some_and(|held| *held > 1);
                let lateness = match (was_down, is_hot) {
                    (true, _) => &mut report.missed,
                    (false, true) => &mut report.hot,
                    (false, false) => &mut report.cold,
                };
                lateness.micros.push(late);
            }
            _ => {}
        }
    }
    for lateness in [&mut report.hot, &mut report.cold, &mut report.missed] {
        lateness.micros.sort_unstable();
    }
    report
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
