//! Intake's methods: each reads its request, has it written or looked up, and answers.

use std::pin::Pin;

use futures::Stream;
use seva_api::access::caller;
use seva_api::edge::Edge;
use seva_api::forgetting::Saying;
use seva_api::intake::{self, Addition, CaseChange, Logging, Registration};
use seva_api::pb::intake::v1::intake_service_server::IntakeService;
use seva_api::pb::intake::v1::{
    AddIdentityRequest, AddIdentityResponse, ConfirmForgettingRequest, ConfirmForgettingResponse,
    ConfirmResolutionRequest, ConfirmResolutionResponse, DeclineForgettingRequest, DeclineForgettingResponse,
    ForgetCustomerRequest, ForgetCustomerResponse, GetCallerBriefRequest, GetCallerBriefResponse,
    GetCaseRequest, GetCaseResponse, GetForgettingRequest, GetForgettingResponse, GetTimelineRequest,
    GetTimelineResponse, IdentifyCustomerRequest, IdentifyCustomerResponse, ImportInteractionsRequest,
    ImportInteractionsResponse, KeepPromiseRequest, KeepPromiseResponse, LiftLegalHoldRequest,
    LiftLegalHoldResponse, ListOpenCasesRequest, ListOpenCasesResponse, LogInteractionRequest,
    LogInteractionResponse, MakePromiseRequest, MakePromiseResponse, PlaceLegalHoldRequest,
    PlaceLegalHoldResponse, ReclassifyCaseRequest, ReclassifyCaseResponse, RegisterCustomerRequest,
    RegisterCustomerResponse, RejectResolutionRequest, RejectResolutionResponse, RenegotiatePromiseRequest,
    RenegotiatePromiseResponse, ReopenCaseRequest, ReopenCaseResponse, ResolveCaseRequest,
    ResolveCaseResponse,
};
use seva_api::replayed::{Answered, answered};
use tonic::{Request, Response, Streaming};

use crate::{import, reads};

/// The service.
#[derive(Clone)]
pub struct Intake {
    edge: Edge,
}

impl Intake {
    /// The service over an edge.
    pub fn new(edge: Edge) -> Intake {
        Intake { edge }
    }
}

#[tonic::async_trait]
impl IntakeService for Intake {
    async fn register_customer(
        &self,
        request: Request<RegisterCustomerRequest>,
    ) -> Answered<RegisterCustomerResponse> {
        let draft = Registration::parse(request.get_ref())?;
        let written =
            self.edge.call("RegisterCustomer", &request, &request.get_ref().request_id, &draft).await?;
        let customer_id = intake::customer(&written).unwrap_or_default();
        answered(&written, RegisterCustomerResponse { customer_id, position: written.position.clone() })
    }

    async fn add_identity(&self, request: Request<AddIdentityRequest>) -> Answered<AddIdentityResponse> {
        let draft = Addition::parse(request.get_ref())?;
        let written = self.edge.call("AddIdentity", &request, &request.get_ref().request_id, &draft).await?;
        let customer_id = request.into_inner().customer_id;
        answered(&written, AddIdentityResponse { customer_id, position: written.position.clone() })
    }

    async fn identify_customer(
        &self,
        request: Request<IdentifyCustomerRequest>,
    ) -> Answered<IdentifyCustomerResponse> {
        Ok(Response::new(reads::identify(&self.edge, request.into_inner()).await?))
    }

    async fn log_interaction(
        &self,
        request: Request<LogInteractionRequest>,
    ) -> Answered<LogInteractionResponse> {
        let draft = Logging::parse(request.get_ref(), self.edge.now())?;
        let written =
            self.edge.call("LogInteraction", &request, &request.get_ref().request_id, &draft).await?;
        answered(&written, intake::logged(&written)?)
    }

    type ImportInteractionsStream =
        Pin<Box<dyn Stream<Item = Result<ImportInteractionsResponse, tonic::Status>> + Send>>;

    async fn import_interactions(
        &self,
        request: Request<Streaming<ImportInteractionsRequest>>,
    ) -> Answered<Self::ImportInteractionsStream> {
        let caller = caller(request.extensions())?.actor();
        let answers = import::run(self.edge.clone(), caller, request.into_inner()).await?;
        Ok(Response::new(Box::pin(answers)))
    }

    async fn reclassify_case(
        &self,
        request: Request<ReclassifyCaseRequest>,
    ) -> Answered<ReclassifyCaseResponse> {
        let draft = CaseChange::reclassify(request.get_ref())?;
        let written =
            self.edge.call("ReclassifyCase", &request, &request.get_ref().request_id, &draft).await?;
        answered(&written, ReclassifyCaseResponse { rev: written.rev, position: written.position.clone() })
    }

    async fn resolve_case(&self, request: Request<ResolveCaseRequest>) -> Answered<ResolveCaseResponse> {
        let draft = CaseChange::resolve(request.get_ref())?;
        let written = self.edge.call("ResolveCase", &request, &request.get_ref().request_id, &draft).await?;
        answered(&written, ResolveCaseResponse { rev: written.rev, position: written.position.clone() })
    }

    async fn confirm_resolution(
        &self,
        request: Request<ConfirmResolutionRequest>,
    ) -> Answered<ConfirmResolutionResponse> {
        let draft = CaseChange::confirm(request.get_ref())?;
        let written =
            self.edge.call("ConfirmResolution", &request, &request.get_ref().request_id, &draft).await?;
        answered(&written, ConfirmResolutionResponse { rev: written.rev, position: written.position.clone() })
    }

