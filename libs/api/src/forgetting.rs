//! Forgetting a customer over gRPC: requests to drafts, and codes to and from the domain.

use seva_domain::customer::{self, Command, Forgetting};
use seva_domain::plan::Intent;
use seva_domain::values::CustomerId;

use crate::edge::{Draft, Pen, Whose};
use crate::parse::Fields;
use crate::pb::intake::v1 as pb;
use crate::status::Error;

/// Something said about forgetting a customer.
pub struct Saying {
    customer: CustomerId,
    what: What,
}

enum What {
    Ask { reason: customer::ForgettingReason },
    Confirm,
    Decline { because: customer::ForgettingDeclinedBecause },
    Hold { reason: customer::HoldReason },
    Lift { reason: customer::HoldReason, because: customer::HoldLiftedBecause },
}

impl Saying {
    /// Checks a request to forget a customer.
    pub fn ask(request: &pb::ForgetCustomerRequest) -> Result<Saying, Error> {
        let pb::ForgetCustomerRequest { request_id, customer_id, reason } = request;
        let (mut fields, customer) = begin(request_id, customer_id);
        let reason = fields.known("reason", *reason).and_then(self::reason);
        fields.finish(|| Some(Saying { customer: customer?, what: What::Ask { reason: reason? } }))
    }

    /// Checks a confirmation.
    pub fn confirm(request: &pb::ConfirmForgettingRequest) -> Result<Saying, Error> {
        let pb::ConfirmForgettingRequest { request_id, customer_id } = request;
        let (fields, customer) = begin(request_id, customer_id);
        fields.finish(|| Some(Saying { customer: customer?, what: What::Confirm }))
    }

    /// Checks a request to decline.
    pub fn decline(request: &pb::DeclineForgettingRequest) -> Result<Saying, Error> {
        let pb::DeclineForgettingRequest { request_id, customer_id, because } = request;
        let (mut fields, customer) = begin(request_id, customer_id);
        let because = fields.known("because", *because).and_then(self::decline);
        fields.finish(|| Some(Saying { customer: customer?, what: What::Decline { because: because? } }))
    }

    /// Checks a request to hold.
    pub fn hold(request: &pb::PlaceLegalHoldRequest) -> Result<Saying, Error> {
        let pb::PlaceLegalHoldRequest { request_id, customer_id, reason } = request;
        let (mut fields, customer) = begin(request_id, customer_id);
        let reason = fields.known("reason", *reason).and_then(self::hold);
        fields.finish(|| Some(Saying { customer: customer?, what: What::Hold { reason: reason? } }))
    }

    /// Checks a request to lift a hold.
    pub fn lift(request: &pb::LiftLegalHoldRequest) -> Result<Saying, Error> {
        let pb::LiftLegalHoldRequest { request_id, customer_id, reason, because } = request;
        let (mut fields, customer) = begin(request_id, customer_id);
        let reason = fields.known("reason", *reason).and_then(self::hold);
        let because = fields.known("because", *because).and_then(self::lift);
        fields.finish(|| {
            let what = What::Lift { reason: reason?, because: because? };
            Some(Saying { customer: customer?, what })
        })
    }
}

fn begin(request_id: &str, customer_id: &str) -> (Fields, Option<CustomerId>) {
    let mut fields = Fields::default();
    fields.request_id("request_id", request_id);
    let customer = fields.id("customer_id", customer_id);
    (fields, customer)
}

impl Draft for Saying {
    fn whose(&self) -> Whose {
        Whose::NoTexts
    }

    async fn intent(&self, pen: &Pen<'_>) -> Result<Intent, Error> {
        let by = pen.caller().clone();
        let said = match self.what {
            What::Ask { reason } => Forgetting::Ask { by, reason },
            What::Confirm => Forgetting::Confirm { by },
            What::Decline { because } => Forgetting::Decline { by, because },
            What::Hold { reason } => Forgetting::Hold { by, reason },
            What::Lift { reason, because } => Forgetting::Lift { by, reason, because },
        };
        Ok(Intent::Customer { customer: self.customer, command: Command::Forgetting(said) })
    }
}

