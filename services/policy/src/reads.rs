//! Policy's questions, answered from its read model.

use seva_api::edge::{Edge, Page, decode, unreadable};
use seva_api::pb::policy::v1::{
    GetPolicyRequest, GetPolicyResponse, ListPolicyVersionsRequest, ListPolicyVersionsResponse, PolicyVersion,
};
use seva_api::status::Error;

use crate::read_models::versions::{NAME, VERSIONS, document_key};

pub(crate) async fn policy(edge: &Edge, request: GetPolicyRequest) -> Result<GetPolicyResponse, Error> {
    let GetPolicyRequest { version, read } = request;
    let (rows, position) = edge.read(NAME, read.as_ref()).await?;
    let version = if version == 0 {
        let newest = rows.scan_back(VERSIONS, None, 1).map_err(unreadable)?;
        newest.first().map(|(_, value)| decode::<PolicyVersion>(value)).transpose()?.map_or(0, |v| v.version)
    } else {
        version
    };
    let missing = || Error::NotFound { what: "policy version", id: version.to_string() };
    let found = rows.get(&document_key(version)).map_err(unreadable)?.ok_or_else(missing)?;
    Ok(GetPolicyResponse { position, ..decode(&found)? })
}

pub(crate) async fn versions(
    edge: &Edge,
    request: ListPolicyVersionsRequest,
) -> Result<ListPolicyVersionsResponse, Error> {
    let ListPolicyVersionsRequest { page, read } = request;
    let page = Page::parse(page.as_ref(), VERSIONS)?;
    let (rows, position) = edge.read(NAME, read.as_ref()).await?;
    let mut found = rows.scan_back(VERSIONS, page.from.as_deref(), page.size + 1).map_err(unreadable)?;
    let mut next_page_token = String::new();
    if found.len() > page.size {
        found.truncate(page.size);
        next_page_token = found.last().map(|(key, _)| Page::token(key)).unwrap_or_default();
    }
    let versions = found.iter().map(|(_, value)| decode(value)).collect::<Result<_, _>>()?;
    Ok(ListPolicyVersionsResponse { versions, next_page_token, position })
}
