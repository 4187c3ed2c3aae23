//! Feedback over gRPC: requests to drafts, records to answers.

use seva_domain::noun::{Event, Noun};
use seva_domain::plan::Intent;
use seva_domain::suggestion::{self, Captured};
use seva_domain::values::{At, CaseId, CustomerId, Department, KeyId, Language, SuggestionId};

use crate::edge::{Draft, Pen, Whose, Written};
use crate::intake::{NOTE_CHARS_MAX, TEXT_CHARS_MAX, language};
use crate::parse::Fields;
use crate::pb::feedback::v1 as pb;
use crate::status::Error;

/// A suggestion to be captured; whose it is was checked.
pub struct Capture {
    text: String,
    language: Option<Language>,
    pub customer: Option<CustomerId>,
    pub case: Option<CaseId>,
    occurred_at: Option<At>,
    key: Option<KeyId>,
}

impl Capture {
    /// Checks a request.
    pub fn parse(request: &pb::CaptureSuggestionRequest, now: At) -> Result<Capture, Error> {
        let pb::CaptureSuggestionRequest {
            request_id,
            text,
            language: tag,
            customer_id,
            case_id,
            occurred_at,
        } = request;
        let mut fields = Fields::default();
        fields.request_id("request_id", request_id);
        let text = fields.text("text", text, 1..=TEXT_CHARS_MAX);
        let language = language(&mut fields, tag);
        let customer = fields.id_if_given("customer_id", customer_id);
        let case = fields.id_if_given("case_id", case_id);
        let occurred_at = match occurred_at {
            Some(at) => fields.at("occurred_at", at, now).map(Some),
            None => Some(None),
        };
        fields.finish(|| {
            Some(Capture {
                text: text?,
                language: language?,
                customer: customer?,
                case: case?,
                occurred_at: occurred_at?,
                key: None,
            })
        })
    }

    /// With the key of whoever it is of.
    pub fn under(self, key: Option<KeyId>) -> Capture {
        Capture { key, ..self }
    }
}

impl Draft for Capture {
    fn whose(&self) -> Whose {
        self.key.map_or(Whose::Nobody, Whose::Key)
    }

    fn occurred_at(&self) -> Option<At> {
        self.occurred_at
    }

    async fn intent(&self, pen: &Pen<'_>) -> Result<Intent, Error> {
        Ok(Intent::CaptureSuggestion(Captured {
            text: pen.seal("text", &self.text).await?,
            classification: pen.classify(&self.text, self.language.as_ref())?,
            customer: self.customer,
            case: self.case,
            interaction: None,
        }))
    }
}

/// What a captured suggestion is answered with.
pub fn captured(written: &Written) -> Result<pb::CaptureSuggestionResponse, Error> {
    for record in &written.records {
        let Noun::Suggestion(suggestion) = record.noun else { continue };
        let mut department = Department::triage();
        for entry in &record.events {
            if let Event::Suggestion(suggestion::Event::Routed(routed)) = &entry.event {
                department = routed.department.clone();
            }
        }
        return Ok(pb::CaptureSuggestionResponse {
            suggestion_id: suggestion.to_string(),
            department: department.as_str().to_owned(),
            position: written.position.clone(),
        });
    }
    Err(Error::Internal("a suggestion was captured without a record".into()))
}

/// A change of a suggestion.
pub struct SuggestionChange {
    suggestion: SuggestionId,
    expected_rev: Option<u64>,
    what: What,
}

enum What {
    Acknowledge,
    Reroute { to: Department, reason: String },
    Adopt { plan: String },
    Decline { reason: String },
    Report { to: suggestion::Audience, message: String },
}

impl SuggestionChange {
    /// Checks a request to acknowledge.
    pub fn acknowledge(request: &pb::AcknowledgeSuggestionRequest) -> Result<SuggestionChange, Error> {
        let pb::AcknowledgeSuggestionRequest { request_id, suggestion_id, expected_rev } = request;
        let (fields, suggestion) = begin(request_id, suggestion_id);
        let expected_rev = *expected_rev;
        fields.finish(|| {
            Some(SuggestionChange { suggestion: suggestion?, expected_rev, what: What::Acknowledge })
        })
    }

