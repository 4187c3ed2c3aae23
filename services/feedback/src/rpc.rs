//! Feedback's methods: each reads its request, has it written or looked up, and answers.

use seva_api::edge::Edge;
use seva_api::feedback::{self, Capture, SuggestionChange};
use seva_api::pb::feedback::v1::feedback_service_server::FeedbackService;
use seva_api::pb::feedback::v1::{
    AcknowledgeSuggestionRequest, AcknowledgeSuggestionResponse, AdoptSuggestionRequest,
    AdoptSuggestionResponse, CaptureSuggestionRequest, CaptureSuggestionResponse, DeclineSuggestionRequest,
    DeclineSuggestionResponse, GetSuggestionCountsRequest, GetSuggestionCountsResponse, GetSuggestionRequest,
    GetSuggestionResponse, ListInboxRequest, ListInboxResponse, ReportOutcomeRequest, ReportOutcomeResponse,
    RerouteSuggestionRequest, RerouteSuggestionResponse,
};
use seva_api::replayed::{Answered, answered};
use tonic::{Request, Response};

use crate::reads;

/// The service.
#[derive(Clone)]
pub struct Feedback {
    edge: Edge,
}

impl Feedback {
    /// The service over an edge.
    pub fn new(edge: Edge) -> Feedback {
        Feedback { edge }
    }
}

#[tonic::async_trait]
impl FeedbackService for Feedback {
    async fn capture_suggestion(
        &self,
        request: Request<CaptureSuggestionRequest>,
    ) -> Answered<CaptureSuggestionResponse> {
        let capture = Capture::parse(request.get_ref(), self.edge.now())?;
        let key = self.edge.known_key(capture.case, capture.customer).await?;
        let draft = capture.under(key);
        let written =
            self.edge.call("CaptureSuggestion", &request, &request.get_ref().request_id, &draft).await?;
        answered(&written, feedback::captured(&written)?)
    }

    async fn acknowledge_suggestion(
        &self,
        request: Request<AcknowledgeSuggestionRequest>,
    ) -> Answered<AcknowledgeSuggestionResponse> {
        let draft = SuggestionChange::acknowledge(request.get_ref())?;
        let written =
            self.edge.call("AcknowledgeSuggestion", &request, &request.get_ref().request_id, &draft).await?;
        answered(
            &written,
            AcknowledgeSuggestionResponse { rev: written.rev, position: written.position.clone() },
        )
    }

    async fn reroute_suggestion(
        &self,
        request: Request<RerouteSuggestionRequest>,
    ) -> Answered<RerouteSuggestionResponse> {
        let draft = SuggestionChange::reroute(request.get_ref())?;
        let written =
            self.edge.call("RerouteSuggestion", &request, &request.get_ref().request_id, &draft).await?;
        answered(&written, RerouteSuggestionResponse { rev: written.rev, position: written.position.clone() })
    }

    async fn adopt_suggestion(
        &self,
        request: Request<AdoptSuggestionRequest>,
    ) -> Answered<AdoptSuggestionResponse> {
        let draft = SuggestionChange::adopt(request.get_ref())?;
        let written =
            self.edge.call("AdoptSuggestion", &request, &request.get_ref().request_id, &draft).await?;
        answered(&written, AdoptSuggestionResponse { rev: written.rev, position: written.position.clone() })
    }

    async fn decline_suggestion(
        &self,
        request: Request<DeclineSuggestionRequest>,
    ) -> Answered<DeclineSuggestionResponse> {
        let draft = SuggestionChange::decline(request.get_ref())?;
        let written =
            self.edge.call("DeclineSuggestion", &request, &request.get_ref().request_id, &draft).await?;
        answered(&written, DeclineSuggestionResponse { rev: written.rev, position: written.position.clone() })
    }

    async fn report_outcome(
        &self,
        request: Request<ReportOutcomeRequest>,
    ) -> Answered<ReportOutcomeResponse> {
        let draft = SuggestionChange::report(request.get_ref())?;
        let written =
            self.edge.call("ReportOutcome", &request, &request.get_ref().request_id, &draft).await?;
        answered(&written, ReportOutcomeResponse { rev: written.rev, position: written.position.clone() })
    }

    async fn list_inbox(&self, request: Request<ListInboxRequest>) -> Answered<ListInboxResponse> {
        Ok(Response::new(reads::inbox(&self.edge, request).await?))
    }

    async fn get_suggestion(
        &self,
        request: Request<GetSuggestionRequest>,
    ) -> Answered<GetSuggestionResponse> {
        Ok(Response::new(reads::suggestion(&self.edge, request).await?))
    }

    async fn get_suggestion_counts(
        &self,
        request: Request<GetSuggestionCountsRequest>,
    ) -> Answered<GetSuggestionCountsResponse> {
        Ok(Response::new(reads::counts(&self.edge, request.into_inner()).await?))
    }
}
