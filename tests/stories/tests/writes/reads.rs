//! What is read back: the caller's brief, timelines, lists in pages, and cases as they stood at any moment.

use std::collections::BTreeSet;

use prost::Message as _;
use seva_api::parse::timestamp;
use seva_api::pb::common::v1::text::Value;
use seva_api::pb::common::v1::{CaseKind, Channel};
use seva_api::pb::intake::v1::get_case_request::AsOf;
use seva_api::pb::intake::v1::timeline_entry::What;
use seva_api::pb::intake::v1::{
    Case, GetCallerBriefRequest, GetCaseRequest, GetTimelineRequest, ListOpenCasesRequest,
    LogInteractionResponse, ReclassifyCaseRequest, RejectResolutionRequest, ReopenCaseRequest,
    ResolveCaseRequest,
};
use seva_domain::values::{At, CaseId, CustomerId};
use seva_stories::say::{at_least, interaction, page};
use seva_stories::{House, as_actor, refused};

const DAY: i64 = 86_400_000_000;

/// Twelve cases of twelve customers: kinds and channels by turns, opened one a day, the last one today.
async fn a_dozen(house: &House) -> Vec<LogInteractionResponse> {
    let kinds = [CaseKind::Enquiry, CaseKind::Complaint, CaseKind::Refund];
    let channels = [Channel::Phone, Channel::Chat];
    let mut logged = Vec::new();
    for n in 0..12_usize {
        let mut said = interaction(&format!("dozen-{n}"), &format!("D-{n}"), "Where is my parcel?");
        said.kind = kinds[n % 3].into();
        said.channel = channels[n % 2].into();
        said.occurred_at =
            Some(timestamp(At(house.clock().now().0 - DAY * (11 - i64::try_from(n).unwrap()))));
        logged.push(house.intake().log_interaction(said).await.unwrap().into_inner());
    }
    logged
}

async fn open_cases(house: &House, kind: CaseKind, channel: Channel, size: u32, position: &str) -> Vec<Case> {
    let (mut cases, mut token) = (Vec::new(), String::new());
    loop {
        let request = ListOpenCasesRequest {
            kind: kind.into(),
            channel: channel.into(),
            page: page(size, &token),
            read: at_least(position),
        };
        let listed = house.intake().list_open_cases(request).await.unwrap().into_inner();
        assert!(listed.cases.len() <= size as usize);
        cases.extend(listed.cases);
        token = listed.next_page_token;
        if token.is_empty() {
            return cases;
        }
    }
}

#[tokio::test]
async fn open_cases_are_listed_oldest_first_by_kind_and_channel_in_pages_of_any_size() {
    let house = House::start().await;
    let dozen = a_dozen(&house).await;
    let position = &dozen[11].position;
    let all: Vec<&str> = dozen.iter().map(|logged| logged.case_id.as_str()).collect();
    for size in [1, 5, 12, 1_000] {
        for (kind, n_kind) in
            [(CaseKind::Unspecified, None), (CaseKind::Complaint, Some(1)), (CaseKind::Other, Some(9))]
        {
            for (channel, n_channel) in
                [(Channel::Unspecified, None), (Channel::Chat, Some(1)), (Channel::Post, Some(9))]
            {
                let is_one = |n: &usize| {
                    n_kind.is_none_or(|kind| n % 3 == kind)
                        && n_channel.is_none_or(|channel| n % 2 == channel)
                };
                let expected: Vec<&str> = (0..12).filter(is_one).map(|n| all[n]).collect();
                let cases = open_cases(&house, kind, channel, size, position).await;
                let listed: Vec<&str> = cases.iter().map(|case| case.case_id.as_str()).collect();
                assert_eq!(listed, expected, "{kind:?} {channel:?} {size}");
            }
        }
    }
}

#[tokio::test]
async fn a_case_leaves_the_list_when_it_is_closed_and_changes_it_when_it_is_reclassified() {
    let house = House::start().await;
    let dozen = a_dozen(&house).await;
    let mut intake = house.intake();
    let (case_id, request_id) = (dozen[0].case_id.clone(), "1".to_owned());
    let reclassify = ReclassifyCaseRequest {
        request_id,
        case_id,
        kind: CaseKind::Refund.into(),
        ..ReclassifyCaseRequest::default()
    };
    intake.reclassify_case(reclassify).await.unwrap();
    for (request_id, case) in [("2", 2), ("3", 5)] {
        let resolve = ResolveCaseRequest {
            request_id: request_id.to_owned(),
            case_id: dozen[case].case_id.clone(),
            resolution: "Paid.".to_owned(),
            expected_rev: None,
        };
        intake.resolve_case(resolve).await.unwrap();
    }
    let confirm = seva_api::pb::intake::v1::ConfirmResolutionRequest {
        request_id: "4".to_owned(),
        case_id: dozen[5].case_id.clone(),
        expected_rev: None,
    };
    let position = intake.confirm_resolution(confirm).await.unwrap().into_inner().position;
    let refunds = open_cases(&house, CaseKind::Refund, Channel::Unspecified, 2, &position).await;
    let expected = [0, 2, 8, 11].map(|n: usize| dozen[n].case_id.clone());
    assert_eq!(refunds.into_iter().map(|case| case.case_id).collect::<Vec<_>>(), expected);
    let enquiries = open_cases(&house, CaseKind::Enquiry, Channel::Unspecified, 50, &position).await;
    assert_eq!(enquiries.len(), 3);
}

