//! Answers that are lost, late, pending, refused or never given.

use futures::future::join_all;
use serde_json::json;
use seva_refunds::provider::{Instruction, Settlement, Unknown, Unsettled};
use seva_support::eventually;

use seva_stories::provider::{PATIENCE, Provider, code, instruction, of_charge, reference};

#[tokio::test]
async fn one_instruction_is_paid_once_however_often_it_is_sent() {
    let provider = Provider::start().await;
    let client = provider.client();
    assert_eq!(client.ask("rfd_1").await.unwrap(), None);
    let instruction = instruction("rfd_1");
    let all = join_all((0..20).map(|_| client.instruct(&instruction))).await;
    let references: Vec<String> = all.into_iter().map(|settlement| reference(settlement.unwrap())).collect();
    assert!(references.iter().all(|reference| *reference == references[0]), "{references:?}");
    assert_eq!(reference(client.ask("rfd_1").await.unwrap().unwrap()), references[0]);
    assert_eq!(provider.payouts().await, ["rfd_1"]);
    assert_eq!(provider.ledger().await["calls"], json!({"ask": 2, "instruct": 20}));
}

#[tokio::test]
async fn a_lost_answer_is_found_by_asking_and_a_retry_is_the_same_refund() {
    let provider = Provider::start().await;
    let client = provider.client();
    provider.misbehave(json!("lose_answer")).await;
    let unsettled = client.instruct(&instruction("rfd_1")).await.unwrap_err();
    assert!(matches!(unsettled, Unsettled::Unknown(Unknown::NoAnswer(_))), "{unsettled:?}");
    let found = reference(client.ask("rfd_1").await.unwrap().unwrap());
    let again = reference(client.instruct(&instruction("rfd_1")).await.unwrap());
    assert_eq!(found, again);
    assert_eq!(provider.payouts().await, ["rfd_1"]);
}

#[tokio::test]
async fn an_answer_to_a_question_can_be_lost_as_well() {
    let provider = Provider::start().await;
    let client = provider.client();
    provider.control(json!({"do": "misbehave", "how": "lose_answer", "times": 1, "on": "ask"})).await;
    client.instruct(&instruction("rfd_1")).await.unwrap();
    let unknown = client.ask("rfd_1").await.unwrap_err();
    assert!(matches!(unknown, Unknown::NoAnswer(_)), "{unknown:?}");
    assert!(client.ask("rfd_1").await.unwrap().is_some());
}

#[tokio::test]
async fn a_late_answer_is_unknown_although_the_money_has_moved() {
    let provider = Provider::start().await;
    provider.misbehave(json!({"answer_late": {"after_ms": 60_000}})).await;
    let unsettled = provider.hasty_client().instruct(&instruction("rfd_1")).await.unwrap_err();
    assert!(matches!(unsettled, Unsettled::Unknown(Unknown::Late { within_ms: 500 })), "{unsettled:?}");
    provider.paid(1).await;
    reference(provider.client().ask("rfd_1").await.unwrap().unwrap());
    assert_eq!(provider.payouts().await, ["rfd_1"]);
}

#[tokio::test]
async fn an_instruction_that_lands_after_the_question_is_one_refund_with_its_retry() {
    let provider = Provider::start().await;
    let client = provider.client();
    provider.misbehave(json!({"work_late": {"after_ms": 3_000}})).await;
    let unsettled = provider.hasty_client().instruct(&instruction("rfd_1")).await.unwrap_err();
    assert!(matches!(unsettled, Unsettled::Unknown(Unknown::Late { .. })), "{unsettled:?}");
    assert_eq!(client.ask("rfd_1").await.unwrap(), None);
    provider.paid(1).await;
    let landed = reference(client.ask("rfd_1").await.unwrap().unwrap());
    assert_eq!(reference(client.instruct(&instruction("rfd_1")).await.unwrap()), landed);
    assert_eq!(provider.payouts().await, ["rfd_1"]);
}

#[tokio::test]
async fn a_declined_refund_has_its_code_and_stays_declined() {
    let provider = Provider::start().await;
    let client = provider.client();
    provider.misbehave(json!({"decline": {"code": "insufficient_funds"}})).await;
    for _ in 0..2 {
        let settlement = client.instruct(&instruction("rfd_1")).await.unwrap();
        assert_eq!(code(settlement), "insufficient_funds");
    }
    assert_eq!(code(client.ask("rfd_1").await.unwrap().unwrap()), "insufficient_funds");
    assert!(provider.payouts().await.is_empty());
}

#[tokio::test]
async fn a_refund_above_what_was_captured_is_declined() {
    let provider = Provider::start().await;
    let client = provider.client();
    provider
        .control(json!({"do": "capture", "charge": "ch_1", "amount_minor": 499, "currency": "EUR"}))
        .await;
    reference(client.instruct(&instruction("rfd_1")).await.unwrap());
    assert_eq!(code(client.instruct(&instruction("rfd_2")).await.unwrap()), "amount_exceeds_charge");
    let dollars = Instruction { currency: "USD".to_owned(), ..instruction("rfd_3") };
    assert_eq!(code(client.instruct(&dollars).await.unwrap()), "currency_mismatch");
    let nothing = Instruction { amount_minor: 0, ..instruction("rfd_4") };
    assert_eq!(code(client.instruct(&nothing).await.unwrap()), "malformed");
    assert_eq!(provider.payouts().await, ["rfd_1"]);
}

