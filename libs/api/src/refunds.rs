//! Refunds over gRPC: requests to drafts, records to answers.

use seva_domain::charge::{
    self, ApprovalGiven, Command, DeclinedBecause, Line, LineKind, Method, RefundRecorded, RefundRequested,
    Registered,
};
use seva_domain::noun::{Event, Noun};
use seva_domain::plan::Intent;
use seva_domain::values::{At, CaseId, ChargeId, Currency, CustomerId, KeyId, Minor, Reference, RefundId};

use crate::edge::{Draft, Pen, Whose, Written};
use crate::intake::NOTE_CHARS_MAX;
use crate::parse::Fields;
use crate::pb::refunds::v1 as pb;
use crate::status::Error;

/// How many lines a refund has at most.
pub const LINES_MAX: usize = 20;

/// A captured payment to be made known; whose it is was checked.
pub struct Registration {
    reference: Reference,
    order: Option<Reference>,
    pub customer: Option<CustomerId>,
    pub case: Option<CaseId>,
    method: Method,
    currency: Currency,
    captured: Minor,
    captured_at: Option<At>,
    key: Option<KeyId>,
}

impl Registration {
    /// Checks a request.
    pub fn parse(request: &pb::RegisterChargeRequest, now: At) -> Result<Registration, Error> {
        let pb::RegisterChargeRequest {
            request_id,
            reference,
            order,
            customer_id,
            case_id,
            method,
            captured,
            captured_at,
        } = request;
        let mut fields = Fields::default();
        fields.request_id("request_id", request_id);
        let reference = fields.reference("reference", reference);
        let order = fields.reference_if_given("order", order);
        let customer = fields.id_if_given("customer_id", customer_id);
        let case = fields.id_if_given("case_id", case_id);
        let method = fields.known("method", *method).and_then(self::method);
        let (currency, amount) = match captured {
            Some(money) => {
                let currency = fields.currency("captured.currency", &money.currency);
                (currency, fields.minor("captured.amount_minor", money.amount_minor))
            }
            None => {
                fields.refuse("captured", "is missing");
                (None, None)
            }
        };
        let captured_at = at_if_given(&mut fields, "captured_at", captured_at.as_ref(), now);
        fields.finish(|| {
            Some(Registration {
                reference: reference?,
                order: order?,
                customer: customer?,
                case: case?,
                method: method?,
                currency: currency?,
                captured: amount?,
                captured_at: captured_at?,
                key: None,
            })
        })
    }

    /// With the key of whoever it is of.
    pub fn under(self, key: Option<KeyId>) -> Registration {
        Registration { key, ..self }
    }

    /// What the charge is known by: its reference names it.
    pub fn charge(&self) -> ChargeId {
        charge_of(&self.reference)
    }
}

/// The charge that a reference names.
pub fn charge_of(reference: &Reference) -> ChargeId {
    ChargeId::derive(&[reference.as_str().as_bytes()])
}

impl Draft for Registration {
    fn whose(&self) -> Whose {
        self.key.map_or(Whose::Nobody, Whose::Key)
    }

    fn occurred_at(&self) -> Option<At> {
        self.captured_at
    }

    async fn intent(&self, pen: &Pen<'_>) -> Result<Intent, Error> {
        let registered = Registered {
            reference: self.reference.clone(),
            order: self.order.clone(),
            customer: self.customer,
            case: self.case,
            method: self.method,
            currency: self.currency,
            captured: self.captured,
            key: pen.sealing().key,
        };
        let command = Command::Register(registered);
        Ok(Intent::Charge { charge: self.charge(), command, expected_rev: None, sealing: None })
    }
}

fn at_if_given(
    fields: &mut Fields,
    field: &str,
    at: Option<&prost_types::Timestamp>,
    now: At,
) -> Option<Option<At>> {
    match at {
        Some(at) => fields.at(field, at, now).map(Some),
        None => Some(None),
    }
}

/// A line of a refund, its evidence clear.
type ClearLine = (LineKind, Minor, String);

