//! The requests that rows become. Ids that services gave are filled in when a request is sent: until then it has the file's names.

use seva_api::pb::escalation::v1::{
    AcceptEscalationRequest, RaiseEscalationRequest, ResolveEscalationRequest,
};
use seva_api::pb::intake::v1::{
    ConfirmResolutionRequest, LogInteractionRequest, RegisterCustomerRequest, ResolveCaseRequest,
};
use seva_api::pb::refunds::v1::{LineKind, RecordRefundRequest, RefundLine, RegisterChargeRequest};
use seva_domain::values::Language;

use super::map::{self, Rpc};
use super::reject::{Reason, Reject};
use super::row::{Given, NAME_CHARS_MAX};

/// The most characters of an interaction's text.
const TEXT_CHARS_MAX: usize = 20_000;
/// The most characters of what staff note.
const NOTE_CHARS_MAX: usize = 2_000;
/// The most characters of a payment's reference.
const REFERENCE_CHARS_MAX: usize = 64;

/// A request, and the names in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Call {
    AcceptEscalation { thread: String, request: AcceptEscalationRequest },
    ConfirmResolution { thread: String, request: ConfirmResolutionRequest },
    LogInteraction(LogInteractionRequest),
    RaiseEscalation { thread: String, request: RaiseEscalationRequest },
    RecordRefund { reference: String, request: RecordRefundRequest },
    RegisterCharge { customer: String, request: RegisterChargeRequest },
    RegisterCustomer { customer: String, request: RegisterCustomerRequest },
    ResolveCase { thread: String, request: ResolveCaseRequest },
    ResolveEscalation { thread: String, request: ResolveEscalationRequest },
}

/// Something that calls are about: those about one are sent one after the other.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum About {
    /// The case of a thread.
    Case(String),
    /// The charge of a reference.
    Charge(String),
    Customer(String),
    /// The escalation of the case of a thread.
    Escalation(String),
}

impl Call {
    /// Makes a row's request.
    pub(crate) fn new(rpc: Rpc, given: &Given) -> Result<Call, Reject> {
        let (request_id, case_id) = (given.key(), String::new());
        let thread = || given.needed("thread", NAME_CHARS_MAX);
        let note = || given.needed("text", NOTE_CHARS_MAX);
        Ok(match rpc {
            Rpc::AcceptEscalation => Call::AcceptEscalation {
                thread: thread()?,
                request: AcceptEscalationRequest { request_id, case_id, expected_rev: None },
            },
            Rpc::ConfirmResolution => Call::ConfirmResolution {
                thread: thread()?,
                request: ConfirmResolutionRequest { request_id, case_id, expected_rev: None },
            },
            Rpc::LogInteraction => Call::LogInteraction(interaction(given)?),
            Rpc::RaiseEscalation => Call::RaiseEscalation {
                thread: thread()?,
                request: RaiseEscalationRequest {
                    request_id,
                    case_id,
                    by: given.named("by", map::raised_by)?.into(),
                    reason: note()?,
                    rung: given.text("rung", NAME_CHARS_MAX)?,
                    occurred_at: given.at(),
                    expected_rev: None,
                },
            },
            Rpc::RecordRefund => recorded_refund(given)?,
            Rpc::RegisterCharge => registered_charge(given)?,
            Rpc::RegisterCustomer => Call::RegisterCustomer {
                customer: given.needed("customer", NAME_CHARS_MAX)?,
                request: RegisterCustomerRequest {
                    request_id,
                    identities: given.identities()?,
                    name: given.text("name", NAME_CHARS_MAX)?,
                },
            },
            Rpc::ResolveCase => Call::ResolveCase {
                thread: thread()?,
                request: ResolveCaseRequest { request_id, case_id, resolution: note()?, expected_rev: None },
            },
            Rpc::ResolveEscalation => Call::ResolveEscalation {
                thread: thread()?,
                request: ResolveEscalationRequest {
                    request_id,
                    case_id,
                    resolution: note()?,
                    expected_rev: None,
                },
            },
        })
    }

    /// Which RPC it is.
    pub(crate) fn rpc(&self) -> Rpc {
        match self {
            Call::AcceptEscalation { .. } => Rpc::AcceptEscalation,
            Call::ConfirmResolution { .. } => Rpc::ConfirmResolution,
            Call::LogInteraction(_) => Rpc::LogInteraction,
            Call::RaiseEscalation { .. } => Rpc::RaiseEscalation,
            Call::RecordRefund { .. } => Rpc::RecordRefund,
            Call::RegisterCharge { .. } => Rpc::RegisterCharge,
            Call::RegisterCustomer { .. } => Rpc::RegisterCustomer,
            Call::ResolveCase { .. } => Rpc::ResolveCase,
            Call::ResolveEscalation { .. } => Rpc::ResolveEscalation,
        }
    }