    /// Checks a request to reroute.
    pub fn reroute(request: &pb::RerouteSuggestionRequest) -> Result<SuggestionChange, Error> {
        let pb::RerouteSuggestionRequest { request_id, suggestion_id, department, reason, expected_rev } =
            request;
        let (mut fields, suggestion) = begin(request_id, suggestion_id);
        let to = Department::parse(department).ok_or("is not a department: 1 to 32 of a-z, 0-9 and `_`");
        let to = fields.take("department", to);
        let reason = fields.text("reason", reason, 1..=NOTE_CHARS_MAX);
        let expected_rev = *expected_rev;
        fields.finish(|| {
            let what = What::Reroute { to: to?, reason: reason? };
            Some(SuggestionChange { suggestion: suggestion?, expected_rev, what })
        })
    }

    /// Checks a request to adopt.
    pub fn adopt(request: &pb::AdoptSuggestionRequest) -> Result<SuggestionChange, Error> {
        let pb::AdoptSuggestionRequest { request_id, suggestion_id, plan, expected_rev } = request;
        let (mut fields, suggestion) = begin(request_id, suggestion_id);
        let plan = fields.text("plan", plan, 1..=NOTE_CHARS_MAX);
        let expected_rev = *expected_rev;
        fields.finish(|| {
            Some(SuggestionChange {
                suggestion: suggestion?,
                expected_rev,
                what: What::Adopt { plan: plan? },
            })
        })
    }

    /// Checks a request to decline.
    pub fn decline(request: &pb::DeclineSuggestionRequest) -> Result<SuggestionChange, Error> {
        let pb::DeclineSuggestionRequest { request_id, suggestion_id, reason, expected_rev } = request;
        let (mut fields, suggestion) = begin(request_id, suggestion_id);
        let reason = fields.text("reason", reason, 1..=NOTE_CHARS_MAX);
        let expected_rev = *expected_rev;
        fields.finish(|| {
            let what = What::Decline { reason: reason? };
            Some(SuggestionChange { suggestion: suggestion?, expected_rev, what })
        })
    }

    /// Checks a request to report an outcome.
    pub fn report(request: &pb::ReportOutcomeRequest) -> Result<SuggestionChange, Error> {
        let pb::ReportOutcomeRequest { request_id, suggestion_id, audience, message, expected_rev } = request;
        let (mut fields, suggestion) = begin(request_id, suggestion_id);
        let to = fields.known("audience", *audience).and_then(self::audience);
        let message = fields.text("message", message, 1..=NOTE_CHARS_MAX);
        let expected_rev = *expected_rev;
        fields.finish(|| {
            let what = What::Report { to: to?, message: message? };
            Some(SuggestionChange { suggestion: suggestion?, expected_rev, what })
        })
    }
}

fn begin(request_id: &str, suggestion_id: &str) -> (Fields, Option<SuggestionId>) {
    let mut fields = Fields::default();
    fields.request_id("request_id", request_id);
    let suggestion = fields.id("suggestion_id", suggestion_id);
    (fields, suggestion)
}

impl Draft for SuggestionChange {
    fn whose(&self) -> Whose {
        match &self.what {
            What::Acknowledge => Whose::NoTexts,
            What::Reroute { .. } | What::Adopt { .. } | What::Decline { .. } | What::Report { .. } => {
                Whose::Suggestion(self.suggestion)
            }
        }
    }

    async fn intent(&self, pen: &Pen<'_>) -> Result<Intent, Error> {
        let command = match &self.what {
            What::Acknowledge => suggestion::Command::Acknowledge,
            What::Reroute { to, reason } => {
                suggestion::Command::Reroute { to: to.clone(), reason: pen.seal("reason", reason).await? }
            }
            What::Adopt { plan } => suggestion::Command::Adopt { plan: pen.seal("plan", plan).await? },
            What::Decline { reason } => {
                suggestion::Command::Decline { reason: pen.seal("reason", reason).await? }
            }
            What::Report { to, message } => {
                suggestion::Command::ReportOutcome { to: *to, message: pen.seal("message", message).await? }
            }
        };
        Ok(Intent::Suggestion { suggestion: self.suggestion, command, expected_rev: self.expected_rev })
    }
}

fn audience(audience: pb::Audience) -> Option<suggestion::Audience> {
    match audience {
        pb::Audience::Unspecified => None,
        pb::Audience::Customer => Some(suggestion::Audience::Customer),
        pb::Audience::Representative => Some(suggestion::Audience::Representative),
    }
}

/// The audience as a message holds it.
pub fn audience_of(audience: suggestion::Audience) -> pb::Audience {
    match audience {
        suggestion::Audience::Customer => pb::Audience::Customer,
        suggestion::Audience::Representative => pb::Audience::Representative,
    }
}
