//! Suggestions: captured, routed, always in exactly one inbox, and brought back with an outcome.

use std::collections::BTreeMap;

use seva_api::pb::common::v1::CaseKind;
use seva_api::pb::common::v1::text::Value;
use seva_api::pb::feedback::v1::{
    AcknowledgeSuggestionRequest, AdoptSuggestionRequest, Audience, DeclineSuggestionRequest,
    GetSuggestionCountsRequest, GetSuggestionRequest, ListInboxRequest, ReportOutcomeRequest,
    RerouteSuggestionRequest, Suggestion, SuggestionPhase,
};
use seva_api::pb::intake::v1::ReclassifyCaseRequest;
use seva_domain::values::SuggestionId;
use seva_stories::say::{at_least, interaction, page, suggestion};
use seva_stories::{House, Refusal, SOMEBODY, refused};
use tonic::{Response, Status};

/// Every inbox there is under the starter policy.
const DEPARTMENTS: [&str; 7] =
    ["billing", "delivery", "marketing", "packaging", "product", "service", "triage"];

/// What can be done to a suggestion.
#[derive(Clone, Copy, Debug)]
enum Do {
    Acknowledge,
    Reroute(&'static str),
    Adopt,
    Decline,
    Report(Audience),
}

async fn act(
    house: &House,
    request_id: &str,
    id: &str,
    what: Do,
    rev: Option<u64>,
) -> Result<(u64, String), Status> {
    let (request_id, suggestion_id, words) = (request_id.to_owned(), id.to_owned(), "So it is.".to_owned());
    let mut feedback = house.feedback();
    macro_rules! answer {
        ($method:ident, $request:expr) => {
            feedback.$method($request).await.map(Response::into_inner).map(|done| (done.rev, done.position))
        };
    }
    match what {
        Do::Acknowledge => answer!(
            acknowledge_suggestion,
            AcknowledgeSuggestionRequest { request_id, suggestion_id, expected_rev: rev }
        ),
        Do::Reroute(to) => {
            let department = to.to_owned();
            let request = RerouteSuggestionRequest {
                request_id,
                suggestion_id,
                department,
                reason: words,
                expected_rev: rev,
            };
            answer!(reroute_suggestion, request)
        }
        Do::Adopt => answer!(
            adopt_suggestion,
            AdoptSuggestionRequest { request_id, suggestion_id, plan: words, expected_rev: rev }
        ),
        Do::Decline => answer!(
            decline_suggestion,
            DeclineSuggestionRequest { request_id, suggestion_id, reason: words, expected_rev: rev }
        ),
        Do::Report(audience) => {
            let audience = audience.into();
            let request = ReportOutcomeRequest {
                request_id,
                suggestion_id,
                audience,
                message: words,
                expected_rev: rev,
            };
            answer!(report_outcome, request)
        }
    }
}

async fn captured(house: &House, request_id: &str, text: &str) -> String {
    house
        .feedback()
        .capture_suggestion(suggestion(request_id, text))
        .await
        .unwrap()
        .into_inner()
        .suggestion_id
}

async fn read(house: &House, id: &str, position: &str) -> Suggestion {
    let request = GetSuggestionRequest { suggestion_id: id.to_owned(), read: at_least(position) };
    house.feedback().get_suggestion(request).await.unwrap().into_inner().suggestion.unwrap()
}

/// Which inboxes each suggestion is in.
async fn inboxes(house: &House) -> BTreeMap<String, Vec<&'static str>> {
    let mut feedback = house.feedback();
    let mut inboxes: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for department in DEPARTMENTS {
        let request =
            ListInboxRequest { department: department.to_owned(), page: page(1_000, ""), read: None };
        for one in feedback.list_inbox(request).await.unwrap().into_inner().suggestions {
            assert_eq!(one.department, department);
            inboxes.entry(one.suggestion_id).or_default().push(department);
        }
    }
    inboxes
}

