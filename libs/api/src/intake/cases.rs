//! Changes of a case: its kind, how it ends, what is promised in it.

use seva_domain::case::{self, Infeasible};
use seva_domain::noun::Event;
use seva_domain::plan::Intent;
use seva_domain::values::{At, CaseId, Kind, PromiseId, PromiseKind};

use super::{NOTE_CHARS_MAX, words};
use crate::edge::{Draft, Pen, Whose, Written};
use crate::parse::{Fields, timestamp};
use crate::pb::intake::v1 as pb;
use crate::status::Error;

/// A change of a case.
pub struct CaseChange {
    case: CaseId,
    expected_rev: Option<u64>,
    what: What,
}

enum What {
    Reclassify { to: Kind, reason: String },
    Resolve { resolution: String },
    Confirm,
    Reject { reason: String },
    Reopen { reason: String },
    Promise { kind: PromiseKind, due: At, text: String },
    Keep { promise: PromiseId, note: String },
    Renegotiate { promise: PromiseId, due: At, reason: String },
}

impl CaseChange {
    /// Checks a promise.
    pub fn promise(request: &pb::MakePromiseRequest) -> Result<CaseChange, Error> {
        let pb::MakePromiseRequest { request_id, case_id, kind, due_at, text, expected_rev } = request;
        let mut fields = Fields::default();
        let case = Self::case(&mut fields, request_id, case_id);
        let wrong = "is not a kind of promise: 1 to 32 of a-z, 0-9 and `_`";
        let kind = fields.take("kind", PromiseKind::parse(kind).ok_or(wrong));
        let due = fields.ahead("due_at", due_at.as_ref());
        let text = fields.text("text", text, 1..=NOTE_CHARS_MAX);
        let expected_rev = *expected_rev;
        fields.finish(|| {
            let what = What::Promise { kind: kind?, due: due?, text: text? };
            Some(CaseChange { case: case?, expected_rev, what })
        })
    }

    /// Checks that a promise is said to be kept.
    pub fn keep_promise(request: &pb::KeepPromiseRequest) -> Result<CaseChange, Error> {
        let pb::KeepPromiseRequest { request_id, case_id, promise_id, note, expected_rev } = request;
        let mut fields = Fields::default();
        let case = Self::case(&mut fields, request_id, case_id);
        let promise = fields.id("promise_id", promise_id);
        let note = fields.text("note", note, 0..=NOTE_CHARS_MAX);
        let expected_rev = *expected_rev;
        fields.finish(|| {
            let what = What::Keep { promise: promise?, note: note? };
            Some(CaseChange { case: case?, expected_rev, what })
        })
    }

    /// Checks another time for a promise.
    pub fn renegotiate_promise(request: &pb::RenegotiatePromiseRequest) -> Result<CaseChange, Error> {
        let pb::RenegotiatePromiseRequest { request_id, case_id, promise_id, due_at, reason, expected_rev } =
            request;
        let mut fields = Fields::default();
        let case = Self::case(&mut fields, request_id, case_id);
        let promise = fields.id("promise_id", promise_id);
        let due = fields.ahead("due_at", due_at.as_ref());
        let reason = fields.text("reason", reason, 1..=NOTE_CHARS_MAX);
        let expected_rev = *expected_rev;
        fields.finish(|| {
            let what = What::Renegotiate { promise: promise?, due: due?, reason: reason? };
            Some(CaseChange { case: case?, expected_rev, what })
        })
    }

    /// Checks a request to reclassify.
    pub fn reclassify(request: &pb::ReclassifyCaseRequest) -> Result<CaseChange, Error> {
        let pb::ReclassifyCaseRequest { request_id, case_id, kind, reason, expected_rev } = request;
        let mut fields = Fields::default();
        let case = Self::case(&mut fields, request_id, case_id);
        let to = fields.known("kind", *kind).and_then(words::kind);
        let reason = fields.text("reason", reason, 0..=NOTE_CHARS_MAX);
        let expected_rev = *expected_rev;
        fields.finish(|| {
            let what = What::Reclassify { to: to?, reason: reason? };
            Some(CaseChange { case: case?, expected_rev, what })
        })
    }

    /// Checks a request to resolve.
    pub fn resolve(request: &pb::ResolveCaseRequest) -> Result<CaseChange, Error> {
        let pb::ResolveCaseRequest { request_id, case_id, resolution, expected_rev } = request;
        let note = |resolution| What::Resolve { resolution };
        Self::with_note(request_id, case_id, ("resolution", resolution), *expected_rev, note)
    }

    /// Checks a request to confirm a resolution.
    pub fn confirm(request: &pb::ConfirmResolutionRequest) -> Result<CaseChange, Error> {
        let pb::ConfirmResolutionRequest { request_id, case_id, expected_rev } = request;
        let mut fields = Fields::default();
        let case = Self::case(&mut fields, request_id, case_id);
        let expected_rev = *expected_rev;
        fields.finish(|| Some(CaseChange { case: case?, expected_rev, what: What::Confirm }))
    }

