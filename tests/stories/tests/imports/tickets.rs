//! The help desk's tickets as a reader of the file alone has them, and as the services tell them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use seva_api::pb::intake::v1::{Identity, IdentityKind};
use seva_stories::House;

/// How many minutes a day has.
const DAY: i64 = 1_440;
/// The starter policy's ladder for enquiries: a day, then three.
const RUNGS: [i64; 2] = [DAY, 3 * DAY];
/// The starter policy's days after which silence confirms.
const SILENCE: i64 = 14 * DAY;

/// What the file comes to.
#[derive(Default)]
pub(crate) struct Desk {
    /// The events of each case, as activity, in order; and the customer whom the first names.
    pub(crate) cases: BTreeMap<String, (String, Vec<String>)>,
    pub(crate) activities: BTreeMap<String, usize>,
    /// All that is asked of the services.
    pub(crate) requests: u64,
    pub(crate) accepted: u64,
    pub(crate) settled: u64,
    pub(crate) unanswered: u64,
    pub(crate) exhausted: u64,
    /// Resolutions that silence confirms before anybody closes the ticket.
    pub(crate) silent: u64,
    /// Closings that then find nothing left to do.
    pub(crate) idle: u64,
}

/// Reads the events and reckons what became of each case's escalation.
pub(crate) fn help_desk(file: &Path) -> Result<Desk> {
    let mut events: BTreeMap<String, Vec<(i64, String, String)>> = BTreeMap::new();
    let mut desk = Desk::default();
    for record in csv::Reader::from_path(file)?.records() {
        let record = record?;
        let (activity, customer) = (record[1].to_owned(), record[8].to_owned());
        *desk.activities.entry(activity.clone()).or_default() += 1;
        events.entry(record[0].to_owned()).or_default().push((seconds(&record[3])?, activity, customer));
    }
    for (case, events) in events {
        let first = |wanted: &[&str]| {
            events.iter().find(|event| wanted.contains(&event.1.as_str())).map(|event| event.0)
        };
        let raised = events.first().context("a case has events")?.0;
        let accepted = first(&["Closed", "Resolve ticket", "Take in charge ticket"]);
        let resolved = first(&["Closed", "Resolve ticket"]);
        let closed = first(&["Closed"]);
        let asked = [Some(raised), accepted, resolved, resolved, closed].into_iter().flatten().count();
        desk.accepted += u64::from(accepted.is_some());
        desk.settled += u64::from(resolved.is_some());
        let silence = resolved.map(|at| at + SILENCE * 60);
        desk.silent +=
            u64::from(silence.is_some_and(|silence| closed.is_none_or(|closed| closed >= silence)));
        let is_idle = silence.is_some_and(|silence| closed.is_some_and(|closed| closed >= silence));
        desk.idle += u64::from(is_idle);
        desk.requests += (events.len() + asked - usize::from(is_idle)) as u64;
        let mut due = raised;
        let answered = accepted.unwrap_or(i64::MAX);
        for (rung, minutes) in RUNGS.iter().enumerate() {
            due += minutes * 60;
            if answered >= due {
                desk.unanswered += 1;
                desk.exhausted += u64::from(rung + 1 == RUNGS.len());
            }
        }
        let customer = events[0].2.clone();
        desk.cases.insert(case, (customer, events.into_iter().map(|event| event.1).collect()));
    }
    ensure!(desk.cases.len() == 2_137, "{} cases", desk.cases.len());
    Ok(desk)
}

/// `2012/10/09 14:50:17.000` in Rome.
fn seconds(text: &str) -> Result<i64> {
    let local: jiff::civil::DateTime =
        text.trim_end_matches(".000").replace('/', "-").replace(' ', "T").parse()?;
    Ok(local.in_tz("Europe/Rome")?.timestamp().as_second())
}

/// Every case of every customer has the file's events in the file's order, repeats and all.
pub(crate) async fn are_told_as_the_file_has_them(house: &House, desk: &Desk) -> Result<()> {
    let mut expected: BTreeMap<&str, Vec<&Vec<String>>> = BTreeMap::new();
    for (customer, events) in desk.cases.values() {
        expected.entry(customer).or_default().push(events);
    }
    let (mut activities, mut cases) = (BTreeMap::new(), BTreeSet::new());
    for (customer, mut expected) in expected {
        let value = format!("helpdesk_italian/{customer}");
        let identity = Identity { kind: IdentityKind::Account.into(), value };
        let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (case, entry) in super::interactions(house, identity).await? {
            let activity = super::clear(&entry).to_owned();
            *activities.entry(activity.clone()).or_default() += 1;
            told.entry(case).or_default().push(activity);
        }
        let mut found: Vec<&Vec<String>> = told.values().collect();
        found.sort();
        expected.sort();
        ensure!(found == expected, "the cases of {customer} are not the file's");
        cases.extend(told.into_keys());
    }
    ensure!(activities == desk.activities, "events per activity: {activities:?}, not {:?}", desk.activities);
    ensure!(cases.len() == desk.cases.len(), "{} cases", cases.len());
    Ok(())
}
