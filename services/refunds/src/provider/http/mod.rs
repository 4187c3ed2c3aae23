//! The provider over HTTP: `POST /v1/refunds` instructs, `GET /v1/refunds?idempotency_key=…` asks.

use std::time::Duration;

use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::exchange::{AddressError, Answer, Broken, Peer};
use super::wire::{Body, Found, Refund, Refusal};
use super::{Instruction, Settlement, Unknown, Unsettled};

/// How long an answer may take, unless told otherwise.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The code of a refusal that means: this key stands for another body.
const KEY_REUSED: &str = "idempotency_key_reused";

/// A payment provider, reached over HTTP. It remembers nothing: what was instructed is in the log, what was paid is at the provider's.
#[derive(Clone, Debug)]
pub struct PaymentProvider {
    peer: Peer,
    within: Duration,
}

impl PaymentProvider {
    /// The provider at this address, `http://127.0.0.1:PORT`.
    pub fn new(url: &str) -> Result<PaymentProvider, AddressError> {
        Ok(PaymentProvider { peer: Peer::parse(url)?, within: ANSWER_TIMEOUT })
    }

    /// The same, with another limit on how long an answer may take.
    pub fn answering_within(self, within: Duration) -> PaymentProvider {
        PaymentProvider { within, ..self }
    }

    /// Tells the provider to pay. The same instruction may be sent any number of times: it pays once.
    pub async fn instruct(&self, instruction: &Instruction) -> Result<Settlement, Unsettled> {
        let Instruction { key, charge, amount_minor, currency } = instruction;
        let body = Body { charge, amount_minor: *amount_minor, currency };
        let json = serde_json::to_vec(&body).expect("text and numbers are JSON");
        let headers = [("idempotency-key", key.as_str())];
        let answer = self.peer.post("/v1/refunds", &headers, Bytes::from(json), self.within).await;
        let answer = answer.map_err(Unknown::from)?;
        match answer.status {
            200..=202 => {
                let refund: Refund = read(&answer)?;
                if !is_of(&refund, instruction) {
                    return Err(unreadable(&answer, "it is about another refund").into());
                }
                Ok(settled(&answer, refund.settlement())?)
            }
            400 | 402 | 404 | 409 | 422 => {
                let refusal: Refusal = read(&answer)?;
                if refusal.code() == KEY_REUSED {
                    return Err(Unsettled::ChangedBody { key: key.clone() });
                }
                if answer.status == 409 {
                    // Such as the same key being worked on right now: nothing about the money.
                    return Err(Unknown::TurnedAway { status: 409 }.into());
                }
                Ok(settled(&answer, refusal.settlement())?)
            }
            status => Err(Unknown::TurnedAway { status }.into()),
        }
    }

    /// Asks what became of the refund under this key. `None`: the provider has never heard of it.
    ///
    /// An instruction that is still on its way can land after a `None`. It will then be the same refund as the next one under this key.
    pub async fn ask(&self, key: &str) -> Result<Option<Settlement>, Unknown> {
        let path = format!("/v1/refunds?idempotency_key={}", utf8_percent_encode(key, NON_ALPHANUMERIC));
        let answer = self.peer.get(&path, self.within).await?;
        if answer.status != 200 {
            return Err(Unknown::TurnedAway { status: answer.status });
        }
        let mut found = read::<Found>(&answer)?.data;
        match (found.pop(), found.is_empty()) {
            (None, _) => Ok(None),
            (Some(refund), true) if refund.idempotency_key == key => {
                settled(&answer, refund.settlement()).map(Some)
            }
            (Some(_), true) => Err(unreadable(&answer, "it is about another refund")),
            (Some(_), false) => Err(unreadable(&answer, "it shows several refunds under one key")),
        }
    }
}

/// Whether the provider shows the refund that it was told to make.
fn is_of(refund: &Refund, instruction: &Instruction) -> bool {
    let Instruction { key, charge, amount_minor, currency } = instruction;
    refund.idempotency_key == *key
        && refund.charge == *charge
        && refund.amount_minor == *amount_minor
        && refund.currency == *currency
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Unknown> {
    // What the parser says may quote the answer: only that it failed is told.
    serde_json::from_slice(&answer.body).map_err(|_| unreadable(answer, "it is not the JSON agreed on"))
}

fn settled(answer: &Answer, settlement: Option<Settlement>) -> Result<Settlement, Unknown> {
    settlement.ok_or_else(|| unreadable(answer, "it contradicts itself, or its code is none"))
}

fn unreadable(answer: &Answer, what: &'static str) -> Unknown {
    Unknown::Unreadable { status: answer.status, what }
}

impl From<Broken> for Unknown {
    fn from(broken: Broken) -> Unknown {
        match broken {
            Broken::Late(within) => {
                Unknown::Late { within_ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX) }
            }
            broken @ (Broken::Unwritable(_)
            | Broken::Unreachable { .. }
            | Broken::Cut(_)
            | Broken::Body(_)) => Unknown::NoAnswer(broken),
        }
    }
}

#[cfg(test)]
mod tests;
