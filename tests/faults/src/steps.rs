//! Each step of a refund's life, with a victim killed at it: one payout or none, and never a refund without an end.
//!
//! Five refunds are brought to five steps at once and the victim is killed under them; then one is brought to the sixth, for which the
//! log's server has to be halted, and the victim is killed again. The one that is instructed and not yet called for is instructed by a
//! process that knows no provider, and is killed then: as if it had died between the commit and the call.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use seva_domain::charge::{Phase, State as Charge};
use seva_domain::noun::{Noun, State};
use seva_domain::values::{At, RefundId};
use seva_eventlog::log::Log;
use tokio::time::Instant;

use crate::calls::{self, Outcome, Written};
use crate::doors::Door;
use crate::history::now;
use crate::house::House;
use crate::judge::{self, Verdict, ledger};
use crate::provider::{self, Calls};
use crate::run::{self, Plan};
use crate::states::States;
use crate::write::{Verb, Write};
use crate::{policy, settle};

/// How long the first attempt may be without an outcome: in this time all are brought to their steps.
const OUTCOME_WITHIN_SECONDS: u32 = 5;

/// How long anything here may take before it counts as never.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the provider's work or answer is held back: until after the kill, and less than the payer waits for an answer.
const HELD_MS: u32 = 1_300;

/// How long before its second attempt a refund's neighbours are brought to their steps, in microseconds.
const NEAR_MICROS: i64 = 2_000_000;

/// How often refunds are brought to their steps, where a slow machine lets one slip past its own.
const TRIES_MAX: u32 = 4;

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Who is killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Victim {
    Nats,
    Provider,
    Refunds,
}

/// A refund at a step.
#[derive(Clone, Debug)]
struct Refund {
    step: &'static str,
    charge: String,
    refund: String,
    reference: String,
}

/// What became of a refund that was at a step when the victim was killed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    pub step: &'static str,
    pub phase: Phase,
    /// How often the provider was paid under the refund's id, or any key.
    pub payouts: usize,
}

/// The stage: a house of policy and two processes of refunds.
struct Stage {
    house: House,
    log: Log,
    states: States,
    policy: Door,
    refunds: [Door; 2],
    folder: PathBuf,
    /// Names what is asked for.
    count: u32,
}

/// Kills a victim at every step. Answers what became of each refund, and what the judge says of the money.
pub async fn run(plan: &Plan, victim: Victim) -> anyhow::Result<(Vec<Row>, Verdict)> {
    let mut stage = Stage::start(plan).await?;
    let mut placed = stage.five_at_their_steps().await?;
    stage.kill(victim).await?;
    stage.start_again(victim).await?;
    // Until somebody approves it, it is right that nothing comes of it.
    stage.approve(0, &placed[0]).await?;
    stage.settled().await?;
    placed.push(stage.answered_and_not_written().await?);
    stage.kill(victim).await?;
    stage.start_again(victim).await?;
    stage.settled().await?;
    let paid = ledger::read(&provider::folder(&stage.folder))?;
    let mut rows = Vec::new();
    for Refund { step, charge, refund, reference } in &placed {
        let phase = stage.phase(charge, refund)?.with_context(|| format!("{step}: no refund"))?;
        let payouts = paid.iter().filter(|entry| entry.is_paid && entry.charge == *reference).count();
        rows.push(Row { step, phase, payouts });
    }
    let verdict = judge::judge_money(&stage.folder, &stage.log).await?;
    stage.house.nats.stop().await?;
    Ok((rows, verdict))
}

impl Stage {
    async fn start(plan: &Plan) -> anyhow::Result<Stage> {
        let mut house = House::begin(plan).await?;
        let (policy, refunds) = (house.doors.policy.clone(), house.doors.refunds.clone());
        let log = run::connect(&house.nats, &house.seeds).await?;
        let folder = plan.folder.clone();
        house.processes.start(house.processes.place(&policy)?)?;
        house.up(&[&policy], PATIENCE).await?;
        policy::publish(&policy, OUTCOME_WITHIN_SECONDS, PATIENCE).await?;
        let mut stage = Stage { house, log, states: States::default(), policy, refunds, folder, count: 0 };
        stage.start_refunds(0, true)?;
        Ok(stage)
    }

