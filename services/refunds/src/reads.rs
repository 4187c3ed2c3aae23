//! Refunds' questions, answered from its read model.

use seva_api::access::taken;
use seva_api::edge::{Edge, Page, decode, get, next_page, unreadable};
use seva_api::intake::id;
use seva_api::parse::{Fields, seconds_since};
use seva_api::pb::refunds::v1::get_charge_request::Which as ChargeBy;
use seva_api::pb::refunds::v1::list_refunds_request::Which as RefundsBy;
use seva_api::pb::refunds::v1::{
    AgedRefund, Charge, CurrencyTotals, GetChargeRequest, GetChargeResponse, GetRefundRequest,
    GetRefundResponse, GetRefundTotalsRequest, GetRefundTotalsResponse, ListRefundsRequest,
    ListRefundsResponse, Refund, RefundPhase,
};
use seva_api::refunds::charge_of;
use seva_api::status::Error;
use seva_domain::values::{ChargeId, CustomerId, RefundId};
use seva_eventlog::store::Store;
use tonic::Request;

use crate::read_models::charges::{
    NAME, TOTALS, charge_key, of_customer_prefix, of_order_prefix, phase_prefix, refund_key,
};

/// How many currencies are totalled, at most: ISO 4217 has fewer.
const CURRENCIES_MAX: usize = 1_000;

pub(crate) async fn charge(
    edge: &Edge,
    request: Request<GetChargeRequest>,
) -> Result<GetChargeResponse, Error> {
    let (caller, request) = taken(request)?;
    let GetChargeRequest { which, read } = request;
    let (charge, asked): (ChargeId, String) = match which {
        Some(ChargeBy::ChargeId(charge_id)) => (id("charge_id", &charge_id)?, charge_id),
        Some(ChargeBy::Reference(reference)) => {
            let mut fields = Fields::default();
            let read = fields.reference("reference", &reference);
            (charge_of(&fields.finish(|| read)?), reference)
        }
        None => return Err(Error::malformed("charge_id", "is missing, and so is `reference`")),
    };
    let (rows, position) = edge.read(NAME, read.as_ref()).await?;
    let found = get::<Charge>(rows.as_ref(), &charge_key(charge))?;
    let found = found.ok_or(Error::NotFound { what: "charge", id: asked })?;
    edge.open(&caller, GetChargeResponse { charge: Some(found), position }).await
}

pub(crate) async fn refund(
    edge: &Edge,
    request: Request<GetRefundRequest>,
) -> Result<GetRefundResponse, Error> {
    let (caller, request) = taken(request)?;
    let GetRefundRequest { refund_id, read } = request;
    let refund: RefundId = id("refund_id", &refund_id)?;
    let (rows, position) = edge.read(NAME, read.as_ref()).await?;
    let found = find(rows.as_ref(), refund)?;
    let found = found.ok_or(Error::NotFound { what: "refund", id: refund_id })?;
    edge.open(&caller, GetRefundResponse { refund: Some(found), position }).await
}

/// A refund, in the row of its charge.
fn find(rows: &dyn Store, refund: RefundId) -> Result<Option<Refund>, Error> {
    let Some(charge) = rows.get(&refund_key(refund)).map_err(unreadable)? else { return Ok(None) };
    let charge = get::<Charge>(rows, &[b"c", charge.as_slice()].concat())?;
    let id = refund.to_string();
    Ok(charge.and_then(|charge| charge.refunds.into_iter().find(|refund| refund.refund_id == id)))
}

pub(crate) async fn refunds(
    edge: &Edge,
    request: Request<ListRefundsRequest>,
) -> Result<ListRefundsResponse, Error> {
    let (caller, request) = taken(request)?;
    let ListRefundsRequest { which, page, read } = request;
    let prefix = match which {
        Some(RefundsBy::Phase(phase)) => {
            let mut fields = Fields::default();
            let phase = fields.known::<RefundPhase>("phase", phase);
            phase_prefix(fields.finish(|| phase)?)
        }
        Some(RefundsBy::CustomerId(customer)) => {
            of_customer_prefix(id::<CustomerId>("customer_id", &customer)?)
        }
        Some(RefundsBy::Order(order)) => {
            let mut fields = Fields::default();
            let order = fields.reference("order", &order);
            of_order_prefix(fields.finish(|| order)?.as_str())
        }
        None => {
            return Err(Error::malformed("phase", "is missing, and so are `customer_id` and `order`"));
        }
    };
    let page = Page::parse(page.as_ref(), &prefix)?;
    let (rows, position) = edge.read(NAME, read.as_ref()).await?;
    let mut listed = rows.scan(&prefix, page.from.as_deref(), page.size + 1).map_err(unreadable)?;
    let next_page_token = next_page(&mut listed, page.size);
    let now = edge.now();
    let aged = |(key, _): &(Vec<u8>, Vec<u8>)| {
        let at = key.len().saturating_sub(16);
        let refund = key[at..].try_into().map(RefundId::from_bytes).ok()?;
        let found = find(rows.as_ref(), refund).transpose()?;
        Some(found.map(|refund| AgedRefund {
            age_seconds: seconds_since(refund.requested_at.as_ref(), now),
            refund: Some(refund),
        }))
    };
    // One that just left the list is passed over.
    let refunds = listed.iter().filter_map(aged).collect::<Result<Vec<_>, Error>>()?;
    edge.open(&caller, ListRefundsResponse { refunds, next_page_token, position }).await
}

pub(crate) async fn totals(
    edge: &Edge,
    request: GetRefundTotalsRequest,
) -> Result<GetRefundTotalsResponse, Error> {
    let (rows, position) = edge.read(NAME, request.read.as_ref()).await?;
    let totals = rows.scan(TOTALS, None, CURRENCIES_MAX).map_err(unreadable)?;
    let totals = totals.iter().map(|(_, value)| decode::<CurrencyTotals>(value));
    Ok(GetRefundTotalsResponse { totals: totals.collect::<Result<_, _>>()?, position })
}
