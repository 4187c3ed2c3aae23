//! The load: clients that write and read without end, send again what they must, and send twice what they may.

mod cases;
mod escalations;
mod promises;
mod reads;
mod refunds;
mod suggestions;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use tokio_util::sync::CancellationToken;

use crate::calls::{self, Outcome, Written};
use crate::clock::Pace;
use crate::doors::{Door, Doors};
use crate::history::{Call, History, Line, now};
use crate::write::{Verb, Write};

/// How many cases, suggestions and so on clients know of at once: the newest, so that several work on the same.
const KNOWN_MAX: usize = 64;

/// How often a write is sent again until somebody knows what came of it.
const TRIES_MAX: usize = 60;

/// What clients know, from answers alone.
#[derive(Debug, Default)]
struct Known {
    cases: VecDeque<Case>,
    charges: VecDeque<Charge>,
    promises: VecDeque<Promise>,
    refunds: VecDeque<Refund>,
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

#[derive(Clone, Debug)]
struct Charge {
    charge: String,
    currency: String,
    captured: i64,
    position: String,
}

#[derive(Clone, Debug)]
struct Promise {
    case: String,
    promise: String,
}

#[derive(Clone, Debug)]
struct Refund {
    charge: String,
    refund: String,
    requested_by: String,
}

/// Keeps the newest.
fn remember<T>(known: &mut VecDeque<T>, new: T) {
    known.push_back(new);
    if known.len() > KNOWN_MAX {
        known.pop_front();
    }
}

/// What all clients share. Clones are the same.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) doors: Doors,
    pub(crate) history: History,
    pub(crate) pace: Pace,
    /// How many customers most interactions are with.
    pub(crate) hot: u32,
    pub(crate) stop: CancellationToken,
    known: Arc<Mutex<Known>>,
    attempts: Arc<AtomicU64>,
}

impl Load {
    pub(crate) fn new(doors: Doors, history: History, pace: Pace, hot: u32, stop: CancellationToken) -> Load {
        Load { doors, history, pace, hot, stop, known: Arc::default(), attempts: Arc::default() }
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
            0..26 => self.logs().await,
            26 => self.reads_the_policy().await,
            27..39 => self.works_on_a_case().await,
            39..48 => self.works_on_a_suggestion().await,
            48..51 => self.captures().await,
            51..60 => self.promises().await,
            60..68 => self.escalates().await,
            68..88 => self.gives_back().await,
            _ => self.reads().await,
        }
    }

    fn request(&mut self, verb: Verb) -> Write {
        self.count += 1;
        Write {
            verb,
            marker: format!("client-{}-{}", self.number, self.count),
            is_suggestion: self.rng.random_bool(0.4),
            occurred_at: self.load.pace.now(),
            ..Write::default()
        }
    }

    /// Any of what is known of one kind.
    fn pick<T: Clone>(&mut self, of: impl FnOnce(&mut Known) -> &mut VecDeque<T>) -> Option<T> {
        let rng = &mut self.rng;
        self.load.with_known(|known| of(known).make_contiguous().choose(rng).cloned())
    }

    fn case(&mut self) -> Option<Case> {
        self.pick(|known| &mut known.cases)
    }

    /// Somebody who does something at the same time, in the same session.
    fn twin(&mut self) -> Client {
        let rng = StdRng::from_rng(&mut self.rng);
        Client { load: self.load.clone(), number: self.number, rng, count: 0, seen: self.seen.clone() }
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
        let [one, other] = self.load.doors.of(write.verb.service()).map(Door::clone);
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
