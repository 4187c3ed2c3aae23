//! The payer: tells the payment provider what this process's commits say, and writes down what becomes of it.
//!
//! It acts only on records that its own process wrote and the log acknowledged. The first attempt instructs; every later one asks first, under the
//! same key. What nobody can tell is written down as unknown, and the attempt's deadline in the log makes the next one: here or in
//! whichever process of the service is there then. So nothing is kept here that a crash could lose.

use std::sync::Arc;
use std::time::Duration;

use seva_api::edge::{Asked, Edge};
use seva_api::refunds::{Outcome, charge_of};
use seva_api::status::Error;
use seva_domain::charge::{Command, Payment, UnknownBecause};
use seva_domain::values::{Actor, Reference};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::planted::{self, Bug};
use crate::provider::{Instruction, PaymentProvider, Settlement, Unsettled};

/// How many payments are with the provider at once.
const AT_ONCE_MAX: usize = 16;

/// How many payments may wait for the provider; more wait for their next attempt.
pub const WAITING_MAX: usize = 1_024;

/// How often an outcome is written again where the log does not answer, and how long is waited before. After that the attempt lapses, and the provider
/// is asked.
const WRITES_MAX: u32 = 5;
const WRITE_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What a payment that this process cannot make is called by, in the log.
const CHANGED_BODY: &str = "changed_body";

/// The payer of one process of refunds.
#[derive(Clone)]
pub struct Payer {
    edge: Edge,
    provider: PaymentProvider,
    by: Actor,
}

impl Payer {
    /// A payer that writes through an edge.
    pub fn new(edge: Edge, provider: PaymentProvider) -> Payer {
        // Staff ids are of people; this one is of the house.
        Payer { edge, provider, by: Actor::policy() }
    }

    /// Pays what comes, many at once, until told to stop; what is with the provider then is finished.
    pub async fn run(self, mut payments: mpsc::Receiver<Payment>, stop: CancellationToken) {
        let room = Arc::new(Semaphore::new(AT_ONCE_MAX));
        let tasks = tokio_util::task::TaskTracker::new();
        loop {
            let payment = tokio::select! {
                () = stop.cancelled() => break,
                payment = payments.recv() => payment,
            };
            let Some(payment) = payment else { break };
            // The semaphore is never closed.
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { break };
            let payer = self.clone();
            tasks.spawn(async move {
                payer.pay(payment).await;
                drop(permit);
            });
        }
        tasks.close();
        tasks.wait().await;
    }

    async fn pay(&self, payment: Payment) {
        let command = self.outcome(&payment).await;
        let name = match &command {
            Command::LoseSight { attempt, .. } => format!("unknown {attempt}"),
            _ => "settled".to_owned(),
        };
        let request = self.edge.identities().request(&self.by, &format!("payer/{}/{name}", payment.refund));
        let outcome = Outcome { charge: charge_of(&payment.reference), command };
        let refund = payment.refund;
        for _ in 0..WRITES_MAX {
            let asked =
                Asked { caller: &self.by, request, body: name.as_bytes(), import: None, within: None };
            match self.edge.write(asked, &outcome).await {
                Ok(_) => return,
                // Another attempt, or another process, was told the same before.
                Err(Error::Refused { reason, .. }) => {
                    tracing::info!(%refund, reason, "what became of a payment was known already");
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, %refund, "what became of a payment is not written yet");
                    tokio::time::sleep(WRITE_AGAIN_AFTER).await;
                }
            }
        }
        tracing::warn!(%refund, "what became of a payment could not be written: it will be asked for again");
    }

    /// What becomes of a payment, as far as the provider says.
    async fn outcome(&self, payment: &Payment) -> Command {
        let refund = payment.refund;
        match self.settlement(payment).await {
            Ok(Settlement::Paid { reference }) => match Reference::parse(&reference) {
                Some(payout) => Command::Pay { refund, payout },
                // It is paid all the same; the refund's own id finds it at the provider.
                None => match Reference::parse(&refund.to_string()) {
                    Some(payout) => Command::Pay { refund, payout },
                    None => self.unknown(payment, UnknownBecause::NoAnswer),
                },
            },
            Ok(Settlement::Failed { code, .. }) => match Reference::parse(&code) {
                Some(code) => Command::Fail { refund, code },
                None => self.unknown(payment, UnknownBecause::NoAnswer),
            },
            Ok(Settlement::Pending) => self.unknown(payment, UnknownBecause::Pending),
            Err(Unsettled::Unknown(_)) if planted::is(Bug::UnknownTreatedAsFailed) => {
                let code = Reference::parse("no_answer");
                code.map_or_else(
                    || self.unknown(payment, UnknownBecause::NoAnswer),
                    |code| Command::Fail { refund, code },
                )
            }
            Err(Unsettled::Unknown(error)) => {
                tracing::warn!(%error, %refund, attempt = payment.attempt, "a payment has no known outcome yet");
                self.unknown(payment, UnknownBecause::NoAnswer)
            }
            // What the provider has under the key stands, and asking tells it: never a new key, and never a failure.
            Err(Unsettled::ChangedBody { .. }) => {
                tracing::error!(%refund, reason = CHANGED_BODY, "the provider has another instruction under this refund's key");
                self.unknown(payment, UnknownBecause::NoAnswer)
            }
        }
    }

    async fn settlement(&self, payment: &Payment) -> Result<Settlement, Unsettled> {
        let mut key = payment.refund.to_string();
        if payment.attempt > 1 && planted::is(Bug::NewKeyOnRetry) {
            key = format!("{key}-{}", payment.attempt);
        }
        if payment.attempt > 1
            && let Some(settlement) = self.provider.ask(&key).await?
        {
            return Ok(settlement);
        }
        let instruction = Instruction {
            key,
            charge: payment.reference.as_str().to_owned(),
            amount_minor: i64::try_from(payment.amount.get()).unwrap_or(i64::MAX),
            currency: payment.currency.code().to_owned(),
        };
        self.provider.instruct(&instruction).await
    }

    fn unknown(&self, payment: &Payment, because: UnknownBecause) -> Command {
        Command::LoseSight { refund: payment.refund, attempt: payment.attempt, because }
    }
}
