//! Intake over gRPC: requests to drafts, records to answers.

use seva_domain::case::{self, Infeasible};
use seva_domain::noun::{Event, Noun};
use seva_domain::plan::{Intent, Interaction};
use seva_domain::values::{
    At, CaseId, Channel, CustomerId, Direction, ImportId, Kind, Language, PromiseId, PromiseKind,
};
use seva_domain::{import, values};

use crate::brought::is_import_key;
use crate::edge::{Draft, Pen, Whose, Written};
use crate::identity::normalise;
use crate::parse::{Fields, timestamp};
use crate::pb::common::v1 as common;
use crate::pb::intake::v1 as pb;
use crate::status::Error;

/// The longest text of an interaction, in characters.
pub const TEXT_CHARS_MAX: usize = 20_000;

/// The longest note of staff, in characters.
pub const NOTE_CHARS_MAX: usize = 2_000;

/// How many identities a request may name.
pub const IDENTITIES_MAX: usize = 16;

const NAME_CHARS_MAX: usize = 200;
const THREAD_CHARS_MAX: usize = 200;
const IDENTITY_CHARS_MAX: usize = 320;

/// An identity whose value is in its one form.
pub type Given = (pb::IdentityKind, String);

/// Reads the identities of a request.
pub fn identities(fields: &mut Fields, given: &[pb::Identity]) -> Option<Vec<Given>> {
    if given.len() > IDENTITIES_MAX {
        fields.refuse("identities", format!("has more than {IDENTITIES_MAX} entries"));
        return None;
    }
    let read = |(n, one): (usize, &pb::Identity)| identity(fields, &format!("identities[{n}]"), one);
    // Every one is read, so that everything wrong is told at once.
    let all: Vec<Option<Given>> = given.iter().enumerate().map(read).collect();
    all.into_iter().collect()
}

fn identity(fields: &mut Fields, path: &str, given: &pb::Identity) -> Option<Given> {
    let pb::Identity { kind, value } = given;
    let kind = fields.known::<pb::IdentityKind>(&format!("{path}.kind"), *kind);
    let field = format!("{path}.value");
    let value = fields.text(&field, value, 1..=IDENTITY_CHARS_MAX)?;
    let kind = kind?;
    fields.take(&field, normalise(kind, &value)).map(|value| (kind, value))
}

/// A customer to be registered.
pub struct Registration {
    identities: Vec<Given>,
    name: String,
}

impl Registration {
    /// Checks a request. Its `request_id` is read apart.
    pub fn parse(request: &pb::RegisterCustomerRequest) -> Result<Registration, Error> {
        let pb::RegisterCustomerRequest { request_id, identities: given, name } = request;
        let mut fields = Fields::default();
        fields.request_id("request_id", request_id);
        let identities = identities(&mut fields, given);
        let name = fields.text("name", name, 0..=NAME_CHARS_MAX);
        fields.finish(|| Some(Registration { identities: identities?, name: name? }))
    }
}

impl Draft for Registration {
    fn whose(&self) -> Whose {
        Whose::Nobody
    }

    async fn intent(&self, pen: &Pen<'_>) -> Result<Intent, Error> {
        Ok(Intent::RegisterCustomer {
            identities: sealed(&self.identities, pen).await?,
            name: pen.seal_if_given("name", &self.name).await?,
            sealing: pen.sealing(),
        })
    }
}

async fn sealed(given: &[Given], pen: &Pen<'_>) -> Result<Vec<seva_domain::customer::Identity>, Error> {
    let mut identities = Vec::with_capacity(given.len());
    for (n, (kind, value)) in given.iter().enumerate() {
        identities.push(pen.identity(&format!("identities[{n}].value"), *kind, value).await?);
    }
    Ok(identities)
}

/// An identity to be added to a customer.
pub struct Addition {
    customer: CustomerId,
    identity: Given,
}

impl Addition {
    /// Checks a request.
    pub fn parse(request: &pb::AddIdentityRequest) -> Result<Addition, Error> {
        let pb::AddIdentityRequest { request_id, customer_id, identity: given } = request;
        let mut fields = Fields::default();
        fields.request_id("request_id", request_id);
        let customer = fields.id::<CustomerId>("customer_id", customer_id);
        let identity = match given {
            Some(given) => identity(&mut fields, "identity", given),
            None => {
                fields.refuse("identity", "is missing");
                None
            }
        };
        fields.finish(|| Some(Addition { customer: customer?, identity: identity? }))
    }
}

impl Draft for Addition {
    fn whose(&self) -> Whose {
        Whose::Customer(self.customer)
    }

    async fn intent(&self, pen: &Pen<'_>) -> Result<Intent, Error> {
        let (kind, value) = &self.identity;
        let identity = pen.identity("identity.value", *kind, value).await?;
        Ok(Intent::AddIdentity { customer: self.customer, identity, sealing: pen.sealing() })
    }
}

