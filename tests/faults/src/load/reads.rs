//! What clients read.

use std::sync::atomic::Ordering;

use rand::Rng as _;
use rand::seq::IndexedRandom as _;

use super::{Case, Client};
use crate::calls::{self, Outcome};
use crate::doors::Door;
use crate::history::{Call, Line, Of, Read, now};

impl Client {
    pub(super) async fn reads(&mut self) -> anyhow::Result<()> {
        match self.case() {
            Some(case) if self.rng.random_bool(0.5) => self.reads_of(&case).await,
            Some(case) if self.rng.random_bool(0.2) => self.reads_the_escalation_of(&case).await,
            Some(_) | None if self.rng.random_bool(0.5) => self.reads_a_charge().await,
            Some(_) | None => self.looks_for_suggestions().await,
        }
    }

    pub(super) async fn reads_the_escalation_of(&mut self, case: &Case) -> anyhow::Result<()> {
        // Most cases have none: what is asked for is where the process is.
        let read = Read { of: Of::Escalation(case.case.clone()), at_least: String::new(), expects: None };
        let door = self.load.doors.escalation.clone();
        self.asks_about(&door, read).await.map(drop)
    }

    pub(super) async fn reads_a_charge(&mut self) -> anyhow::Result<()> {
        let Some(charge) = self.pick(|known| &mut known.charges) else { return Ok(()) };
        let [one, other] = self.load.doors.refunds.clone();
        let door = if self.rng.random_bool(0.5) { one } else { other };
        let is_sure = self.rng.random_bool(0.6);
        let (at_least, expects) =
            if is_sure { (charge.position, Some(charge.charge.clone())) } else { (String::new(), None) };
        let read = Read { of: Of::Charge(charge.charge), at_least, expects };
        self.asks_about(&door, read).await.map(drop)
    }

    pub(super) async fn reads_of(&mut self, case: &Case) -> anyhow::Result<()> {
        let [one, other] = self.load.doors.intake.clone();
        let door = if self.rng.random_bool(0.5) { one } else { other };
        let is_sure = self.rng.random_bool(0.6);
        let (of, expects) = if self.rng.random_bool(0.5) {
            (Of::Case(case.case.clone()), case.case.clone())
        } else {
            (Of::Timeline(case.customer.clone()), case.interaction.clone())
        };
        let read = if is_sure {
            Read { of, at_least: case.position.clone(), expects: Some(expects) }
        } else {
            Read { of, at_least: String::new(), expects: None }
        };
        self.asks_about(&door, read).await.map(drop)
    }

    pub(super) async fn looks_for_suggestions(&mut self) -> anyhow::Result<()> {
        let at_least = if self.rng.random_bool(0.5) { self.seen.clone() } else { String::new() };
        let department = ["product", "packaging", "triage"].choose(&mut self.rng).unwrap_or(&"triage");
        let read = Read { of: Of::Inbox((*department).to_owned()), at_least, expects: None };
        let door = self.load.doors.feedback.clone();
        let ids = self.asks_about(&door, read).await?;
        self.learns(ids);
        Ok(())
    }

    pub(super) async fn reads_the_policy(&mut self) -> anyhow::Result<()> {
        let read = Read { of: Of::Policy, at_least: String::new(), expects: None };
        let door = self.load.doors.policy.clone();
        self.asks_about(&door, read).await.map(drop)
    }

    pub(super) async fn asks_about(&mut self, door: &Door, read: Read) -> anyhow::Result<Vec<String>> {
        let attempt = self.load.attempts.fetch_add(1, Ordering::SeqCst);
        let (client, to) = (self.number, door.name.clone());
        let call = Call::Read(read.clone());
        self.load.history.write(&Line::Invoke { at: now(), attempt, client, to, life: door.life(), call })?;
        let outcome = calls::read(door, &read).await;
        let (at, life) = (now(), door.life());
        let (line, ids) = match outcome {
            Outcome::Ok(found) => {
                let holds_expected = read.expects.is_none_or(|expected| found.ids.contains(&expected));
                (Line::Read { at, attempt, life, position: found.position, holds_expected }, found.ids)
            }
            Outcome::Fail(reason) => (Line::Fail { at, attempt, reason }, Vec::new()),
            Outcome::Unknown(reason) => (Line::Unknown { at, attempt, reason }, Vec::new()),
        };
        self.load.history.write(&line)?;
        Ok(ids)
    }
}
