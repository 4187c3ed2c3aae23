//! Histories that become charges, refunds, resolutions and escalations: to the penny, once, and as if they had been lived through.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use seva_api::pb::refunds::v1::GetRefundTotalsRequest;
use seva_domain::noun::Noun;
use seva_domain::service::Service;
use seva_domain::values::At;
use seva_stories::{House, as_actor, seva};

use super::ledger::{self, Totals};
use super::tickets;

/// A file that comes in by a shipped map, what is recorded of it, and what is rejected, by reason.
struct History {
    map: &'static str,
    file: &'static str,
    recorded: u64,
    /// What is said of it that is so anyhow.
    unchanged: u64,
    rejected: BTreeMap<String, u64>,
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_of_all_services_come_in_once_and_as_they_were() -> Result<()> {
    let Some(folder) = std::env::var_os("SEVA_SAMPLE_DATA") else {
        eprintln!("SKIPPED: SEVA_SAMPLE_DATA is not set");
        return Ok(());
    };
    let folder = PathBuf::from(folder);
    let olist = ledger::olist(&folder)?;
    let uci = ledger::uci(&folder)?;
    let desk = tickets::help_desk(&folder.join("helpdesk_italian_events_10k.csv"))?;
    let none = BTreeMap::new;
    let history = |map, file, recorded, rejected| History { map, file, recorded, unchanged: 0, rejected };
    let histories = [
        // A customer, a charge and, where it was cancelled, a refund.
        history(
            "olist_orders",
            "olist_order_payments.csv",
            olist.customers + olist.totals.charges + olist.totals.paid,
            [("bad_amount".to_owned(), olist.rejected)].into(),
        ),
        history("olist_reviews", "olist_order_reviews.csv", 2_022, none()),
        history(
            "uci_retail",
            "uci_online_retail_2010-12-01_to_06.csv",
            uci.totals.charges + uci.totals.paid,
            uci.rejected,
        ),
        history("telecom_nps", "telecom_nps_responses_2018.csv", 2_385, none()),
        history("support_tickets", "support_tickets_csat_3k.csv", 3_000 + 967, none()),
        History {
            unchanged: desk.idle,
            ..history("helpdesk_italian", "helpdesk_italian_events_10k.csv", desk.requests, none())
        },
    ];

    let house = House::start().await;
    for history in &histories {
        let first = import(&house, history, &folder).await?;
        let end = house.settled().await;
        let again = import(&house, history, &folder).await?;
        ensure!(house.settled().await == end, "{}: the second import left something", history.map);
        // A request whose answer was lost on the way is asked again, and is answered that it was recorded.
        let (recorded, asked_again) = first.counts;
        ensure!(recorded + asked_again == history.recorded, "{}: {:?}", history.map, first.counts);
        ensure!(asked_again * 100 < history.recorded, "{}: {asked_again} asked again", history.map);
        ensure!(again.counts == (0, history.recorded), "{} again: {:?}", history.map, again.counts);
        let (once, twice) = (first.per_second, again.per_second);
        eprintln!("{:<16} {once:>6.0} rows/s, again {twice:>6.0} rows/s", history.map);
    }
    is_to_the_penny(&house, [("BRL", olist.totals), ("GBP", uci.totals)].into()).await?;
    tickets::are_told_as_the_file_has_them(&house, &desk).await?;
    is_as_lived_through(&house, &desk).await?;
    super::runs_again_the_same(&house).await?;
    house.stop().await;
    Ok(())
}

/// What a run of the program said.
struct Run {
    /// Recorded, and recorded before.
    counts: (u64, u64),
    per_second: f64,
}

async fn import(house: &House, history: &History, folder: &Path) -> Result<Run> {
    let rejects = house.data().join("rejects.jsonl").display().to_string();
    let file = folder.join(history.file).display().to_string();
    let mut args = vec!["import", &file, "--map", history.map, "--json", "--rejects", &rejects];
    let endpoints = [Service::Intake, Service::Escalation, Service::Refunds]
        .map(|service| format!("{}={}", service.name(), house.url(service)));
    endpoints.iter().for_each(|endpoint| args.extend(["--endpoint", endpoint]));
    let output = seva(&args).await;
    let said = String::from_utf8_lossy(&output.stderr);
    let summary: serde_json::Value =
        serde_json::from_slice(&output.stdout).with_context(|| format!("{}: {said}", history.map))?;
    let rejected: BTreeMap<String, u64> = serde_json::from_value(summary["rejected_by_reason"].clone())?;
    if rejected != history.rejected {
        let lines = std::fs::read_to_string(&rejects)?;
        anyhow::bail!("{}: {rejected:?}, not {:?}: {lines}", history.map, history.rejected);
    }
    let expected = if history.rejected.is_empty() { 0 } else { 7 };
    ensure!(output.status.code() == Some(expected), "{}: {}: {said}", history.map, output.status);
    let count = |name: &str| summary[name].as_u64().with_context(|| format!("no {name} in {summary}"));
    ensure!(count("unchanged")? == history.unchanged, "{summary}");
    let per_second = summary["rows_per_second"].as_f64().context("no rate")?;
    Ok(Run { counts: (count("accepted")?, count("already_there")?), per_second })
}

/// The service's totals are those of the files, and nobody was told to pay.
async fn is_to_the_penny(house: &House, expected: BTreeMap<&str, Totals>) -> Result<()> {
    let mut refunds = house.refunds();
    let answer = refunds.get_refund_totals(as_actor("reader", GetRefundTotalsRequest::default())).await?;
    let totals = answer.into_inner().totals;
    let told: BTreeMap<&str, Totals> = totals
        .iter()
        .map(|of| {
            let (charges, captured_minor) = (of.charges, of.captured_minor);
            let (paid, paid_minor) = (of.refunds_paid, of.paid_minor);
            (of.currency.as_str(), Totals { charges, captured_minor, paid, paid_minor })
        })
        .collect();
    ensure!(told == expected, "the totals are {told:?}, not {expected:?}");
    ensure!(totals.iter().all(|of| of.refunds_open + of.refunds_failed + of.refunds_declined == 0));
    let instructed = house.log().await.events("charge.refund_instructed.v1");
    ensure!(instructed.is_empty(), "{} refunds were instructed", instructed.len());
    eprintln!("{told:?}");
    Ok(())
}

/// What was to happen by itself happened at its time in the past, and only where the file does not say otherwise.
async fn is_as_lived_through(house: &House, desk: &tickets::Desk) -> Result<()> {
    let log = house.log().await;
    for (event, expected) in [
        ("escalation.raised.v1", desk.cases.len() as u64),
        ("escalation.accepted.v1", desk.accepted),
        ("escalation.resolved.v1", desk.settled),
        ("escalation.unanswered.v1", desk.unanswered),
        ("escalation.exhausted.v1", desk.exhausted),
    ] {
        let found = log.events(event).len() as u64;
        ensure!(found == expected, "{event}: {found}, and the file has {expected}");
    }
    let of_escalations =
        log.records.iter().filter(|(_, _, record)| matches!(record.noun, Noun::Escalation(_)));
    let late = of_escalations.filter(|(_, _, record)| record.effective_at >= FIFTEEN).count();
    ensure!(late == 0, "{late} steps of escalations reckon with another time than the file's");
    let imports: BTreeSet<_> = log.records.iter().filter_map(|(_, _, record)| record.import).collect();
    ensure!(imports.len() == 6, "{} imports", imports.len());
    // Nobody said whether customers of tickets were content: their silence did, two weeks after.
    let confirmed = log.events("case.resolution_confirmed.v1");
    let by_silence = confirmed.iter().filter(|record| record.request.is_none()).count() as u64;
    ensure!(by_silence == 967 + desk.silent, "{by_silence} resolutions confirmed by silence");
    ensure!(confirmed.iter().all(|record| record.effective_at < TWENTY_FOUR), "silence by the wall's clock");
    eprintln!(
        "{} unanswered, {} above the top, {by_silence} confirmed by silence",
        desk.unanswered, desk.exhausted
    );
    Ok(())
}

/// 2015 and 2024 in UTC: the files end before.
const FIFTEEN: At = At(1_420_070_400_000_000);
const TWENTY_FOUR: At = At(1_704_067_200_000_000);
