//! Requests that go one by one: each marked as part of the import, and asked again while its service cannot tell.

use std::time::Duration;

use anyhow::Context as _;
use seva_api::brought::{IMPORT_KEY, OCCURRED_AT_KEY};
use seva_api::pb::escalation::v1::escalation_service_client::EscalationServiceClient;
use seva_api::pb::escalation::v1::{
    AcceptEscalationRequest, RaiseEscalationRequest, ResolveEscalationRequest,
};
use seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient;
use seva_api::pb::intake::v1::{
    ConfirmResolutionRequest, IdentifyCustomerRequest, RegisterCustomerRequest, ResolveCaseRequest,
};
use seva_api::pb::refunds::v1::refunds_service_client::RefundsServiceClient;
use seva_api::pb::refunds::v1::{RecordRefundRequest, RegisterChargeRequest};
use seva_api::replayed::{REPLAYED, UNCHANGED};
use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

use super::answers::{Left, Taken};
use super::call::{About, Call};
use super::reject::{Reason, Reject};
use super::row::Ready;
use crate::connect::Bearer;

/// How long one answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// How often a request is asked before that counts as a fault.
const ATTEMPTS_MAX: u32 = 8;
/// How long before it is asked again; doubles.
const AGAIN_AFTER: Duration = Duration::from_millis(25);

/// The services of one run, as one caller and one import.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) intake: IntakeServiceClient<Channel>,
    pub(crate) escalation: EscalationServiceClient<Channel>,
    pub(crate) refunds: RefundsServiceClient<Channel>,
    pub(crate) bearer: Bearer,
    pub(crate) import: AsciiMetadataValue,
}

/// What came of a request.
pub(crate) enum Came {
    Taken(Taken),
    Refused(Reject),
    /// It may do better later, if the status says so.
    Failed(Status),
}

impl Services {
    /// Asks until there is an answer. `id` is what the row's name stands for.
    pub(crate) async fn ask(mut self, row: &Ready, id: &str) -> Came {
        let mut attempt = 1;
        loop {
            let status = match self.once(row, id).await {
                Ok(taken) => return Came::Taken(taken),
                Err(status) => status,
            };
            if reason(&status) == "IDENTITY_TAKEN"
                && let Call::RegisterCustomer { customer, request } = &row.call
            {
                match self.known(customer, request).await {
                    Ok(Some(taken)) => return Came::Taken(taken),
                    Ok(None) => {}
                    Err(status) => return Came::Failed(status),
                }
            }
            if attempt >= ATTEMPTS_MAX || !may_pass(&status) {
                return if is_refusal(&status) {
                    Came::Refused(refused(row, &status))
                } else {
                    Came::Failed(status)
                };
            }
            tokio::time::sleep(AGAIN_AFTER * 2u32.pow(attempt)).await;
            attempt += 1;
        }
    }

    async fn once(&mut self, row: &Ready, id: &str) -> Result<Taken, Status> {
        let case_id = id.to_owned();
        match row.call.clone() {
            Call::AcceptEscalation { request, .. } => {
                let request = self.asked(row, AcceptEscalationRequest { case_id, ..request });
                let answer = self.escalation.accept_escalation(request).await?;
                Ok(taken(answer, |answer| (answer.position, None)))
            }
            Call::ConfirmResolution { request, .. } => {
                let request = self.asked(row, ConfirmResolutionRequest { case_id, ..request });
                let answer = self.intake.confirm_resolution(request).await?;
                Ok(taken(answer, |answer| (answer.position, None)))
            }
            // The stream takes interactions in order; one alone would be answered the same.
            Call::LogInteraction(request) => {
                let request = self.asked(row, request);
                let answer = self.intake.log_interaction(request).await?;
                let about = row.call.about();
                Ok(taken(answer, |answer| (answer.position, about.map(|about| (about, answer.case_id)))))
            }
            Call::RaiseEscalation { request, .. } => {
                let request = self.asked(row, RaiseEscalationRequest { case_id, ..request });
                let answer = self.escalation.raise_escalation(request).await?;
                Ok(taken(answer, |answer| (answer.position, None)))
            }
            Call::RecordRefund { request, .. } => {
                let request = self.asked(row, RecordRefundRequest { charge_id: id.to_owned(), ..request });
                let answer = self.refunds.record_refund(request).await?;
                Ok(taken(answer, |answer| (answer.position, None)))
            }
            Call::RegisterCharge { request, .. } => {
                let about = About::Charge(request.reference.clone());
                let request =
                    self.asked(row, RegisterChargeRequest { customer_id: id.to_owned(), ..request });
                let answer = self.refunds.register_charge(request).await?;
                Ok(taken(answer, |answer| (answer.position, Some((about, answer.charge_id)))))
            }
            Call::RegisterCustomer { customer, request } => {
                let request = self.asked(row, request);
                let answer = self.intake.register_customer(request).await?;
                let about = About::Customer(customer);
                Ok(taken(answer, |answer| (answer.position, Some((about, answer.customer_id)))))
            }
            Call::ResolveCase { request, .. } => {
                let request = self.asked(row, ResolveCaseRequest { case_id, ..request });
                let answer = self.intake.resolve_case(request).await?;
                Ok(taken(answer, |answer| (answer.position, None)))
            }
            Call::ResolveEscalation { request, .. } => {
                let request = self.asked(row, ResolveEscalationRequest { case_id, ..request });
                let answer = self.escalation.resolve_escalation(request).await?;
                Ok(taken(answer, |answer| (answer.position, None)))
            }
        }
    }

