//! Refunds: requested, approved by one or two, declined by a person or a limit, recorded from history, and never more than was captured.

use seva_api::pb::common::v1::Money;
use seva_api::pb::refunds::v1::get_charge_request::Which;
use seva_api::pb::refunds::v1::list_refunds_request::Which as RefundsBy;
use seva_api::pb::refunds::v1::{
    ApproveRefundRequest, ApproveRefundResponse, Charge, DeclineRefundRequest, GetChargeRequest,
    GetRefundTotalsRequest, LineKind, ListRefundsRequest, PaymentMethod, RecordRefundRequest, RefundLine,
    RefundPhase, RegisterChargeRequest, RequestRefundRequest, RequestRefundResponse,
};
use seva_stories::{House, as_actor, refused};
use tonic::Code;

use crate::complaint;

pub(crate) fn charge(reference: &str, cents: u64) -> RegisterChargeRequest {
    RegisterChargeRequest {
        request_id: format!("register {reference}"),
        reference: reference.to_owned(),
        order: format!("order-of-{reference}"),
        method: PaymentMethod::Card.into(),
        captured: Some(Money { currency: "EUR".to_owned(), amount_minor: cents }),
        ..RegisterChargeRequest::default()
    }
}

pub(crate) async fn register(house: &House, request: RegisterChargeRequest) -> String {
    house.refunds().register_charge(request).await.unwrap().into_inner().charge_id
}

pub(crate) fn line(kind: LineKind, amount_minor: u64) -> RefundLine {
    let evidence = if kind == LineKind::Consequential { "The bank's letter." } else { "" };
    RefundLine { kind: kind.into(), amount_minor, evidence: evidence.to_owned() }
}

pub(crate) fn request(request_id: &str, charge_id: &str, lines: &[RefundLine]) -> RequestRefundRequest {
    RequestRefundRequest {
        request_id: request_id.to_owned(),
        charge_id: charge_id.to_owned(),
        currency: "EUR".to_owned(),
        lines: lines.to_vec(),
        reason: "Charged twice.".to_owned(),
        expected_rev: None,
    }
}

pub(crate) async fn ask(house: &House, request: RequestRefundRequest) -> RequestRefundResponse {
    house.refunds().request_refund(as_actor("agent:ana", request)).await.unwrap().into_inner()
}

pub(crate) async fn approve(
    house: &House,
    by: &str,
    charge_id: &str,
    refund_id: &str,
) -> ApproveRefundResponse {
    let request = ApproveRefundRequest {
        request_id: format!("approve {refund_id}"),
        charge_id: charge_id.to_owned(),
        refund_id: refund_id.to_owned(),
        expected_rev: None,
    };
    house.refunds().approve_refund(as_actor(by, request)).await.unwrap().into_inner()
}

