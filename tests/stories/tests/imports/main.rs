//! Records of real customers through the real program: nothing lost, nothing shifted, nothing twice, and all of it runs again the same.
//!
//! The files are no part of this repository: `SEVA_SAMPLE_DATA` names the folder that holds them.

mod backfill;
mod histories;
mod ledger;
mod tickets;
mod tweets;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use seva_api::pb::common::v1::text::Value;
use seva_api::pb::common::v1::{CaseKind, Channel, PageRequest};
use seva_api::pb::intake::v1::timeline_entry::What;
use seva_api::pb::intake::v1::{
    Case, GetTimelineRequest, IdentifyCustomerRequest, Identity, IdentityKind, InteractionEntry,
    ListOpenCasesRequest,
};
use seva_api::pb::operations::v1::RebuildReadModelRequest;
use seva_domain::service::Service;
use seva_eventlog::jetstream::JetStreamLog;
use seva_eventlog::log::Log;
use seva_eventlog::simulate;
use seva_stories::{House, as_actor, seva};

use self::tweets::Tweet;

/// How many rows of a list are asked for at once.
const PAGE_ROWS: u32 = 1_000;

/// How many customers' timelines are asked for at once.
const ASKED_AT_ONCE: usize = 16;

/// A file that comes in by a shipped map, and what must become of its records.
struct Source {
    map: &'static str,
    file: &'static str,
    read: u64,
    accepted: u64,
    repeats: u64,
    rejected: u64,
}

const fn source(map: &'static str, file: &'static str, accepted: u64) -> Source {
    Source { map, file, read: accepted, accepted, repeats: 0, rejected: 0 }
}

const SOURCES: [Source; 7] = [
    Source { read: 5_002, rejected: 3, ..source("twcs", "twcs_tweets_5k.csv", 4_999) },
    source("cfpb", "cfpb_complaints_2023.csv", 1_400),
    Source { read: 8_183, rejected: 87, ..source("bitext", "bitext_support_intents_8k.csv", 8_096) },
    Source { read: 1_006, repeats: 311, ..source("turkish_reviews", "turkish_amazon_reviews.csv", 695) },
    source("nhs_feedback", "nhs_feedback_phase1_5k.csv", 5_000),
    source("hindi_reviews", "hindi_product_reviews_2500.tsv", 2_500),
    source("bengali_reviews", "bengali_restaurant_reviews.tsv", 1_365),
];

/// The line of the tweet that carriage returns break over three records.
const BROKEN_TWEET: [u64; 3] = [2_589; 3];

#[tokio::test(flavor = "multi_thread")]
async fn real_records_come_in_once_whole_and_in_order() -> Result<()> {
    let Some(folder) = std::env::var_os("SEVA_SAMPLE_DATA") else {
        eprintln!("SKIPPED: SEVA_SAMPLE_DATA is not set");
        return Ok(());
    };
    let folder = Path::new(&folder);
    let house = House::start().await;
    let mut expected_end = house.settled().await;
    for source in &SOURCES {
        let first = import(&house, source, folder).await?;
        let end = house.settled().await;
        ensure!(end > expected_end, "{}: nothing was recorded", source.map);
        let again = import(&house, source, folder).await?;
        ensure!(first.counts == (source.accepted, 0), "{}: {:?}", source.map, first.counts);
        ensure!(again.counts == (0, source.accepted), "{} again: {:?}", source.map, again.counts);
        ensure!(first.rejected_lines == again.rejected_lines, "{}: other rejects", source.map);
        if source.map == "twcs" {
            ensure!(first.rejected_lines == BROKEN_TWEET, "{:?}", first.rejected_lines);
        }
        expected_end = house.settled().await;
        ensure!(
            expected_end == end,
            "{}: the second import left {} messages",
            source.map,
            expected_end - end
        );
        eprintln!(
            "{:<16} {:>6.0} rows/s, again {:>6.0} rows/s",
            source.map, first.per_second, again.per_second
        );
    }
    tell_the_tweets(&house, &folder.join(SOURCES[0].file)).await?;
    runs_again_the_same(&house).await?;
    is_rebuilt_the_same(&house).await?;
    house.stop().await;
    Ok(())
}

