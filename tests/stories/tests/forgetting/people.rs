//! A thousand people, a tenth of whom are to be forgotten: what each said, by every way in, in two scripts.

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use prost_types::Timestamp;
use seva_api::pb::common::v1::{CaseKind, Channel, Money};
use seva_api::pb::escalation::v1::escalation_service_client::EscalationServiceClient;
use seva_api::pb::escalation::v1::{DeclineEscalationRequest, RaiseEscalationRequest, RaisedBy};
use seva_api::pb::feedback::v1::feedback_service_client::FeedbackServiceClient;
use seva_api::pb::feedback::v1::{
    Audience, CaptureSuggestionRequest, DeclineSuggestionRequest, ReportOutcomeRequest,
    RerouteSuggestionRequest,
};
use seva_api::pb::intake::v1::import_interactions_request::Part;
use seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient;
use seva_api::pb::intake::v1::{
    AddIdentityRequest, Direction, Identity, IdentityKind, ImportInteractionsRequest, ImportStart,
    KeepPromiseRequest, LogInteractionRequest, MakePromiseRequest, ReclassifyCaseRequest,
    RegisterCustomerRequest, RejectResolutionRequest, RenegotiatePromiseRequest, ReopenCaseRequest,
    ResolveCaseRequest,
};
use seva_api::pb::refunds::v1::refunds_service_client::RefundsServiceClient;
use seva_api::pb::refunds::v1::{
    DeclineRefundRequest, LineKind, PaymentMethod, RefundLine, RegisterChargeRequest, RequestRefundRequest,
};
use seva_stories::{Served, as_actor, seva};

/// The words that everything of those to be forgotten holds, in two scripts, and those of everybody else.
pub(crate) const GONE: [&str; 2] = ["Zvanishqualm", "झङठढळणषघ"];
pub(crate) const STAYS: [&str; 2] = ["Zremainquoit", "ञऋळढझथङष"];

/// What every telephone number of those to be forgotten begins with, and everybody else's.
pub(crate) const PHONE_GONE: &str = "917777123460";
const PHONE_STAYS: &str = "917777123461";

/// How many people there are, and how many of them are in a file that is imported, and how many have everything happen to them.
pub(crate) const PEOPLE: usize = 1_000;
const IN_FILE: usize = 200;
const TOLD_IN_FULL: usize = 40;

/// How many calls are under way at once.
pub(crate) const AT_ONCE: usize = 16;

const ACTOR: &str = "agent-12";

/// A person by number: every tenth is to be forgotten, and every other one writes in the second script.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Person(pub(crate) usize);

impl Person {
    pub(crate) fn all() -> impl Iterator<Item = Person> {
        (0..PEOPLE).map(Person)
    }

    pub(crate) fn is_to_go(self) -> bool {
        self.0 % 10 < 2 && (self.0 / 10).is_multiple_of(2)
    }

    /// A word of this person's own for something.
    fn word(self, thing: &str) -> String {
        let words = if self.is_to_go() { GONE } else { STAYS };
        format!("{}{}{thing}", words[self.0 % 2], self.0)
    }

    fn text(self, thing: &str) -> String {
        format!("{} said so, \"{}\"\nand \\ more", self.word(thing), self.word("again"))
    }

    pub(crate) fn email(self) -> Identity {
        self.identity(IdentityKind::Email)
    }

    fn identity(self, kind: IdentityKind) -> Identity {
        let phone = if self.is_to_go() { PHONE_GONE } else { PHONE_STAYS };
        let value = match kind {
            IdentityKind::Email => format!("{}@{}.example", self.word("mail"), self.word("domain")),
            IdentityKind::Handle => format!("network/@{}", self.word("handle")),
            IdentityKind::Phone => format!("+{phone}{:04}", self.0),
            IdentityKind::Account | IdentityKind::Unspecified => self.word("account"),
        };
        Identity { kind: kind.into(), value }
    }

    fn says(self, thing: &str) -> LogInteractionRequest {
        let kinds = [IdentityKind::Account, IdentityKind::Handle, IdentityKind::Email, IdentityKind::Phone];
        LogInteractionRequest {
            request_id: self.word(&format!("request {thing}")),
            identities: kinds.map(|kind| self.identity(kind)).into(),
            name: self.word("name"),
            channel: Channel::Email.into(),
            direction: Direction::Inbound.into(),
            kind: CaseKind::Complaint.into(),
            text: self.text(thing),
            thread: self.word("thread"),
            ..LogInteractionRequest::default()
        }
    }
}

/// Lets everybody say what they say.
pub(crate) async fn come(served: &Served, folder: &std::path::Path) -> Result<()> {
    import_file(served, folder).await?;
    let by_stream: Vec<Person> = Person::all().filter(|person| person.0 % 50 < 2).skip(8).collect();
    let (streamed, called): (Vec<_>, Vec<_>) =
        Person::all().skip(IN_FILE).partition(|person| by_stream.contains(person));
    import_stream(served, &streamed).await?;
    let saying = stream::iter(called).map(|person| async move {
        let mut intake = IntakeServiceClient::new(served.channel("intake")?);
        intake.log_interaction(as_actor(ACTOR, person.says("text"))).await?;
        Ok::<_, anyhow::Error>(())
    });
    saying.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    for person in Person::all().skip(IN_FILE).filter(|person| person.0 % 10 < 4).take(TOLD_IN_FULL) {
        tell_in_full(served, person).await.with_context(|| format!("{person:?}"))?;
    }
    Ok(())
}

