//! Refunds' methods: each reads its request, has it written or looked up, and answers.

use seva_api::edge::Edge;
use seva_api::pb::refunds::v1::refunds_service_server::RefundsService;
use seva_api::pb::refunds::v1::{
    ApproveRefundRequest, ApproveRefundResponse, DeclineRefundRequest, DeclineRefundResponse,
    GetChargeRequest, GetChargeResponse, GetRefundRequest, GetRefundResponse, GetRefundTotalsRequest,
    GetRefundTotalsResponse, ListRefundsRequest, ListRefundsResponse, RecordRefundRequest,
    RecordRefundResponse, RegisterChargeRequest, RegisterChargeResponse, RequestRefundRequest,
    RequestRefundResponse,
};
use seva_api::refunds::{self, ChargeChange, Registration};
use seva_api::replayed::{Answered, answered};
use tonic::{Request, Response};

use crate::reads;

/// The service.
#[derive(Clone)]
pub struct Refunds {
    edge: Edge,
}

impl Refunds {
    /// The service over an edge.
    pub fn new(edge: Edge) -> Refunds {
        Refunds { edge }
    }
}

#[tonic::async_trait]
impl RefundsService for Refunds {
    async fn register_charge(
        &self,
        request: Request<RegisterChargeRequest>,
    ) -> Answered<RegisterChargeResponse> {
        let registration = Registration::parse(request.get_ref(), self.edge.now())?;
        let key = self.edge.known_key(registration.case, registration.customer).await?;
        let draft = registration.under(key);
        let id = &request.get_ref().request_id;
        let written = self.edge.call("RegisterCharge", &request, id, &draft).await?;
        answered(&written, refunds::registered(&written, draft.charge()))
    }

    async fn request_refund(
        &self,
        request: Request<RequestRefundRequest>,
    ) -> Answered<RequestRefundResponse> {
        let draft = ChargeChange::request(request.get_ref())?;
        let id = &request.get_ref().request_id;
        let written = self.edge.call("RequestRefund", &request, id, &draft).await?;
        answered(&written, refunds::requested(&written))
    }

    async fn approve_refund(
        &self,
        request: Request<ApproveRefundRequest>,
    ) -> Answered<ApproveRefundResponse> {
        let draft = ChargeChange::approve(request.get_ref())?;
        let id = &request.get_ref().request_id;
        let written = self.edge.call("ApproveRefund", &request, id, &draft).await?;
        answered(&written, refunds::approved(&written))
    }

    async fn decline_refund(
        &self,
        request: Request<DeclineRefundRequest>,
    ) -> Answered<DeclineRefundResponse> {
        let draft = ChargeChange::decline(request.get_ref())?;
        let id = &request.get_ref().request_id;
        let written = self.edge.call("DeclineRefund", &request, id, &draft).await?;
        answered(&written, DeclineRefundResponse { rev: written.rev, position: written.position.clone() })
    }

    async fn record_refund(&self, request: Request<RecordRefundRequest>) -> Answered<RecordRefundResponse> {
        let draft = ChargeChange::record(request.get_ref(), self.edge.now())?;
        let id = &request.get_ref().request_id;
        let written = self.edge.call("RecordRefund", &request, id, &draft).await?;
        answered(&written, refunds::recorded(&written))
    }

    async fn get_charge(&self, request: Request<GetChargeRequest>) -> Answered<GetChargeResponse> {
        Ok(Response::new(reads::charge(&self.edge, request).await?))
    }

    async fn get_refund(&self, request: Request<GetRefundRequest>) -> Answered<GetRefundResponse> {
        Ok(Response::new(reads::refund(&self.edge, request).await?))
    }

    async fn list_refunds(&self, request: Request<ListRefundsRequest>) -> Answered<ListRefundsResponse> {
        Ok(Response::new(reads::refunds(&self.edge, request).await?))
    }

    async fn get_refund_totals(
        &self,
        request: Request<GetRefundTotalsRequest>,
    ) -> Answered<GetRefundTotalsResponse> {
        Ok(Response::new(reads::totals(&self.edge, request.into_inner()).await?))
    }
}
