//! What refunds is asked.

use seva_api::pb::common::v1::Money;
use seva_api::pb::refunds::v1::refunds_service_client::RefundsServiceClient;
use seva_api::pb::refunds::v1::{
    ApproveRefundRequest, DeclineRefundRequest, LineKind, PaymentMethod, RefundLine, RegisterChargeRequest,
    RequestRefundRequest,
};
use tonic::Status;

use super::{Written, answered, asked, time};
use crate::doors::Door;
use crate::write::{Verb, Write};

/// Asks refunds.
pub(super) async fn ask(door: &Door, write: &Write) -> Result<Written, Status> {
    let mut client = RefundsServiceClient::new(door.channel.clone());
    let (request_id, charge_id, refund_id) = (write.marker.clone(), write.about.clone(), write.of.clone());
    let said = || "it was charged twice".to_owned();
    let stands = |position: String| (position, Vec::new());
    let amount_minor = u64::try_from(write.number).unwrap_or_default();
    Ok(match write.verb {
        Verb::RegisterCharge => {
            let captured = Some(Money { currency: write.currency.clone(), amount_minor });
            let request = RegisterChargeRequest {
                request_id,
                reference: write.of.clone(),
                order: String::new(),
                customer_id: write.account.clone(),
                case_id: write.about.clone(),
                method: PaymentMethod::Card.into(),
                captured,
                captured_at: time(write.occurred_at),
            };
            let answer = client.register_charge(asked(write, request)).await?;
            answered(answer, |a| (a.position, vec![a.charge_id]))
        }
        Verb::RequestRefund => {
            let request = RequestRefundRequest {
                request_id,
                charge_id,
                currency: write.currency.clone(),
                lines: lines(write, amount_minor),
                reason: said(),
                expected_rev: None,
            };
            let answer = client.request_refund(asked(write, request)).await?;
            answered(answer, |a| (a.position, vec![a.refund_id]))
        }
        Verb::ApproveRefund => {
            let request = ApproveRefundRequest { request_id, charge_id, refund_id, expected_rev: None };
            answered(client.approve_refund(asked(write, request)).await?, |a| stands(a.position))
        }
        Verb::DeclineRefund => {
            let request =
                DeclineRefundRequest { request_id, charge_id, refund_id, reason: said(), expected_rev: None };
            answered(client.decline_refund(asked(write, request)).await?, |a| stands(a.position))
        }
        _ => return Err(Status::invalid_argument("not refunds'")),
    })
}

/// The amount in one line, or half of it as a gift.
fn lines(write: &Write, amount_minor: u64) -> Vec<RefundLine> {
    let line = |kind: LineKind, amount_minor| RefundLine {
        kind: kind.into(),
        amount_minor,
        evidence: String::new(),
    };
    let gift = if write.is_suggestion { amount_minor / 2 } else { 0 };
    let mut lines = vec![line(LineKind::Principal, amount_minor - gift)];
    if gift > 0 {
        lines.push(line(LineKind::Goodwill, gift));
    }
    lines
}
