//! A small history, and everything that the services answer about it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use seva_api::pb::common::v1::{CaseKind, Channel};
use seva_api::pb::feedback::v1::{
    AdoptSuggestionRequest, CaptureSuggestionRequest, GetSuggestionCountsRequest, GetSuggestionRequest,
    ListInboxRequest,
};
use seva_api::pb::intake::v1::{
    Direction, GetCallerBriefRequest, GetCaseRequest, GetTimelineRequest, IdentifyCustomerRequest, Identity,
    IdentityKind, ListOpenCasesRequest, LogInteractionRequest, ResolveCaseRequest,
};
use seva_api::pb::policy::v1::ListPolicyVersionsRequest;
use seva_domain::service::Service;
use seva_stories::{House, as_actor};

const ACTOR: &str = "agent-12";

/// How many contacts the history has, and of how many customers.
const CONTACTS: u32 = 120;
const CUSTOMERS: u32 = 17;

/// What was answered to the history's writes: what to ask for.
#[derive(Default)]
pub(crate) struct Known {
    customers: BTreeSet<String>,
    cases: BTreeSet<String>,
    suggestions: Vec<String>,
}

/// One contact of the history.
pub(crate) fn contact(n: u32) -> LogInteractionRequest {
    let kinds = [CaseKind::Complaint, CaseKind::Enquiry, CaseKind::Refund, CaseKind::Suggestion];
    LogInteractionRequest {
        request_id: format!("contact {n}"),
        identities: vec![identity(n)],
        name: format!("Customer {}", n % CUSTOMERS),
        channel: Channel::Chat.into(),
        direction: Direction::Inbound.into(),
        kind: kinds[n as usize % kinds.len()].into(),
        text: format!("Contact {n}: the parcel came late and the box was too large."),
        thread: if n.is_multiple_of(3) { format!("thread {}", n % 12) } else { String::new() },
        ..LogInteractionRequest::default()
    }
}

fn identity(n: u32) -> Identity {
    Identity { kind: IdentityKind::Account.into(), value: format!("account {}", n % CUSTOMERS) }
}

/// Plays the history: a few hundred records.
pub(crate) async fn play(house: &House) -> Result<Known> {
    let (mut intake, mut feedback) = (house.intake(), house.feedback());
    let mut known = Known::default();
    for n in 0..CONTACTS {
        let logged = intake.log_interaction(as_actor(ACTOR, contact(n))).await?.into_inner();
        known.customers.insert(logged.customer_id);
        if n.is_multiple_of(5) && known.cases.insert(logged.case_id.clone()) {
            let (request_id, resolution) = (format!("resolve {n}"), format!("Sent again, {n}."));
            let case_id = logged.case_id;
            let request = ResolveCaseRequest { request_id, case_id, resolution, expected_rev: None };
            intake.resolve_case(as_actor(ACTOR, request)).await?;
        } else {
            known.cases.insert(logged.case_id);
        }
    }
    for n in 0..10 {
        let request = CaptureSuggestionRequest {
            request_id: format!("idea {n}"),
            text: format!("Idea {n}: a smaller box."),
            ..CaptureSuggestionRequest::default()
        };
        let captured = feedback.capture_suggestion(as_actor(ACTOR, request)).await?.into_inner();
        if n % 2 == 0 {
            let (request_id, plan) = (format!("adopt {n}"), "Smaller boxes.".to_owned());
            let suggestion_id = captured.suggestion_id.clone();
            let request = AdoptSuggestionRequest { request_id, suggestion_id, plan, expected_rev: None };
            // What went to triage cannot be adopted; either answer is part of the history.
            let _adopted_or_refused = feedback.adopt_suggestion(as_actor(ACTOR, request)).await;
        }
        known.suggestions.push(captured.suggestion_id);
    }
    house.settled().await;
    Ok(known)
}

