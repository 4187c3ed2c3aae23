//! What escalation is asked.

use seva_api::pb::escalation::v1::escalation_service_client::EscalationServiceClient;
use seva_api::pb::escalation::v1::{
    AcceptEscalationRequest, DeclineEscalationRequest, RaiseEscalationRequest, RaisedBy,
    ResolveEscalationRequest,
};
use tonic::Status;

use super::{Written, answered, asked, time};
use crate::doors::Door;
use crate::write::{Verb, Write};

/// Asks escalation.
pub(super) async fn ask(door: &Door, write: &Write) -> Result<Written, Status> {
    let mut client = EscalationServiceClient::new(door.channel.clone());
    let (request_id, case_id) = (write.marker.clone(), write.about.clone());
    let said = || "as was agreed on the phone".to_owned();
    let stands = |position: String| (position, Vec::new());
    Ok(match write.verb {
        Verb::Raise => {
            let by = if write.is_suggestion { RaisedBy::Customer } else { RaisedBy::Staff };
            let request = RaiseEscalationRequest {
                request_id,
                case_id,
                by: by.into(),
                reason: said(),
                rung: String::new(),
                occurred_at: time(write.occurred_at),
                expected_rev: None,
            };
            answered(client.raise_escalation(asked(write, request)).await?, |a| stands(a.position))
        }
        Verb::AcceptEscalation => {
            let request = AcceptEscalationRequest { request_id, case_id, expected_rev: None };
            answered(client.accept_escalation(asked(write, request)).await?, |a| stands(a.position))
        }
        Verb::DeclineEscalation => {
            let request =
                DeclineEscalationRequest { request_id, case_id, reason: said(), expected_rev: None };
            answered(client.decline_escalation(asked(write, request)).await?, |a| stands(a.position))
        }
        Verb::ResolveEscalation => {
            let request =
                ResolveEscalationRequest { request_id, case_id, resolution: said(), expected_rev: None };
            answered(client.resolve_escalation(asked(write, request)).await?, |a| stands(a.position))
        }
        _ => return Err(Status::invalid_argument("not escalation's")),
    })
}
