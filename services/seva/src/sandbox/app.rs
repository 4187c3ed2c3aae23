//! The provider at work: it takes instructions, and sees what it took through to its end.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use seva_eventlog::writer::Clock;

use super::answer;
use super::behaviour::Behaviour;
use super::book::Refund;
use super::desk::{Desk, Refused};
use super::entry::{Order, Outcome, Then};
use super::webhooks::Webhooks;

/// What every handler has.
#[derive(Clone)]
pub(super) struct App {
    pub(super) desk: Desk,
    webhooks: Option<Webhooks>,
    clock: Clock,
}

impl App {
    pub(super) fn new(desk: Desk, webhooks: Option<Webhooks>, clock: Clock) -> App {
        App { desk, webhooks, clock }
    }

    /// Takes up the refunds that were pending when the process before this one ended.
    pub(super) async fn resume(&self) {
        for refund in self.desk.pending().await {
            self.follow(refund, 1);
        }
    }

    /// Carries out an instruction, when told to behave like this.
    pub(super) async fn work(self, order: Order, how: Option<Behaviour>) -> Response<Body> {
        let times = if how == Some(Behaviour::TellTwice) { 2 } else { 1 };
        match self.desk.instruct(order, how, self.now_ms()).await {
            Ok((refund, is_new)) => {
                let response = answer::to_instruction(&refund);
                if is_new {
                    self.follow(refund, times);
                }
                response
            }
            Err(Refused::ChangedBody) => answer::refusal(
                StatusCode::CONFLICT,
                "idempotency_key_reused",
                "This key stands for another instruction.",
            ),
            Err(Refused::Broken) => answer::cut(),
        }
    }

    /// Sees a refund through: what is pending ends in time, and what has ended is told.
    pub(super) fn follow(&self, refund: Refund, times: u32) {
        let app = self.clone();
        tokio::spawn(async move {
            let ended = match &refund.now {
                Outcome::Pending { then: None } => None,
                Outcome::Pending { then: Some(Then { at_ms, code }) } => {
                    let after_ms = u64::try_from(at_ms - app.now_ms()).unwrap_or(0);
                    tokio::time::sleep(Duration::from_millis(after_ms)).await;
                    app.desk.settle(refund.id.clone(), code.clone()).await.unwrap_or(None)
                }
                Outcome::Paid | Outcome::Failed { .. } => Some(refund),
            };
            if let (Some(refund), Some(webhooks)) = (ended, app.webhooks) {
                webhooks.tell(&refund, times).await;
            }
        });
    }

    fn now_ms(&self) -> i64 {
        (self.clock)().0.div_euclid(1_000)
    }
}
