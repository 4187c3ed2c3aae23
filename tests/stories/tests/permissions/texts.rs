//! Texts open for those who may read them and say what for. For others they are closed.

use seva::token::Person;
use seva_api::access::Role;
use seva_api::pb::common::v1::text::Value;
use seva_api::pb::intake::v1::{GetCaseRequest, GetTimelineRequest};
use seva_stories::say::{at_least, interaction};
use seva_stories::{House, as_person};
use seva_tokens::token_of;
use tonic::{Code, Request};

const SECRET: &str = "My neighbour Mrs Ilves took the parcel";

fn person(roles: &'static [Role]) -> Person<'static> {
    Person { subject: "reader-1", roles, ..Person::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_open_for_a_role_and_a_purpose_and_are_closed_for_others() {
    let house = House::start().await;
    let mut intake = house.intake();
    let logged = intake.log_interaction(interaction("i1", "account-1", SECRET)).await.unwrap().into_inner();
    let case = || GetCaseRequest {
        case_id: logged.case_id.clone(),
        read: at_least(&logged.position),
        ..GetCaseRequest::default()
    };
    let opening =
        async |intake: &mut seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient<_>,
               request| {
            let answer = intake.get_case(request).await.unwrap().into_inner();
            answer.case.unwrap().opening.unwrap().value.unwrap()
        };
    for roles in [&[Role::Agent][..], &[Role::QualityReviewer], &[Role::Analyst, Role::Supervisor]] {
        let found = opening(&mut intake, as_person(&person(Box::leak(roles.into())), case())).await;
        assert_eq!(found, Value::Clear(SECRET.to_owned()), "{roles:?}");
    }
    let found = opening(&mut intake, as_person(&person(&[Role::Analyst]), case())).await;
    assert!(matches!(found, Value::Closed(_)), "an analyst reads no texts: {found:?}");

    // Without a purpose, over a connection that adds none.
    let mut bare = seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient::new(
        house.connection(seva_domain::service::Service::Intake),
    );
    let token = format!("Bearer {}", token_of(&person(&[Role::Agent])));
    let asked = |purpose: Option<&str>| {
        let mut request = Request::new(case());
        request.metadata_mut().insert("authorization", token.parse().unwrap());
        if let Some(purpose) = purpose {
            request.metadata_mut().insert("seva-purpose", purpose.parse().unwrap());
        }
        request
    };
    let found =
        bare.get_case(asked(None)).await.unwrap().into_inner().case.unwrap().opening.unwrap().value.unwrap();
    assert!(matches!(found, Value::Closed(_)), "nobody reads without saying what for: {found:?}");
    let refusal = bare.get_case(asked(Some("curiosity"))).await.unwrap_err();
    assert_eq!(refusal.code(), Code::InvalidArgument, "{refusal}");
    bare.get_case(asked(Some("legal"))).await.expect("a purpose of the list");

    let timeline =
        GetTimelineRequest { customer_id: logged.customer_id.clone(), ..GetTimelineRequest::default() };
    let entries =
        intake.get_timeline(as_person(&person(&[Role::Analyst]), timeline)).await.unwrap().into_inner();
    let text = format!("{entries:?}");
    assert!(!entries.entries.is_empty() && !text.contains("Ilves"), "{text}");
    house.stop().await;
}
