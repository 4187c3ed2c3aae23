//! Promises, escalations and refunds over gRPC: what they do by themselves, across services, and over restarts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod escalations;
mod promises;
mod refunds;
mod settling;

use std::time::Duration;

use seva_api::pb::common::v1::CaseKind;
use seva_api::pb::intake::v1::{LogInteractionRequest, LogInteractionResponse};
use seva_stories::House;
use seva_stories::say::interaction;

/// How long anything may take to happen by itself.
const PATIENCE: Duration = Duration::from_secs(20);

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// A complaint of whoever has this account.
async fn complaint(house: &House, account: &str) -> LogInteractionResponse {
    let request = LogInteractionRequest {
        kind: CaseKind::Complaint.into(),
        ..interaction(&format!("complaint of {account}"), account, "It does not work.")
    };
    house.intake().log_interaction(request).await.unwrap().into_inner()
}
