//! Sending, against a service of the same contract that breaks its streams on purpose.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use jiff::Timestamp;
use seva_api::pb::intake::v1::import_interactions_request::Part;
use seva_api::pb::intake::v1::import_interactions_response::Result as Answer;
use seva_api::pb::intake::v1::intake_service_server::{IntakeService, IntakeServiceServer};
use seva_api::pb::intake::v1::*;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming};

use super::answers::Answers;
use super::call::Call;
use super::row::Ready;
use super::send::{Target, send};
use crate::connect::Bearer;
use crate::failure::{self, Exit};

/// Remembers the keys it was sent, refuses each `bad` one, and ends every stream after so many answers.
#[derive(Clone, Default)]
struct Forgetful {
    // Only the test's one stream at a time takes it.
    keys: Arc<Mutex<BTreeSet<String>>>,
    break_after: Option<u64>,
    refuse_streams: bool,
}

impl Forgetful {
    async fn answer(&self, row: u64, request: LogInteractionRequest) -> ImportInteractionsResponse {
        let position = format!("p{}", request.request_id);
        let response = LogInteractionResponse { position, ..LogInteractionResponse::default() };
        let result = if request.request_id.starts_with("bad") {
            let reason = "INVALID_ARGUMENT".to_owned();
            Answer::Refused(ImportRefusal {
                reason,
                field: "text".to_owned(),
                message: "is too odd".to_owned(),
            })
        } else if self.keys.lock().await.insert(request.request_id) {
            Answer::Recorded(response)
        } else {
            Answer::AlreadyRecorded(response)
        };
        ImportInteractionsResponse { row, result: Some(result) }
    }
}

/// What `async_trait` makes of a method.
type Answered<'a, T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send + 'a>>;

// A macro, because two dozen methods that are not called would bury the one that is.
macro_rules! not_here {
    ($($method:ident($request:ident) -> $response:ident;)*) => {$(
        fn $method<'life0, 'async_trait>(&'life0 self, _: Request<$request>) -> Answered<'async_trait, $response>
        where
            'life0: 'async_trait,
            Self: 'async_trait,
        {
            Box::pin(async { Err(Status::unimplemented("not in this test")) })
        }
    )*};
}

#[tonic::async_trait]
impl IntakeService for Forgetful {
    type ImportInteractionsStream = BoxStream<'static, Result<ImportInteractionsResponse, Status>>;

    async fn import_interactions(
        &self,
        request: Request<Streaming<ImportInteractionsRequest>>,
    ) -> Result<Response<Self::ImportInteractionsStream>, Status> {
        assert_eq!(request.metadata().get("authorization").unwrap(), "Bearer of-the-tester");
        if self.refuse_streams {
            return Err(Status::permission_denied("no"));
        }
        let mut rows = request.into_inner();
        let first = rows.message().await?.unwrap().part;
        assert_eq!(first, Some(Part::Start(ImportStart { import_key: "a-key".to_owned() })));
        let service = self.clone();
        let answers = futures::stream::unfold((rows, 0), move |(mut rows, row)| {
            let service = service.clone();
            async move {
                if service.break_after == Some(row) {
                    return Some((Err(Status::unavailable("breaking")), (rows, row + 1)));
                }
                let Some(Part::Row(request)) = rows.message().await.ok()??.part else { return None };
                Some((Ok(service.answer(row, request).await), (rows, row + 1)))
            }
        });
        Ok(Response::new(answers.boxed()))
    }

    not_here! {
        register_customer(RegisterCustomerRequest) -> RegisterCustomerResponse;
        add_identity(AddIdentityRequest) -> AddIdentityResponse;
        identify_customer(IdentifyCustomerRequest) -> IdentifyCustomerResponse;
        log_interaction(LogInteractionRequest) -> LogInteractionResponse;
        reclassify_case(ReclassifyCaseRequest) -> ReclassifyCaseResponse;
        resolve_case(ResolveCaseRequest) -> ResolveCaseResponse;
        confirm_resolution(ConfirmResolutionRequest) -> ConfirmResolutionResponse;
        reject_resolution(RejectResolutionRequest) -> RejectResolutionResponse;
        reopen_case(ReopenCaseRequest) -> ReopenCaseResponse;
        make_promise(MakePromiseRequest) -> MakePromiseResponse;
        keep_promise(KeepPromiseRequest) -> KeepPromiseResponse;
        renegotiate_promise(RenegotiatePromiseRequest) -> RenegotiatePromiseResponse;
        get_timeline(GetTimelineRequest) -> GetTimelineResponse;
        get_caller_brief(GetCallerBriefRequest) -> GetCallerBriefResponse;
        get_case(GetCaseRequest) -> GetCaseResponse;
        list_open_cases(ListOpenCasesRequest) -> ListOpenCasesResponse;
        forget_customer(ForgetCustomerRequest) -> ForgetCustomerResponse;
        confirm_forgetting(ConfirmForgettingRequest) -> ConfirmForgettingResponse;
        decline_forgetting(DeclineForgettingRequest) -> DeclineForgettingResponse;
        place_legal_hold(PlaceLegalHoldRequest) -> PlaceLegalHoldResponse;
        lift_legal_hold(LiftLegalHoldRequest) -> LiftLegalHoldResponse;
        get_forgetting(GetForgettingRequest) -> GetForgettingResponse;
    }
}

fn target(endpoint: String) -> Target {
    let bearer = Bearer::new("of-the-tester", seva_api::access::Purpose::Service).unwrap();
    Target { endpoints: [("intake".to_owned(), endpoint)].into(), ca: None, bearer }
}

async fn served(service: Forgetful) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = tonic::transport::Server::builder().add_service(IntakeServiceServer::new(service));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    target(endpoint)
}

