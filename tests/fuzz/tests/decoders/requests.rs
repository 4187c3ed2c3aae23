//! Requests of every write, from their bytes to what the writer would be handed.

use std::fmt::Debug;
use std::sync::LazyLock;

use prost::Message;
use prost_reflect::DescriptorPool;
use seva_api::pb::escalation::v1 as escalation;
use seva_api::pb::feedback::v1 as feedback;
use seva_api::pb::intake::v1 as intake;
use seva_api::pb::policy::v1 as policy;
use seva_api::pb::refunds::v1 as refunds;
use seva_api::status::Error;
use seva_api::{
    escalation as escalations, feedback as suggestions, forgetting as forgettings, intake as contacts,
    policy as policies, refunds as charges,
};
use seva_domain::values::At;
use seva_fuzz::{Known, Maker};
use seva_support::{Edit, edited};

const NOW: At = At(1_700_000_000_000_000);

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(seva_api::pb::DESCRIPTORS).unwrap());

/// One way from a message's type to what becomes of its bytes.
type Target = (&'static str, fn(&[u8]));

fn read<M: Debug + Default + Message + PartialEq, T>(bytes: &[u8], parse: impl Fn(&M) -> Result<T, Error>) {
    let Ok(message) = M::decode(bytes) else { return };
    assert_eq!(M::decode(message.encode_to_vec().as_slice()).as_ref(), Ok(&message), "written and read back");
    match parse(&message) {
        Ok(_) => {}
        Err(Error::Malformed(violations)) => assert!(!violations.is_empty()),
        Err(other) => panic!("a request is malformed or not: {other:?}"),
    }
}

const TARGETS: &[Target] = &[
    ("seva.intake.v1.RegisterCustomerRequest", |bytes| read(bytes, contacts::Registration::parse)),
    ("seva.intake.v1.AddIdentityRequest", |bytes| read(bytes, contacts::Addition::parse)),
    ("seva.intake.v1.LogInteractionRequest", |bytes| {
        read(bytes, |request: &intake::LogInteractionRequest| contacts::Logging::parse(request, NOW));
        read(bytes, |request: &intake::LogInteractionRequest| contacts::Logging::parse_row(request, NOW));
    }),
    ("seva.intake.v1.MakePromiseRequest", |bytes| read(bytes, contacts::CaseChange::promise)),
    ("seva.intake.v1.KeepPromiseRequest", |bytes| read(bytes, contacts::CaseChange::keep_promise)),
    ("seva.intake.v1.RenegotiatePromiseRequest", |bytes| {
        read(bytes, contacts::CaseChange::renegotiate_promise)
    }),
    ("seva.intake.v1.ReclassifyCaseRequest", |bytes| read(bytes, contacts::CaseChange::reclassify)),
    ("seva.intake.v1.ResolveCaseRequest", |bytes| read(bytes, contacts::CaseChange::resolve)),
    ("seva.intake.v1.ConfirmResolutionRequest", |bytes| read(bytes, contacts::CaseChange::confirm)),
    ("seva.intake.v1.RejectResolutionRequest", |bytes| read(bytes, contacts::CaseChange::reject)),
    ("seva.intake.v1.ReopenCaseRequest", |bytes| read(bytes, contacts::CaseChange::reopen)),
    ("seva.intake.v1.ForgetCustomerRequest", |bytes| read(bytes, forgettings::Saying::ask)),
    ("seva.intake.v1.ConfirmForgettingRequest", |bytes| read(bytes, forgettings::Saying::confirm)),
    ("seva.intake.v1.DeclineForgettingRequest", |bytes| read(bytes, forgettings::Saying::decline)),
    ("seva.intake.v1.PlaceLegalHoldRequest", |bytes| read(bytes, forgettings::Saying::hold)),
    ("seva.intake.v1.LiftLegalHoldRequest", |bytes| read(bytes, forgettings::Saying::lift)),
    ("seva.intake.v1.ImportStart", |bytes| read(bytes, contacts::import_key)),
    ("seva.refunds.v1.RegisterChargeRequest", |bytes| {
        read(bytes, |request: &refunds::RegisterChargeRequest| charges::Registration::parse(request, NOW));
    }),
    ("seva.refunds.v1.RequestRefundRequest", |bytes| read(bytes, charges::ChargeChange::request)),
    ("seva.refunds.v1.ApproveRefundRequest", |bytes| read(bytes, charges::ChargeChange::approve)),
    ("seva.refunds.v1.DeclineRefundRequest", |bytes| read(bytes, charges::ChargeChange::decline)),
    ("seva.refunds.v1.RecordRefundRequest", |bytes| {
        read(bytes, |request: &refunds::RecordRefundRequest| charges::ChargeChange::record(request, NOW));
    }),
    ("seva.escalation.v1.RaiseEscalationRequest", |bytes| {
        read(bytes, |request: &escalation::RaiseEscalationRequest| escalations::Raising::parse(request, NOW));
    }),
    ("seva.escalation.v1.AcceptEscalationRequest", |bytes| read(bytes, escalations::Answering::accept)),
    ("seva.escalation.v1.DeclineEscalationRequest", |bytes| read(bytes, escalations::Answering::decline)),
    ("seva.escalation.v1.ResolveEscalationRequest", |bytes| read(bytes, escalations::Answering::resolve)),
    ("seva.feedback.v1.CaptureSuggestionRequest", |bytes| {
        read(bytes, |request: &feedback::CaptureSuggestionRequest| suggestions::Capture::parse(request, NOW));
    }),
    ("seva.feedback.v1.AcknowledgeSuggestionRequest", |bytes| {
        read(bytes, suggestions::SuggestionChange::acknowledge)
    }),
    ("seva.feedback.v1.RerouteSuggestionRequest", |bytes| {
        read(bytes, suggestions::SuggestionChange::reroute)
    }),
    ("seva.feedback.v1.AdoptSuggestionRequest", |bytes| read(bytes, suggestions::SuggestionChange::adopt)),
    ("seva.feedback.v1.DeclineSuggestionRequest", |bytes| {
        read(bytes, suggestions::SuggestionChange::decline)
    }),
    ("seva.feedback.v1.ReportOutcomeRequest", |bytes| read(bytes, suggestions::SuggestionChange::report)),
    ("seva.policy.v1.PublishPolicyRequest", |bytes| read(bytes, policies::Publication::parse)),
    ("seva.policy.v1.CheckPolicyRequest", |bytes| {
        read(bytes, |request: &policy::CheckPolicyRequest| Ok(policies::check(&request.document)));
    }),
];

#[test]
fn a_request_of_its_type_or_nearly_is_taken_or_refused_with_its_fields() {
    let known = Known::default();
    bolero::check!().with_type::<(u8, u64, Vec<Edit>)>().for_each(|(target, seed, edits)| {
        let (name, read) = TARGETS[usize::from(*target) % TARGETS.len()];
        let message = Maker::new(*seed, &known).message(&POOL.get_message_by_name(name).unwrap());
        let bytes = message.encode_to_vec();
        read(&bytes);
        read(&edited(&bytes, edits));
    });
}

#[test]
fn what_is_no_request_is_refused() {
    bolero::check!().for_each(|bytes: &[u8]| TARGETS.iter().for_each(|(_, read)| read(bytes)));
}

#[test]
fn every_write_is_among_them() {
    let takes = |name: &str| TARGETS.iter().any(|(target, _)| *target == name);
    let with_request_id = POOL.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    let writes = with_request_id.filter(|method| method.input().get_field_by_name("request_id").is_some());
    let missing: Vec<String> =
        writes.map(|method| method.input().full_name().to_owned()).filter(|name| !takes(name)).collect();
    assert_eq!(missing, Vec::<String>::new());
}
