//! What the provider says, in JSON.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Response, StatusCode};
use serde::Serialize;

use super::book::Refund;
use super::entry::{Order, Outcome};

/// Marks an answer that is not to arrive: the connection is cut instead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut;

/// A refund as callers see it.
#[derive(Debug, Serialize)]
pub(super) struct Shown<'a> {
    id: &'a str,
    #[serde(flatten)]
    order: &'a Order,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure<'a>>,
}

#[derive(Debug, Serialize)]
struct Failure<'a> {
    code: &'a str,
    reason: String,
}

#[derive(Debug, Serialize)]
struct Refusal<'a> {
    error: Failure<'a>,
}

impl<'a> Shown<'a> {
    /// What has become of it.
    pub(super) fn now(refund: &'a Refund) -> Shown<'a> {
        Shown::new(refund, &refund.now)
    }

    fn new(refund: &'a Refund, outcome: &'a Outcome) -> Shown<'a> {
        let Refund { id, order, first: _, now: _ } = refund;
        let (status, failure) = match outcome {
            Outcome::Paid => ("paid", None),
            Outcome::Pending { then: _ } => ("pending", None),
            Outcome::Failed { code } => ("failed", Some(Failure { code, reason: declined(code) })),
        };
        Shown { id, order, status, failure }
    }

    pub(super) fn status(&self) -> &'static str {
        self.status
    }
}

fn declined(code: &str) -> String {
    format!("The refund was declined: {}.", code.replace('_', " "))
}

/// What an instruction is answered, the first time and every other.
pub(super) fn to_instruction(refund: &Refund) -> Response<Body> {
    match &refund.first {
        Outcome::Paid | Outcome::Pending { .. } => {
            json(StatusCode::CREATED, &Shown::new(refund, &refund.first))
        }
        Outcome::Failed { code } => refusal(StatusCode::UNPROCESSABLE_ENTITY, code, declined(code)),
    }
}

/// A refusal with its code.
pub(super) fn refusal(status: StatusCode, code: &str, reason: impl Into<String>) -> Response<Body> {
    json(status, &Refusal { error: Failure { code, reason: reason.into() } })
}

/// An answer of any kind.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_vec(value).expect("texts and numbers are JSON");
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let json = axum::http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// No answer.
pub(super) fn cut() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Cut);
    response
}
