//! One write as part of an import: when it happened is said beside it, it is recorded once, and nothing it says sets anything off today.

use anyhow::{Context as _, Result, ensure};
use seva_api::pb::common::v1::Money;
use seva_api::pb::intake::v1::ResolveCaseRequest;
use seva_api::pb::refunds::v1::{
    ApproveRefundRequest, LineKind, PaymentMethod, RefundLine, RegisterChargeRequest, RequestRefundRequest,
};
use seva_stories::say::interaction;
use seva_stories::{House, as_actor, refused};
use tonic::Request;

const NAME: &str = "seva-import";
const TIME: &str = "seva-occurred-at";

/// A request that is part of an import, and when it happened.
fn history<T>(at: &str, message: T) -> Request<T> {
    let mut request = as_actor("importer", message);
    request.metadata_mut().insert(NAME, "by-hand".parse().expect("plain text"));
    if !at.is_empty() {
        request.metadata_mut().insert(TIME, at.parse().expect("plain text"));
    }
    request
}

fn charge() -> RegisterChargeRequest {
    RegisterChargeRequest {
        request_id: "charge".to_owned(),
        reference: "by-hand/1".to_owned(),
        method: PaymentMethod::Cash.into(),
        captured: Some(Money { currency: "EUR".to_owned(), amount_minor: 5_000 }),
        ..RegisterChargeRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_part_of_an_import_counts_from_when_it_happened_and_is_recorded_once() -> Result<()> {
    let house = House::start().await;
    let refusal = refused(house.refunds().register_charge(history("", charge())).await);
    ensure!(refusal.brief() == "InvalidArgument MALFORMED metadata.seva-occurred-at", "{refusal}");
    let first = house.refunds().register_charge(history("2010-01-13T08:40:25Z", charge())).await?;
    let again = house.refunds().register_charge(history("2010-01-13T08:40:25Z", charge())).await?;
    ensure!(
        !first.metadata().contains_key("seva-replayed") && again.metadata().contains_key("seva-replayed")
    );
    ensure!(first.get_ref() == again.get_ref());
    // The same id outside of the import is another request: it says what is so already.
    let outside = house.refunds().register_charge(as_actor("importer", charge())).await?;
    ensure!(
        outside.metadata().contains_key("seva-unchanged")
            && !outside.metadata().contains_key("seva-replayed")
    );
    let registered = house.log().await.events("charge.registered.v1");
    let [record] = registered.as_slice() else { anyhow::bail!("{} charges", registered.len()) };
    ensure!(record.effective_at.0 == 1_263_372_025_000_000 && record.import.is_some());
    house.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_cannot_be_part_of_an_import() -> Result<()> {
    let house = House::start().await;
    let at = "2010-01-13T08:40:25Z";
    let charge_id = house.refunds().register_charge(history(at, charge())).await?.into_inner().charge_id;
    let line = RefundLine { kind: LineKind::Principal.into(), amount_minor: 1_000, evidence: String::new() };
    let request = RequestRefundRequest {
        request_id: "refund".to_owned(),
        charge_id: charge_id.clone(),
        currency: "EUR".to_owned(),
        lines: vec![line],
        reason: "charged twice".to_owned(),
        expected_rev: None,
    };
    let refund_id = house.refunds().request_refund(history(at, request)).await?.into_inner().refund_id;
    let approve =
        ApproveRefundRequest { request_id: "approval".to_owned(), charge_id, refund_id, expected_rev: None };
    let refusal = refused(house.refunds().approve_refund(history(at, approve)).await);
    ensure!(refusal.brief() == "FailedPrecondition NOT_IN_IMPORT", "{refusal}");
    let log = house.log().await;
    ensure!(
        log.events("charge.approval_given.v1").is_empty()
            && log.events("charge.refund_instructed.v1").is_empty()
    );
    house.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_does_not_confirm_what_was_resolved_in_an_import_that_is_not_closed() -> Result<()> {
    let house = House::start().await;
    let mut said = interaction("hello", "asha", "Where is it?");
    said.occurred_at = Some(prost_types::Timestamp { seconds: 1_263_372_025, nanos: 0 });
    let logged = house.intake().log_interaction(history("", said)).await?.into_inner();
    let resolve = ResolveCaseRequest {
        request_id: "resolve".to_owned(),
        case_id: logged.case_id,
        resolution: "Sent again.".to_owned(),
        expected_rev: None,
    };
    house.intake().resolve_case(history("2010-01-14T08:40:25Z", resolve)).await?;
    house.settled().await;
    let log = house.log().await;
    ensure!(log.events("case.resolution_confirmed.v1").is_empty(), "nobody has said that this was all");
    let resolved = log.events("case.resolved.v1");
    let at = resolved.first().context("it is resolved")?.effective_at;
    ensure!(at.0 == 1_263_458_425_000_000, "{at:?}");
    house.stop().await;
    Ok(())
}