pub(crate) async fn read(house: &House, charge_id: &str) -> Charge {
    house.settled().await;
    let which = Some(Which::ChargeId(charge_id.to_owned()));
    let request = GetChargeRequest { which, read: None };
    house.refunds().get_charge(request).await.unwrap().into_inner().charge.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_is_known_by_its_reference_and_registered_once() {
    let house = House::start().await;
    let case = complaint(&house, "asha").await;
    let registration = RegisterChargeRequest {
        customer_id: case.customer_id.clone(),
        case_id: case.case_id.clone(),
        ..charge("ch_1", 12_000)
    };
    let id = register(&house, registration.clone()).await;
    let same = RegisterChargeRequest { request_id: "another request".to_owned(), ..registration.clone() };
    assert_eq!(register(&house, same).await, id, "the same facts again");
    let other = RegisterChargeRequest {
        request_id: "a third request".to_owned(),
        captured: Some(Money { currency: "EUR".to_owned(), amount_minor: 11_000 }),
        ..registration
    };
    assert_eq!(refused(house.refunds().register_charge(other).await).reason, "CHARGE_DIFFERS");

    let stranger =
        RegisterChargeRequest { customer_id: format!("cus_{}", "0".repeat(32)), ..charge("ch_2", 100) };
    assert_eq!(refused(house.refunds().register_charge(stranger).await).code, Code::NotFound);
    let wrong = RegisterChargeRequest {
        request_id: String::new(),
        reference: "Meera Nair".to_owned(),
        captured: Some(Money { currency: "EURO".to_owned(), amount_minor: 0 }),
        method: 99,
        ..charge("ch_3", 1)
    };
    let refusal = refused(house.refunds().register_charge(wrong).await);
    let fields = ["request_id", "reference", "method", "captured.currency", "captured.amount_minor"];
    assert_eq!(refusal.fields, fields);
    let by_reference = GetChargeRequest { which: Some(Which::Reference("ch_1".to_owned())), read: None };
    house.settled().await;
    let found = house.refunds().get_charge(by_reference).await.unwrap().into_inner().charge.unwrap();
    assert_eq!((found.charge_id, found.refundable.unwrap().amount_minor), (id, 12_000));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn above_the_limit_it_takes_somebody_who_did_not_request_it() {
    let house = House::start().await;
    let charge_id = register(&house, charge("ch_1", 20_000)).await;
    let asked = ask(&house, request("q-1", &charge_id, &[line(LineKind::Principal, 12_000)])).await;
    assert_eq!(asked.phase(), RefundPhase::Requested);
    let own = approve(&house, "agent:ana", &charge_id, &asked.refund_id).await;
    assert_eq!((own.phase(), own.alone_up_to_minor), (RefundPhase::Requested, 5_000));
    let other = approve(&house, "lead:bo", &charge_id, &asked.refund_id).await;
    assert_eq!(other.phase(), RefundPhase::Instructed);

    let second = refused(
        house.refunds().request_refund(request("q-2", &charge_id, &[line(LineKind::Principal, 1)])).await,
    );
    assert_eq!(
        (second.reason.as_str(), second.metadata["open_refund_id"].as_str()),
        ("REFUND_OPEN", asked.refund_id.as_str())
    );
    let decline = DeclineRefundRequest {
        request_id: "d-1".to_owned(),
        charge_id: charge_id.clone(),
        refund_id: asked.refund_id.clone(),
        reason: "Too late.".to_owned(),
        expected_rev: None,
    };
    assert_eq!(refused(house.refunds().decline_refund(decline).await).reason, "REFUND_DECIDED");
    let read = read(&house, &charge_id).await;
    assert_eq!(read.refunds[0].approved_by, ["agent:ana", "lead:bo"]);
    assert_eq!(read.refundable.unwrap().amount_minor, 8_000);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_the_policy_decline_and_say_which() {
    let house = House::start().await;
    let charge_id = register(&house, charge("ch_1", 50_000)).await;
    let lines = [line(LineKind::Principal, 2_000), line(LineKind::Consequential, 10_001)];
    let declined = ask(&house, request("q-1", &charge_id, &lines)).await;
    assert_eq!(declined.phase(), RefundPhase::Declined);
    let decline = declined.decline.unwrap();
    assert_eq!(
        (decline.kind(), decline.up_to_minor, decline.would_be_minor),
        (LineKind::Consequential, 10_000, 10_001)
    );
    let gift = ask(&house, request("q-2", &charge_id, &[line(LineKind::Goodwill, 2_501)])).await;
    assert_eq!(gift.decline.unwrap().kind(), LineKind::Goodwill);

    let too_much = refused(
        house
            .refunds()
            .request_refund(request("q-3", &charge_id, &[line(LineKind::Principal, 50_001)]))
            .await,
    );
    assert_eq!(
        (too_much.reason.as_str(), too_much.metadata["refundable_minor"].as_str()),
        ("EXCEEDS_CAPTURED", "50000")
    );
    let dollars = RequestRefundRequest {
        currency: "USD".to_owned(),
        ..request("q-4", &charge_id, &[line(LineKind::Principal, 1)])
    };
    assert_eq!(refused(house.refunds().request_refund(dollars).await).reason, "OTHER_CURRENCY");
    let without_evidence = RefundLine { evidence: String::new(), ..line(LineKind::Consequential, 1) };
    let refusal =
        refused(house.refunds().request_refund(request("q-5", &charge_id, &[without_evidence])).await);
    assert_eq!(refusal.fields, ["lines[0].evidence"]);
    assert_eq!(read(&house, &charge_id).await.refundable.unwrap().amount_minor, 50_000);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_that_was_paid_is_recorded_and_counted_and_lists_and_totals_tell_it() {
    let mut house = House::start().await;
    let case = complaint(&house, "bo").await;
    for n in 1..=3_u64 {
        let registration = RegisterChargeRequest {
            customer_id: case.customer_id.clone(),
            ..charge(&format!("ch_{n}"), n * 1_000)
        };
        let charge_id = register(&house, registration).await;
        let record = RecordRefundRequest {
            request_id: format!("note-{n}"),
            charge_id,
            currency: "EUR".to_owned(),
            lines: vec![line(LineKind::Principal, n * 100)],
            payout: format!("credit-note-{n}"),
            ..RecordRefundRequest::default()
        };
        house.refunds().record_refund(record).await.unwrap();
    }
    house.restart_services().await;
    let list = |which| {
        let request = ListRefundsRequest { which: Some(which), page: None, read: None };
        let mut refunds = house.refunds();
        async move {
            let listed = refunds.list_refunds(request).await.unwrap().into_inner().refunds;
            listed.into_iter().map(|one| one.refund.unwrap().payout).collect::<Vec<_>>()
        }
    };
    let all = ["credit-note-1", "credit-note-2", "credit-note-3"];
    assert_eq!(list(RefundsBy::Phase(RefundPhase::Paid.into())).await, all);
    assert_eq!(list(RefundsBy::CustomerId(case.customer_id.clone())).await, all);
    assert_eq!(list(RefundsBy::Order("order-of-ch_2".to_owned())).await, ["credit-note-2"]);
    let totals = house.refunds().get_refund_totals(GetRefundTotalsRequest { read: None }).await.unwrap();
    let totals = totals.into_inner().totals.remove(0);
    assert_eq!(
        (totals.charges, totals.captured_minor, totals.refunds_paid, totals.paid_minor, totals.refunds_open),
        (3, 6_000, 3, 600, 0)
    );
    house.stop().await;
}
