//! What the week came to, read back through the services' queries.

use std::collections::BTreeMap;

use serde::Serialize;
use seva_api::pb::common::v1::PageRequest;
use seva_api::pb::feedback::v1::{GetSuggestionCountsRequest, Suggestion};
use seva_api::pb::intake::v1::{Case, GetCallerBriefRequest, ListOpenCasesRequest};

use super::amends::Amends;
use super::made_good;
use super::play::Played;
use super::settled::Settled;
use super::story;
use crate::connect::{Home, PAGE_ROWS};
use crate::{inbox, show, timeline};

/// How many suggestions of an inbox are shown.
const TOP: usize = 3;

/// How many open cases are shown.
const OLDEST: usize = 5;

/// Everything that the demo prints at its end.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// The demo's folder.
    pub(crate) data: String,
    pub(crate) played: Counts,
    pub(crate) inboxes: Vec<Inbox>,
    pub(crate) open_cases: OpenCases,
    pub(crate) story: Story,
    /// What was said, escalated and given back to a customer who was charged too much.
    pub(crate) made_good: Vec<String>,
    pub(crate) log: Log,
    pub(crate) read_models: Vec<ReadModel>,
    pub(crate) seconds: Seconds,
    /// Commands to try next.
    pub(crate) next: Vec<String>,
}

/// How much was played.
#[derive(Debug, Serialize)]
pub(crate) struct Counts {
    pub(crate) steps: usize,
    /// Steps that an earlier run had recorded.
    pub(crate) recorded_before: usize,
    pub(crate) texts: usize,
    pub(crate) languages: Vec<String>,
}

/// One department's suggestions.
#[derive(Debug, Serialize)]
pub(crate) struct Inbox {
    pub(crate) department: String,
    pub(crate) waiting: u64,
    pub(crate) acknowledged: u64,
    pub(crate) adopted: u64,
    pub(crate) declined: u64,
    pub(crate) customers_told: u64,
    /// The first of those that wait.
    pub(crate) top: Vec<Row>,
}

/// A suggestion or a case, as far as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) since: String,
    pub(crate) about: String,
    pub(crate) language: String,
    pub(crate) text: String,
}

/// The cases that are not closed.
#[derive(Debug, Serialize)]
pub(crate) struct OpenCases {
    pub(crate) total: usize,
    pub(crate) by_kind: BTreeMap<String, usize>,
    pub(crate) oldest: Vec<Row>,
}

/// One customer's story.
#[derive(Debug, Serialize)]
pub(crate) struct Story {
    pub(crate) customer_id: String,
    pub(crate) name: String,
    pub(crate) identities: Vec<String>,
    pub(crate) entries: usize,
    pub(crate) lines: Vec<String>,
}

/// Where the log stands.
#[derive(Debug, Serialize)]
pub(crate) struct Log {
    pub(crate) incarnation: String,
    pub(crate) sequence: u64,
    /// What a later read can ask to be at, at least.
    pub(crate) position: String,
    pub(crate) durability: String,
    pub(crate) policy_version: u64,
}

/// Where a read model stands.
#[derive(Debug, Serialize)]
pub(crate) struct ReadModel {
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) sequence: u64,
}

/// How long each part took.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Seconds {
    pub(crate) log_started: f64,
    pub(crate) services_started: f64,
    pub(crate) played: f64,
    pub(crate) settled: f64,
    pub(crate) read_back: f64,
    pub(crate) total: f64,
}

/// Reads everything back. Times and what to try next are the caller's to fill in.
pub(crate) async fn read_back(
    home: &Home,
    played: &Played,
    amends: &Amends,
    settled: &Settled,
) -> anyhow::Result<Summary> {
    let inboxes = inboxes(home).await?;
    let open_cases = open_cases(home).await?;
    let (story, position) = story(home, &played.story).await?;
    Ok(Summary {
        data: String::new(),
        played: Counts {
            steps: played.steps,
            recorded_before: played.replayed,
            texts: played.texts,
            languages: played.languages.clone(),
        },
        inboxes,
        open_cases,
        story,
        made_good: made_good::tell(home, &amends.customer_id).await?,
        log: log(settled, position),
        read_models: read_models(settled),
        seconds: Seconds::default(),
        next: Vec::new(),
    })
}

