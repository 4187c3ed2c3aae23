//! Intake's questions, answered from its read models.

use seva_api::access::taken;
use seva_api::edge::{Edge, Page, decode, get, identity_kind, next_page, unreadable};
use seva_api::intake::{id, identities, kind_of};
use seva_api::open::Texts as _;
use seva_api::parse::Fields;
use seva_api::pb::common::v1::text::Value;
use seva_api::pb::common::v1::{CaseKind, Channel, ReadOptions};
use seva_api::pb::intake::v1::get_case_request::AsOf;
use seva_api::pb::intake::v1::{
    Case, Customer, Forgetting, GetCallerBriefRequest, GetCallerBriefResponse, GetCaseRequest,
    GetCaseResponse, GetForgettingRequest, GetForgettingResponse, GetTimelineRequest, GetTimelineResponse,
    IdentifyCustomerRequest, IdentifyCustomerResponse, ListOpenCasesRequest, ListOpenCasesResponse, Promise,
    TimelineEntry,
};
use seva_api::status::Error;
use seva_domain::noun::Noun;
use seva_domain::rows::Lookup;
use seva_domain::values::{CaseId, CustomerId, Kind};
use seva_eventlog::store::{Row, Store, StoreError};
use tonic::Request;

use crate::as_of;
use crate::read_models::{cases, customers, forgettings, promises, timeline};

/// How many open cases a brief shows.
const BRIEF_CASES_MAX: usize = 20;

/// How many promises still to be kept a brief shows.
const BRIEF_PROMISES_MAX: usize = 20;

/// How many timeline entries a brief shows.
const BRIEF_ENTRIES_MAX: usize = 5;

/// How many entries of a list of open cases are looked through at once for those of one channel.
const LIST_PAGE: usize = 1_000;

/// What the tokens of the list of all unfinished cases begin with; it has no rows of its own.
const ALL_KINDS: &[u8] = b"o";

pub(crate) async fn identify(
    edge: &Edge,
    request: IdentifyCustomerRequest,
) -> Result<IdentifyCustomerResponse, Error> {
    let IdentifyCustomerRequest { identities: given, read } = request;
    let mut fields = Fields::default();
    let given = identities(&mut fields, &given);
    let given = fields.finish(|| given)?;
    let (_, position) = edge.read(customers::NAME, read.as_ref()).await?;
    let shard = edge.decided(read.as_ref()).await?;
    let mut shared = Vec::new();
    for (kind, value) in &given {
        let Some(known) = identity_kind(*kind) else { continue };
        let token = edge.identities().lookup(*kind, value);
        let found = shard.find(&Lookup::Identity(known, token)).map_err(unreadable)?;
        let found = found.iter().filter_map(|noun| match noun {
            Noun::Customer(id) => Some(id.to_string()),
            _ => None,
        });
        let found: Vec<String> = found.collect();
        if let (true, Some(customer_id)) = (known.is_unique(), found.first()) {
            let customer_id = customer_id.clone();
            return Ok(IdentifyCustomerResponse { customer_id, candidate_ids: Vec::new(), position });
        }
        shared.extend(found);
    }
    shared.sort();
    shared.dedup();
    Ok(match shared.as_slice() {
        [one] => IdentifyCustomerResponse { customer_id: one.clone(), candidate_ids: Vec::new(), position },
        _ => IdentifyCustomerResponse { customer_id: String::new(), candidate_ids: shared, position },
    })
}

pub(crate) async fn timeline(
    edge: &Edge,
    request: Request<GetTimelineRequest>,
) -> Result<GetTimelineResponse, Error> {
    let (caller, request) = taken(request)?;
    let GetTimelineRequest { customer_id, page, read } = request;
    let customer: CustomerId = id("customer_id", &customer_id)?;
    let prefix = timeline::prefix(customer);
    let page = Page::parse(page.as_ref(), &prefix)?;
    let (rows, position) = edge.read(cases::NAME, read.as_ref()).await?;
    let mut found = rows.scan(&prefix, page.from.as_deref(), page.size + 1).map_err(unreadable)?;
    if found.is_empty() {
        let (customers, _) = edge.read(customers::NAME, read.as_ref()).await?;
        get::<Customer>(customers.as_ref(), customer.bytes())?
            .ok_or_else(|| Error::NotFound { what: "customer", id: customer_id })?;
    }
    let next_page_token = next_page(&mut found, page.size);
    let entries = entries(edge, &found)?;
    edge.open(&caller, GetTimelineResponse { entries, next_page_token, position }).await
}