#[tokio::test]
async fn a_changed_body_under_a_used_key_is_neither_a_failure_nor_unknown() {
    let provider = Provider::start().await;
    let client = provider.client();
    client.instruct(&instruction("rfd_1")).await.unwrap();
    for changed in [
        Instruction { amount_minor: 251, ..instruction("rfd_1") },
        Instruction { currency: "USD".to_owned(), ..instruction("rfd_1") },
        of_charge("rfd_1", "ch_2"),
    ] {
        for _ in 0..2 {
            let unsettled = client.instruct(&changed).await.unwrap_err();
            assert!(matches!(&unsettled, Unsettled::ChangedBody { key } if key == "rfd_1"), "{unsettled:?}");
        }
    }
    reference(client.instruct(&instruction("rfd_1")).await.unwrap());
    assert_eq!(provider.payouts().await, ["rfd_1"]);
}

#[tokio::test]
async fn a_provider_that_is_down_has_paid_nothing_and_does_when_it_is_back() {
    let provider = Provider::start().await;
    let client = provider.client();
    provider.control(json!({"do": "misbehave", "how": "down", "times": 2})).await;
    let unsettled = client.instruct(&instruction("rfd_1")).await.unwrap_err();
    let Unsettled::Unknown(Unknown::TurnedAway { status: 503 }) = unsettled else { panic!("{unsettled:?}") };
    let unknown = client.ask("rfd_1").await.unwrap_err();
    assert!(matches!(unknown, Unknown::TurnedAway { status: 503 }), "{unknown:?}");
    assert_eq!(client.ask("rfd_1").await.unwrap(), None);
    reference(client.instruct(&instruction("rfd_1")).await.unwrap());
    assert_eq!(provider.payouts().await, ["rfd_1"]);
}

#[tokio::test]
async fn a_pending_refund_ends_when_the_provider_says_so_and_only_asking_tells() {
    let provider = Provider::start().await;
    let client = provider.client();
    for (key, code_told) in [("rfd_1", None), ("rfd_2", Some("account_closed"))] {
        provider.misbehave(json!({"pending": {}})).await;
        assert_eq!(client.instruct(&instruction(key)).await.unwrap(), Settlement::Pending);
        assert_eq!(client.ask(key).await.unwrap(), Some(Settlement::Pending));
        provider.control(json!({"do": "settle", "key": key, "code": code_told})).await;
        // The first answer is given for ever.
        assert_eq!(client.instruct(&instruction(key)).await.unwrap(), Settlement::Pending);
        let settlement = client.ask(key).await.unwrap().unwrap();
        match code_told {
            Some(told) => assert_eq!(code(settlement), told),
            None => drop(reference(settlement)),
        }
    }
    assert_eq!(provider.payouts().await, ["rfd_1"]);
}

#[tokio::test]
async fn a_charge_misbehaves_by_its_name() {
    let provider = Provider::start().await;
    let client = provider.client();
    let declined = client.instruct(&of_charge("rfd_1", "sandbox_decline_card_expired-1")).await.unwrap();
    assert_eq!(code(declined), "card_expired");
    let lost = of_charge("rfd_2", "sandbox_lose_answer-1");
    assert!(client.instruct(&lost).await.is_err());
    reference(client.instruct(&lost).await.unwrap());
    let pending = of_charge("rfd_3", "sandbox_pending-1");
    assert_eq!(client.instruct(&pending).await.unwrap(), Settlement::Pending);
    let ended = eventually("the pending refund's end", PATIENCE, || async {
        client.ask("rfd_3").await.unwrap().filter(|settlement| *settlement != Settlement::Pending)
    });
    reference(ended.await);
    assert_eq!(provider.payouts().await, ["rfd_2", "rfd_3"]);
}

#[tokio::test]
async fn a_refund_is_shown_under_the_providers_name_for_it() {
    let provider = Provider::start().await;
    let reference = reference(provider.client().instruct(&instruction("rfd_1")).await.unwrap());
    let (status, refund) = provider.get(&format!("/v1/refunds/{reference}")).await;
    assert_eq!(
        (status, &refund["idempotency_key"], &refund["status"]),
        (200, &json!("rfd_1"), &json!("paid"))
    );
    let (status, refusal) = provider.get("/v1/refunds/re_none").await;
    assert_eq!((status, &refusal["error"]["code"]), (404, &json!("not_found")));
}

#[tokio::test]
async fn rules_are_followed_until_they_are_dropped() {
    let provider = Provider::start().await;
    let client = provider.client();
    provider.control(json!({"do": "misbehave", "how": "down", "charge": "ch_1"})).await;
    for _ in 0..3 {
        assert!(client.instruct(&instruction("rfd_1")).await.is_err());
    }
    client.instruct(&of_charge("rfd_2", "ch_2")).await.unwrap();
    provider.control(json!({"do": "behave"})).await;
    client.instruct(&instruction("rfd_1")).await.unwrap();
}
