//! The load: clients that write and read without end, send again what they must, and send twice what they may.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use tokio_util::sync::CancellationToken;

use crate::calls::{self, Outcome, Written};
use crate::doors::{Door, Doors};
use crate::history::{Call, History, Line, Of, Read, now};
use crate::write::{Verb, Write};

/// How many cases and suggestions clients know of at once: the newest, so that several work on the same.
const KNOWN_MAX: usize = 64;

/// How often a write is sent again until somebody knows what came of it.
const TRIES_MAX: usize = 60;

/// What clients know, from answers alone.
#[derive(Debug, Default)]
struct Known {
    cases: VecDeque<Case>,
    suggestions: VecDeque<String>,
}

#[derive(Clone, Debug)]
struct Case {
    case: String,
    customer: String,
    interaction: String,
    account: String,
    position: String,
}

/// What all clients share. Clones are the same.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) doors: Doors,
    pub(crate) history: History,
    /// How many customers most interactions are with.
    pub(crate) hot: u32,
    pub(crate) stop: CancellationToken,
    known: Arc<Mutex<Known>>,
    attempts: Arc<AtomicU64>,
}

impl Load {
    pub(crate) fn new(doors: Doors, history: History, hot: u32, stop: CancellationToken) -> Load {
        Load { doors, history, hot, stop, known: Arc::default(), attempts: Arc::default() }
    }

