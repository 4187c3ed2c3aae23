//! Forgetting a customer over gRPC: asked for, confirmed by a second person, done for good, and nothing else is any different.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod late;
mod people;
mod proof;
mod rotation;
mod said;
mod survives;

use std::time::Duration;

use seva_api::pb::common::v1::CaseKind;
use seva_api::pb::intake::v1::{
    ConfirmForgettingRequest, ForgetCustomerRequest, Forgetting, ForgettingPhase, ForgettingReason,
    GetForgettingRequest, GetForgettingResponse, LogInteractionRequest, LogInteractionResponse,
};
use seva_stories::say::interaction;
use seva_stories::{House, Services, as_actor};
use seva_support::eventually;

/// How long anything may take to happen by itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// What Asha said: nobody is to read it once she is forgotten.
const WORDS: &str = "My kettle hums the anthem.";

/// A complaint of whoever has this account.
async fn complaint(house: &House, account: &str) -> LogInteractionResponse {
    let request = LogInteractionRequest {
        kind: CaseKind::Complaint.into(),
        name: "Asha Rao".to_owned(),
        ..interaction(&format!("complaint of {account}"), account, WORDS)
    };
    house.intake().log_interaction(request).await.unwrap().into_inner()
}

fn asking(customer_id: &str) -> ForgetCustomerRequest {
    ForgetCustomerRequest {
        request_id: format!("forget {customer_id}"),
        customer_id: customer_id.to_owned(),
        reason: ForgettingReason::PersonAsked.into(),
    }
}

fn confirming(customer_id: &str) -> ConfirmForgettingRequest {
    ConfirmForgettingRequest {
        request_id: format!("confirm {customer_id}"),
        customer_id: customer_id.to_owned(),
    }
}

/// Ana asks, Bo confirms. The keys may still be there.
async fn confirm(services: &Services, customer_id: &str) {
    services.intake().forget_customer(as_actor("agent:ana", asking(customer_id))).await.unwrap();
    services.intake().confirm_forgetting(as_actor("agent:bo", confirming(customer_id))).await.unwrap();
}

/// The report, if the customer is in the rows already.
async fn report(services: &Services, customer_id: &str) -> Option<GetForgettingResponse> {
    let request = GetForgettingRequest { customer_id: customer_id.to_owned(), read: None };
    Some(services.intake().get_forgetting(request).await.ok()?.into_inner())
}

/// The report once the customer is forgotten.
async fn forgotten(services: &Services, customer_id: &str) -> GetForgettingResponse {
    eventually("the customer is forgotten", PATIENCE, async || {
        let report = report(services, customer_id).await?;
        let phase = report.forgetting.as_ref().map(Forgetting::phase);
        (phase == Some(ForgettingPhase::Forgotten)).then_some(report)
    })
    .await
}

/// Forgets a customer, and waits until it is done.
async fn forget(services: &Services, customer_id: &str) -> GetForgettingResponse {
    confirm(services, customer_id).await;
    forgotten(services, customer_id).await
}