/// A file of tickets, imported by a map that is shipped.
async fn import_file(served: &Served, folder: &std::path::Path) -> Result<()> {
    let file = folder.join("tickets.csv");
    let mut rows = csv::Writer::from_path(&file)?;
    let columns = [
        "Ticket ID",
        "Customer Name",
        "Customer Email",
        "Ticket Type",
        "Ticket Subject",
        "Ticket Description",
        "Ticket Status",
        "Resolution",
        "Ticket Channel",
        "Time to Resolution",
    ];
    rows.write_record(columns)?;
    for person in Person::all().take(IN_FILE) {
        let status = if person.0.is_multiple_of(3) { "Closed" } else { "Open" };
        rows.write_record([
            &person.0.to_string(),
            &person.word("name"),
            &person.email().value,
            "Technical issue",
            &person.word("subject"),
            &person.text("described"),
            status,
            &person.text("resolved"),
            "Email",
            "2023-06-01 12:15:36",
        ])?;
    }
    rows.flush()?;
    drop(rows);
    let (intake, file) = (served.endpoints.service("intake")?, file.to_str().context("a plain path")?);
    let output = seva(&["import", file, "--map", "support_tickets", "--endpoint", intake, "--json"]).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    // What a caller keeps of a file is the caller's: this one is gone before anything is looked for.
    std::fs::remove_file(file)?;
    Ok(())
}

/// A stream of rows of the past.
async fn import_stream(served: &Served, people: &[Person]) -> Result<()> {
    let mut intake = IntakeServiceClient::new(served.channel("intake")?);
    let start = Part::Start(ImportStart { import_key: "rows-of-the-past".to_owned() });
    let row = |person: &Person| {
        let occurred_at = Some(Timestamp { seconds: 1_500_000_000, nanos: 0 });
        Part::Row(LogInteractionRequest { occurred_at, ..person.says("imported") })
    };
    let parts: Vec<Part> = std::iter::once(start).chain(people.iter().map(row)).collect();
    let requests = parts.into_iter().map(|part| ImportInteractionsRequest { part: Some(part) });
    let mut answers = intake.import_interactions(as_actor(ACTOR, stream::iter(requests))).await?.into_inner();
    let mut count = 0;
    while answers.message().await?.is_some() {
        count += 1;
    }
    ensure!(count == people.len(), "{count} answers");
    Ok(())
}

/// Everything that can happen to somebody's case, charge and suggestion, with words wherever there can be.
async fn tell_in_full(served: &Served, person: Person) -> Result<()> {
    let mut intake = IntakeServiceClient::new(served.channel("intake")?);
    let id = |thing: &str| person.word(&format!("request {thing}"));
    let logged = intake.log_interaction(as_actor(ACTOR, person.says("more"))).await?.into_inner();
    let (case_id, customer_id) = (|| logged.case_id.clone(), || logged.customer_id.clone());
    let added =
        Identity { kind: IdentityKind::Email.into(), value: format!("{}@added.example", person.word("a")) };
    let request =
        AddIdentityRequest { request_id: id("add"), customer_id: customer_id(), identity: Some(added) };
    intake.add_identity(as_actor(ACTOR, request)).await?;
    let registration = RegisterCustomerRequest {
        request_id: id("register"),
        identities: vec![person.identity(IdentityKind::Account)],
        name: person.word("taken"),
    };
    let taken = intake.register_customer(as_actor(ACTOR, registration)).await;
    ensure!(taken.is_err(), "an account belongs to one customer");

    let due = |days: i64| Some(Timestamp { seconds: now() + days * 86_400, nanos: 0 });
    let promise = |n: &str| MakePromiseRequest {
        request_id: id(n),
        case_id: case_id(),
        kind: "callback".to_owned(),
        due_at: due(2),
        text: person.text("promised"),
        expected_rev: None,
    };
    let kept = intake.make_promise(as_actor(ACTOR, promise("promise 1"))).await?.into_inner();
    let request = KeepPromiseRequest {
        request_id: id("keep"),
        case_id: case_id(),
        promise_id: kept.promise_id,
        note: person.text("kept"),
        expected_rev: None,
    };
    intake.keep_promise(as_actor(ACTOR, request)).await?;
    let put_off = intake.make_promise(as_actor(ACTOR, promise("promise 2"))).await?.into_inner();
    let request = RenegotiatePromiseRequest {
        request_id: id("put off"),
        case_id: case_id(),
        promise_id: put_off.promise_id,
        due_at: due(3),
        reason: person.text("put off"),
        expected_rev: None,
    };
    intake.renegotiate_promise(as_actor(ACTOR, request)).await?;
    let request = ReclassifyCaseRequest {
        request_id: id("reclassify"),
        case_id: case_id(),
        kind: CaseKind::Suggestion.into(),
        reason: person.text("reclassified"),
        expected_rev: None,
    };
    intake.reclassify_case(as_actor(ACTOR, request)).await?;
    let resolve = |n: &str| ResolveCaseRequest {
        request_id: id(n),
        case_id: case_id(),
        resolution: person.text("resolution"),
        expected_rev: None,
    };
    intake.resolve_case(as_actor(ACTOR, resolve("resolve 1"))).await?;
    let request = RejectResolutionRequest {
        request_id: id("reject"),
        case_id: case_id(),
        reason: person.text("rejected"),
        expected_rev: None,
    };
    intake.reject_resolution(as_actor(ACTOR, request)).await?;
    intake.resolve_case(as_actor(ACTOR, resolve("resolve 2"))).await?;
    let request = ReopenCaseRequest {
        request_id: id("reopen"),
        case_id: case_id(),
        reason: person.text("reopened"),
        expected_rev: None,
    };
    intake.reopen_case(as_actor(ACTOR, request)).await?;

    escalate(served, person, case_id()).await?;
    suggest(served, person, customer_id()).await?;
    refund(served, person, customer_id()).await
}

