//! The first start on an empty log publishes the starter policy, so that there is one to serve by.

use std::time::Duration;

use seva_api::edge::{Asked, Edge};
use seva_api::pb::policy::v1::PublishPolicyRequest;
use seva_api::policy::Publication;
use seva_api::replayed::body;
use seva_api::status::Error;
use seva_domain::policy::STARTER;
use seva_domain::values::Actor;

/// How long to wait before asking again what could not be done yet.
const AGAIN: Duration = Duration::from_millis(100);

/// Publishes the starter policy as version 1, unless there is a policy. Waits until that can be told.
pub async fn publish_starter(edge: &Edge) -> Result<(), Error> {
    let request = PublishPolicyRequest {
        request_id: "starter-policy".to_owned(),
        document: STARTER.to_owned(),
        reason: "the starter policy, so that there is one to serve by".to_owned(),
        // Only where there is none: whatever was published meanwhile stays in force.
        expected_version: Some(0),
    };
    let draft = Publication::parse(&request)?;
    let caller = Actor::policy();
    let body = body("PublishPolicy", &request);
    loop {
        let asked = Asked {
            caller: &caller,
            request: edge.identities().request(&caller, &request.request_id),
            body: &body,
            import: None,
            within: None,
        };
        match edge.write(asked, &draft).await {
            // Another build's starter was published, or a policy of the company's own.
            Ok(_) | Err(Error::Stale { .. } | Error::RequestIdReused) => return Ok(()),
            Err(
                Error::BacklogFull
                | Error::CatchingUp { .. }
                | Error::LogUnavailable
                | Error::OutcomeUnknown { .. }
                | Error::QueueFull,
            ) => tokio::time::sleep(AGAIN).await,
            Err(error) => return Err(error),
        }
    }
}
