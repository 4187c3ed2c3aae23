//! What is recorded of it: openings before the answer leaves, denials counted, and never a word of what was read.

use std::time::Duration;

use futures::StreamExt as _;
use serde_json::Value;
use seva::token::Person;
use seva_api::access::{AUDIT_STREAM, Role};
use seva_api::pb::intake::v1::GetCaseRequest;
use seva_rights::Identity;
use seva_stories::say::{at_least, interaction};
use seva_stories::{House, as_person, refused};
use seva_support::eventually;

const PATIENCE: Duration = Duration::from_secs(30);
const SECRET: &str = "The parcel smelled of Zquillon";

/// Every audit record there is, and all messages as text.
async fn records(house: &House) -> (Vec<Value>, String) {
    let client = house.nats().connect(Identity::Operator).await;
    let stream = async_nats::jetstream::new(client).get_stream(AUDIT_STREAM).await.unwrap();
    let (mut found, mut text) = (Vec::new(), String::new());
    let last = stream.cached_info().state.last_sequence;
    let mut messages = futures::stream::iter(1..=last);
    while let Some(sequence) = messages.next().await {
        let message = stream.get_raw_message(sequence).await.unwrap();
        text.push_str(&format!("{} {}\n", message.subject, String::from_utf8_lossy(&message.payload)));
        let message: Value = serde_json::from_slice(&message.payload).unwrap();
        found.extend(message["records"].as_array().unwrap().iter().cloned());
    }
    (found, text)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opened_text_is_recorded_before_its_answer_and_a_flood_of_denials_is_counted() {
    let house = House::start().await;
    let mut intake = house.intake();
    let logged = intake.log_interaction(interaction("i1", "account-1", SECRET)).await.unwrap().into_inner();
    let case = || GetCaseRequest {
        case_id: logged.case_id.clone(),
        read: at_least(&logged.position),
        ..GetCaseRequest::default()
    };
    let agent = Person { subject: "agent-7", roles: &[Role::Agent], ..Person::default() };
    intake.get_case(as_person(&agent, case())).await.unwrap();
    let (found, _) = records(&house).await;
    let opened = |record: &&Value| record["outcome"] == "opened" && record["who"] == "agent-7";
    let record = found.iter().find(opened).expect("recorded before the answer came");
    assert_eq!((&record["method"], &record["purpose"]), (&"IntakeService/GetCase".into(), &"service".into()));
    assert_eq!((&record["service"], &record["calls"]), (&"intake".into(), &1.into()));

    let clerk = Person { subject: "clerk-3", roles: &[Role::PolicyEditor], ..Person::default() };
    for _ in 0..500 {
        let refusal = refused(intake.get_case(as_person(&clerk, case())).await);
        assert_eq!(refusal.brief(), "PermissionDenied ROLE_NOT_ALLOWED");
    }
    for n in 0..100 {
        let subject = format!("stranger-{n}");
        let stranger = Person { subject: &subject, ..clerk.clone() };
        refused(intake.get_case(as_person(&stranger, case())).await);
    }
    // The minute is over.
    house.clock().jump(Duration::from_secs(61));
    let (found, text) = eventually("the denials are written", PATIENCE, || async {
        let (found, text) = records(&house).await;
        let denied: u64 =
            found.iter().filter(|r| r["outcome"] == "denied").filter_map(|r| r["calls"].as_u64()).sum();
        (denied >= 600).then_some((found, text))
    })
    .await;
    let denied: Vec<&Value> = found.iter().filter(|record| record["outcome"] == "denied").collect();
    let of_clerk: u64 = denied
        .iter()
        .filter(|record| record["who"] == "clerk-3")
        .filter_map(|record| record["calls"].as_u64())
        .sum();
    assert_eq!(of_clerk, 500);
    // The run may have passed from one minute into the next.
    assert!(denied.len() <= 2 * 33, "{} records for 600 denials", denied.len());
    assert!(!text.contains("Zquillon"), "a text in the audit stream");
    assert!(text.lines().all(|line| line.starts_with("seva.audit.")));
    house.stop().await;
}