#[expect(clippy::disallowed_methods, reason = "a promise is for a time that is yet to come")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

async fn escalate(served: &Served, person: Person, case_id: String) -> Result<()> {
    let mut escalation = EscalationServiceClient::new(served.channel("escalation")?);
    let request = RaiseEscalationRequest {
        request_id: person.word("request raise"),
        case_id: case_id.clone(),
        by: RaisedBy::Customer.into(),
        reason: person.text("escalated"),
        ..RaiseEscalationRequest::default()
    };
    escalation.raise_escalation(as_actor(ACTOR, request)).await?;
    let request = DeclineEscalationRequest {
        request_id: person.word("request decline escalation"),
        case_id,
        reason: person.text("not escalated"),
        expected_rev: None,
    };
    escalation.decline_escalation(as_actor(ACTOR, request)).await?;
    Ok(())
}

async fn suggest(served: &Served, person: Person, customer_id: String) -> Result<()> {
    let mut feedback = FeedbackServiceClient::new(served.channel("feedback")?);
    let request = CaptureSuggestionRequest {
        request_id: person.word("request capture"),
        text: person.text("idea"),
        customer_id,
        ..CaptureSuggestionRequest::default()
    };
    let captured = feedback.capture_suggestion(as_actor(ACTOR, request)).await?.into_inner();
    let suggestion_id = || captured.suggestion_id.clone();
    let request = RerouteSuggestionRequest {
        request_id: person.word("request reroute"),
        suggestion_id: suggestion_id(),
        department: "marketing".to_owned(),
        reason: person.text("rerouted"),
        expected_rev: None,
    };
    feedback.reroute_suggestion(as_actor(ACTOR, request)).await?;
    let request = DeclineSuggestionRequest {
        request_id: person.word("request decline"),
        suggestion_id: suggestion_id(),
        reason: person.text("declined"),
        expected_rev: None,
    };
    feedback.decline_suggestion(as_actor(ACTOR, request)).await?;
    let request = ReportOutcomeRequest {
        request_id: person.word("request report"),
        suggestion_id: suggestion_id(),
        audience: Audience::Customer.into(),
        message: person.text("reported"),
        expected_rev: None,
    };
    feedback.report_outcome(as_actor(ACTOR, request)).await?;
    Ok(())
}

async fn refund(served: &Served, person: Person, customer_id: String) -> Result<()> {
    let mut refunds = RefundsServiceClient::new(served.channel("refunds")?);
    let request = RegisterChargeRequest {
        request_id: person.word("request charge"),
        reference: format!("ch_{}", person.0),
        customer_id,
        method: PaymentMethod::Card.into(),
        captured: Some(Money { currency: "EUR".to_owned(), amount_minor: 20_000 }),
        ..RegisterChargeRequest::default()
    };
    let charge_id = refunds.register_charge(as_actor(ACTOR, request)).await?.into_inner().charge_id;
    let line =
        |kind: LineKind, amount_minor, evidence| RefundLine { kind: kind.into(), amount_minor, evidence };
    let request = RequestRefundRequest {
        request_id: person.word("request refund"),
        charge_id: charge_id.clone(),
        currency: "EUR".to_owned(),
        lines: vec![
            line(LineKind::Principal, 5_000, String::new()),
            line(LineKind::Consequential, 100, person.text("evidence")),
        ],
        reason: person.text("refunded"),
        expected_rev: None,
    };
    let refund_id = refunds.request_refund(as_actor(ACTOR, request)).await?.into_inner().refund_id;
    let request = DeclineRefundRequest {
        request_id: person.word("request decline refund"),
        charge_id,
        refund_id,
        reason: person.text("not refunded"),
        expected_rev: None,
    };
    refunds.decline_refund(as_actor(ACTOR, request)).await?;
    Ok(())
}