    /// Checks a request to reject a resolution.
    pub fn reject(request: &pb::RejectResolutionRequest) -> Result<CaseChange, Error> {
        let pb::RejectResolutionRequest { request_id, case_id, reason, expected_rev } = request;
        let note = |reason| What::Reject { reason };
        Self::with_note(request_id, case_id, ("reason", reason), *expected_rev, note)
    }

    /// Checks a request to reopen.
    pub fn reopen(request: &pb::ReopenCaseRequest) -> Result<CaseChange, Error> {
        let pb::ReopenCaseRequest { request_id, case_id, reason, expected_rev } = request;
        let note = |reason| What::Reopen { reason };
        Self::with_note(request_id, case_id, ("reason", reason), *expected_rev, note)
    }

    fn case(fields: &mut Fields, request_id: &str, case_id: &str) -> Option<CaseId> {
        fields.request_id("request_id", request_id);
        fields.id("case_id", case_id)
    }

    fn with_note(
        request_id: &str,
        case_id: &str,
        (field, note): (&str, &str),
        expected_rev: Option<u64>,
        what: impl FnOnce(String) -> What,
    ) -> Result<CaseChange, Error> {
        let mut fields = Fields::default();
        let case = Self::case(&mut fields, request_id, case_id);
        let note = fields.text(field, note, 1..=NOTE_CHARS_MAX);
        fields.finish(|| Some(CaseChange { case: case?, expected_rev, what: what(note?) }))
    }
}

impl Draft for CaseChange {
    fn whose(&self) -> Whose {
        match &self.what {
            What::Confirm => Whose::NoTexts,
            What::Reclassify { reason, .. } if reason.is_empty() => Whose::NoTexts,
            What::Keep { note, .. } if note.is_empty() => Whose::NoTexts,
            What::Reclassify { .. }
            | What::Resolve { .. }
            | What::Reject { .. }
            | What::Reopen { .. }
            | What::Promise { .. }
            | What::Keep { .. }
            | What::Renegotiate { .. } => Whose::Case(self.case),
        }
    }

    async fn intent(&self, pen: &Pen<'_>) -> Result<Intent, Error> {
        let command = match &self.what {
            What::Reclassify { to, reason } => {
                case::Command::Reclassify { to: *to, reason: pen.seal_if_given("reason", reason).await? }
            }
            What::Resolve { resolution } => {
                case::Command::Resolve { resolution: pen.seal("resolution", resolution).await? }
            }
            What::Confirm => case::Command::Confirm,
            What::Reject { reason } => case::Command::Reject { reason: pen.seal("reason", reason).await? },
            What::Reopen { reason } => case::Command::Reopen { reason: pen.seal("reason", reason).await? },
            What::Promise { kind, due, text } => case::Command::Promise {
                // The promise is named by the request that made it.
                promise: PromiseId::derive(&[pen.request().bytes()]),
                kind: kind.clone(),
                due: *due,
                text: pen.seal("text", text).await?,
            },
            What::Keep { promise, note } => {
                case::Command::KeepPromise { promise: *promise, note: pen.seal_if_given("note", note).await? }
            }
            What::Renegotiate { promise, due, reason } => case::Command::RenegotiatePromise {
                promise: *promise,
                due: *due,
                reason: pen.seal("reason", reason).await?,
            },
        };
        let sealing = (self.whose() != Whose::NoTexts).then(|| pen.sealing());
        Ok(Intent::Case { case: self.case, command, expected_rev: self.expected_rev, sealing })
    }
}

/// What a promise is answered with.
pub fn promised(written: &Written) -> pb::MakePromiseResponse {
    let mut answer = pb::MakePromiseResponse {
        rev: written.rev,
        position: written.position.clone(),
        ..pb::MakePromiseResponse::default()
    };
    for entry in written.records.iter().flat_map(|record| &record.events) {
        match &entry.event {
            Event::Case(case::Event::PromiseProposed(proposed)) => {
                answer.promise_id = proposed.promise.to_string();
            }
            Event::Case(case::Event::PromiseMade(_)) => answer.made = true,
            Event::Case(case::Event::PromiseRefused(refused)) => {
                answer.refusal = Some(promise_refusal(refused.because));
            }
            _ => {}
        }
    }
    answer
}

fn promise_refusal(because: Infeasible) -> pb::PromiseRefusal {
    let (reason, possible) = match because {
        Infeasible::UnknownKind => (pb::PromiseRefusalReason::UnknownKind, None),
        Infeasible::TooSoon { soonest } => (pb::PromiseRefusalReason::TooSoon, Some(soonest)),
        Infeasible::TooFar { latest } => (pb::PromiseRefusalReason::TooFar, Some(latest)),
    };
    pb::PromiseRefusal { reason: reason.into(), possible_at: possible.map(timestamp) }
}
