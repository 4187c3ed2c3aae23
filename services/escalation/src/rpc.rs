//! Escalation's methods: each reads its request, has it written or looked up, and answers.

use seva_api::edge::Edge;
use seva_api::escalation::{self, Answering, Raising};
use seva_api::pb::escalation::v1::escalation_service_server::EscalationService;
use seva_api::pb::escalation::v1::{
    AcceptEscalationRequest, AcceptEscalationResponse, DeclineEscalationRequest, DeclineEscalationResponse,
    GetEscalationRequest, GetEscalationResponse, ListEscalationsRequest, ListEscalationsResponse,
    RaiseEscalationRequest, RaiseEscalationResponse, ResolveEscalationRequest, ResolveEscalationResponse,
};
use seva_api::replayed::{Answered, answered};
use tonic::{Request, Response};

use crate::reads;

/// The service.
#[derive(Clone)]
pub struct Escalations {
    edge: Edge,
}

impl Escalations {
    /// The service over an edge.
    pub fn new(edge: Edge) -> Escalations {
        Escalations { edge }
    }
}

#[tonic::async_trait]
impl EscalationService for Escalations {
    async fn raise_escalation(
        &self,
        request: Request<RaiseEscalationRequest>,
    ) -> Answered<RaiseEscalationResponse> {
        let raising = Raising::parse(request.get_ref(), self.edge.now())?;
        let known = self.edge.known_case(raising.case).await?;
        let id = &request.get_ref().request_id;
        let written = self.edge.call("RaiseEscalation", &request, id, &raising.of(known)).await?;
        answered(&written, escalation::raised(&written))
    }

    async fn accept_escalation(
        &self,
        request: Request<AcceptEscalationRequest>,
    ) -> Answered<AcceptEscalationResponse> {
        let answering = Answering::accept(request.get_ref())?;
        let known = self.edge.known_case(answering.case).await?;
        let id = &request.get_ref().request_id;
        let written = self.edge.call("AcceptEscalation", &request, id, &answering.under(known.key)).await?;
        answered(&written, AcceptEscalationResponse { rev: written.rev, position: written.position.clone() })
    }

    async fn decline_escalation(
        &self,
        request: Request<DeclineEscalationRequest>,
    ) -> Answered<DeclineEscalationResponse> {
        let answering = Answering::decline(request.get_ref())?;
        let known = self.edge.known_case(answering.case).await?;
        let id = &request.get_ref().request_id;
        let written = self.edge.call("DeclineEscalation", &request, id, &answering.under(known.key)).await?;
        answered(&written, DeclineEscalationResponse { rev: written.rev, position: written.position.clone() })
    }

    async fn resolve_escalation(
        &self,
        request: Request<ResolveEscalationRequest>,
    ) -> Answered<ResolveEscalationResponse> {
        let answering = Answering::resolve(request.get_ref())?;
        let known = self.edge.known_case(answering.case).await?;
        let id = &request.get_ref().request_id;
        let written = self.edge.call("ResolveEscalation", &request, id, &answering.under(known.key)).await?;
        answered(&written, ResolveEscalationResponse { rev: written.rev, position: written.position.clone() })
    }

    async fn get_escalation(
        &self,
        request: Request<GetEscalationRequest>,
    ) -> Answered<GetEscalationResponse> {
        Ok(Response::new(reads::escalation(&self.edge, request).await?))
    }

    async fn list_escalations(
        &self,
        request: Request<ListEscalationsRequest>,
    ) -> Answered<ListEscalationsResponse> {
        Ok(Response::new(reads::queue(&self.edge, request).await?))
    }
}