#[tokio::test]
async fn a_timeline_is_in_order_of_time_with_ties_as_logged_in_pages_of_any_size() {
    let house = House::start().await;
    let mut intake = house.intake();
    let now = house.clock().now().0;
    // Minutes ago, in the order logged.
    let minutes = [50, 10, 30, 30, 30, 90, 10, 0, 70];
    let (mut expected, mut last) = (Vec::new(), None);
    for (n, ago) in minutes.into_iter().enumerate() {
        let text = format!("Number {n}");
        let mut said = interaction(&text, "A-1", &text);
        said.occurred_at = Some(timestamp(At(now - ago * 60_000_000)));
        last = Some(intake.log_interaction(said).await.unwrap().into_inner());
        expected.push((-ago, n, text));
    }
    expected.sort();
    let last = last.unwrap();
    for size in [1, 2, 9, 10] {
        let (mut texts, mut token, mut positions) = (Vec::new(), String::new(), BTreeSet::new());
        loop {
            let (customer_id, read) = (last.customer_id.clone(), at_least(&last.position));
            let request = GetTimelineRequest { customer_id, page: page(size, &token), read };
            let answer = intake.get_timeline(request).await.unwrap().into_inner();
            for entry in answer.entries {
                positions.insert(entry.position);
                let Some(What::Interaction(said)) = entry.what else {
                    panic!("only interactions were logged")
                };
                texts.push(said.text.and_then(|text| text.value));
            }
            token = answer.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        let expected: Vec<_> = expected.iter().map(|(_, _, text)| Some(Value::Clear(text.clone()))).collect();
        assert_eq!(texts, expected, "pages of {size}");
        assert_eq!(positions.len(), minutes.len());
    }
    let nobody = CustomerId::from_bytes([9; 16]).to_string();
    let request = GetTimelineRequest { customer_id: nobody, ..GetTimelineRequest::default() };
    assert_eq!(refused(intake.get_timeline(request).await).brief(), "NotFound NOT_FOUND");
}

#[tokio::test]
async fn a_brief_says_who_it_is_what_is_open_and_what_was_said_last() {
    let house = House::start().await;
    let mut intake = house.intake();
    let mut cases = Vec::new();
    for n in 0..25 {
        let mut said = interaction(&n.to_string(), "A-1", &format!("Matter {n}"));
        said.thread = format!("thread-{n}");
        said.name = "Meera Nair".to_owned();
        cases.push(intake.log_interaction(as_actor("agent:ana", said)).await.unwrap().into_inner());
    }
    let last = cases.last().unwrap();
    let request =
        GetCallerBriefRequest { customer_id: last.customer_id.clone(), read: at_least(&last.position) };
    let brief = intake.get_caller_brief(request).await.unwrap().into_inner();
    let customer = brief.customer.unwrap();
    assert_eq!(customer.customer_id, last.customer_id);
    assert_eq!(customer.name.and_then(|name| name.value), Some(Value::Clear("Meera Nair".to_owned())));
    let open: Vec<&str> = brief.open_cases.iter().map(|case| case.case_id.as_str()).collect();
    let newest: Vec<&str> = cases.iter().rev().take(20).map(|case| case.case_id.as_str()).collect();
    assert_eq!(open, newest);
    let said: Vec<&str> = brief.latest.iter().map(|entry| entry.case_id.as_str()).collect();
    assert_eq!(said, newest[..5]);
    assert!(brief.latest.iter().all(|entry| entry.actor == "agent:ana"));
    let nobody = CustomerId::from_bytes([9; 16]).to_string();
    let request = GetCallerBriefRequest { customer_id: nobody, read: None };
    assert_eq!(refused(intake.get_caller_brief(request).await).brief(), "NotFound NOT_FOUND");
}

/// A case's answer without the position it was read at.
async fn case(house: &House, case_id: &str, as_of: Option<AsOf>, position: &str) -> Vec<u8> {
    let request = GetCaseRequest { case_id: case_id.to_owned(), as_of, read: at_least(position) };
    house.intake().get_case(request).await.unwrap().into_inner().case.unwrap().encode_to_vec()
}

#[tokio::test]
async fn a_case_as_of_a_moment_is_what_it_was_then_byte_for_byte() {
    let mut house = House::start().await;
    let mut intake = house.intake();
    let before = timestamp(house.clock().now());
    let logged =
        intake.log_interaction(interaction("0", "A-1", "Where is my parcel?")).await.unwrap().into_inner();
    let id = logged.case_id.clone();
    // Each moment: the position, a time after it was recorded and before the next, and what was read then.
    let mut moments = Vec::new();
    let mut position = logged.position.clone();
    for n in 1..=6 {
        let then = case(&house, &id, None, &position).await;
        house.clock().jump(std::time::Duration::from_secs(1));
        moments.push((position.clone(), timestamp(house.clock().now()), then));
        house.clock().jump(std::time::Duration::from_secs(1));
        let (request_id, case_id, expected_rev, words) =
            (n.to_string(), id.clone(), None, format!("Step {n}"));
        position = match n {
            1 | 5 => {
                let resolve = ResolveCaseRequest { request_id, case_id, resolution: words, expected_rev };
                intake.resolve_case(resolve).await.unwrap().into_inner().position
            }
            2 => {
                let reject = RejectResolutionRequest { request_id, case_id, reason: words, expected_rev };
                intake.reject_resolution(reject).await.unwrap().into_inner().position
            }
            3 => {
                let kind = CaseKind::Complaint.into();
                let reclassify =
                    ReclassifyCaseRequest { request_id, case_id, kind, reason: words, expected_rev };
                intake.reclassify_case(reclassify).await.unwrap().into_inner().position
            }
            4 => {
                let mut said = interaction(&request_id, "A-1", &words);
                said.case_id = case_id;
                intake.log_interaction(said).await.unwrap().into_inner().position
            }
            _ => {
                let reopen = ReopenCaseRequest { request_id, case_id, reason: words, expected_rev };
                intake.reopen_case(reopen).await.unwrap().into_inner().position
            }
        };
    }
    let now = case(&house, &id, None, &position).await;
    moments.push((position.clone(), timestamp(house.clock().now()), now.clone()));
    let different: BTreeSet<&Vec<u8>> = moments.iter().map(|(_, _, then)| then).collect();
    assert_eq!(different.len(), moments.len(), "every step changed what is read");
    for _ in 0..2 {
        for (n, (position, time, then)) in moments.iter().enumerate() {
            let by_position = case(&house, &id, Some(AsOf::AsOfPosition(position.clone())), "").await;
            assert_eq!(&by_position, then, "as of position {n}");
            let by_time = case(&house, &id, Some(AsOf::AsOfTime(*time)), "").await;
            assert_eq!(&by_time, then, "as of time {n}");
        }
        house.restart_services().await;
    }
    let too_early = GetCaseRequest { case_id: id, as_of: Some(AsOf::AsOfTime(before)), read: None };
    assert_eq!(refused(house.intake().get_case(too_early).await).brief(), "NotFound NOT_FOUND");
    let missing =
        GetCaseRequest { case_id: CaseId::from_bytes([9; 16]).to_string(), as_of: None, read: None };
    assert_eq!(refused(house.intake().get_case(missing).await).brief(), "NotFound NOT_FOUND");
}

#[tokio::test]
async fn a_case_as_of_the_position_just_answered_is_there_at_once() {
    let house = House::start().await;
    let mut intake = house.intake();
    for n in 0..20 {
        let said = interaction(&n.to_string(), &format!("A-{n}"), "Where is my parcel?");
        let logged = intake.log_interaction(said).await.unwrap().into_inner();
        case(&house, &logged.case_id, Some(AsOf::AsOfPosition(logged.position)), "").await;
    }
}

#[tokio::test]
async fn a_position_that_is_not_reached_before_the_deadline_is_unavailable() {
    let house = House::start().await;
    let logged =
        house.intake().log_interaction(interaction("1", "A-1", "Hello?")).await.unwrap().into_inner();
    let (incarnation, _) = logged.position.rsplit_once('-').unwrap();
    let read = at_least(&format!("{incarnation}-ffffff000"));
    let request = GetCaseRequest { case_id: logged.case_id, as_of: None, read };
    let refusal = refused(house.intake().get_case(request).await);
    assert_eq!(refusal.brief(), "Unavailable POSITION_NOT_REACHED", "{refusal}");
}