fn lines(fields: &mut Fields, given: &[pb::RefundLine]) -> Option<Vec<ClearLine>> {
    if given.is_empty() || given.len() > LINES_MAX {
        fields.refuse("lines", format!("should have 1 to {LINES_MAX} entries"));
        return None;
    }
    let read = |(n, line): (usize, &pb::RefundLine)| {
        let pb::RefundLine { kind, amount_minor, evidence } = line;
        let kind = fields.known(&format!("lines[{n}].kind"), *kind).and_then(line_kind);
        let amount = fields.minor(&format!("lines[{n}].amount_minor"), *amount_minor);
        let field = format!("lines[{n}].evidence");
        let evidence = match kind? {
            LineKind::Consequential => fields.text(&field, evidence, 1..=NOTE_CHARS_MAX)?,
            LineKind::Goodwill | LineKind::Principal if evidence.is_empty() => String::new(),
            LineKind::Goodwill | LineKind::Principal => {
                fields.refuse(&field, "belongs to consequential cost only");
                return None;
            }
        };
        Some((kind?, amount?, evidence))
    };
    let all: Vec<Option<ClearLine>> = given.iter().enumerate().map(read).collect();
    all.into_iter().collect()
}

async fn sealed(lines: &[ClearLine], pen: &Pen<'_>) -> Result<Vec<Line>, Error> {
    let mut sealed = Vec::with_capacity(lines.len());
    for (n, (kind, amount, evidence)) in lines.iter().enumerate() {
        let evidence = pen.seal_if_given(&format!("lines[{n}].evidence"), evidence).await?;
        sealed.push(Line { kind: *kind, amount: *amount, evidence });
    }
    Ok(sealed)
}

/// Something to be done about a charge.
pub struct ChargeChange {
    charge: ChargeId,
    expected_rev: Option<u64>,
    occurred_at: Option<At>,
    what: What,
}

enum What {
    Request { currency: Currency, lines: Vec<ClearLine>, reason: String },
    Approve { refund: RefundId },
    Decline { refund: RefundId, reason: String },
    Record { currency: Currency, lines: Vec<ClearLine>, payout: Reference },
}

impl ChargeChange {
    /// Checks a request for a refund.
    pub fn request(request: &pb::RequestRefundRequest) -> Result<ChargeChange, Error> {
        let pb::RequestRefundRequest { request_id, charge_id, currency, lines, reason, expected_rev } =
            request;
        let mut fields = Fields::default();
        fields.request_id("request_id", request_id);
        let charge = fields.id("charge_id", charge_id);
        let currency = fields.currency("currency", currency);
        let lines = self::lines(&mut fields, lines);
        let reason = fields.text("reason", reason, 1..=NOTE_CHARS_MAX);
        let expected_rev = *expected_rev;
        fields.finish(|| {
            let what = What::Request { currency: currency?, lines: lines?, reason: reason? };
            Some(ChargeChange { charge: charge?, expected_rev, occurred_at: None, what })
        })
    }

    /// Checks an approval.
    pub fn approve(request: &pb::ApproveRefundRequest) -> Result<ChargeChange, Error> {
        let pb::ApproveRefundRequest { request_id, charge_id, refund_id, expected_rev } = request;
        let mut fields = Fields::default();
        fields.request_id("request_id", request_id);
        let charge = fields.id("charge_id", charge_id);
        let refund = fields.id("refund_id", refund_id);
        let expected_rev = *expected_rev;
        fields.finish(|| {
            let what = What::Approve { refund: refund? };
            Some(ChargeChange { charge: charge?, expected_rev, occurred_at: None, what })
        })
    }

    /// Checks a request to decline.
    pub fn decline(request: &pb::DeclineRefundRequest) -> Result<ChargeChange, Error> {
        let pb::DeclineRefundRequest { request_id, charge_id, refund_id, reason, expected_rev } = request;
        let mut fields = Fields::default();
        fields.request_id("request_id", request_id);
        let charge = fields.id("charge_id", charge_id);
        let refund = fields.id("refund_id", refund_id);
        let reason = fields.text("reason", reason, 1..=NOTE_CHARS_MAX);
        let expected_rev = *expected_rev;
        fields.finish(|| {
            let what = What::Decline { refund: refund?, reason: reason? };
            Some(ChargeChange { charge: charge?, expected_rev, occurred_at: None, what })
        })
    }