fn rows(count: usize) -> Arc<[Ready]> {
    let row = |number: usize| {
        let request_id = if number % 100 == 99 { format!("bad{number}") } else { number.to_string() };
        let request = LogInteractionRequest { request_id, ..LogInteractionRequest::default() };
        Ready {
            line: number as u64 + 2,
            occurred_at: Timestamp::UNIX_EPOCH,
            call: Call::LogInteraction(request),
        }
    };
    (0..count).map(row).collect()
}

async fn sent(target: &Target, count: usize) -> (anyhow::Result<()>, Answers) {
    let mut answers = Answers::default();
    let outcome =
        tokio::time::timeout(Duration::from_secs(60), send(target, "a-key", rows(count), &mut answers))
            .await
            .unwrap();
    (outcome, answers)
}

#[tokio::test]
async fn every_row_has_its_answer_and_again_adds_nothing() {
    let target = served(Forgetful::default()).await;
    let (outcome, answers) = sent(&target, 2_000).await;
    outcome.unwrap();
    assert_eq!((answers.answered, answers.recorded, answers.already_there), (2_000, 1_980, 0));
    assert_eq!(answers.rejects.len(), 20);
    let first = &answers.rejects[0];
    assert_eq!(
        (first.line, first.reason.name(), first.field.as_deref()),
        (101, "INVALID_ARGUMENT", Some("text"))
    );
    assert_eq!(answers.position.as_deref(), Some("p1998"));

    let (outcome, answers) = sent(&target, 2_000).await;
    outcome.unwrap();
    assert_eq!((answers.recorded, answers.already_there, answers.rejects.len()), (0, 1_980, 20));
}

#[tokio::test]
async fn a_stream_that_breaks_is_taken_up_at_the_first_row_without_an_answer() {
    let target = served(Forgetful { break_after: Some(700), ..Forgetful::default() }).await;
    let (outcome, answers) = sent(&target, 2_000).await;
    outcome.unwrap();
    assert_eq!((answers.answered, answers.recorded, answers.rejects.len()), (2_000, 1_980, 20));
}

#[tokio::test]
async fn no_rows_are_an_import_all_the_same() {
    let (outcome, answers) = sent(&served(Forgetful::default()).await, 0).await;
    outcome.unwrap();
    assert_eq!(answers.answered, 0);
}

#[tokio::test]
async fn what_cannot_get_better_fails_at_once_and_says_why() {
    let (outcome, _) =
        sent(&served(Forgetful { refuse_streams: true, ..Forgetful::default() }).await, 3).await;
    assert_eq!(failure::exit_of(&outcome.unwrap_err()), Exit::Denied);
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nobody = target(format!("http://{free}"));
    let (outcome, _) = sent(&nobody, 3).await;
    let error = outcome.unwrap_err();
    assert!(error.to_string().contains("nothing answers at"));
    assert_eq!(failure::exit_of(&error), Exit::Unavailable);
}
