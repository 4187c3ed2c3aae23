//! Telling the other side that a refund has ended: signed, tried a few times, and lost with the process.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use seva_eventlog::writer::Clock;
use seva_refunds::provider::exchange::Peer;
use seva_refunds::provider::webhook::{SIGNATURE_HEADER, Secret, sign};

use super::answer::Shown;
use super::book::Refund;

/// How often a delivery is tried.
const TRIES: u32 = 5;

/// How long lies between the first two tries; each time it is twice as long.
const PAUSE: Duration = Duration::from_millis(200);

/// How long the other side may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Where settled refunds are told.
#[derive(Clone)]
pub(super) struct Webhooks {
    peer: Peer,
    secret: Secret,
    clock: Clock,
}

#[derive(Debug, Serialize)]
struct Event<'a> {
    /// The same whenever this is told.
    id: String,
    #[serde(rename = "type")]
    kind: String,
    refund: Shown<'a>,
}

impl Webhooks {
    pub(super) fn new(peer: Peer, secret: Secret, clock: Clock) -> Webhooks {
        Webhooks { peer, secret, clock }
    }

    /// Tells what has become of a refund, so many times. Answers when it was heard, or was tried often enough.
    pub(super) async fn tell(&self, refund: &Refund, times: u32) {
        let shown = Shown::now(refund);
        let status = shown.status();
        let event = Event {
            id: format!("evt_{}_{status}", refund.id),
            kind: format!("refund.{status}"),
            refund: shown,
        };
        let body = Bytes::from(serde_json::to_vec(&event).expect("texts and numbers are JSON"));
        for _ in 0..times {
            self.deliver(&body).await;
        }
    }

    async fn deliver(&self, body: &Bytes) {
        let mut pause = PAUSE;
        for _ in 0..TRIES {
            let now_s = (self.clock)().0.div_euclid(1_000_000);
            let signature = sign(&self.secret, now_s, body);
            let headers = [(SIGNATURE_HEADER, signature.as_str())];
            match self.peer.post("", &headers, body.clone(), ANSWER_TIMEOUT).await {
                Ok(answer) if (200..300).contains(&answer.status) => return,
                Ok(answer) => tracing::debug!(status = answer.status, "a webhook was refused"),
                Err(error) => tracing::debug!(%error, "a webhook was not heard"),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        tracing::warn!(tries = TRIES, "a webhook was given up");
    }
}
