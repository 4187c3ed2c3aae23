//! `/v1/refunds`: instructions and questions, each treated as the rules of the moment say.

use std::future::Future;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use axum::routing::{get, post};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::json;

use super::answer::{self, Shown};
use super::app::App;
use super::behaviour::{Behaviour, Call};
use super::control;
use super::entry::Order;

/// How long a key or a charge's name may be.
const NAME_CHARS_MAX: usize = 128;

/// Everything the provider answers to.
pub(super) fn router(app: App) -> Router {
    Router::new()
        .route("/v1/refunds", post(instruct).get(ask))
        .route("/v1/refunds/{id}", get(show))
        .route("/control", post(control::tell))
        .route("/control/ledger", get(control::ledger))
        .with_state(app)
}

/// The body of an instruction.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    charge: String,
    amount_minor: i64,
    currency: String,
}

async fn instruct(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let Some(order) = order(&headers, &body) else {
        let reason = "An instruction has an Idempotency-Key and a body of charge, amount_minor and currency.";
        return answer::refusal(StatusCode::BAD_REQUEST, "malformed", reason);
    };
    let how = app.desk.arrive(Call::Instruct, Some(order.key.clone()), Some(order.charge.clone())).await;
    behaving(how.clone(), async move { app.work(order, how).await }).await
}

async fn ask(State(app): State<App>, uri: Uri) -> Response<Body> {
    let mut parameters = uri.query().unwrap_or_default().split('&');
    let key = parameters.find_map(|parameter| parameter.strip_prefix("idempotency_key="));
    let Some(key) = key.and_then(|key| percent_decode_str(key).decode_utf8().ok()) else {
        return answer::refusal(StatusCode::BAD_REQUEST, "malformed", "Ask with ?idempotency_key=….");
    };
    let key = key.into_owned();
    let how = app.desk.arrive(Call::Ask, Some(key.clone()), None).await;
    let look = async move {
        let found = app.desk.with(move |inside| inside.book.by_key(&key).cloned()).await;
        answer::json(StatusCode::OK, &json!({ "data": found.iter().map(Shown::now).collect::<Vec<_>>() }))
    };
    behaving(how, look).await
}

async fn show(State(app): State<App>, Path(id): Path<String>) -> Response<Body> {
    let how = app.desk.arrive(Call::Ask, None, None).await;
    let look = async move {
        let found = app.desk.with(move |inside| inside.book.by_id(&id).cloned()).await;
        match found {
            Some(refund) => answer::json(StatusCode::OK, &Shown::now(&refund)),
            None => answer::refusal(StatusCode::NOT_FOUND, "not_found", "There is no such refund."),
        }
    };
    behaving(how, look).await
}

/// Does the work, or not, and answers, or not. Work that has begun ends, whether or not the caller waits for it.
async fn behaving(
    how: Option<Behaviour>,
    work: impl Future<Output = Response<Body>> + Send + 'static,
) -> Response<Body> {
    if how == Some(Behaviour::Down) {
        return answer::refusal(StatusCode::SERVICE_UNAVAILABLE, "down", "The provider is down.");
    }
    let before = if let Some(Behaviour::WorkLate { after_ms }) = how { after_ms } else { 0 };
    let working = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(before)).await;
        work.await
    });
    let response = working.await.expect("an answer does not panic");
    match how {
        Some(Behaviour::LoseAnswer) => return answer::cut(),
        Some(Behaviour::AnswerLate { after_ms }) => tokio::time::sleep(Duration::from_millis(after_ms)).await,
        _ => {}
    }
    response
}

fn order(headers: &HeaderMap, body: &[u8]) -> Option<Order> {
    let key = headers.get("idempotency-key")?.to_str().ok()?.to_owned();
    let Asked { charge, amount_minor, currency } = serde_json::from_slice(body).ok()?;
    let is_name = |name: &str| {
        !name.is_empty() && name.len() <= NAME_CHARS_MAX && name.chars().all(|c| c.is_ascii_graphic())
    };
    let is_currency = currency.len() == 3 && currency.chars().all(|c| c.is_ascii_uppercase());
    let is_usable = is_name(&key) && is_name(&charge) && is_currency && amount_minor > 0;
    is_usable.then_some(Order { key, charge, amount_minor, currency })
}