    /// What it is about; `None` for an interaction that nothing else of the import speaks of.
    pub(crate) fn about(&self) -> Option<About> {
        Some(match self {
            Call::LogInteraction(request) if request.thread.is_empty() => return None,
            Call::LogInteraction(request) => About::Case(request.thread.clone()),
            Call::ConfirmResolution { thread, .. } | Call::ResolveCase { thread, .. } => {
                About::Case(thread.clone())
            }
            Call::AcceptEscalation { thread, .. }
            | Call::RaiseEscalation { thread, .. }
            | Call::ResolveEscalation { thread, .. } => About::Escalation(thread.clone()),
            Call::RecordRefund { reference, .. } => About::Charge(reference.clone()),
            Call::RegisterCharge { request, .. } => About::Charge(request.reference.clone()),
            Call::RegisterCustomer { customer, .. } => About::Customer(customer.clone()),
        })
    }

    /// What else it bears on: what was sent of that before must be answered first.
    pub(crate) fn names(&self) -> Option<About> {
        match self {
            Call::AcceptEscalation { thread, .. }
            | Call::RaiseEscalation { thread, .. }
            | Call::ResolveEscalation { thread, .. } => Some(About::Case(thread.clone())),
            Call::RegisterCharge { customer, .. } => {
                (!customer.is_empty()).then(|| About::Customer(customer.clone()))
            }
            // With a case's time its silence may close it, which ends its escalation: what happened to that before should find it.
            Call::ConfirmResolution { thread, .. } | Call::ResolveCase { thread, .. } => {
                Some(About::Escalation(thread.clone()))
            }
            Call::LogInteraction(request) => {
                (!request.thread.is_empty()).then(|| About::Escalation(request.thread.clone()))
            }
            Call::RecordRefund { .. } | Call::RegisterCustomer { .. } => None,
        }
    }

    /// The service that it goes to.
    pub(crate) fn service(&self) -> &'static str {
        match self.rpc() {
            Rpc::AcceptEscalation | Rpc::RaiseEscalation | Rpc::ResolveEscalation => "escalation",
            Rpc::ConfirmResolution | Rpc::LogInteraction | Rpc::RegisterCustomer | Rpc::ResolveCase => {
                "intake"
            }
            Rpc::RecordRefund | Rpc::RegisterCharge => "refunds",
        }
    }
}

fn interaction(given: &Given) -> Result<LogInteractionRequest, Reject> {
    let identities = given.identities()?;
    let language = given.text("language", NAME_CHARS_MAX)?;
    if !language.is_empty() && Language::parse(&language).is_none() {
        return Err(given.reject(Reason::UnknownValue, "language", "is not a BCP 47 tag"));
    }
    let text = given.needed("text", TEXT_CHARS_MAX)?;
    Ok(LogInteractionRequest {
        request_id: given.key(),
        customer_id: String::new(),
        identities,
        name: given.text("name", NAME_CHARS_MAX)?,
        channel: given.named("channel", map::channel)?.into(),
        direction: given.named("direction", map::direction)?.into(),
        language,
        text,
        kind: given.named("kind", map::kind)?.into(),
        thread: given.text("thread", NAME_CHARS_MAX)?,
        case_id: String::new(),
        occurred_at: given.at(),
    })
}

fn registered_charge(given: &Given) -> Result<Call, Reject> {
    Ok(Call::RegisterCharge {
        customer: given.text("customer", NAME_CHARS_MAX)?,
        request: RegisterChargeRequest {
            request_id: given.key(),
            reference: given.needed("reference", REFERENCE_CHARS_MAX)?,
            order: given.text("order", REFERENCE_CHARS_MAX)?,
            customer_id: String::new(),
            case_id: String::new(),
            method: given.named("method", map::method)?.into(),
            captured: Some(given.amount()?),
            captured_at: given.at(),
        },
    })
}

fn recorded_refund(given: &Given) -> Result<Call, Reject> {
    let amount = given.amount()?;
    let line = RefundLine {
        kind: LineKind::Principal.into(),
        amount_minor: amount.amount_minor,
        evidence: String::new(),
    };
    Ok(Call::RecordRefund {
        reference: given.needed("reference", REFERENCE_CHARS_MAX)?,
        request: RecordRefundRequest {
            request_id: given.key(),
            charge_id: String::new(),
            currency: amount.currency,
            lines: vec![line],
            payout: given.needed("payout", REFERENCE_CHARS_MAX)?,
            paid_at: given.at(),
            expected_rev: None,
        },
    })
}