fn entries(edge: &Edge, rows: &[Row]) -> Result<Vec<TimelineEntry>, Error> {
    let incarnation = edge.engine().log().incarnation();
    let read = |(key, value): &Row| {
        let mut entry: TimelineEntry = decode(value)?;
        entry.position = timeline::position_of(key).map(|at| at.token(incarnation)).unwrap_or_default();
        Ok(entry)
    };
    rows.iter().map(read).collect()
}

pub(crate) async fn brief(
    edge: &Edge,
    request: Request<GetCallerBriefRequest>,
) -> Result<GetCallerBriefResponse, Error> {
    let (caller, request) = taken(request)?;
    let GetCallerBriefRequest { customer_id, read } = request;
    let id: CustomerId = id("customer_id", &customer_id)?;
    let (people, _) = edge.read(customers::NAME, read.as_ref()).await?;
    let (rows, position) = edge.read(cases::NAME, read.as_ref()).await?;
    let customer = get::<Customer>(people.as_ref(), id.bytes())?;
    let customer = customer.ok_or_else(|| Error::NotFound { what: "customer", id: customer_id })?;
    let listed = rows.scan_back(&cases::of_customer_prefix(id), None, BRIEF_CASES_MAX).map_err(unreadable)?;
    let open_cases = listed.iter().filter_map(|(key, _)| case_at(rows.as_ref(), key).transpose());
    let open_cases = open_cases.collect::<Result<Vec<Case>, Error>>()?;
    let latest = rows.scan_back(&timeline::prefix(id), None, BRIEF_ENTRIES_MAX).map_err(unreadable)?;
    let latest = entries(edge, &latest)?;
    let pending = rows.scan(&promises::prefix(id), None, BRIEF_PROMISES_MAX).map_err(unreadable)?;
    let pending = pending.iter().map(|(_, value)| decode::<Promise>(value));
    let pending_promises = pending.collect::<Result<Vec<Promise>, Error>>()?;
    let customer = Some(customer);
    edge.open(&caller, GetCallerBriefResponse { customer, open_cases, latest, position, pending_promises })
        .await
}

pub(crate) async fn case(edge: &Edge, request: Request<GetCaseRequest>) -> Result<GetCaseResponse, Error> {
    let (caller, request) = taken(request)?;
    let GetCaseRequest { case_id, as_of, read } = request;
    let case: CaseId = id("case_id", &case_id)?;
    if let Some(AsOf::AsOfPosition(token)) = &as_of {
        // How it stood there can only be told once it has been read up to there.
        edge.position("as_of_position", token)?;
        edge.read(cases::NAME, Some(&ReadOptions { at_least_position: token.clone() })).await?;
    }
    let (rows, position) = edge.read(cases::NAME, read.as_ref()).await?;
    let found = match &as_of {
        Some(as_of) => as_of::case(edge, &rows, case, as_of).await?,
        None => get::<Case>(rows.as_ref(), &cases::case_key(case))?,
    };
    let found = found.ok_or(Error::NotFound { what: "case", id: case_id })?;
    edge.open(&caller, GetCaseResponse { case: Some(found), position }).await
}

