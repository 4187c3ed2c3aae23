//! `/control`: how the provider is told what to do, and what it shows to those who check its money.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::answer::{self, Shown};
use super::app::App;
use super::behaviour::Rule;
use super::entry::Outcome;

/// What the provider can be told.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "do")]
enum Told {
    /// Forget all rules.
    Behave {},
    /// So much was captured of a charge: its refunds stay within it.
    Capture { charge: String, amount_minor: i64, currency: String },
    /// Follow a rule from now on. Rules end with the process.
    Misbehave(Rule),
    /// End a pending refund: failed with the code, else paid.
    Settle {
        key: String,
        #[serde(default)]
        code: Option<String>,
    },
}

/// `POST /control`.
pub(super) async fn tell(State(app): State<App>, body: Bytes) -> Response<Body> {
    let told = match serde_json::from_slice(&body) {
        Ok(told) => told,
        Err(error) => return answer::refusal(StatusCode::BAD_REQUEST, "malformed", error.to_string()),
    };
    match told {
        Told::Behave {} => app.desk.behave(None).await,
        Told::Misbehave(rule) => app.desk.behave(Some(rule)).await,
        Told::Capture { charge, amount_minor, currency } => {
            if app.desk.capture(charge, amount_minor, currency).await.is_err() {
                return answer::cut();
            }
        }
        Told::Settle { key, code } => return settle(&app, key, code).await,
    }
    answer::json(StatusCode::OK, &json!({}))
}

async fn settle(app: &App, key: String, code: Option<String>) -> Response<Body> {
    let found = app.desk.with(move |inside| inside.book.by_key(&key).map(|refund| refund.id.clone())).await;
    let Some(id) = found else {
        return answer::refusal(StatusCode::NOT_FOUND, "not_found", "There is no refund under this key.");
    };
    match app.desk.settle(id, code).await {
        Ok(Some(refund)) => {
            let response = answer::json(StatusCode::OK, &Shown::now(&refund));
            app.follow(refund, 1);
            response
        }
        Ok(None) => answer::refusal(StatusCode::CONFLICT, "not_pending", "The refund has ended before."),
        Err(_) => answer::cut(),
    }
}

/// `GET /control/ledger`: all refunds as they are now, the payouts among them, and how many calls came in since the start.
pub(super) async fn ledger(State(app): State<App>) -> Response<Body> {
    let (refunds, calls) = app.desk.with(|inside| (inside.book.refunds.clone(), inside.calls)).await;
    let paid = refunds.iter().filter(|refund| refund.now == Outcome::Paid);
    let payouts: Vec<Shown<'_>> = paid.map(Shown::now).collect();
    let refunds: Vec<Shown<'_>> = refunds.iter().map(Shown::now).collect();
    answer::json(StatusCode::OK, &json!({ "refunds": refunds, "payouts": payouts, "calls": calls }))
}