/// What a run of the program said.
struct Run {
    /// Accepted, and already there.
    counts: (u64, u64),
    per_second: f64,
    rejected_lines: Vec<u64>,
}

async fn import(house: &House, source: &Source, folder: &Path) -> Result<Run> {
    let rejects = house.data().join("rejects.jsonl");
    let (file, rejects_file) = (folder.join(source.file), rejects.display().to_string());
    let (file, endpoint) = (file.display().to_string(), house.url(Service::Intake));
    let args =
        ["import", &file, "--map", source.map, "--json", "--rejects", &rejects_file, "--endpoint", &endpoint];
    let output = seva(&args).await;
    let told = String::from_utf8_lossy(&output.stderr);
    let expected_code = if source.rejected > 0 { 7 } else { 0 };
    ensure!(output.status.code() == Some(expected_code), "{}: {}: {told}", source.map, output.status);
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let count = |name: &str| summary[name].as_u64().with_context(|| format!("no {name} in {summary}"));
    ensure!(count("rows_read")? == source.read, "{summary}");
    ensure!(count("repeats")? == source.repeats, "{summary}");
    ensure!(count("rejected")? == source.rejected, "{summary}");
    ensure!(count("left_out")? == 0, "{summary}");
    let text = std::fs::read_to_string(&rejects)?;
    let lines = text.lines().map(|line| {
        let reject: serde_json::Value = serde_json::from_str(line)?;
        reject["line"].as_u64().context("a reject without its line")
    });
    Ok(Run {
        counts: (count("accepted")?, count("already_there")?),
        per_second: summary["rows_per_second"].as_f64().context("no rate")?,
        rejected_lines: lines.collect::<Result<_>>()?,
    })
}

/// Every customer's story is the file's, and each conversation is one case a customer, linked where it has several.
async fn tell_the_tweets(house: &House, file: &Path) -> Result<()> {
    let customers = tweets::by_customer(file)?;
    let authors = customers.values().filter(|tweets| tweets.iter().any(|tweet| tweet.is_inbound)).count();
    ensure!(authors == 1_442, "{authors} customers with a tweet of their own");
    let told = customers.values().map(Vec::len).sum::<usize>();
    ensure!(told == 4_999, "{told} tweets");

    let mut cases: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    let all: Vec<(&String, &Vec<Tweet>)> = customers.iter().collect();
    for some in all.chunks(ASKED_AT_ONCE) {
        let asked = some.iter().map(|(customer, _)| interactions(house, handle(customer)));
        for ((customer, tweets), told) in some.iter().zip(futures::future::try_join_all(asked).await?) {
            let texts: Vec<&str> = told.iter().map(|(_, entry)| clear(entry)).collect();
            let expected: Vec<&str> = tweets.iter().map(|tweet| tweet.text.as_str()).collect();
            ensure!(texts == expected, "the timeline of {customer} is not the file's");
            for (tweet, (case, _)) in tweets.iter().zip(told) {
                cases.entry((&tweet.thread, customer)).or_default().insert(case);
            }
        }
    }
    ensure!(cases.len() == 1_484, "{} pairs of conversation and customer", cases.len());
    let several = cases.values().find(|cases| cases.len() != 1);
    ensure!(several.is_none(), "one customer's part of one conversation is {several:?}");
    let different: BTreeSet<&String> = cases.values().flatten().collect();
    ensure!(different.len() == cases.len(), "a case is shared by several conversations or customers");

    let kept = open_cases(house).await?;
    ensure!(kept.len() == cases.len(), "{} cases are kept, not {}", kept.len(), cases.len());
    let threads = tweets::by_thread(&customers);
    let shared = threads.iter().filter(|(_, customers)| customers.len() > 1);
    let mut linked = 0;
    for (thread, customers) in shared {
        let ids = customers.iter().map(|customer| cases.get(&(*thread, *customer)).and_then(BTreeSet::first));
        let ids: BTreeSet<&String> = ids.map(|id| id.context("no case")).collect::<Result<_>>()?;
        ensure!(is_linked(&ids, &kept)?, "the cases of conversation {thread} are not linked: {ids:?}");
        linked += 1;
    }
    ensure!(linked == 111, "{linked} conversations with several customers");
    eprintln!(
        "{} customers, {} cases, {linked} conversations of several customers",
        customers.len(),
        cases.len()
    );
    Ok(())
}

