//! Escalation's questions, answered from its read model.

use seva_api::access::taken;
use seva_api::edge::{Edge, Page, get, next_page, unreadable};
use seva_api::escalation::rung;
use seva_api::intake::id;
use seva_api::parse::{Fields, seconds_since};
use seva_api::pb::escalation::v1::{
    Escalation, GetEscalationRequest, GetEscalationResponse, ListEscalationsRequest, ListEscalationsResponse,
    QueuedEscalation,
};
use seva_api::status::Error;
use seva_domain::values::CaseId;
use tonic::Request;

use crate::read_models::escalations::{NAME, escalation_key, queue_prefix};

pub(crate) async fn escalation(
    edge: &Edge,
    request: Request<GetEscalationRequest>,
) -> Result<GetEscalationResponse, Error> {
    let (caller, request) = taken(request)?;
    let GetEscalationRequest { case_id, read } = request;
    let case: CaseId = id("case_id", &case_id)?;
    let (rows, position) = edge.read(NAME, read.as_ref()).await?;
    let found = get::<Escalation>(rows.as_ref(), &escalation_key(case))?;
    let found = found.ok_or(Error::NotFound { what: "escalation", id: case_id })?;
    edge.open(&caller, GetEscalationResponse { escalation: Some(found), position }).await
}

pub(crate) async fn queue(
    edge: &Edge,
    request: Request<ListEscalationsRequest>,
) -> Result<ListEscalationsResponse, Error> {
    let (caller, request) = taken(request)?;
    let ListEscalationsRequest { rung, page, read } = request;
    let mut fields = Fields::default();
    let rung = self::rung(&mut fields, &rung);
    let rung = fields.finish(|| rung)?;
    let prefix = queue_prefix(rung.as_ref().map(|rung| rung.as_str()));
    let page = Page::parse(page.as_ref(), &prefix)?;
    let (rows, position) = edge.read(NAME, read.as_ref()).await?;
    let mut listed = rows.scan(&prefix, page.from.as_deref(), page.size + 1).map_err(unreadable)?;
    let next_page_token = next_page(&mut listed, page.size);
    let now = edge.now();
    let queued = |(key, _): &(Vec<u8>, Vec<u8>)| {
        let at = key.len().saturating_sub(16);
        let found = get::<Escalation>(rows.as_ref(), &[b"e", &key[at..]].concat()).transpose()?;
        Some(found.map(|escalation| QueuedEscalation {
            on_rung_seconds: seconds_since(escalation.on_rung_since.as_ref(), now),
            age_seconds: seconds_since(escalation.raised_at.as_ref(), now),
            escalation: Some(escalation),
        }))
    };
    // One that just left the queue is passed over.
    let escalations = listed.iter().filter_map(queued).collect::<Result<Vec<_>, Error>>()?;
    edge.open(&caller, ListEscalationsResponse { escalations, next_page_token, position }).await
}
