//! After the week: a charge that was too much, and how the shop makes it good.
//!
//! What led to it is brought in as history, so that it comes out as if it had been lived through: the promise breaks at its time, and the
//! escalation climbs at its deadlines. The money is given back in the present, because nothing is paid for the past.

use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use seva_api::brought::{IMPORT_KEY, OCCURRED_AT_KEY};
use seva_api::pb::common::v1::{CaseKind, Channel as Way, Money};
use seva_api::pb::escalation::v1::{AcceptEscalationRequest, EscalationPhase, GetEscalationRequest};
use seva_api::pb::intake::v1::import_interactions_request::Part;
use seva_api::pb::intake::v1::{
    Direction, ImportInteractionsRequest, ImportStart, LogInteractionRequest, LogInteractionResponse,
    MakePromiseRequest,
};
use seva_api::pb::refunds::v1::{
    ApproveRefundRequest, GetRefundRequest, LineKind, PaymentMethod, RefundLine, RefundPhase,
    RegisterChargeRequest, RequestRefundRequest,
};
use tonic::Request;
use tonic::metadata::MetadataValue;

use super::kept::Kept;
use super::play::insist;
use super::scenario::Moment;
use crate::connect::Home;
use crate::{identity, output};

/// The import that the history comes in by.
const IMPORT: &str = "demo-amends";

/// How long anything may take that happens by itself.
const PATIENCE: Duration = Duration::from_secs(90);

/// How often it is looked whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Who takes things in at the shop, who answers at the top, and who says whether money is given back.
pub(super) const FRONT_DESK: &str = "front-desk";
pub(super) const DIRECTOR: &str = "director:leyla";
pub(super) const APPROVER: &str = "approver-02";

/// A charge of the shop: what the payment provider calls it, and how many cents were taken.
const CHARGED_TOO_MUCH: (&str, u64) = ("ch_brass_spice_box", 16_400);
/// Its provider loses the first answer, as its name says.
const WITH_A_LOST_ANSWER: (&str, u64) = ("sandbox_lose_answer-shipping", 1_900);
const NEWEST: (&str, u64) = ("ch_tea_towels", 9_500);

/// What came of it.
#[derive(Debug)]
pub(crate) struct Amends {
    /// The customer whose story is told.
    pub(crate) customer_id: String,
}

/// Plays it: the same request ids and the same bodies every time.
pub(crate) async fn play(home: &Home, kept: &Kept) -> anyhow::Result<Amends> {
    let shop = Shop { home, started: kept.started_at() };
    let said = shop.say("overcharged", "5 09:02", Way::Email, OVERCHARGED, "").await?;
    let case_id = said.case_id.clone();
    shop.promise(&case_id, "5 09:20", "5 12:20").await?;
    shop.say("not-called", "6 10:00", Way::Phone, NOT_CALLED, &case_id).await?;
    output::say("    the promise was broken at its time; waiting for it to be escalated");
    shop.escalated(&case_id).await?;
    shop.accept(&case_id, "7 18:00").await?;
    shop.close().await?;

    let lines = [line(LineKind::Principal, 2_000, ""), line(LineKind::Consequential, 2_500, BANK_LETTER)];
    shop.give_back(&said, CHARGED_TOO_MUCH, &lines).await?;
    shop.give_back(&said, WITH_A_LOST_ANSWER, &[line(LineKind::Principal, 1_900, "")]).await?;
    let too_generous = line(LineKind::Goodwill, 9_500, "");
    shop.give_back(&said, NEWEST, &[too_generous]).await?;
    Ok(Amends { customer_id: said.customer_id })
}

const OVERCHARGED: &str = "You charged my card 164.00 for the spice box, the price is 144.00. It took me over my limit and my \
                           bank wants 25.00 for that.";
const NOT_CALLED: &str = "Nobody has called me, and you promised.";
const CALLBACK: &str = "Somebody from accounts will call you by noon.";
const BANK_LETTER: &str = "The bank's letter: overlimit fee 25.00.";
const SORRY: &str = "We took too much.";

