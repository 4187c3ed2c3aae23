//! What feedback is asked.

use seva_api::pb::feedback::v1::feedback_service_client::FeedbackServiceClient;
use seva_api::pb::feedback::v1::{
    AcknowledgeSuggestionRequest, AdoptSuggestionRequest, CaptureSuggestionRequest, DeclineSuggestionRequest,
    RerouteSuggestionRequest,
};
use tonic::Status;

use super::{Written, answered, asked, time};
use crate::doors::Door;
use crate::write::{Verb, Write};

/// Asks feedback.
pub(super) async fn ask(door: &Door, write: &Write) -> Result<Written, Status> {
    let mut client = FeedbackServiceClient::new(door.channel.clone());
    let (request_id, suggestion_id) = (write.marker.clone(), write.about.clone());
    let said = || "as was agreed in the team".to_owned();
    let stands = |position: String| (position, Vec::new());
    Ok(match write.verb {
        Verb::Capture => {
            let request = CaptureSuggestionRequest {
                request_id,
                text: "Please bring back the small jar.".to_owned(),
                occurred_at: time(write.occurred_at),
                ..CaptureSuggestionRequest::default()
            };
            let answer = client.capture_suggestion(asked(write, request)).await?;
            answered(answer, |a| (a.position, vec![a.suggestion_id]))
        }
        Verb::Acknowledge => {
            let request = AcknowledgeSuggestionRequest { request_id, suggestion_id, expected_rev: None };
            answered(client.acknowledge_suggestion(asked(write, request)).await?, |a| stands(a.position))
        }
        Verb::Reroute => {
            let department = if write.is_suggestion { "product" } else { "packaging" }.to_owned();
            let request = RerouteSuggestionRequest {
                request_id,
                suggestion_id,
                department,
                reason: said(),
                expected_rev: None,
            };
            answered(client.reroute_suggestion(asked(write, request)).await?, |a| stands(a.position))
        }
        Verb::Adopt => {
            let request =
                AdoptSuggestionRequest { request_id, suggestion_id, plan: said(), expected_rev: None };
            answered(client.adopt_suggestion(asked(write, request)).await?, |a| stands(a.position))
        }
        Verb::Decline => {
            let request =
                DeclineSuggestionRequest { request_id, suggestion_id, reason: said(), expected_rev: None };
            answered(client.decline_suggestion(asked(write, request)).await?, |a| stands(a.position))
        }
        _ => return Err(Status::invalid_argument("not feedback's")),
    })
}
