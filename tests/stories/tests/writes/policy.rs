//! A changed policy: it routes differently from its publication on, and what was routed before still explains itself.

use seva_api::pb::feedback::v1::{GetSuggestionRequest, Suggestion};
use seva_api::pb::policy::v1::{
    CheckPolicyRequest, GetPolicyRequest, ListPolicyVersionsRequest, PublishPolicyRequest,
};
use seva_domain::policy::STARTER;
use seva_domain::service::Service;
use seva_stories::say::{at_least, page, suggestion};
use seva_stories::{House, as_actor, refused};
use tonic_types::StatusExt as _;

fn publication(request_id: &str, document: &str) -> PublishPolicyRequest {
    PublishPolicyRequest {
        request_id: request_id.to_owned(),
        document: document.to_owned(),
        reason: "It is ours now.".to_owned(),
        expected_version: None,
    }
}

/// The starter policy with one more phrase, that leads to marketing before anything else is looked at.
fn with_blue_to_marketing() -> String {
    let row =
        "[[routing.tables.rows]]\nid = \"blue\"\ndepartment = \"marketing\"\nphrases = [\"in blue\"]\n\n";
    let first = STARTER.find("[[routing.tables.rows]]").expect("the starter policy has rows");
    [&STARTER[..first], row, &STARTER[first..]].concat()
}

async fn captured(house: &House, request_id: &str) -> Suggestion {
    let mut feedback = house.feedback();
    let idea = suggestion(request_id, "You should sell the packaging in blue.");
    let captured = feedback.capture_suggestion(idea).await.unwrap().into_inner();
    let read = at_least(&captured.position);
    let request = GetSuggestionRequest { suggestion_id: captured.suggestion_id, read };
    let read = feedback.get_suggestion(request).await.unwrap().into_inner().suggestion.unwrap();
    assert_eq!(read.department, captured.department);
    read
}

#[tokio::test]
async fn a_changed_table_routes_differently_and_old_routes_still_explain_themselves() {
    let house = House::start().await;
    let before = captured(&house, "1").await;
    let published = house.policy().publish_policy(publication("2", &with_blue_to_marketing())).await.unwrap();
    assert_eq!(published.into_inner().version, 2);
    house.settled().await;
    let after = captured(&house, "3").await;
    let why = |suggestion: &Suggestion| {
        let routing = suggestion.routing.clone().unwrap();
        (routing.department, routing.policy_version, routing.table, routing.row, routing.phrase)
    };
    let told = |department: &str, version, row: &str, phrase: &str| {
        (department.to_owned(), version, "en".to_owned(), row.to_owned(), phrase.to_owned())
    };
    assert_eq!(why(&before), told("packaging", 1, "packaging", "packaging"));
    assert_eq!(why(&after), told("marketing", 2, "blue", "in blue"));
    let request = GetSuggestionRequest { suggestion_id: before.suggestion_id.clone(), read: None };
    let before_again =
        house.feedback().get_suggestion(request).await.unwrap().into_inner().suggestion.unwrap();
    assert_eq!(before_again, before);
}

#[tokio::test]
async fn every_service_that_classifies_has_the_new_policy() {
    let house = House::start().await;
    house.policy().publish_policy(publication("1", &with_blue_to_marketing())).await.unwrap();
    house.settled().await;
    for status in house.statuses().await {
        assert_eq!(status.policy_version, 2, "{}", status.service);
    }
    let second = house.second(Service::Feedback).await;
    let idea = suggestion("2", "Sell it in blue.");
    assert_eq!(
        second.feedback().capture_suggestion(idea).await.unwrap().into_inner().department,
        "marketing"
    );
}

#[tokio::test]
async fn publishing_refuses_what_cannot_be_the_policy_with_what_is_wrong() {
    let house = House::start().await;
    let mut policy = house.policy();
    let wrong = STARTER
        .replace("join_within_days = 14", "join_within_days = 0")
        .replace("id = \"product\"", "id = \"P!\"");
    let end = house.log().await.end;
    let status = policy.publish_policy(publication("1", &wrong)).await.unwrap_err();
    let findings = status.get_error_details().precondition_failure().unwrap().violations.clone();
    let refusal = seva_stories::Refusal::from(&status);
    assert_eq!(refusal.brief(), "FailedPrecondition POLICY_INVALID", "{refusal}");
    let checked =
        policy.check_policy(CheckPolicyRequest { document: wrong }).await.unwrap().into_inner().findings;
    assert!(checked.len() >= 2, "{checked:?}");
    let checked: Vec<&str> = checked.iter().map(|finding| finding.path.as_str()).collect();
    // A status has room for the first twenty, and for how many more there are; a check tells all.
    let told: Vec<&str> = findings.iter().map(|finding| finding.subject.as_str()).collect();
    assert_eq!(told.len(), 21);
    assert_eq!(told[..20], checked[..20]);
    let fine = CheckPolicyRequest { document: STARTER.to_owned() };
    assert_eq!(policy.check_policy(fine).await.unwrap().into_inner().findings, []);
    assert_eq!(house.log().await.end, end);
}

#[tokio::test]
async fn a_policy_is_published_only_over_the_version_its_author_saw() {
    let house = House::start().await;
    let mut policy = house.policy();
    let mut late = publication("1", &with_blue_to_marketing());
    late.expected_version = Some(7);
    let refusal = refused(policy.publish_policy(late.clone()).await);
    assert_eq!(refusal.brief(), "Aborted STALE_REV", "{refusal}");
    assert_eq!(refusal.metadata["current_rev"], "1");
    late.expected_version = Some(1);
    assert_eq!(policy.publish_policy(late).await.unwrap().into_inner().version, 2);
    let again =
        policy.publish_policy(publication("2", &with_blue_to_marketing())).await.unwrap().into_inner();
    assert_eq!(again.version, 2, "the document in force again is no new version");
}

#[tokio::test]
async fn every_version_can_be_read_back_newest_first() {
    let house = House::start().await;
    let mut policy = house.policy();
    let mut position = String::new();
    for n in 2..=5 {
        let next = publication(&n.to_string(), &format!("# {n}\n{STARTER}"));
        let published = policy.publish_policy(as_actor("agent:ana", next)).await.unwrap().into_inner();
        assert_eq!(published.version, n);
        position = published.position;
    }
    let mut versions = Vec::new();
    let mut token = String::new();
    loop {
        let request = ListPolicyVersionsRequest { page: page(2, &token), read: at_least(&position) };
        let listed = policy.list_policy_versions(request).await.unwrap().into_inner();
        assert!(listed.versions.len() <= 2);
        versions.extend(listed.versions.into_iter().map(|version| (version.version, version.published_by)));
        token = listed.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(versions.iter().map(|(version, _)| *version).collect::<Vec<_>>(), [5, 4, 3, 2, 1]);
    assert_eq!(versions[0].1, "agent:ana");
    for (version, document) in
        [(0, format!("# 5\n{STARTER}")), (3, format!("# 3\n{STARTER}")), (1, STARTER.to_owned())]
    {
        let read = GetPolicyRequest { version, read: at_least(&position) };
        assert_eq!(policy.get_policy(read).await.unwrap().into_inner().document, document);
    }
    let refusal = refused(policy.get_policy(GetPolicyRequest { version: 9, read: None }).await);
    assert_eq!(refusal.brief(), "NotFound NOT_FOUND", "{refusal}");
}