pub(crate) async fn open_cases(
    edge: &Edge,
    request: Request<ListOpenCasesRequest>,
) -> Result<ListOpenCasesResponse, Error> {
    let (caller, request) = taken(request)?;
    let ListOpenCasesRequest { kind, channel, page, read } = request;
    let mut fields = Fields::default();
    let kind = fields.known_if_given::<CaseKind>("kind", kind);
    let channel = fields.known_if_given::<Channel>("channel", channel);
    let (kind, channel) = fields.finish(|| Some((kind?, channel?)))?;
    let (list, lists) = match kind {
        Some(kind) => (cases::open_prefix(kind), vec![cases::open_prefix(kind)]),
        None => (ALL_KINDS.to_vec(), Kind::ALL.map(|kind| cases::open_prefix(kind_of(kind))).to_vec()),
    };
    let page = Page::parse(page.as_ref(), &list)?;
    let (rows, position) = edge.read(cases::NAME, read.as_ref()).await?;
    let channel = channel.map(|channel| u8::try_from(i32::from(channel)).unwrap_or(0));
    let mut listed: Vec<Row> = Vec::new();
    let mut from = page.from.clone().unwrap_or_else(|| list.clone());
    while listed.len() <= page.size {
        // Without a channel every entry counts: none is read beyond the page.
        let most = if channel.is_none() { page.size + 1 - listed.len() } else { LIST_PAGE };
        let some = merged(rows.as_ref(), &lists, &list, &from, most).map_err(unreadable)?;
        let is_last = some.len() < most;
        if let Some((last, _)) = some.last() {
            from = [last.as_slice(), &[0]].concat();
        }
        listed
            .extend(some.into_iter().filter(|(_, value)| channel.is_none_or(|c| value.first() == Some(&c))));
        if is_last {
            break;
        }
    }
    listed.truncate(page.size + 1);
    let next_page_token = next_page(&mut listed, page.size);
    let cases = listed.iter().filter_map(|(key, _)| case_at(rows.as_ref(), key).transpose());
    let cases = cases.collect::<Result<Vec<Case>, Error>>()?;
    edge.open(&caller, ListOpenCasesResponse { cases, next_page_token, position }).await
}

pub(crate) async fn forgetting(
    edge: &Edge,
    request: GetForgettingRequest,
) -> Result<GetForgettingResponse, Error> {
    let GetForgettingRequest { customer_id, read } = request;
    let id: CustomerId = id("customer_id", &customer_id)?;
    let (people, _) = edge.read(customers::NAME, read.as_ref()).await?;
    let (rows, position) = edge.read(cases::NAME, read.as_ref()).await?;
    let customer = get::<Customer>(people.as_ref(), id.bytes())?;
    let mut customer =
        customer.ok_or_else(|| Error::NotFound { what: "customer", id: customer_id.clone() })?;
    let said = get::<Forgetting>(rows.as_ref(), &forgettings::key(id))?;
    let mut names_erased = 0;
    customer.texts_mut(&mut |text| names_erased += u64::from(matches!(text.value, Some(Value::Erased(_)))));
    Ok(GetForgettingResponse {
        forgetting: Some(said.unwrap_or_else(|| Forgetting { customer_id, ..Forgetting::default() })),
        names_erased,
        merge_candidate_ids: customer.merge_candidate_ids,
        position,
    })
}

/// The first entries of several lists as if they were one whose keys begin with `list`: from a key of it on, in order, at most so many.
fn merged(
    rows: &dyn Store,
    lists: &[Vec<u8>],
    list: &[u8],
    from: &[u8],
    most: usize,
) -> Result<Vec<Row>, StoreError> {
    let mut entries = Vec::new();
    for part in lists {
        let found = rows.scan(part, Some(&[part, &from[list.len()..]].concat()), most)?;
        entries.extend(found.into_iter().map(|(key, value)| ([list, &key[part.len()..]].concat(), value)));
    }
    entries.sort_unstable();
    entries.truncate(most);
    Ok(entries)
}

/// The case that an entry of a list names: its id ends the key. One that just left the list is passed over.
fn case_at(rows: &dyn Store, key: &[u8]) -> Result<Option<Case>, Error> {
    let at = key.len().saturating_sub(16);
    get(rows, &[b"c", &key[at..]].concat())
}
