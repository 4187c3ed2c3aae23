//! Two processes of one service, both written to at once about the same customers: nothing lost, nothing doubled, neither starved.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use seva_api::pb::common::v1::CaseKind;
use seva_api::pb::intake::v1::{LogInteractionResponse, ReclassifyCaseRequest};
use seva_domain::service::Service;
use seva_stories::say::interaction;
use seva_stories::{House, Services, as_actor};
use tokio::time::{Duration, Instant};
use tonic::Code;

/// How many clients write to each process.
const CLIENTS: usize = 8;

/// Whom all of them write about.
const CUSTOMERS: usize = 50;

/// How long all of them write.
const RUN: Duration = Duration::from_secs(8);

/// How long a write that was sent may go without a definite answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The share of the writes that each process must have had, in percent.
const SHARE_PERCENT_MIN: usize = 10;

/// What one client was answered: its request ids, and what each came to.
type Answers = Vec<(String, LogInteractionResponse)>;

/// Writes until the time is up, each request until its answer is definite.
async fn client(process: &Services, name: String, until: Instant) -> Answers {
    let mut intake = process.intake();
    let mut answers = Vec::new();
    for n in 0_usize.. {
        if Instant::now() >= until {
            break;
        }
        let request_id = format!("{name}-{n}");
        // All clients go through the customers in the same order, so that they meet.
        let request = interaction(&request_id, &format!("A-{}", n % CUSTOMERS), "Where is my parcel?");
        let patience = Instant::now() + PATIENCE;
        loop {
            match intake.log_interaction(as_actor(&name, request.clone())).await {
                Ok(answer) => {
                    answers.push((request_id, answer.into_inner()));
                    break;
                }
                Err(status) => {
                    let may_be_sent_again =
                        matches!(status.code(), Code::Unavailable | Code::ResourceExhausted);
                    assert!(may_be_sent_again && Instant::now() < patience, "{request_id}: {status:?}");
                }
            }
        }
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_write_about_the_same_customers_and_nothing_is_lost_or_doubled() {
    let house = House::start().await;
    let second = house.second(Service::Intake).await;
    let until = Instant::now() + RUN;
    let names = |process: &str| (0..CLIENTS).map(|n| format!("{process}-{n}")).collect::<Vec<_>>();
    let (first_answers, second_answers) = tokio::join!(
        join_all(names("first").into_iter().map(|name| client(&house, name, until))),
        join_all(names("second").into_iter().map(|name| client(&second, name, until))),
    );
    let shares = [&first_answers, &second_answers].map(|answers| answers.iter().map(Vec::len).sum::<usize>());
    let total: usize = shares.iter().sum();
    println!(
        "two processes, {CLIENTS} clients each: {total} writes in {RUN:?}, first {} ({} %), second {} ({} %)",
        shares[0],
        shares[0] * 100 / total,
        shares[1],
        shares[1] * 100 / total
    );
    for share in shares {
        assert!(share * 100 >= total * SHARE_PERCENT_MIN, "one process starved: {shares:?}");
    }

    house.settled_with(&[&second]).await;
    let log = house.log().await;
    let mut interactions = BTreeSet::new();
    let mut customers = BTreeSet::new();
    let mut expected = BTreeSet::new();
    let processes = [("first", first_answers), ("second", second_answers)];
    for (process, answers) in processes {
        for (n, answers) in answers.into_iter().enumerate() {
            for (request_id, answer) in answers {
                let records = log.of_request(&format!("{process}-{n}"), &request_id);
                let on_its_case = records.iter().filter(|record| record.noun.id() == answer.case_id).count();
                assert_eq!(on_its_case, 1, "{request_id} has one record of its case");
                expected.insert(log.request(&format!("{process}-{n}"), &request_id));
                customers.insert(answer.customer_id);
                assert!(
                    interactions.insert(answer.interaction_id),
                    "{request_id} has an interaction of its own"
                );
            }
        }
    }
    assert_eq!(interactions.len(), total);
    assert!(customers.len() <= CUSTOMERS, "nobody was registered twice: {}", customers.len());
    let mut revs = BTreeMap::new();
    for (position, _, record) in &log.records {
        let rev = revs.entry(record.noun).or_insert(0);
        *rev += 1;
        assert_eq!(record.rev, *rev, "the revs of {:?} have no gap at {position:?}", record.noun);
        if let (Some(request), true) = (record.request, record.noun.name() == "case") {
            assert!(expected.contains(&request.id), "a record of nobody's request at {position:?}");
        }
    }
    assert_eq!(house.digests(Service::Intake).await, second.digests(Service::Intake).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_processes_told_to_change_one_rev_only_one_does() {
    let house = House::start().await;
    let second = house.second(Service::Intake).await;
    let logged =
        house.intake().log_interaction(interaction("1", "A-1", "Hello?")).await.unwrap().into_inner();
    house.settled_with(&[&second]).await;
    let kinds = [CaseKind::Complaint, CaseKind::Refund];
    for round in 1..=20_u64 {
        let change = |process: &Services, n: usize| {
            let request = ReclassifyCaseRequest {
                request_id: format!("{round}-{n}"),
                case_id: logged.case_id.clone(),
                // Another kind than before, whoever was first then.
                kind: if round % 2 == 0 { kinds[n] } else { [CaseKind::Other, CaseKind::Internal][n] }.into(),
                reason: String::new(),
                expected_rev: Some(round),
            };
            let mut intake = process.intake();
            async move { intake.reclassify_case(request).await }
        };
        let (one, other) = tokio::join!(change(&house, 0), change(&second, 1));
        let done = [&one, &other].into_iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(done, 1, "round {round}: {one:?} {other:?}");
        let refused = [one, other].into_iter().find_map(Result::err).unwrap();
        assert_eq!(refused.code(), Code::Aborted, "{refused:?}");
        house.settled_with(&[&second]).await;
    }
}
