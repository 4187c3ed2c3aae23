//! What intake is asked.

use seva_api::pb::common::v1::{CaseKind, Channel as By};
use seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient;
use seva_api::pb::intake::v1::{
    ConfirmResolutionRequest, Direction, Identity, IdentityKind, KeepPromiseRequest, LogInteractionRequest,
    MakePromiseRequest, ReclassifyCaseRequest, RejectResolutionRequest, RenegotiatePromiseRequest,
    ReopenCaseRequest, ResolveCaseRequest,
};
use tonic::Status;

use super::{Written, answered, asked, time};
use crate::doors::Door;
use crate::write::{Verb, Write};

/// Asks intake.
pub(super) async fn ask(door: &Door, write: &Write) -> Result<Written, Status> {
    let mut client = IntakeServiceClient::new(door.channel.clone());
    let (request_id, case_id) = (write.marker.clone(), write.about.clone());
    let said = || "as was agreed with the customer".to_owned();
    let kind = if write.is_suggestion { CaseKind::Suggestion } else { CaseKind::Complaint };
    let stands = |position: String| (position, Vec::new());
    Ok(match write.verb {
        Verb::Log => {
            let account = Identity { kind: IdentityKind::Account.into(), value: write.account.clone() };
            let request = LogInteractionRequest {
                request_id,
                identities: vec![account],
                name: "Asha Rao".to_owned(),
                channel: By::Chat.into(),
                direction: Direction::Inbound.into(),
                text: "It would be better if the app showed the price of each size.".to_owned(),
                kind: kind.into(),
                case_id,
                occurred_at: time(write.occurred_at),
                ..LogInteractionRequest::default()
            };
            let answer = client.log_interaction(asked(write, request)).await?;
            answered(answer, |a| (a.position, vec![a.case_id, a.customer_id, a.interaction_id]))
        }
        Verb::Reclassify => {
            let request = ReclassifyCaseRequest {
                request_id,
                case_id,
                kind: kind.into(),
                reason: said(),
                expected_rev: None,
            };
            answered(client.reclassify_case(asked(write, request)).await?, |a| stands(a.position))
        }
        Verb::Resolve => {
            let request = ResolveCaseRequest { request_id, case_id, resolution: said(), expected_rev: None };
            answered(client.resolve_case(asked(write, request)).await?, |a| stands(a.position))
        }
        Verb::Confirm => {
            let request = ConfirmResolutionRequest { request_id, case_id, expected_rev: None };
            answered(client.confirm_resolution(asked(write, request)).await?, |a| stands(a.position))
        }
        Verb::Reject => {
            let request = RejectResolutionRequest { request_id, case_id, reason: said(), expected_rev: None };
            answered(client.reject_resolution(asked(write, request)).await?, |a| stands(a.position))
        }
        Verb::Reopen => {
            let request = ReopenCaseRequest { request_id, case_id, reason: said(), expected_rev: None };
            answered(client.reopen_case(asked(write, request)).await?, |a| stands(a.position))
        }
        Verb::MakePromise => {
            // Now and then a kind that takes the company longer: it is refused by the policy.
            let kind = if write.is_suggestion && write.body == 0 { "visit" } else { "callback" }.to_owned();
            let due_at = time(write.number);
            let request =
                MakePromiseRequest { request_id, case_id, kind, due_at, text: said(), expected_rev: None };
            let answer = client.make_promise(asked(write, request)).await?;
            answered(answer, |a| (a.position, vec![a.promise_id]))
        }
        Verb::KeepPromise => {
            let (promise_id, note) = (write.of.clone(), said());
            let request = KeepPromiseRequest { request_id, case_id, promise_id, note, expected_rev: None };
            answered(client.keep_promise(asked(write, request)).await?, |a| stands(a.position))
        }
        Verb::PutOffPromise => {
            let request = RenegotiatePromiseRequest {
                request_id,
                case_id,
                promise_id: write.of.clone(),
                due_at: time(write.number),
                reason: said(),
                expected_rev: None,
            };
            answered(client.renegotiate_promise(asked(write, request)).await?, |a| stands(a.position))
        }
        _ => return Err(Status::invalid_argument("not intake's")),
    })
}
