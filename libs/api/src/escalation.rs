//! Escalation over gRPC: requests to drafts, records to answers.

use seva_domain::escalation::{self, Command, Raised};
use seva_domain::noun::Event;
use seva_domain::plan::Intent;
use seva_domain::values::{At, CaseId, KeyId, Rung};

use crate::edge::{Draft, Pen, Whose, Written};
use crate::intake::NOTE_CHARS_MAX;
use crate::known::KnownCase;
use crate::parse::{Fields, timestamp};
use crate::pb::escalation::v1 as pb;
use crate::status::Error;

/// An escalation to be raised; which case it is of was checked.
pub struct Raising {
    pub case: CaseId,
    by: escalation::RaisedBy,
    reason: String,
    rung: Option<Rung>,
    occurred_at: Option<At>,
    expected_rev: Option<u64>,
}

impl Raising {
    /// Checks a request.
    pub fn parse(request: &pb::RaiseEscalationRequest, now: At) -> Result<Raising, Error> {
        let pb::RaiseEscalationRequest { request_id, case_id, by, reason, rung, occurred_at, expected_rev } =
            request;
        let mut fields = Fields::default();
        fields.request_id("request_id", request_id);
        let case = fields.id("case_id", case_id);
        let by = fields.known::<pb::RaisedBy>("by", *by).and_then(|by| raised_by(&mut fields, by));
        let reason = fields.text("reason", reason, 1..=NOTE_CHARS_MAX);
        let rung = self::rung(&mut fields, rung);
        let occurred_at = match occurred_at {
            Some(at) => fields.at("occurred_at", at, now).map(Some),
            None => Some(None),
        };
        let expected_rev = *expected_rev;
        fields.finish(|| {
            let (by, reason, rung, occurred_at) = (by?, reason?, rung?, occurred_at?);
            Some(Raising { case: case?, by, reason, rung, occurred_at, expected_rev })
        })
    }

    /// The draft, once the case is known.
    pub fn of(self, known: KnownCase) -> RaisingOf {
        RaisingOf { raising: self, known }
    }
}

fn raised_by(fields: &mut Fields, by: pb::RaisedBy) -> Option<escalation::RaisedBy> {
    match by {
        pb::RaisedBy::Staff => Some(escalation::RaisedBy::Staff),
        pb::RaisedBy::Customer => Some(escalation::RaisedBy::Customer),
        pb::RaisedBy::BrokenPromise | pb::RaisedBy::Unspecified => {
            fields.refuse("by", "should be staff or the customer: a broken promise is escalated by itself");
            None
        }
    }
}

/// Reads a rung that may be left empty.
pub fn rung(fields: &mut Fields, rung: &str) -> Option<Option<Rung>> {
    if rung.is_empty() {
        return Some(None);
    }
    fields.take("rung", Rung::parse(rung).ok_or("is not a rung: 1 to 32 of a-z, 0-9 and `_`")).map(Some)
}

/// An escalation of a known case, to be raised.
pub struct RaisingOf {
    raising: Raising,
    known: KnownCase,
}

impl Draft for RaisingOf {
    fn whose(&self) -> Whose {
        Whose::Key(self.known.key)
    }

    fn occurred_at(&self) -> Option<At> {
        self.raising.occurred_at
    }

    async fn intent(&self, pen: &Pen<'_>) -> Result<Intent, Error> {
        let Raising { case, by, reason, rung, occurred_at: _, expected_rev } = &self.raising;
        let raised = Raised {
            by: *by,
            customer: self.known.customer,
            kind: self.known.kind,
            reason: Some(pen.seal("reason", reason).await?),
            rung: rung.clone(),
        };
        let command = Command::Raise(raised);
        Ok(Intent::Escalation { case: *case, command, expected_rev: *expected_rev })
    }
}

/// What a raised escalation is answered with.
pub fn raised(written: &Written) -> pb::RaiseEscalationResponse {
    let mut answer = pb::RaiseEscalationResponse {
        rev: written.rev,
        position: written.position.clone(),
        ..pb::RaiseEscalationResponse::default()
    };
    for entry in written.records.iter().flat_map(|record| &record.events) {
        if let Event::Escalation(escalation::Event::Placed(placed)) = &entry.event {
            answer.rung = placed.rung.as_str().to_owned();
            answer.department = placed.department.as_str().to_owned();
            answer.answer_by = Some(timestamp(placed.answer_by));
        }
    }
    answer
}

/// A rung's answer to an escalation; which case it is of was checked.
pub struct Answering {
    pub case: CaseId,
    expected_rev: Option<u64>,
    what: What,
}

enum What {
    Accept,
    Decline { reason: String },
    Resolve { resolution: String },
}

impl Answering {
    /// Checks a request to accept.
    pub fn accept(request: &pb::AcceptEscalationRequest) -> Result<Answering, Error> {
        let pb::AcceptEscalationRequest { request_id, case_id, expected_rev } = request;
        let mut fields = Fields::default();
        fields.request_id("request_id", request_id);
        let case = fields.id("case_id", case_id);
        let expected_rev = *expected_rev;
        fields.finish(|| Some(Answering { case: case?, expected_rev, what: What::Accept }))
    }

    /// Checks a request to decline.
    pub fn decline(request: &pb::DeclineEscalationRequest) -> Result<Answering, Error> {
        let pb::DeclineEscalationRequest { request_id, case_id, reason, expected_rev } = request;
        let what = |reason| What::Decline { reason };
        Self::with_note(request_id, case_id, ("reason", reason), *expected_rev, what)
    }

    /// Checks a request to resolve.
    pub fn resolve(request: &pb::ResolveEscalationRequest) -> Result<Answering, Error> {
        let pb::ResolveEscalationRequest { request_id, case_id, resolution, expected_rev } = request;
        let what = |resolution| What::Resolve { resolution };
        Self::with_note(request_id, case_id, ("resolution", resolution), *expected_rev, what)
    }

    fn with_note(
        request_id: &str,
        case_id: &str,
        (field, note): (&str, &str),
        expected_rev: Option<u64>,
        what: impl FnOnce(String) -> What,
    ) -> Result<Answering, Error> {
        let mut fields = Fields::default();
        fields.request_id("request_id", request_id);
        let case = fields.id("case_id", case_id);
        let note = fields.text(field, note, 1..=NOTE_CHARS_MAX);
        fields.finish(|| Some(Answering { case: case?, expected_rev, what: what(note?) }))
    }

    /// The draft, once the key of the case's customer is known.
    pub fn under(self, key: KeyId) -> AnsweringUnder {
        AnsweringUnder { answering: self, key }
    }
}

/// A rung's answer, and the key that its note is sealed under.
pub struct AnsweringUnder {
    answering: Answering,
    key: KeyId,
}

impl Draft for AnsweringUnder {
    fn whose(&self) -> Whose {
        match self.answering.what {
            What::Accept => Whose::NoTexts,
            What::Decline { .. } | What::Resolve { .. } => Whose::Key(self.key),
        }
    }

    async fn intent(&self, pen: &Pen<'_>) -> Result<Intent, Error> {
        let Answering { case, expected_rev, what } = &self.answering;
        let command = match what {
            What::Accept => Command::Accept,
            What::Decline { reason } => Command::Decline { reason: pen.seal("reason", reason).await? },
            What::Resolve { resolution } => {
                Command::Resolve { resolution: pen.seal("resolution", resolution).await? }
            }
        };
        Ok(Intent::Escalation { case: *case, command, expected_rev: *expected_rev })
    }
}
