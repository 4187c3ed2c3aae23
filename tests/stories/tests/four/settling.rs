//! Paying: the provider is told once, whatever it answers, and every refund comes to an end.

use std::time::Duration;

use serde_json::json;
use seva_api::pb::refunds::v1::{LineKind, Refund, RefundPhase};
use seva_stories::House;
use seva_stories::provider::{PATIENCE, Provider};
use seva_support::eventually;

use crate::MINUTE;
use crate::refunds::{approve, ask, charge, line, read, register, request};

/// Past the first attempt's outcome, which the policy waits ten seconds for, and short of the second's, twice as long after.
const ONE_OUTCOME: Duration = Duration::from_secs(20);

/// A refund of 25 euro on a charge of this reference, approved by whoever asked for it.
async fn approved(house: &House, reference: &str) -> (String, String) {
    let charge_id = register(house, charge(reference, 12_000)).await;
    let asked = ask(house, request(reference, &charge_id, &[line(LineKind::Principal, 2_500)])).await;
    let given = approve(house, "agent:ana", &charge_id, &asked.refund_id).await;
    assert_eq!(given.phase(), RefundPhase::Instructed);
    (charge_id, asked.refund_id)
}

/// The refund once it is in this phase.
async fn until(house: &House, charge_id: &str, phase: RefundPhase) -> Refund {
    eventually("the refund's end", PATIENCE, || async {
        let refund = read(house, charge_id).await.refunds.remove(0);
        (refund.phase() == phase).then_some(refund)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_approved_is_paid_once_under_the_refunds_own_id() {
    let provider = Provider::start().await;
    let house = House::paid_by(Some(provider.client())).await;
    let (charge_id, refund_id) = approved(&house, "ch_1").await;
    let paid = until(&house, &charge_id, RefundPhase::Paid).await;
    assert_eq!((paid.attempts, paid.payout.is_empty()), (1, false));
    assert_eq!(provider.payouts().await, [refund_id]);
    house.clock().jump(60 * MINUTE);
    house.settled().await;
    assert_eq!(provider.payouts().await.len(), 1, "what is settled is not tried again");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_unknown_until_the_provider_is_asked_and_pays_once() {
    let provider = Provider::start().await;
    let house = House::paid_by(Some(provider.client())).await;
    provider.misbehave(json!("lose_answer")).await;
    let (charge_id, refund_id) = approved(&house, "ch_1").await;
    until(&house, &charge_id, RefundPhase::Unknown).await;
    let paid = provider.payouts().await;
    assert_eq!(paid.as_slice(), std::slice::from_ref(&refund_id), "it was paid, and nobody here can tell");
    house.clock().jump(ONE_OUTCOME);
    let paid = until(&house, &charge_id, RefundPhase::Paid).await;
    assert_eq!(paid.attempts, 2);
    assert_eq!(provider.payouts().await, [refund_id]);
    let way: Vec<_> = paid.history.iter().map(|step| step.event_type.as_str()).collect();
    let end = [
        "charge.refund_unknown.v1",
        "charge.attempt_lapsed.v1",
        "charge.refund_instructed.v1",
        "charge.refund_paid.v1",
    ];
    assert!(way.ends_with(&end), "{way:?}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_will_not_pay_fails_with_its_code_and_may_be_asked_for_anew() {
    let provider = Provider::start().await;
    let house = House::paid_by(Some(provider.client())).await;
    provider.misbehave(json!({"decline": {"code": "card_expired"}})).await;
    let (charge_id, _) = approved(&house, "ch_1").await;
    let failed = until(&house, &charge_id, RefundPhase::Failed).await;
    assert_eq!(failed.failure_code, "card_expired");
    assert!(provider.payouts().await.is_empty());
    let again = ask(&house, request("again", &charge_id, &[line(LineKind::Principal, 2_500)])).await;
    approve(&house, "agent:ana", &charge_id, &again.refund_id).await;
    provider.paid(1).await;
    assert_eq!(provider.payouts().await, [again.refund_id]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_gone_is_asked_until_it_is_back() {
    let mut provider = Provider::start_with(&["--listen", "127.0.0.1:0"]).await;
    let house = House::paid_by(Some(provider.client())).await;
    provider.kill().await;
    let (charge_id, refund_id) = approved(&house, "ch_1").await;
    until(&house, &charge_id, RefundPhase::Unknown).await;
    house.clock().jump(MINUTE);
    eventually("a second attempt", PATIENCE, || async {
        let refund = read(&house, &charge_id).await.refunds.remove(0);
        (refund.attempts >= 2 && refund.phase() == RefundPhase::Unknown).then_some(())
    })
    .await;
    provider.again_at_its_address().await;
    house.clock().jump(10 * MINUTE);
    until(&house, &charge_id, RefundPhase::Paid).await;
    assert_eq!(provider.payouts().await, [refund_id]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_died_before_it_called_calls_after_its_next_start() {
    let provider = Provider::start().await;
    let mut house = House::start().await;
    // Nobody pays here: as if the process had died between the commit and the call.
    let (charge_id, refund_id) = approved(&house, "ch_1").await;
    house.stop_services().await;
    house.pays_by(provider.client());
    house.start_services().await;
    assert!(provider.payouts().await.is_empty(), "catching up pays nothing");
    house.clock().jump(ONE_OUTCOME);
    let paid = until(&house, &charge_id, RefundPhase::Paid).await;
    assert_eq!(paid.attempts, 2);
    assert_eq!(provider.payouts().await, [refund_id]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_the_databases_and_running_the_log_again_pays_nothing() {
    let provider = Provider::start().await;
    let mut house = House::paid_by(Some(provider.client())).await;
    let (charge_id, refund_id) = approved(&house, "ch_1").await;
    until(&house, &charge_id, RefundPhase::Paid).await;
    let digests = house.digests(seva_domain::service::Service::Refunds).await;
    house.stop_services().await;
    for entry in std::fs::read_dir(house.data()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        }
    }
    house.start_services().await;
    assert_eq!(house.digests(seva_domain::service::Service::Refunds).await, digests);
    assert_eq!(provider.payouts().await, [refund_id]);
    let log = house.log().await;
    assert!(log.end > 0);
    house.stop().await;
}