    /// Checks a refund that was paid before, or by another way.
    pub fn record(request: &pb::RecordRefundRequest, now: At) -> Result<ChargeChange, Error> {
        let pb::RecordRefundRequest { request_id, charge_id, currency, lines, payout, paid_at, expected_rev } =
            request;
        let mut fields = Fields::default();
        fields.request_id("request_id", request_id);
        let charge = fields.id("charge_id", charge_id);
        let currency = fields.currency("currency", currency);
        let lines = self::lines(&mut fields, lines);
        let payout = fields.reference("payout", payout);
        let paid_at = at_if_given(&mut fields, "paid_at", paid_at.as_ref(), now);
        let expected_rev = *expected_rev;
        fields.finish(|| {
            let what = What::Record { currency: currency?, lines: lines?, payout: payout? };
            Some(ChargeChange { charge: charge?, expected_rev, occurred_at: paid_at?, what })
        })
    }
}

impl Draft for ChargeChange {
    fn whose(&self) -> Whose {
        match &self.what {
            What::Approve { .. } => Whose::NoTexts,
            What::Record { lines, .. } if lines.iter().all(|(_, _, evidence)| evidence.is_empty()) => {
                Whose::NoTexts
            }
            What::Request { .. } | What::Decline { .. } | What::Record { .. } => Whose::Charge(self.charge),
        }
    }

    fn occurred_at(&self) -> Option<At> {
        self.occurred_at
    }

    async fn intent(&self, pen: &Pen<'_>) -> Result<Intent, Error> {
        // The refund is named by the request that made it.
        let refund = RefundId::derive(&[pen.request().bytes()]);
        let by = pen.caller().clone();
        let command = match &self.what {
            What::Request { currency, lines, reason } => {
                let lines = sealed(lines, pen).await?;
                let reason = pen.seal("reason", reason).await?;
                let requested = RefundRequested { refund, by, lines, reason };
                Command::RequestRefund { currency: *currency, requested }
            }
            What::Approve { refund } => Command::Approve(ApprovalGiven { refund: *refund, by }),
            What::Decline { refund, reason } => {
                Command::Decline { refund: *refund, by, reason: pen.seal("reason", reason).await? }
            }
            What::Record { currency, lines, payout } => {
                let lines = sealed(lines, pen).await?;
                let recorded = RefundRecorded { refund, by, lines, payout: payout.clone() };
                Command::RecordRefund { currency: *currency, recorded }
            }
        };
        let sealing = (self.whose() != Whose::NoTexts).then(|| pen.sealing());
        Ok(Intent::Charge { charge: self.charge, command, expected_rev: self.expected_rev, sealing })
    }
}

/// What became of a payment, as the provider says.
pub struct Outcome {
    pub charge: ChargeId,
    pub command: Command,
}

impl Draft for Outcome {
    fn whose(&self) -> Whose {
        Whose::NoTexts
    }

    async fn intent(&self, _: &Pen<'_>) -> Result<Intent, Error> {
        let (charge, command) = (self.charge, self.command.clone());
        Ok(Intent::Charge { charge, command, expected_rev: None, sealing: None })
    }
}

/// The events of a request's records about a charge.
fn events(written: &Written) -> impl Iterator<Item = &charge::Event> {
    let entries = written.records.iter().flat_map(|record| &record.events);
    entries.filter_map(|entry| if let Event::Charge(event) = &entry.event { Some(event) } else { None })
}

/// What a registered charge is answered with.
pub fn registered(written: &Written, charge: ChargeId) -> pb::RegisterChargeResponse {
    let found = written.records.iter().find_map(|record| match record.noun {
        Noun::Charge(id) => Some(id),
        _ => None,
    });
    let charge_id = found.unwrap_or(charge).to_string();
    pb::RegisterChargeResponse { charge_id, rev: written.rev, position: written.position.clone() }
}