    async fn reject_resolution(
        &self,
        request: Request<RejectResolutionRequest>,
    ) -> Answered<RejectResolutionResponse> {
        let draft = CaseChange::reject(request.get_ref())?;
        let written =
            self.edge.call("RejectResolution", &request, &request.get_ref().request_id, &draft).await?;
        answered(&written, RejectResolutionResponse { rev: written.rev, position: written.position.clone() })
    }

    async fn reopen_case(&self, request: Request<ReopenCaseRequest>) -> Answered<ReopenCaseResponse> {
        let draft = CaseChange::reopen(request.get_ref())?;
        let written = self.edge.call("ReopenCase", &request, &request.get_ref().request_id, &draft).await?;
        answered(&written, ReopenCaseResponse { rev: written.rev, position: written.position.clone() })
    }

    async fn make_promise(&self, request: Request<MakePromiseRequest>) -> Answered<MakePromiseResponse> {
        let draft = CaseChange::promise(request.get_ref())?;
        let id = &request.get_ref().request_id;
        let written = self.edge.call("MakePromise", &request, id, &draft).await?;
        answered(&written, intake::promised(&written))
    }

    async fn keep_promise(&self, request: Request<KeepPromiseRequest>) -> Answered<KeepPromiseResponse> {
        let draft = CaseChange::keep_promise(request.get_ref())?;
        let id = &request.get_ref().request_id;
        let written = self.edge.call("KeepPromise", &request, id, &draft).await?;
        answered(&written, KeepPromiseResponse { rev: written.rev, position: written.position.clone() })
    }

    async fn renegotiate_promise(
        &self,
        request: Request<RenegotiatePromiseRequest>,
    ) -> Answered<RenegotiatePromiseResponse> {
        let draft = CaseChange::renegotiate_promise(request.get_ref())?;
        let id = &request.get_ref().request_id;
        let written = self.edge.call("RenegotiatePromise", &request, id, &draft).await?;
        let position = written.position.clone();
        answered(&written, RenegotiatePromiseResponse { rev: written.rev, position })
    }

    async fn get_timeline(&self, request: Request<GetTimelineRequest>) -> Answered<GetTimelineResponse> {
        Ok(Response::new(reads::timeline(&self.edge, request).await?))
    }

    async fn get_caller_brief(
        &self,
        request: Request<GetCallerBriefRequest>,
    ) -> Answered<GetCallerBriefResponse> {
        Ok(Response::new(reads::brief(&self.edge, request).await?))
    }

    async fn get_case(&self, request: Request<GetCaseRequest>) -> Answered<GetCaseResponse> {
        Ok(Response::new(reads::case(&self.edge, request).await?))
    }

    async fn list_open_cases(
        &self,
        request: Request<ListOpenCasesRequest>,
    ) -> Answered<ListOpenCasesResponse> {
        Ok(Response::new(reads::open_cases(&self.edge, request).await?))
    }

    async fn forget_customer(
        &self,
        request: Request<ForgetCustomerRequest>,
    ) -> Answered<ForgetCustomerResponse> {
        let draft = Saying::ask(request.get_ref())?;
        let id = &request.get_ref().request_id;
        let written = self.edge.call("ForgetCustomer", &request, id, &draft).await?;
        answered(&written, ForgetCustomerResponse { position: written.position.clone() })
    }

    async fn confirm_forgetting(
        &self,
        request: Request<ConfirmForgettingRequest>,
    ) -> Answered<ConfirmForgettingResponse> {
        let draft = Saying::confirm(request.get_ref())?;
        let id = &request.get_ref().request_id;
        let written = self.edge.call("ConfirmForgetting", &request, id, &draft).await?;
        answered(&written, ConfirmForgettingResponse { position: written.position.clone() })
    }

    async fn decline_forgetting(
        &self,
        request: Request<DeclineForgettingRequest>,
    ) -> Answered<DeclineForgettingResponse> {
        let draft = Saying::decline(request.get_ref())?;
        let id = &request.get_ref().request_id;
        let written = self.edge.call("DeclineForgetting", &request, id, &draft).await?;
        answered(&written, DeclineForgettingResponse { position: written.position.clone() })
    }

    async fn place_legal_hold(
        &self,
        request: Request<PlaceLegalHoldRequest>,
    ) -> Answered<PlaceLegalHoldResponse> {
        let draft = Saying::hold(request.get_ref())?;
        let id = &request.get_ref().request_id;
        let written = self.edge.call("PlaceLegalHold", &request, id, &draft).await?;
        answered(&written, PlaceLegalHoldResponse { position: written.position.clone() })
    }

    async fn lift_legal_hold(
        &self,
        request: Request<LiftLegalHoldRequest>,
    ) -> Answered<LiftLegalHoldResponse> {
        let draft = Saying::lift(request.get_ref())?;
        let id = &request.get_ref().request_id;
        let written = self.edge.call("LiftLegalHold", &request, id, &draft).await?;
        answered(&written, LiftLegalHoldResponse { position: written.position.clone() })
    }

    async fn get_forgetting(
        &self,
        request: Request<GetForgettingRequest>,
    ) -> Answered<GetForgettingResponse> {
        Ok(Response::new(reads::forgetting(&self.edge, request.into_inner()).await?))
    }
}