/// Whether each of the cases can be reached from each other one along their links, and none leads elsewhere.
fn is_linked(ids: &BTreeSet<&String>, kept: &BTreeMap<String, Case>) -> Result<bool> {
    let mut reached: BTreeSet<&String> = ids.first().copied().into_iter().collect();
    let mut next: Vec<&String> = reached.iter().copied().collect();
    while let Some(id) = next.pop() {
        let case = kept.get(id).context("a case is not kept")?;
        next.extend(case.linked_case_ids.iter().filter(|to| reached.insert(to)));
    }
    Ok(reached == *ids)
}

fn handle(author: &str) -> Identity {
    Identity { kind: IdentityKind::Handle.into(), value: format!("twitter/{author}") }
}

/// All interactions of a customer in the order of the timeline, each with its case.
async fn interactions(house: &House, identity: Identity) -> Result<Vec<(String, InteractionEntry)>> {
    let mut intake = house.intake();
    let who = IdentifyCustomerRequest { identities: vec![identity], read: None };
    let customer_id = intake.identify_customer(as_actor("reader", who)).await?.into_inner().customer_id;
    ensure!(!customer_id.is_empty(), "nobody is known by an identity of the file");
    let mut found = Vec::new();
    let mut page = PageRequest { page_size: PAGE_ROWS, page_token: String::new() };
    loop {
        let request =
            GetTimelineRequest { customer_id: customer_id.clone(), page: Some(page.clone()), read: None };
        let answer = intake.get_timeline(as_actor("reader", request)).await?.into_inner();
        for entry in answer.entries {
            if let Some(What::Interaction(interaction)) = entry.what {
                found.push((entry.case_id, interaction));
            }
        }
        if answer.next_page_token.is_empty() {
            return Ok(found);
        }
        page.page_token = answer.next_page_token;
    }
}

fn clear(entry: &InteractionEntry) -> &str {
    match entry.text.as_ref().and_then(|text| text.value.as_ref()) {
        Some(Value::Clear(text)) => text,
        Some(Value::Sealed(_) | Value::Erased(_) | Value::Closed(_)) | None => "",
    }
}

/// The cases that came through the network of the tweets.
async fn open_cases(house: &House) -> Result<BTreeMap<String, Case>> {
    let mut intake = house.intake();
    let mut found = BTreeMap::new();
    let mut page_token = String::new();
    loop {
        let request = ListOpenCasesRequest {
            kind: CaseKind::Enquiry.into(),
            channel: Channel::Social.into(),
            page: Some(PageRequest { page_size: PAGE_ROWS, page_token }),
            read: None,
        };
        let answer = intake.list_open_cases(as_actor("reader", request)).await?.into_inner();
        found.extend(answer.cases.into_iter().map(|case| (case.case_id.clone(), case)));
        if answer.next_page_token.is_empty() {
            return Ok(found);
        }
        page_token = answer.next_page_token;
    }
}

/// The facts of the whole log, run again in memory, make every record of it again.
async fn runs_again_the_same(house: &House) -> Result<()> {
    let client = house.nats().connect(seva_rights::Identity::Operator).await;
    let log = JetStreamLog::open(client, seva_rights::Identity::Operator.consumers()).await?;
    let report = simulate::run(&Log::JetStream(log)).await?;
    ensure!(report.difference.is_none(), "run again, a record came out otherwise: {:?}", report.difference);
    eprintln!(
        "run again: {} commits, {} facts, {} automatic records, no difference",
        report.commits, report.facts, report.automatic
    );
    Ok(())
}

/// Every read model, folded anew, has the rows that it had.
async fn is_rebuilt_the_same(house: &House) -> Result<()> {
    for service in Service::ALL {
        let before = house.digests(service).await;
        for (name, rows, _) in &before {
            let request = RebuildReadModelRequest { name: name.clone() };
            let rebuilt = house.operations(service).rebuild_read_model(request).await?.into_inner();
            eprintln!("{name}: {rows} rows from {} records in {:.1} s", rebuilt.records, rebuilt.seconds);
        }
        ensure!(house.digests(service).await == before, "{}: other rows after a rebuild", service.name());
    }
    Ok(())
}