/// Everything that is answered about the history, and the digests of all read models.
pub(crate) async fn answers(house: &House, known: &Known) -> Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    all.insert("the log's end".to_owned(), house.settled().await.to_string());
    for service in Service::ALL {
        all.insert(format!("digests of {}", service.name()), format!("{:?}", house.digests(service).await));
    }
    let (mut intake, mut feedback, mut policy) = (house.intake(), house.feedback(), house.policy());
    for n in 0..CUSTOMERS {
        let request = IdentifyCustomerRequest { identities: vec![identity(n)], read: None };
        let answer = intake.identify_customer(as_actor(ACTOR, request)).await?;
        all.insert(format!("who is account {n}"), format!("{:?}", answer.into_inner()));
    }
    for customer_id in &known.customers {
        let request = GetTimelineRequest { customer_id: customer_id.clone(), page: None, read: None };
        let answer = intake.get_timeline(as_actor(ACTOR, request)).await?;
        all.insert(format!("timeline of {customer_id}"), format!("{:?}", answer.into_inner()));
        let request = GetCallerBriefRequest { customer_id: customer_id.clone(), read: None };
        let answer = intake.get_caller_brief(as_actor(ACTOR, request)).await?;
        all.insert(format!("brief of {customer_id}"), format!("{:?}", answer.into_inner()));
    }
    for case_id in &known.cases {
        let request = GetCaseRequest { case_id: case_id.clone(), as_of: None, read: None };
        let answer = intake.get_case(as_actor(ACTOR, request)).await?;
        all.insert(case_id.clone(), format!("{:?}", answer.into_inner()));
    }
    let answer = intake.list_open_cases(as_actor(ACTOR, ListOpenCasesRequest::default())).await?;
    all.insert("open cases".to_owned(), format!("{:?}", answer.into_inner()));
    for suggestion_id in &known.suggestions {
        let request = GetSuggestionRequest { suggestion_id: suggestion_id.clone(), read: None };
        let answer = feedback.get_suggestion(as_actor(ACTOR, request)).await?;
        all.insert(suggestion_id.clone(), format!("{:?}", answer.into_inner()));
    }
    for department in ["delivery", "packaging", "product", "triage"] {
        let request = ListInboxRequest { department: department.to_owned(), ..ListInboxRequest::default() };
        let answer = feedback.list_inbox(as_actor(ACTOR, request)).await?;
        all.insert(format!("inbox of {department}"), format!("{:?}", answer.into_inner()));
    }
    let answer =
        feedback.get_suggestion_counts(as_actor(ACTOR, GetSuggestionCountsRequest::default())).await?;
    all.insert("counts".to_owned(), format!("{:?}", answer.into_inner()));
    let answer = policy.list_policy_versions(as_actor(ACTOR, ListPolicyVersionsRequest::default())).await?;
    all.insert("policy versions".to_owned(), format!("{:?}", answer.into_inner()));
    // The same request again: what it left is found, and answered as it was.
    for n in (0..CONTACTS).step_by(11) {
        let answer = intake.log_interaction(as_actor(ACTOR, contact(n))).await?;
        let is_replayed = answer.metadata().contains_key("seva-replayed");
        all.insert(format!("contact {n} again"), format!("{is_replayed} {:?}", answer.into_inner()));
    }
    Ok(all)
}

/// Fails with the first answer that is another.
pub(crate) fn same(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Result<()> {
    for (question, answer) in before {
        let now = after.get(question).with_context(|| format!("no answer to `{question}`"))?;
        anyhow::ensure!(now == answer, "`{question}` was answered\n{answer}\nand now\n{now}");
    }
    anyhow::ensure!(before.len() == after.len(), "other questions");
    Ok(())
}

/// The generation of a service's database, and how many were put aside.
pub(crate) fn generations(house: &House, service: Service) -> Result<(PathBuf, usize)> {
    let (mut newest, mut put_aside) = (None, 0);
    for entry in fs::read_dir(house.data().join(service.name()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        put_aside += usize::from(name.starts_with("quarantine-"));
        if name.starts_with("generation-") {
            newest = Some(path);
        }
    }
    Ok((newest.context("no generation")?, put_aside))
}

/// Every file of a folder and the folders in it, in order.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { found.append(&mut files(&path)?) } else { found.push(path) }
    }
    found.sort();
    Ok(found)
}

/// Puts a copy of a folder in the place of another.
pub(crate) fn replace(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let target = to.join(path.file_name().context("an entry has a name")?);
        if path.is_dir() {
            replace(&path, &target)?;
        } else {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}
