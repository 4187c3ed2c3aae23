//! Feedback's questions, answered from its read model.

use seva_api::access::taken;
use seva_api::edge::{Edge, Page, decode, get, next_page, unreadable};
use seva_api::intake::id;
use seva_api::pb::feedback::v1::{
    DepartmentCounts, GetSuggestionCountsRequest, GetSuggestionCountsResponse, GetSuggestionRequest,
    GetSuggestionResponse, ListInboxRequest, ListInboxResponse, Suggestion,
};
use seva_api::status::Error;
use seva_domain::values::{Department, SuggestionId};
use tonic::Request;

use crate::read_models::suggestions::{COUNTS, NAME, inbox_prefix, suggestion_key};

/// How many departments are counted, at most: a policy has fewer.
const DEPARTMENTS_MAX: usize = 10_000;

pub(crate) async fn inbox(
    edge: &Edge,
    request: Request<ListInboxRequest>,
) -> Result<ListInboxResponse, Error> {
    let (caller, request) = taken(request)?;
    let ListInboxRequest { department, page, read } = request;
    if Department::parse(&department).is_none() {
        return Err(Error::malformed("department", "is not a department: 1 to 32 of a-z, 0-9 and `_`"));
    }
    caller.sees(&department)?;
    let prefix = inbox_prefix(&department);
    let page = Page::parse(page.as_ref(), &prefix)?;
    let (rows, position) = edge.read(NAME, read.as_ref()).await?;
    let mut listed = rows.scan(&prefix, page.from.as_deref(), page.size + 1).map_err(unreadable)?;
    let next_page_token = next_page(&mut listed, page.size);
    let suggestion = |(key, _): &(Vec<u8>, Vec<u8>)| {
        let at = key.len().saturating_sub(16);
        get::<Suggestion>(rows.as_ref(), &[b"s", &key[at..]].concat()).transpose()
    };
    // One that just left the inbox is passed over.
    let suggestions = listed.iter().filter_map(suggestion).collect::<Result<Vec<_>, Error>>()?;
    edge.open(&caller, ListInboxResponse { suggestions, next_page_token, position }).await
}

pub(crate) async fn suggestion(
    edge: &Edge,
    request: Request<GetSuggestionRequest>,
) -> Result<GetSuggestionResponse, Error> {
    let (caller, request) = taken(request)?;
    let GetSuggestionRequest { suggestion_id, read } = request;
    let suggestion: SuggestionId = id("suggestion_id", &suggestion_id)?;
    let (rows, position) = edge.read(NAME, read.as_ref()).await?;
    let found = get::<Suggestion>(rows.as_ref(), &suggestion_key(suggestion))?;
    let found = found.ok_or(Error::NotFound { what: "suggestion", id: suggestion_id })?;
    caller.sees(&found.department)?;
    edge.open(&caller, GetSuggestionResponse { suggestion: Some(found), position }).await
}

pub(crate) async fn counts(
    edge: &Edge,
    request: GetSuggestionCountsRequest,
) -> Result<GetSuggestionCountsResponse, Error> {
    let (rows, position) = edge.read(NAME, request.read.as_ref()).await?;
    let counted = rows.scan(COUNTS, None, DEPARTMENTS_MAX).map_err(unreadable)?;
    let departments = counted.iter().map(|(_, value)| decode::<DepartmentCounts>(value));
    Ok(GetSuggestionCountsResponse { departments: departments.collect::<Result<_, _>>()?, position })
}
