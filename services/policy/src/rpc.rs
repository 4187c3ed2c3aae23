//! Policy's methods: each reads its request, has it written or looked up, and answers.

use seva_api::edge::Edge;
use seva_api::pb::policy::v1::policy_service_server::PolicyService;
use seva_api::pb::policy::v1::{
    CheckPolicyRequest, CheckPolicyResponse, GetPolicyRequest, GetPolicyResponse, ListPolicyVersionsRequest,
    ListPolicyVersionsResponse, PublishPolicyRequest, PublishPolicyResponse,
};
use seva_api::policy::{Publication, check};
use seva_api::replayed::{Answered, answered};
use seva_domain::noun::Event;
use seva_domain::policy::Event as PolicyEvent;
use tonic::{Request, Response};

use crate::reads;

/// The service.
#[derive(Clone)]
pub struct Policy {
    edge: Edge,
}

impl Policy {
    /// The service over an edge.
    pub fn new(edge: Edge) -> Policy {
        Policy { edge }
    }
}

#[tonic::async_trait]
impl PolicyService for Policy {
    async fn publish_policy(
        &self,
        request: Request<PublishPolicyRequest>,
    ) -> Answered<PublishPolicyResponse> {
        let draft = Publication::parse(request.get_ref())?;
        let id = &request.get_ref().request_id;
        let written = self.edge.call("PublishPolicy", &request, id, &draft).await?;
        let mut events = written.records.iter().flat_map(|record| &record.events);
        let version = events.find_map(|entry| match &entry.event {
            Event::Policy(PolicyEvent::Published(published)) => Some(published.version),
            _ => None,
        });
        // The document in force, published again, is no new version: a version is the noun's rev.
        let version = version.unwrap_or(written.rev);
        answered(&written, PublishPolicyResponse { version, position: written.position.clone() })
    }

    async fn check_policy(&self, request: Request<CheckPolicyRequest>) -> Answered<CheckPolicyResponse> {
        Ok(Response::new(check(&request.get_ref().document)))
    }

    async fn get_policy(&self, request: Request<GetPolicyRequest>) -> Answered<GetPolicyResponse> {
        Ok(Response::new(reads::policy(&self.edge, request.into_inner()).await?))
    }

    async fn list_policy_versions(
        &self,
        request: Request<ListPolicyVersionsRequest>,
    ) -> Answered<ListPolicyVersionsResponse> {
        Ok(Response::new(reads::versions(&self.edge, request.into_inner()).await?))
    }
}