    /// Five refunds at five steps at once.
    async fn five_at_their_steps(&mut self) -> anyhow::Result<Vec<Refund>> {
        for _ in 0..TRIES_MAX {
            self.start_refunds(1, false)?;
            self.house.up(&[&self.refunds[0], &self.refunds[1]], PATIENCE).await?;
            let second = self.requested(0, "second attempt").await?;
            let requested = self.requested(0, "requested").await?;
            let not_called = self.requested(1, "instructed, not called").await?;
            let unknown = self.requested(0, "unknown").await?;
            let in_flight = self.requested(0, "call in flight").await?;
            let held = format!(r#"{{"answer_late":{{"after_ms":{HELD_MS}}}}}"#);
            self.tell(r#""lose_answer""#, &of_charge(&second)).await?;
            // It is the first that the provider is asked about.
            self.tell(&held, r#""on":"ask""#).await?;
            self.tell(r#""lose_answer""#, &of_charge(&unknown)).await?;
            let work_late = format!(r#"{{"work_late":{{"after_ms":{HELD_MS}}}}}"#);
            self.tell(&work_late, &of_charge(&in_flight)).await?;
            self.approve(0, &second).await?;
            let attempt_ends = self.until_unknown(&second).await?;
            // Its second attempt is near then, and those of the others are not.
            let is_near = async || Ok((now() > attempt_ends.0 - NEAR_MICROS).then_some(()));
            until("the second attempt", is_near).await?;
            let asked = self.calls().await?.ask;
            self.approve(1, &not_called).await?;
            self.kill_refunds(1).await?;
            self.approve(0, &unknown).await?;
            self.until_unknown(&unknown).await?;
            until("the question", async || Ok((self.calls().await?.ask > asked).then_some(()))).await?;
            let called = self.calls().await?.instruct;
            self.approve(0, &in_flight).await?;
            until("the call", async || Ok((self.calls().await?.instruct > called).then_some(()))).await?;
            let are_there = self.is_at(&requested, |phase| phase == Phase::Requested).await?
                && self.is_at(&not_called, is_instructed(1)).await?
                && self.is_at(&unknown, |phase| matches!(phase, Phase::Unknown { attempt: 1, .. })).await?
                && self.is_at(&in_flight, is_instructed(1)).await?
                && self.is_at(&second, is_instructed(2)).await?;
            if are_there {
                return Ok(vec![requested, not_called, in_flight, unknown, second]);
            }
        }
        anyhow::bail!("in {TRIES_MAX} tries the refunds were never at their steps at once")
    }

    /// A refund that is paid and answered, and of which the log does not hear: its server is halted.
    async fn answered_and_not_written(&mut self) -> anyhow::Result<Refund> {
        for _ in 0..TRIES_MAX {
            let refund = self.requested(0, "answered, not written").await?;
            let held = format!(r#"{{"answer_late":{{"after_ms":{HELD_MS}}}}}"#);
            self.tell(&held, &of_charge(&refund)).await?;
            self.approve(0, &refund).await?;
            let ledger = provider::folder(&self.folder);
            until("the payout", async || {
                let paid = ledger::read(&ledger)?;
                Ok(paid.iter().any(|entry| entry.key == refund.refund).then_some(()))
            })
            .await?;
            self.house.nats.freeze().await?;
            let log = self.folder.join("logs").join(format!("{}.log", self.refunds[0].name));
            let is_tried = async || {
                let text = fs::read_to_string(&log)?;
                let mut lines = text.lines().filter(|line| line.contains(&refund.refund));
                Ok(lines.any(|line| line.contains("is not written yet")).then_some(()))
            };
            if until("the outcome that cannot be written", is_tried).await.is_ok() {
                return Ok(refund);
            }
            // The log heard of it before it was halted.
            self.house.nats.thaw()?;
            self.settled().await?;
        }
        anyhow::bail!("in {TRIES_MAX} tries the log's server was never halted in time")
    }

    /// A refund of a charge of its own, requested from one of the processes.
    async fn requested(&mut self, by: usize, step: &'static str) -> anyhow::Result<Refund> {
        self.count += 1;
        let marker = format!("steps-{}", self.count);
        let reference = format!("ch-{marker}");
        let register = Write {
            verb: Verb::RegisterCharge,
            marker: format!("{marker}-charge"),
            of: reference.clone(),
            currency: "EUR".to_owned(),
            number: 12_000,
            occurred_at: now(),
            ..Write::default()
        };
        let charge = self.made(by, &register).await?;
        let request =
            Write { verb: Verb::RequestRefund, about: charge.clone(), marker, number: 2_500, ..register };
        let refund = self.made(by, &request).await?;
        Ok(Refund { step, charge, refund, reference })
    }

    /// Somebody who did not ask for it approves it, at one of the processes.
    async fn approve(&mut self, by: usize, refund: &Refund) -> anyhow::Result<()> {
        self.count += 1;
        let write = Write {
            verb: Verb::ApproveRefund,
            marker: format!("steps-{}", self.count),
            about: refund.charge.clone(),
            of: refund.refund.clone(),
            ..Write::default()
        };
        self.asks(by, &write).await.map(drop)
    }

    async fn made(&self, by: usize, write: &Write) -> anyhow::Result<String> {
        let written = self.asks(by, write).await?;
        written.ids.into_iter().next().context("an answer names what was made")
    }

    async fn asks(&self, by: usize, write: &Write) -> anyhow::Result<Written> {
        until("an answer", async || match calls::write(&self.refunds[by], write).await {
            Outcome::Ok(written) => Ok(Some(written)),
            Outcome::Fail(reason) if !crate::load::is_transient(&reason) => {
                anyhow::bail!("{:?} is refused: {reason}", write.verb)
            }
            Outcome::Fail(_) | Outcome::Unknown(_) => Ok(None),
        })
        .await
    }

    /// Tells the provider to misbehave once, for one charge or key.
    async fn tell(&self, how: &str, whose: &str) -> anyhow::Result<()> {
        let rule = format!(r#"{{"do":"misbehave","how":{how},{whose},"times":1}}"#);
        ensure!(self.house.processes.provider.tell(&rule).await?, "the provider did not hear {rule}");
        Ok(())
    }

    fn phase(&self, charge: &str, refund: &str) -> anyhow::Result<Option<Phase>> {
        let refund: RefundId = refund.parse()?;
        let state = self.states.of(Noun::parse("charge", charge)?);
        let Some(State::Charge(Charge::Registered(charge))) = state else { return Ok(None) };
        Ok(charge.refund(refund).map(|refund| refund.phase))
    }

    async fn is_at(&mut self, refund: &Refund, is: impl Fn(Phase) -> bool) -> anyhow::Result<bool> {
        self.states.read(&self.log, self.log.end().await?).await?;
        Ok(self.phase(&refund.charge, &refund.refund)?.is_some_and(is))
    }

    /// When the attempt of a refund ends whose payment nobody can tell of.
    async fn until_unknown(&mut self, refund: &Refund) -> anyhow::Result<At> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.states.read(&self.log, self.log.end().await?).await?;
            if let Some(Phase::Unknown { until, .. }) = self.phase(&refund.charge, &refund.refund)? {
                return Ok(until);
            }
            ensure!(Instant::now() < deadline, "{} did not become unknown", refund.step);
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn calls(&self) -> anyhow::Result<Calls> {
        self.house.processes.provider.calls().await
    }

    async fn kill(&mut self, victim: Victim) -> anyhow::Result<()> {
        match victim {
            Victim::Nats => self.house.nats.kill9().await?,
            Victim::Provider => self.house.processes.provider.kill().await?,
            Victim::Refunds => {
                self.kill_refunds(0).await?;
                self.kill_refunds(1).await?;
            }
        }
        Ok(())
    }

    async fn kill_refunds(&mut self, which: usize) -> anyhow::Result<()> {
        let processes = &mut self.house.processes;
        let n = processes.place(&self.refunds[which])?;
        if processes.is_running(n) { processes.kill(n).await } else { Ok(()) }
    }

    /// Starts the victim again, and whoever else is down: from now on both processes pay.
    async fn start_again(&mut self, victim: Victim) -> anyhow::Result<()> {
        let House { processes, nats, .. } = &mut self.house;
        match victim {
            Victim::Nats => nats.restart().await?,
            Victim::Provider => processes.provider.start()?,
            Victim::Refunds => {}
        }
        // It may have been halted for the sixth step.
        nats.thaw()?;
        self.start_refunds(1, true)?;
        self.start_refunds(0, true)?;
        self.house.up(&[&self.policy, &self.refunds[0], &self.refunds[1]], PATIENCE).await
    }

    fn start_refunds(&mut self, which: usize, pays: bool) -> anyhow::Result<()> {
        let processes = &mut self.house.processes;
        let n = processes.place(&self.refunds[which])?;
        if processes.is_running(n) {
            return Ok(());
        }
        processes.all[n].pays = pays;
        processes.start(n)
    }

    /// Waits until all processes hold the whole log, and nothing more happens by itself.
    async fn settled(&mut self) -> anyhow::Result<()> {
        let House { processes, pace, .. } = &mut self.house;
        let doors = [&self.policy, &self.refunds[0], &self.refunds[1]];
        let trouble = settle::settled(&doors, &self.log, processes, *pace, PATIENCE).await?;
        ensure!(trouble.is_none(), "{}", trouble.unwrap_or_default());
        self.states.read(&self.log, self.log.end().await?).await
    }
}

fn is_instructed(nth: u16) -> impl Fn(Phase) -> bool {
    move |phase| matches!(phase, Phase::Instructed { attempt, .. } if attempt == nth)
}

/// The part of a rule that says for which charge it is, when it is instructed.
fn of_charge(refund: &Refund) -> String {
    format!(r#""on":"instruct","charge":"{}""#, refund.reference)
}

/// Looks until there is something, for as long as patience lasts.
async fn until<T>(what: &str, look: impl AsyncFn() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        ensure!(Instant::now() < deadline, "{what} did not come within {PATIENCE:?}");
        tokio::time::sleep(LOOK).await;
    }
}