/// An interaction to be logged.
pub struct Logging {
    customer: Option<CustomerId>,
    identities: Vec<Given>,
    name: String,
    channel: Channel,
    direction: Direction,
    kind: Kind,
    language: Option<Language>,
    text: String,
    thread: String,
    case: Option<CaseId>,
    occurred_at: Option<At>,
}

impl Logging {
    /// Checks a request.
    pub fn parse(request: &pb::LogInteractionRequest, now: At) -> Result<Logging, Error> {
        let pb::LogInteractionRequest {
            request_id,
            customer_id,
            identities: given,
            name,
            channel,
            direction,
            language,
            text,
            kind,
            thread,
            case_id,
            occurred_at,
        } = request;
        let mut fields = Fields::default();
        fields.request_id("request_id", request_id);
        let customer = fields.id_if_given("customer_id", customer_id);
        let identities = identities(&mut fields, given);
        let name = fields.text("name", name, 0..=NAME_CHARS_MAX);
        let channel = fields.known("channel", *channel).and_then(self::channel);
        let direction = fields.known("direction", *direction).and_then(self::direction);
        let language = self::language(&mut fields, language);
        let text = fields.text("text", text, 1..=TEXT_CHARS_MAX);
        let kind = fields.known("kind", *kind).and_then(self::kind);
        let thread = fields.text("thread", thread, 0..=THREAD_CHARS_MAX);
        let case = fields.id_if_given("case_id", case_id);
        let occurred_at = match occurred_at {
            Some(at) => fields.at("occurred_at", at, now).map(Some),
            None => Some(None),
        };
        fields.finish(|| {
            Some(Logging {
                customer: customer?,
                identities: identities?,
                name: name?,
                channel: channel?,
                direction: direction?,
                kind: kind?,
                language: language?,
                text: text?,
                thread: thread?,
                case: case?,
                occurred_at: occurred_at?,
            })
        })
    }

    /// Checks a row of an import: it must say when it happened.
    pub fn parse_row(request: &pb::LogInteractionRequest, now: At) -> Result<Logging, Error> {
        match &request.occurred_at {
            Some(_) => Logging::parse(request, now),
            None => {
                Err(Error::malformed("occurred_at", "is missing: a row of the past says when it happened"))
            }
        }
    }
}

impl Draft for Logging {
    fn whose(&self) -> Whose {
        match (self.customer, self.case) {
            (Some(customer), _) => Whose::Customer(customer),
            (None, _) if !self.identities.is_empty() => Whose::Identities(self.identities.clone()),
            (None, Some(case)) => Whose::Case(case),
            (None, None) => Whose::Nobody,
        }
    }

    fn occurred_at(&self) -> Option<At> {
        self.occurred_at
    }

    async fn intent(&self, pen: &Pen<'_>) -> Result<Intent, Error> {
        Ok(Intent::LogInteraction(Box::new(Interaction {
            customer: self.customer,
            identities: sealed(&self.identities, pen).await?,
            name: pen.seal_if_given("name", &self.name).await?,
            channel: self.channel,
            direction: self.direction,
            kind: self.kind,
            thread: (!self.thread.is_empty()).then(|| pen.thread(&self.thread)),
            case: self.case,
            text: pen.seal("text", &self.text).await?,
            classification: pen.classify(&self.text, self.language.as_ref())?,
            sealing: pen.sealing(),
        })))
    }
}

/// What a logged interaction is answered with.
pub fn logged(written: &Written) -> Result<pb::LogInteractionResponse, Error> {
    for record in &written.records {
        let Noun::Case(case) = record.noun else { continue };
        let mut case_opened = false;
        for entry in &record.events {
            match &entry.event {
                Event::Case(case::Event::Opened(_)) => case_opened = true,
                Event::Case(case::Event::InteractionLogged(logged)) => {
                    return Ok(pb::LogInteractionResponse {
                        interaction_id: logged.interaction.to_string(),
                        case_id: case.to_string(),
                        customer_id: logged.customer.to_string(),
                        case_opened,
                        position: written.position.clone(),
                    });
                }
                _ => {}
            }
        }
    }
    Err(Error::Internal("an interaction was recorded without a case".into()))
}

/// The customer that a request's records are about.
pub fn customer(written: &Written) -> Option<String> {
    written.records.iter().find_map(|record| match record.noun {
        Noun::Customer(id) => Some(id.to_string()),
        _ => None,
    })
}

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
        let to = fields.known("kind", *kind).and_then(self::kind);
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

/// The beginning or the end of an import.
pub struct Bracket {
    pub import: ImportId,
    pub command: import::Command,
}

impl Draft for Bracket {
    fn whose(&self) -> Whose {
        Whose::NoTexts
    }