/// What a requested refund is answered with.
pub fn requested(written: &Written) -> pb::RequestRefundResponse {
    let mut answer = pb::RequestRefundResponse {
        rev: written.rev,
        position: written.position.clone(),
        phase: pb::RefundPhase::Requested.into(),
        ..pb::RequestRefundResponse::default()
    };
    for event in events(written) {
        match event {
            charge::Event::RefundRequested(requested) => answer.refund_id = requested.refund.to_string(),
            charge::Event::RefundDeclined(declined) => {
                answer.phase = pb::RefundPhase::Declined.into();
                answer.decline = policy_decline(&declined.because);
            }
            _ => {}
        }
    }
    answer
}

/// Which limit of the policy a refund was declined for; none where somebody said so.
pub fn policy_decline(because: &DeclinedBecause) -> Option<pb::PolicyDecline> {
    let (kind, up_to, would_be) = match because {
        DeclinedBecause::ConsequentialAbove { up_to, would_be } => (LineKind::Consequential, up_to, would_be),
        DeclinedBecause::GoodwillAbove { up_to, would_be } => (LineKind::Goodwill, up_to, would_be),
        DeclinedBecause::Said { .. } => return None,
    };
    let (up_to_minor, would_be_minor) = (up_to.get(), would_be.get());
    Some(pb::PolicyDecline { kind: line_kind_of(kind).into(), up_to_minor, would_be_minor })
}

/// What an approval is answered with.
pub fn approved(written: &Written) -> pb::ApproveRefundResponse {
    let mut answer = pb::ApproveRefundResponse {
        rev: written.rev,
        position: written.position.clone(),
        phase: pb::RefundPhase::Requested.into(),
        ..pb::ApproveRefundResponse::default()
    };
    for event in events(written) {
        match event {
            charge::Event::RefundInstructed(_) => answer.phase = pb::RefundPhase::Instructed.into(),
            charge::Event::SecondApprovalRequired(required) => {
                answer.alone_up_to_minor = required.alone_up_to.get();
            }
            _ => {}
        }
    }
    answer
}

/// What a recorded refund is answered with.
pub fn recorded(written: &Written) -> pb::RecordRefundResponse {
    let refund = events(written).find_map(|event| match event {
        charge::Event::RefundRecorded(recorded) => Some(recorded.refund.to_string()),
        _ => None,
    });
    let refund_id = refund.unwrap_or_default();
    pb::RecordRefundResponse { refund_id, rev: written.rev, position: written.position.clone() }
}

fn method(method: pb::PaymentMethod) -> Option<Method> {
    match method {
        pb::PaymentMethod::Unspecified => None,
        pb::PaymentMethod::Card => Some(Method::Card),
        pb::PaymentMethod::BankTransfer => Some(Method::BankTransfer),
        pb::PaymentMethod::DirectDebit => Some(Method::DirectDebit),
        pb::PaymentMethod::Wallet => Some(Method::Wallet),
        pb::PaymentMethod::Voucher => Some(Method::Voucher),
        pb::PaymentMethod::Cash => Some(Method::Cash),
        pb::PaymentMethod::Other => Some(Method::Other),
    }
}

/// The method as a message holds it.
pub fn method_of(method: Method) -> pb::PaymentMethod {
    match method {
        Method::Card => pb::PaymentMethod::Card,
        Method::BankTransfer => pb::PaymentMethod::BankTransfer,
        Method::DirectDebit => pb::PaymentMethod::DirectDebit,
        Method::Wallet => pb::PaymentMethod::Wallet,
        Method::Voucher => pb::PaymentMethod::Voucher,
        Method::Cash => pb::PaymentMethod::Cash,
        Method::Other => pb::PaymentMethod::Other,
    }
}

fn line_kind(kind: pb::LineKind) -> Option<LineKind> {
    match kind {
        pb::LineKind::Unspecified => None,
        pb::LineKind::Principal => Some(LineKind::Principal),
        pb::LineKind::Consequential => Some(LineKind::Consequential),
        pb::LineKind::Goodwill => Some(LineKind::Goodwill),
    }
}

/// The kind of a line as a message holds it.
pub fn line_kind_of(kind: LineKind) -> pb::LineKind {
    match kind {
        LineKind::Principal => pb::LineKind::Principal,
        LineKind::Consequential => pb::LineKind::Consequential,
        LineKind::Goodwill => pb::LineKind::Goodwill,
    }
}
