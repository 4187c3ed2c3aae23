//! What is recorded of it: openings before the answer leaves, denials counted, and never a word of what was read.

use std::time::Duration;

use serde_json::Value;
use seva::token::Person;
use seva_api::access::{AUDIT_STREAM, Audit, Role};
use seva_api::pb::intake::v1::GetCaseRequest;
use seva_api::pb::operations::v1::DigestReadModelsRequest;
use seva_domain::service::Service;
use seva_stories::say::{at_least, interaction};
use seva_stories::{Audited, House, as_actor, as_person, audited, refused};
use seva_support::eventually;

const PATIENCE: Duration = Duration::from_secs(30);
const SECRET: &str = "The parcel smelled of Zquillon";

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
    let Audited { records: found, .. } = audited(&house).await;
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
    let all = eventually("the denials are written", PATIENCE, || async {
        let all = audited(&house).await;
        let denied: u64 =
            all.records.iter().filter(|r| r["outcome"] == "denied").filter_map(|r| r["calls"].as_u64()).sum();
        (denied >= 600).then_some(all)
    })
    .await;
    assert_eq!(all.calls("clerk-3", "denied"), 500);
    let Audited { records: found, text } = all;
    let denied: Vec<&Value> = found.iter().filter(|record| record["outcome"] == "denied").collect();
    // The run may have passed from one minute into the next.
    assert!(denied.len() <= 2 * 33, "{} records for 600 denials", denied.len());
    assert!(!text.contains("Zquillon"), "a text in the audit stream");
    assert!(text.lines().all(|line| line.starts_with("seva.audit.")));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_text_is_opened_and_no_audited_call_worked_on_while_that_cannot_be_recorded() {
    let house = House::start().await;
    let mut intake = house.intake();
    let logged = intake.log_interaction(interaction("i1", "account-1", SECRET)).await.unwrap().into_inner();
    let case = || GetCaseRequest {
        case_id: logged.case_id.clone(),
        read: at_least(&logged.position),
        ..GetCaseRequest::default()
    };
    let agent = Person { subject: "agent-7", roles: &[Role::Agent], ..Person::default() };
    let analyst = Person { subject: "analyst-2", roles: &[Role::Analyst], ..Person::default() };
    let digests = || as_actor("operator-1", DigestReadModelsRequest {});
    let harm = async_nats::jetstream::new(house.nats().connect_to_harm().await);
    harm.delete_stream(AUDIT_STREAM).await.unwrap();

    let refusal = refused(intake.get_case(as_person(&agent, case())).await);
    assert_eq!(refusal.brief(), "Unavailable LOG_UNAVAILABLE");
    let refusal = refused(house.operations(Service::Intake).digest_read_models(digests()).await);
    assert_eq!(refusal.brief(), "Unavailable LOG_UNAVAILABLE");
    intake.get_case(as_person(&analyst, case())).await.expect("nothing is opened for an analyst");

    Audit::set_up(&harm, 1).await.unwrap();
    intake.get_case(as_person(&agent, case())).await.unwrap();
    house.operations(Service::Intake).digest_read_models(digests()).await.unwrap();
    let all = audited(&house).await;
    assert_eq!((all.calls("agent-7", "opened"), all.calls("operator-1", "called")), (1, 1));
    house.stop().await;
}