    async fn intent(&self, _: &Pen<'_>) -> Result<Intent, Error> {
        Ok(Intent::Import { import: self.import, command: self.command.clone() })
    }
}

/// Reads the key of an import.
pub fn import_key(start: &pb::ImportStart) -> Result<String, Error> {
    let pb::ImportStart { import_key } = start;
    let mut fields = Fields::default();
    let key = fields.text("start.import_key", import_key, 1..=128);
    if key.is_some() && !is_import_key(import_key) {
        fields.refuse("start.import_key", "should be of a-z, 0-9, `-`, `_` and `.`");
    }
    fields.finish(|| key)
}

/// Reads a language that may be left empty.
pub fn language(fields: &mut Fields, tag: &str) -> Option<Option<Language>> {
    if tag.is_empty() {
        return Some(None);
    }
    let language = Language::parse(tag).ok_or("is not a BCP 47 language tag");
    fields.take("language", language).map(Some)
}

fn channel(channel: common::Channel) -> Option<Channel> {
    match channel {
        common::Channel::Unspecified => None,
        common::Channel::Phone => Some(Channel::Phone),
        common::Channel::Email => Some(Channel::Email),
        common::Channel::Chat => Some(Channel::Chat),
        common::Channel::Web => Some(Channel::Web),
        common::Channel::Social => Some(Channel::Social),
        common::Channel::Post => Some(Channel::Post),
        common::Channel::InStore => Some(Channel::InStore),
        common::Channel::Referral => Some(Channel::Referral),
        common::Channel::Survey => Some(Channel::Survey),
        common::Channel::MobileApp => Some(Channel::MobileApp),
        common::Channel::Other => Some(Channel::Other),
    }
}

/// The channel as a message holds it.
pub fn channel_of(channel: Channel) -> common::Channel {
    match channel {
        Channel::Phone => common::Channel::Phone,
        Channel::Email => common::Channel::Email,
        Channel::Chat => common::Channel::Chat,
        Channel::Web => common::Channel::Web,
        Channel::Social => common::Channel::Social,
        Channel::Post => common::Channel::Post,
        Channel::InStore => common::Channel::InStore,
        Channel::Referral => common::Channel::Referral,
        Channel::Survey => common::Channel::Survey,
        Channel::MobileApp => common::Channel::MobileApp,
        Channel::Other => common::Channel::Other,
    }
}

/// What a kind of the wire is in the domain.
pub fn kind(kind: common::CaseKind) -> Option<Kind> {
    match kind {
        common::CaseKind::Unspecified => None,
        common::CaseKind::Enquiry => Some(Kind::Enquiry),
        common::CaseKind::Complaint => Some(Kind::Complaint),
        common::CaseKind::Suggestion => Some(Kind::Suggestion),
        common::CaseKind::Refund => Some(Kind::Refund),
        common::CaseKind::Internal => Some(Kind::Internal),
        common::CaseKind::Other => Some(Kind::Other),
    }
}

/// The kind as a message holds it.
pub fn kind_of(kind: Kind) -> common::CaseKind {
    match kind {
        Kind::Enquiry => common::CaseKind::Enquiry,
        Kind::Complaint => common::CaseKind::Complaint,
        Kind::Suggestion => common::CaseKind::Suggestion,
        Kind::Refund => common::CaseKind::Refund,
        Kind::Internal => common::CaseKind::Internal,
        Kind::Other => common::CaseKind::Other,
    }
}

fn direction(direction: pb::Direction) -> Option<Direction> {
    match direction {
        pb::Direction::Unspecified => None,
        pb::Direction::Inbound => Some(Direction::Inbound),
        pb::Direction::Outbound => Some(Direction::Outbound),
    }
}

/// The direction as a message holds it.
pub fn direction_of(direction: Direction) -> pb::Direction {
    match direction {
        Direction::Inbound => pb::Direction::Inbound,
        Direction::Outbound => pb::Direction::Outbound,
    }
}

/// The kind of an identity as a message holds it.
pub fn identity_kind_of(kind: seva_domain::customer::IdentityKind) -> pb::IdentityKind {
    match kind {
        seva_domain::customer::IdentityKind::Account => pb::IdentityKind::Account,
        seva_domain::customer::IdentityKind::Email => pb::IdentityKind::Email,
        seva_domain::customer::IdentityKind::Handle => pb::IdentityKind::Handle,
        seva_domain::customer::IdentityKind::Phone => pb::IdentityKind::Phone,
    }
}

/// An id of a path or a key, checked.
pub fn id<T: std::str::FromStr<Err = values::NotAnId>>(field: &str, value: &str) -> Result<T, Error> {
    let mut fields = Fields::default();
    let id = fields.id(field, value);
    fields.finish(|| id)
}