    /// Who has the identities that a customer was to be registered with, if the service can tell.
    async fn known(
        &mut self,
        customer: &str,
        request: &RegisterCustomerRequest,
    ) -> Result<Option<Taken>, Status> {
        let who = IdentifyCustomerRequest { identities: request.identities.clone(), read: None };
        let mut who = Request::new(who);
        self.bearer.stamp(who.metadata_mut());
        let answer = self.intake.identify_customer(who).await?.into_inner();
        let id = (About::Customer(customer.to_owned()), answer.customer_id);
        let position = String::new();
        Ok((!id.1.is_empty()).then_some(Taken { left: Left::Nothing, position, id: Some(id) }))
    }

    /// The request with its caller, its import, and when it happened.
    fn asked<T>(&self, row: &Ready, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(ANSWER_WITHIN);
        let metadata: &mut MetadataMap = request.metadata_mut();
        self.bearer.stamp(metadata);
        metadata.insert(IMPORT_KEY, self.import.clone());
        // An instant is written in ASCII.
        if let Ok(at) = AsciiMetadataValue::try_from(row.occurred_at.to_string()) {
            metadata.insert(OCCURRED_AT_KEY, at);
        }
        request
    }
}

fn taken<T>(answer: Response<T>, read: impl FnOnce(T) -> (String, Option<(About, String)>)) -> Taken {
    let says = |name| answer.metadata().contains_key(name);
    let left = match (says(REPLAYED), says(UNCHANGED)) {
        (true, _) => Left::RecordBefore,
        (false, true) => Left::Nothing,
        (false, false) => Left::Record,
    };
    let (position, id) = read(answer.into_inner());
    Taken { left, position, id }
}

/// Whether the same request may do better in a moment. What an answer named is there, only not yet everywhere: so it may be found then.
fn may_pass(status: &Status) -> bool {
    match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::ResourceExhausted
        | Code::Unavailable
        | Code::Unknown => true,
        Code::FailedPrecondition => reason(status) == "IDENTITY_TAKEN",
        Code::Ok
        | Code::Aborted
        | Code::AlreadyExists
        | Code::DataLoss
        | Code::Internal
        | Code::InvalidArgument
        | Code::OutOfRange
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::Unimplemented => false,
    }
}

/// Whether a service says no to this row, rather than to the caller or for now.
fn is_refusal(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Aborted
            | Code::AlreadyExists
            | Code::FailedPrecondition
            | Code::InvalidArgument
            | Code::NotFound
            | Code::OutOfRange
    )
}

fn reason(status: &Status) -> String {
    let info = status.get_details_error_info();
    info.map_or_else(|| crate::failure::code_name(status.code()).to_owned(), |info| info.reason)
}

fn refused(row: &Ready, status: &Status) -> Reject {
    let bad = status.get_details_bad_request();
    let field = bad.and_then(|bad| bad.field_violations.into_iter().next()).map(|first| first.field);
    Reject::new(row.line, Reason::Refused(reason(status)), field, status.message())
}

/// A value of a request's metadata.
pub(crate) fn metadata(value: &str) -> anyhow::Result<AsciiMetadataValue> {
    AsciiMetadataValue::try_from(value).with_context(|| format!("`{value}` cannot be sent"))
}