#[tokio::test]
async fn a_suggestion_goes_its_way_and_tells_it() {
    let house = House::start().await;
    let id = captured(&house, "1", "The packaging should be smaller.").await;
    let way = [Do::Acknowledge, Do::Reroute("product"), Do::Adopt, Do::Report(Audience::Customer)];
    let mut position = String::new();
    for (n, what) in (2..).zip(way) {
        let (rev, at) = act(&house, &n.to_string(), &id, what, Some(n - 1)).await.unwrap();
        assert_eq!(rev, n);
        position = at;
    }
    let told = read(&house, &id, &position).await;
    assert_eq!(told.text.unwrap().value, Some(Value::Clear("The packaging should be smaller.".to_owned())));
    let steps: Vec<(&str, &str, &str)> = told
        .way
        .iter()
        .map(|step| (step.event_type.as_str(), step.department.as_str(), step.actor.as_str()))
        .collect();
    let expected = [
        ("suggestion.captured.v1", "triage", SOMEBODY),
        ("suggestion.routed.v1", "packaging", "policy"),
        ("suggestion.acknowledged.v1", "packaging", SOMEBODY),
        ("suggestion.rerouted.v1", "product", SOMEBODY),
        ("suggestion.adopted.v1", "product", SOMEBODY),
        ("suggestion.outcome_reported.v1", "product", SOMEBODY),
    ];
    assert_eq!(steps, expected);
    assert_eq!(told.phase, i32::from(SuggestionPhase::Adopted));
    assert_eq!(told.told, [i32::from(Audience::Customer)]);
    let routing = told.routing.unwrap();
    assert_eq!((routing.department.as_str(), routing.phrase.as_str()), ("packaging", "packaging"));
}

#[tokio::test]
async fn what_is_decided_or_not_yet_decided_is_refused_with_its_reason() {
    let house = House::start().await;
    let decided = captured(&house, "1", "The packaging should be smaller.").await;
    act(&house, "2", &decided, Do::Decline, None).await.unwrap();
    let waiting = captured(&house, "3", "The packaging should be bigger.").await;
    let in_triage = captured(&house, "4", "Xyzzy.").await;
    let missing = SuggestionId::from_bytes([9; 16]).to_string();
    let end = house.log().await.end;
    let cases = [
        (decided.as_str(), Do::Acknowledge, "FailedPrecondition ALREADY_DECIDED"),
        (&decided, Do::Reroute("product"), "FailedPrecondition ALREADY_DECIDED"),
        (&decided, Do::Adopt, "FailedPrecondition ALREADY_DECIDED"),
        (&decided, Do::Decline, "FailedPrecondition ALREADY_DECIDED"),
        (&waiting, Do::Report(Audience::Customer), "FailedPrecondition NOT_DECIDED"),
        (&waiting, Do::Reroute("astrology"), "FailedPrecondition UNKNOWN_DEPARTMENT"),
        (&in_triage, Do::Adopt, "FailedPrecondition IN_TRIAGE"),
        (&missing, Do::Acknowledge, "NotFound NOT_FOUND"),
        (&missing, Do::Reroute("product"), "NotFound NOT_FOUND"),
        (&missing, Do::Adopt, "NotFound NOT_FOUND"),
        (&missing, Do::Decline, "NotFound NOT_FOUND"),
        (&missing, Do::Report(Audience::Customer), "NotFound NOT_FOUND"),
    ];
    for (n, (id, what, expected)) in cases.into_iter().enumerate() {
        let refusal = Refusal::from(&act(&house, &format!("no-{n}"), id, what, None).await.unwrap_err());
        assert_eq!(refusal.brief(), expected, "{what:?}: {refusal}");
    }
    for what in
        [Do::Acknowledge, Do::Reroute("product"), Do::Adopt, Do::Decline, Do::Report(Audience::Customer)]
    {
        let refusal = Refusal::from(&act(&house, "stale", &waiting, what, Some(5)).await.unwrap_err());
        assert_eq!(refusal.brief(), "Aborted STALE_REV", "{what:?}: {refusal}");
        assert_eq!(refusal.metadata["current_rev"], "1");
    }
    let lost = GetSuggestionRequest { suggestion_id: missing.clone(), read: None };
    assert_eq!(refused(house.feedback().get_suggestion(lost).await).brief(), "NotFound NOT_FOUND");
    assert_eq!(house.log().await.end, end, "what is refused leaves nothing");
}

#[tokio::test]
async fn what_is_so_already_is_success_without_a_record() {
    let house = House::start().await;
    let id = captured(&house, "1", "The packaging should be smaller.").await;
    act(&house, "2", &id, Do::Acknowledge, None).await.unwrap();
    act(&house, "3", &id, Do::Adopt, None).await.unwrap();
    act(&house, "4", &id, Do::Report(Audience::Customer), None).await.unwrap();
    let other = captured(&house, "5", "The packaging should be bigger.").await;
    act(&house, "6", &other, Do::Acknowledge, None).await.unwrap();
    let end = house.log().await.end;
    assert_eq!(act(&house, "7", &id, Do::Report(Audience::Customer), None).await.unwrap().0, 4);
    assert_eq!(act(&house, "8", &other, Do::Acknowledge, None).await.unwrap().0, 2);
    assert_eq!(act(&house, "9", &other, Do::Reroute("packaging"), None).await.unwrap().0, 2);
    assert_eq!(house.log().await.end, end);
}