    /// Runs one client until the load stops. It goes on only while every call can be written down.
    pub(crate) async fn run(self, number: u32, seed: u64) -> anyhow::Result<()> {
        let rng = StdRng::seed_from_u64(seed ^ (u64::from(number) << 32));
        let mut client = Client { load: self, number, rng, count: 0, seen: String::new() };
        while !client.load.stop.is_cancelled() {
            client.step().await?;
            let pause = client.rng.random_range(0..30);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        Ok(())
    }

    /// Makes a call: it is written down before it is sent and after it was answered.
    async fn write(&self, client: u32, door: &Door, write: &Write) -> anyhow::Result<Outcome<Written>> {
        let attempt = self.attempts.fetch_add(1, Ordering::SeqCst);
        let (to, life) = (door.name.clone(), door.life());
        self.history.write(&Line::Invoke {
            at: now(),
            attempt,
            client,
            to,
            life,
            call: Call::Write(write.clone()),
        })?;
        let outcome = calls::write(door, write).await;
        let at = now();
        if matches!(outcome, Outcome::Ok(_)) {
            door.has_answered(life);
        }
        self.history.write(&match outcome.clone() {
            Outcome::Ok(Written { position, ids, is_replayed }) => {
                Line::Ok { at, attempt, position, ids, is_replayed }
            }
            Outcome::Fail(reason) => Line::Fail { at, attempt, reason },
            Outcome::Unknown(reason) => Line::Unknown { at, attempt, reason },
        })?;
        Ok(outcome)
    }

    fn with_known<T>(&self, with: impl FnOnce(&mut Known) -> T) -> T {
        with(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One client, and the position its session has seen.
struct Client {
    load: Load,
    number: u32,
    rng: StdRng,
    count: u64,
    seen: String,
}

impl Client {
    async fn step(&mut self) -> anyhow::Result<()> {
        match self.rng.random_range(0..100) {
            0..44 => self.logs().await,
            44 => self.reads_the_policy().await,
            45..65 => self.works_on_a_case().await,
            65..80 => self.works_on_a_suggestion().await,
            80..84 => self.captures().await,
            _ => self.reads().await,
        }
    }

    fn request(&mut self, verb: Verb) -> Write {
        self.count += 1;
        Write {
            verb,
            marker: format!("client-{}-{}", self.number, self.count),
            body: 0,
            about: String::new(),
            account: String::new(),
            is_suggestion: self.rng.random_bool(0.4),
            occurred_at: now(),
        }
    }

    fn case(&mut self) -> Option<Case> {
        let rng = &mut self.rng;
        self.load.with_known(|known| known.cases.make_contiguous().choose(rng).cloned())
    }

    async fn logs(&mut self) -> anyhow::Result<()> {
        let mut write = self.request(Verb::Log);
        write.account = if self.rng.random_bool(0.7) {
            format!("hot-{}", self.rng.random_range(0..self.load.hot))
        } else {
            write.marker.clone()
        };
        if self.rng.random_bool(0.15)
            && let Some(case) = self.case()
        {
            (write.about, write.account) = (case.case, case.account);
        }
        let account = write.account.clone();
        let Some(written) = self.asks(write).await? else { return Ok(()) };
        let [case, customer, interaction] = written.ids.as_slice() else { return Ok(()) };
        let case = Case {
            case: case.clone(),
            customer: customer.clone(),
            interaction: interaction.clone(),
            account,
            position: written.position,
        };
        self.load.with_known(|known| {
            known.cases.push_back(case.clone());
            if known.cases.len() > KNOWN_MAX {
                known.cases.pop_front();
            }
        });
        // What was just acknowledged by one process is asked for at once, of any.
        match self.rng.random_range(0..10) {
            0..3 => self.reads_of(&case).await,
            3..6 => self.asks_of(&case).await,
            _ => Ok(()),
        }
    }

    async fn works_on_a_case(&mut self) -> anyhow::Result<()> {
        match self.case() {
            Some(case) => self.asks_of(&case).await,
            None => Ok(()),
        }
    }

    async fn asks_of(&mut self, case: &Case) -> anyhow::Result<()> {
        let verb = *Verb::OF_CASES.choose(&mut self.rng).unwrap_or(&Verb::Resolve);
        let mut write = self.request(verb);
        write.about = case.case.clone();
        self.asks(write).await.map(drop)
    }

    async fn works_on_a_suggestion(&mut self) -> anyhow::Result<()> {
        let rng = &mut self.rng;
        let known = self.load.with_known(|known| known.suggestions.make_contiguous().choose(rng).cloned());
        let Some(suggestion) = known else { return self.looks_for_suggestions().await };
        let verb = *Verb::OF_SUGGESTIONS.choose(&mut self.rng).unwrap_or(&Verb::Acknowledge);
        let mut write = self.request(verb);
        write.about = suggestion;
        self.asks(write).await.map(drop)
    }

    async fn captures(&mut self) -> anyhow::Result<()> {
        let write = self.request(Verb::Capture);
        let Some(written) = self.asks(write).await? else { return Ok(()) };
        self.learns(written.ids);
        Ok(())
    }

    fn learns(&mut self, suggestions: Vec<String>) {
        self.load.with_known(|known| {
            for suggestion in suggestions {
                if !known.suggestions.contains(&suggestion) {
                    known.suggestions.push_back(suggestion);
                }
                if known.suggestions.len() > KNOWN_MAX {
                    known.suggestions.pop_front();
                }
            }
        });
    }

    /// Sends a request until its outcome is known or given up, now and then twice, now and then with another body. Answers what was recorded.
    async fn asks(&mut self, write: Write) -> anyhow::Result<Option<Written>> {
        let (first, second) = self.doors(&write);
        let draws: [f64; 3] = [self.rng.random(), self.rng.random(), self.rng.random()];
        let twice = (draws[0] < 0.2).then(|| write.clone());
        let otherwise = (write.verb.has_bodies() && draws[1] < 0.1).then(|| write.with_other_body());
        let is_at_once = draws[2] < 0.5;
        let (load, number) = (self.load.clone(), self.number);
        let again = async |again: Option<&Write>| match again {
            Some(again) => load.write(number, &second, again).await.map(drop),
            None => Ok(()),
        };
        let outcome = if is_at_once {
            let (outcome, twice, otherwise) = tokio::join!(
                self.load.write(number, &first, &write),
                again(twice.as_ref()),
                again(otherwise.as_ref())
            );
            twice.and(otherwise)?;
            outcome?
        } else {
            let outcome = self.load.write(number, &first, &write).await?;
            again(twice.as_ref()).await?;
            again(otherwise.as_ref()).await?;
            outcome
        };
        self.settles(write, outcome).await
    }

    /// Two processes to send to: the same one where the service has one only.
    fn doors(&mut self, write: &Write) -> (Door, Door) {
        let doors = &self.load.doors;
        if !write.verb.is_intakes() {
            return (doors.feedback.clone(), doors.feedback.clone());
        }
        let [one, other] = doors.intake.clone();
        if self.rng.random_bool(0.5) { (one, other) } else { (other, one) }
    }

    async fn settles(
        &mut self,
        write: Write,
        mut outcome: Outcome<Written>,
    ) -> anyhow::Result<Option<Written>> {
        let is_patient = self.rng.random_bool(0.85);
        for n in 0..TRIES_MAX {
            outcome = match outcome {
                Outcome::Ok(written) => {
                    self.seen.clone_from(&written.position);
                    return Ok(Some(written));
                }
                Outcome::Fail(reason) if !is_transient(&reason) || n > 0 || self.rng.random_bool(0.5) => {
                    return Ok(None);
                }
                Outcome::Unknown(_) if !is_patient => return Ok(None),
                Outcome::Fail(_) | Outcome::Unknown(_) => {
                    let pause = self.rng.random_range(20..300);
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                    let (door, _) = self.doors(&write);
                    self.load.write(self.number, &door, &write).await?
                }
            };
        }
        Ok(None)
    }

    async fn reads(&mut self) -> anyhow::Result<()> {
        match self.case() {
            Some(case) if self.rng.random_bool(0.7) => self.reads_of(&case).await,
            Some(_) | None => self.looks_for_suggestions().await,
        }
    }

    async fn reads_of(&mut self, case: &Case) -> anyhow::Result<()> {
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

    async fn looks_for_suggestions(&mut self) -> anyhow::Result<()> {
        let at_least = if self.rng.random_bool(0.5) { self.seen.clone() } else { String::new() };
        let department = ["product", "packaging", "triage"].choose(&mut self.rng).unwrap_or(&"triage");
        let read = Read { of: Of::Inbox((*department).to_owned()), at_least, expects: None };
        let door = self.load.doors.feedback.clone();
        let ids = self.asks_about(&door, read).await?;
        self.learns(ids);
        Ok(())
    }

    async fn reads_the_policy(&mut self) -> anyhow::Result<()> {
        let read = Read { of: Of::Policy, at_least: String::new(), expects: None };
        let door = self.load.doors.policy.clone();
        self.asks_about(&door, read).await.map(drop)
    }

    async fn asks_about(&mut self, door: &Door, read: Read) -> anyhow::Result<Vec<String>> {
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

/// Whether a refusal says nothing about the request: it may well succeed later.
pub(crate) fn is_transient(reason: &str) -> bool {
    matches!(
        reason,
        "BACKLOG_FULL"
            | "CATCHING_UP"
            | "LOG_UNAVAILABLE"
            | "OVERLOADED"
            | "POSITION_NOT_REACHED"
            | "QUEUE_FULL"
    )
}