fn line(kind: LineKind, amount_minor: u64, evidence: &str) -> RefundLine {
    RefundLine { kind: kind.into(), amount_minor, evidence: evidence.to_owned() }
}

/// The shop on the day of the demo.
struct Shop<'a> {
    home: &'a Home,
    started: Timestamp,
}

impl Shop<'_> {
    fn instant(&self, at: &str) -> anyhow::Result<Timestamp> {
        Moment::parse(at).with_context(|| format!("`{at}` is no moment of the week"))?.before(self.started)
    }

    /// A request that tells of the past.
    fn history<T>(&self, by: &str, at: Timestamp, message: T) -> anyhow::Result<Request<T>> {
        let mut request = self.home.request_by(by, message)?;
        let at = MetadataValue::try_from(at.to_string())?;
        request.metadata_mut().insert(IMPORT_KEY, MetadataValue::from_static(IMPORT));
        request.metadata_mut().insert(OCCURRED_AT_KEY, at);
        Ok(request)
    }

    async fn say(
        &self,
        id: &str,
        at: &str,
        channel: Way,
        text: &str,
        case_id: &str,
    ) -> anyhow::Result<LogInteractionResponse> {
        let at = self.instant(at)?;
        let message = LogInteractionRequest {
            request_id: format!("amends/{id}"),
            identities: vec![identity::parse("email:selin.kaya@example.com")?],
            name: "Selin Kaya".to_owned(),
            channel: channel.into(),
            direction: Direction::Inbound.into(),
            kind: CaseKind::Complaint.into(),
            language: "en".to_owned(),
            text: text.to_owned(),
            case_id: case_id.to_owned(),
            occurred_at: Some(stamp(at)),
            ..LogInteractionRequest::default()
        };
        output::say(&output::clip_end(&format!("    complaint    {text}")));
        let intake = self.home.intake()?;
        let request = || self.history(FRONT_DESK, at, message.clone());
        let answer = insist(request, async |request| intake.clone().log_interaction(request).await).await?;
        Ok(answer.into_inner())
    }

    async fn promise(&self, case_id: &str, at: &str, due: &str) -> anyhow::Result<()> {
        let (at, due) = (self.instant(at)?, self.instant(due)?);
        let message = MakePromiseRequest {
            request_id: "amends/promise".to_owned(),
            case_id: case_id.to_owned(),
            kind: "callback".to_owned(),
            due_at: Some(stamp(due)),
            text: CALLBACK.to_owned(),
            expected_rev: None,
        };
        output::say(&format!("    promise      {CALLBACK}"));
        let intake = self.home.intake()?;
        let request = || self.history(FRONT_DESK, at, message.clone());
        insist(request, async |request| intake.clone().make_promise(request).await).await.map(|_| ())
    }

    /// Waits until the broken promise is escalated, in a service of its own.
    async fn escalated(&self, case_id: &str) -> anyhow::Result<()> {
        let mut escalation = self.home.escalation()?;
        until("the escalation", async || {
            let question = GetEscalationRequest { case_id: case_id.to_owned(), read: None };
            let found = escalation.get_escalation(self.home.request(question)).await.ok();
            found.map(|_| ())
        })
        .await
    }

    async fn accept(&self, case_id: &str, at: &str) -> anyhow::Result<()> {
        let at = self.instant(at)?;
        let message = AcceptEscalationRequest {
            request_id: "amends/accept".to_owned(),
            case_id: case_id.to_owned(),
            expected_rev: None,
        };
        output::say("    escalation   climbed twice before the director accepted it");
        let escalation = self.home.escalation()?;
        let request = || self.history(DIRECTOR, at, message.clone());
        let accept = async |request| escalation.clone().accept_escalation(request).await;
        insist(request, accept).await?;
        let mut escalation = self.home.escalation()?;
        until("the director's answer", async || {
            let question = GetEscalationRequest { case_id: case_id.to_owned(), read: None };
            let found = escalation.get_escalation(self.home.request(question)).await.ok()?.into_inner();
            found.escalation.filter(|e| e.phase() != EscalationPhase::Waiting).map(|_| ())
        })
        .await
    }

    /// Says that this history is all there is: from now on the clock on the wall runs for it.
    async fn close(&self) -> anyhow::Result<()> {
        let start = ImportStart { import_key: IMPORT.to_owned() };
        let request = || {
            let part = ImportInteractionsRequest { part: Some(Part::Start(start.clone())) };
            self.home.request_by(FRONT_DESK, tokio_stream::iter([part]))
        };
        let intake = self.home.intake()?;
        let close = async |request| intake.clone().import_interactions(request).await;
        let mut answers = insist(request, close).await?.into_inner();
        while answers.message().await?.is_some() {}
        Ok(())
    }

    /// Registers a charge, asks for a refund of it, approves it if the policy lets that be, and waits for its end.
    async fn give_back(
        &self,
        to: &LogInteractionResponse,
        (reference, captured): (&str, u64),
        lines: &[RefundLine],
    ) -> anyhow::Result<()> {
        let money = |amount_minor| Some(Money { currency: "USD".to_owned(), amount_minor });
        let registration = RegisterChargeRequest {
            request_id: format!("amends/charge/{reference}"),
            reference: reference.to_owned(),
            customer_id: to.customer_id.clone(),
            case_id: to.case_id.clone(),
            method: PaymentMethod::Card.into(),
            captured: money(captured),
            captured_at: Some(stamp(self.instant("4 17:30")?)),
            ..RegisterChargeRequest::default()
        };
        let refunds = self.home.refunds()?;
        let request = || self.home.request_by(FRONT_DESK, registration.clone());
        let register = async |request| refunds.clone().register_charge(request).await;
        let charge_id = insist(request, register).await?.into_inner().charge_id;

        let asked = RequestRefundRequest {
            request_id: format!("amends/refund/{reference}"),
            charge_id: charge_id.clone(),
            currency: "USD".to_owned(),
            lines: lines.to_vec(),
            reason: SORRY.to_owned(),
            expected_rev: None,
        };
        let request = || self.home.request_by(FRONT_DESK, asked.clone());
        let ask = async |request| refunds.clone().request_refund(request).await;
        let asked = insist(request, ask).await?.into_inner();
        if asked.phase() == RefundPhase::Requested {
            let approval = ApproveRefundRequest {
                request_id: format!("amends/approve/{reference}"),
                charge_id,
                refund_id: asked.refund_id.clone(),
                expected_rev: None,
            };
            let request = || self.home.request_by(APPROVER, approval.clone());
            let approve = async |request| refunds.clone().approve_refund(request).await;
            insist(request, approve).await?;
        }
        let phase = self.ended(&asked.refund_id).await?;
        output::say(&format!("    refund       of {reference}: {phase}"));
        Ok(())
    }

    /// Waits until a refund is paid, failed or declined. Answers which.
    async fn ended(&self, refund_id: &str) -> anyhow::Result<String> {
        let mut refunds = self.home.refunds()?;
        let mut is_told = false;
        until("the refund's end", async || {
            let question = GetRefundRequest { refund_id: refund_id.to_owned(), read: None };
            let found = refunds.get_refund(self.home.request(question)).await.ok()?.into_inner().refund?;
            match found.phase() {
                RefundPhase::Paid | RefundPhase::Failed | RefundPhase::Declined => {
                    Some(crate::show::refund_phase(found.phase()))
                }
                RefundPhase::Unknown if !is_told => {
                    output::say(
                        "    refund       nobody can tell whether it was paid; the provider will be asked",
                    );
                    is_told = true;
                    None
                }
                RefundPhase::Unknown
                | RefundPhase::Requested
                | RefundPhase::Instructed
                | RefundPhase::Unspecified => None,
            }
        })
        .await
    }
}

fn stamp(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
}

/// Looks again and again until there is something.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> anyhow::Result<T> {
    let waits = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(PATIENCE, waits)
        .await
        .with_context(|| format!("{what} did not come in {} s", PATIENCE.as_secs()))
}