#[tokio::test]
async fn a_suggestion_is_in_exactly_one_inbox_until_it_is_decided() {
    let house = House::start().await;
    let texts =
        ["The packaging should be smaller.", "The courier was rude.", "Xyzzy.", "A refund took weeks."];
    let mut ids = Vec::new();
    for (n, text) in texts.iter().cycle().take(24).enumerate() {
        ids.push(captured(&house, &n.to_string(), text).await);
    }
    for (n, id) in ids.iter().enumerate() {
        let request_id = format!("then-{n}");
        match n % 6 {
            1 => drop(act(&house, &request_id, id, Do::Acknowledge, None).await.unwrap()),
            2 => drop(act(&house, &request_id, id, Do::Reroute("marketing"), None).await.unwrap()),
            3 => drop(act(&house, &request_id, id, Do::Reroute("triage"), None).await.unwrap()),
            4 => drop(act(&house, &request_id, id, Do::Decline, None).await.unwrap()),
            _ => {}
        }
    }
    house.settled().await;
    let inboxes = inboxes(&house).await;
    for (n, id) in ids.iter().enumerate() {
        let one = read(&house, id, "").await;
        let found = inboxes.get(id).cloned().unwrap_or_default();
        let expected = if n % 6 == 4 { vec![] } else { vec![one.department.as_str()] };
        assert_eq!(found, expected, "{one:?}");
    }
    let counts =
        house.feedback().get_suggestion_counts(GetSuggestionCountsRequest { read: None }).await.unwrap();
    let counts = counts.into_inner().departments;
    let sum =
        |of: fn(&seva_api::pb::feedback::v1::DepartmentCounts) -> u64| counts.iter().map(of).sum::<u64>();
    assert_eq!(
        [sum(|c| c.waiting), sum(|c| c.acknowledged), sum(|c| c.adopted), sum(|c| c.declined)],
        [16, 4, 0, 4]
    );
    assert!(counts.iter().map(|c| c.department.as_str()).is_sorted());
}

#[tokio::test]
async fn an_inbox_is_listed_page_by_page_oldest_first() {
    let house = House::start().await;
    let mut sent = Vec::new();
    for n in 0..11 {
        sent.push(captured(&house, &n.to_string(), "The packaging should be smaller.").await);
    }
    house.settled().await;
    let mut feedback = house.feedback();
    let (mut listed, mut token) = (Vec::new(), String::new());
    loop {
        let request =
            ListInboxRequest { department: "packaging".to_owned(), page: page(4, &token), read: None };
        let answer = feedback.list_inbox(request).await.unwrap().into_inner();
        assert!(answer.suggestions.len() <= 4);
        listed.extend(answer.suggestions.into_iter().map(|one| one.suggestion_id));
        token = answer.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, sent);
}

#[tokio::test]
async fn a_suggestion_said_to_intake_is_captured_and_once_only() {
    let house = House::start().await;
    let mut intake = house.intake();
    let mut said = interaction("1", "A-1", "The packaging should be smaller.");
    said.kind = CaseKind::Suggestion.into();
    let as_one = intake.log_interaction(said).await.unwrap().into_inner();
    let asked = interaction("2", "A-2", "Could the courier come in the evening?");
    let later = intake.log_interaction(asked).await.unwrap().into_inner();
    let kinds = [CaseKind::Suggestion, CaseKind::Enquiry, CaseKind::Suggestion];
    for (n, kind) in kinds.into_iter().enumerate() {
        let reclassify = ReclassifyCaseRequest {
            request_id: format!("kind-{n}"),
            case_id: later.case_id.clone(),
            kind: kind.into(),
            ..ReclassifyCaseRequest::default()
        };
        intake.reclassify_case(reclassify).await.unwrap();
    }
    house.settled().await;
    let inboxes = inboxes(&house).await;
    assert_eq!(inboxes.len(), 2, "{inboxes:?}");
    let mut found = BTreeMap::new();
    for id in inboxes.keys() {
        let one = read(&house, id, "").await;
        found.insert(one.interaction_id.clone(), one);
    }
    let first = &found[&as_one.interaction_id];
    assert_eq!(
        (first.case_id.as_str(), first.customer_id.as_str()),
        (as_one.case_id.as_str(), as_one.customer_id.as_str())
    );
    assert_eq!(first.department, "packaging");
    let second = &found[&later.interaction_id];
    assert_eq!(
        second.text.clone().unwrap().value,
        Some(Value::Clear("Could the courier come in the evening?".to_owned()))
    );
    assert_eq!(second.department, "delivery");
}