/// That the keys of a customer are destroyed.
pub struct Destroyed(pub CustomerId);

impl Draft for Destroyed {
    fn whose(&self) -> Whose {
        Whose::NoTexts
    }

    async fn intent(&self, _: &Pen<'_>) -> Result<Intent, Error> {
        Ok(Intent::Customer { customer: self.0, command: Command::RecordForgotten })
    }
}

fn reason(reason: pb::ForgettingReason) -> Option<customer::ForgettingReason> {
    match reason {
        pb::ForgettingReason::Unspecified => None,
        pb::ForgettingReason::PersonAsked => Some(customer::ForgettingReason::PersonAsked),
        pb::ForgettingReason::ConsentWithdrawn => Some(customer::ForgettingReason::ConsentWithdrawn),
        pb::ForgettingReason::RetentionOver => Some(customer::ForgettingReason::RetentionOver),
        pb::ForgettingReason::UnlawfullyKept => Some(customer::ForgettingReason::UnlawfullyKept),
    }
}

/// Why somebody is to be forgotten, as a message holds it.
pub fn reason_of(reason: customer::ForgettingReason) -> pb::ForgettingReason {
    match reason {
        customer::ForgettingReason::PersonAsked => pb::ForgettingReason::PersonAsked,
        customer::ForgettingReason::ConsentWithdrawn => pb::ForgettingReason::ConsentWithdrawn,
        customer::ForgettingReason::RetentionOver => pb::ForgettingReason::RetentionOver,
        customer::ForgettingReason::UnlawfullyKept => pb::ForgettingReason::UnlawfullyKept,
    }
}

fn decline(because: pb::ForgettingDecline) -> Option<customer::ForgettingDeclinedBecause> {
    match because {
        pb::ForgettingDecline::Unspecified => None,
        pb::ForgettingDecline::IdentityNotProven => {
            Some(customer::ForgettingDeclinedBecause::IdentityNotProven)
        }
        pb::ForgettingDecline::LegalDuty => Some(customer::ForgettingDeclinedBecause::LegalDuty),
        pb::ForgettingDecline::Withdrawn => Some(customer::ForgettingDeclinedBecause::Withdrawn),
    }
}

/// Why somebody is not forgotten, as a message holds it.
pub fn decline_of(because: customer::ForgettingDeclinedBecause) -> pb::ForgettingDecline {
    match because {
        customer::ForgettingDeclinedBecause::IdentityNotProven => pb::ForgettingDecline::IdentityNotProven,
        customer::ForgettingDeclinedBecause::LegalDuty => pb::ForgettingDecline::LegalDuty,
        customer::ForgettingDeclinedBecause::Withdrawn => pb::ForgettingDecline::Withdrawn,
    }
}

fn hold(reason: pb::HoldReason) -> Option<customer::HoldReason> {
    match reason {
        pb::HoldReason::Unspecified => None,
        pb::HoldReason::Litigation => Some(customer::HoldReason::Litigation),
        pb::HoldReason::AuthorityOrder => Some(customer::HoldReason::AuthorityOrder),
        pb::HoldReason::FraudInvestigation => Some(customer::HoldReason::FraudInvestigation),
        pb::HoldReason::Bookkeeping => Some(customer::HoldReason::Bookkeeping),
    }
}

/// What somebody is held for, as a message holds it.
pub fn hold_of(reason: customer::HoldReason) -> pb::HoldReason {
    match reason {
        customer::HoldReason::Litigation => pb::HoldReason::Litigation,
        customer::HoldReason::AuthorityOrder => pb::HoldReason::AuthorityOrder,
        customer::HoldReason::FraudInvestigation => pb::HoldReason::FraudInvestigation,
        customer::HoldReason::Bookkeeping => pb::HoldReason::Bookkeeping,
    }
}

fn lift(because: pb::HoldLift) -> Option<customer::HoldLiftedBecause> {
    match because {
        pb::HoldLift::Unspecified => None,
        pb::HoldLift::MatterOver => Some(customer::HoldLiftedBecause::MatterOver),
        pb::HoldLift::PlacedInError => Some(customer::HoldLiftedBecause::PlacedInError),
    }
}
