//! What is read.

use seva_api::pb::common::v1::{PageRequest, ReadOptions};
use seva_api::pb::escalation::v1::GetEscalationRequest;
use seva_api::pb::escalation::v1::escalation_service_client::EscalationServiceClient;
use seva_api::pb::feedback::v1::ListInboxRequest;
use seva_api::pb::feedback::v1::feedback_service_client::FeedbackServiceClient;
use seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient;
use seva_api::pb::intake::v1::timeline_entry::What;
use seva_api::pb::intake::v1::{GetCaseRequest, GetTimelineRequest};
use seva_api::pb::policy::v1::GetPolicyRequest;
use seva_api::pb::policy::v1::policy_service_client::PolicyServiceClient;
use seva_api::pb::refunds::v1::GetChargeRequest;
use seva_api::pb::refunds::v1::get_charge_request::Which;
use seva_api::pb::refunds::v1::refunds_service_client::RefundsServiceClient;
use tonic::{Request, Status};

use super::{DEADLINE, Found};
use crate::doors::Door;
use crate::history::{Of, Read};

/// How many rows of a list are asked for at once, and how many pages at most.
const PAGE: u32 = 1_000;
const PAGES_MAX: usize = 20;

/// Asks a question.
pub(super) async fn ask(door: &Door, read: &Read) -> Result<Found, Status> {
    match &read.of {
        Of::Case(case) => get_case(door, read, case).await,
        Of::Charge(charge) => get_charge(door, read, charge).await,
        Of::Escalation(case) => get_escalation(door, read, case).await,
        Of::Inbox(department) => list_inbox(door, read, department).await,
        Of::Policy => get_policy(door, read).await,
        Of::Timeline(customer) => get_timeline(door, read, customer).await,
    }
}

fn question<M>(message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    request
}

fn options(read: &Read) -> Option<ReadOptions> {
    Some(ReadOptions { at_least_position: read.at_least.clone() })
}

async fn get_charge(door: &Door, read: &Read, charge: &str) -> Result<Found, Status> {
    let which = Some(Which::ChargeId(charge.to_owned()));
    let request = GetChargeRequest { which, read: options(read) };
    let mut client = RefundsServiceClient::new(door.channel.clone());
    let answer = client.get_charge(question(request)).await?.into_inner();
    let ids = answer.charge.into_iter().flat_map(|charge| {
        let refunds = charge.refunds.into_iter().map(|refund| refund.refund_id);
        std::iter::once(charge.charge_id).chain(refunds).collect::<Vec<_>>()
    });
    Ok(Found { position: answer.position, ids: ids.collect() })
}

async fn get_escalation(door: &Door, read: &Read, case: &str) -> Result<Found, Status> {
    let request = GetEscalationRequest { case_id: case.to_owned(), read: options(read) };
    let mut client = EscalationServiceClient::new(door.channel.clone());
    let answer = client.get_escalation(question(request)).await?.into_inner();
    Ok(Found { position: answer.position, ids: answer.escalation.into_iter().map(|e| e.case_id).collect() })
}

async fn get_case(door: &Door, read: &Read, case: &str) -> Result<Found, Status> {
    let request = GetCaseRequest { case_id: case.to_owned(), as_of: None, read: options(read) };
    let answer =
        IntakeServiceClient::new(door.channel.clone()).get_case(question(request)).await?.into_inner();
    Ok(Found { position: answer.position, ids: answer.case.into_iter().map(|case| case.case_id).collect() })
}

async fn get_timeline(door: &Door, read: &Read, customer: &str) -> Result<Found, Status> {
    let mut client = IntakeServiceClient::new(door.channel.clone());
    let mut found = Found::default();
    let mut page_token = String::new();
    for _ in 0..PAGES_MAX {
        let request = GetTimelineRequest {
            customer_id: customer.to_owned(),
            page: Some(PageRequest { page_size: PAGE, page_token }),
            read: options(read),
        };
        let answer = client.get_timeline(question(request)).await?.into_inner();
        for entry in answer.entries {
            if let Some(What::Interaction(interaction)) = entry.what {
                found.ids.push(interaction.interaction_id);
            }
        }
        if found.position.is_empty() {
            found.position = answer.position;
        }
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok(found)
}

async fn list_inbox(door: &Door, read: &Read, department: &str) -> Result<Found, Status> {
    let request = ListInboxRequest {
        department: department.to_owned(),
        page: Some(PageRequest { page_size: 100, page_token: String::new() }),
        read: options(read),
    };
    let answer =
        FeedbackServiceClient::new(door.channel.clone()).list_inbox(question(request)).await?.into_inner();
    let ids = answer.suggestions.into_iter().map(|suggestion| suggestion.suggestion_id).collect();
    Ok(Found { position: answer.position, ids })
}

async fn get_policy(door: &Door, read: &Read) -> Result<Found, Status> {
    let request = GetPolicyRequest { version: 0, read: options(read) };
    let answer =
        PolicyServiceClient::new(door.channel.clone()).get_policy(question(request)).await?.into_inner();
    Ok(Found { position: answer.position, ids: Vec::new() })
}