async fn inboxes(home: &Home) -> anyhow::Result<Vec<Inbox>> {
    let request = home.request(GetSuggestionCountsRequest { read: None });
    let counts = home.feedback()?.get_suggestion_counts(request).await?.into_inner();
    let mut inboxes = Vec::new();
    for counted in counts.departments {
        let (suggestions, _) = inbox::read(home, &counted.department).await?;
        inboxes.push(Inbox {
            department: counted.department,
            waiting: counted.waiting,
            acknowledged: counted.acknowledged,
            adopted: counted.adopted,
            declined: counted.declined,
            customers_told: counted.customers_told,
            top: suggestions.iter().take(TOP).map(suggestion).collect(),
        });
    }
    Ok(inboxes)
}

fn suggestion(suggestion: &Suggestion) -> Row {
    Row {
        id: suggestion.suggestion_id.clone(),
        since: show::time(suggestion.captured_at.as_ref()),
        about: suggestion.routing.as_ref().map(|routing| routing.phrase.clone()).unwrap_or_default(),
        language: suggestion.language.clone(),
        text: show::text(suggestion.text.as_ref()).to_owned(),
    }
}

async fn open_cases(home: &Home) -> anyhow::Result<OpenCases> {
    let mut intake = home.intake()?;
    let mut open = OpenCases { total: 0, by_kind: BTreeMap::new(), oldest: Vec::new() };
    let mut page_token = String::new();
    loop {
        let page = Some(PageRequest { page_size: PAGE_ROWS, page_token });
        let request = ListOpenCasesRequest { page, ..ListOpenCasesRequest::default() };
        let answer = intake.list_open_cases(home.request(request)).await?.into_inner();
        for found in &answer.cases {
            open.total += 1;
            *open.by_kind.entry(show::kind(found.kind())).or_default() += 1;
            if open.oldest.len() < OLDEST {
                open.oldest.push(case(found));
            }
        }
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            return Ok(open);
        }
    }
}

fn case(case: &Case) -> Row {
    Row {
        id: case.case_id.clone(),
        since: show::time(case.opened_at.as_ref()),
        about: show::kind(case.kind()),
        language: case.language.clone(),
        text: show::text(case.opening.as_ref()).to_owned(),
    }
}

async fn story(home: &Home, customer_id: &str) -> anyhow::Result<(Story, String)> {
    let request = GetCallerBriefRequest { customer_id: customer_id.to_owned(), read: None };
    let brief = home.intake()?.get_caller_brief(home.request(request)).await?.into_inner();
    let customer = brief.customer.unwrap_or_default();
    let (entries, position) = timeline::read(home, customer_id).await?;
    let identities =
        customer.identities.iter().map(|identity| show::text(identity.value.as_ref()).to_owned());
    let story = Story {
        customer_id: customer_id.to_owned(),
        name: show::text(customer.name.as_ref()).to_owned(),
        identities: identities.collect(),
        entries: entries.len(),
        lines: story::tell(&entries),
    };
    Ok((story, position))
}

fn log(settled: &Settled, position: String) -> Log {
    let any = settled.services.first().map(|(_, status)| status.clone()).unwrap_or_default();
    Log {
        incarnation: any.log_incarnation,
        sequence: settled.sequence,
        position,
        durability: any.durability,
        policy_version: any.policy_version,
    }
}

fn read_models(settled: &Settled) -> Vec<ReadModel> {
    let mut models = Vec::new();
    for (service, status) in &settled.services {
        models.extend(status.read_models.iter().map(|model| ReadModel {
            service: service.clone(),
            name: model.name.clone(),
            sequence: model.sequence,
        }));
    }
    models
}
