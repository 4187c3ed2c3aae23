//! The provider is killed, and what it paid stays paid, once.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;

use futures::future::join_all;
use serde_json::json;
use seva_refunds::provider::{Settlement, Unsettled};
use seva_support::eventually;

use seva_stories::provider::{PATIENCE, Provider, instruction, reference};

#[tokio::test]
async fn killed_between_paying_and_answering_it_has_paid_once() {
    let mut provider = Provider::start().await;
    provider.misbehave(json!({"answer_late": {"after_ms": 600_000}})).await;
    let client = provider.client();
    let instructing = tokio::spawn(async move { client.instruct(&instruction("rfd_1")).await });
    provider.paid(1).await;
    provider.kill().await;
    let unsettled = instructing.await.unwrap().unwrap_err();
    assert!(matches!(unsettled, Unsettled::Unknown(_)), "{unsettled:?}");
    provider.again().await;
    let client = provider.client();
    let found = reference(client.ask("rfd_1").await.unwrap().unwrap());
    assert_eq!(reference(client.instruct(&instruction("rfd_1")).await.unwrap()), found);
    assert_eq!(provider.payouts().await, ["rfd_1"]);
}

#[tokio::test]
async fn however_often_it_is_killed_every_refund_is_paid_once_and_none_is_forgotten() {
    let mut provider = Provider::start().await;
    let (mut keys, mut answered) = (Vec::new(), BTreeMap::new());
    for round in 0..4 {
        keys.extend((0..40).map(|n| format!("rfd_{round}_{n:02}")));
        let open: Vec<String> = keys.iter().filter(|key| !answered.contains_key(*key)).cloned().collect();
        // So many are paid and never answered, so many never worked on.
        for (how, times) in [("answer_late", 15), ("work_late", 5)] {
            let how = json!({how: {"after_ms": 600_000}});
            provider.control(json!({"do": "misbehave", "how": how, "times": times})).await;
        }
        let (client, before) = (provider.client(), provider.payouts().await.len());
        let instructing = tokio::spawn(async move {
            join_all(open.iter().map(async |key| (key.clone(), client.instruct(&instruction(key)).await)))
                .await
        });
        provider.paid(before + 20).await;
        provider.kill().await;
        for (key, settlement) in instructing.await.unwrap() {
            if let Ok(settlement) = settlement {
                answered.insert(key, reference(settlement));
            }
        }
        provider.again().await;
    }
    assert!(answered.len() <= keys.len() - 20, "too many were answered");
    let client = provider.client();
    for key in &keys {
        let paid = reference(client.instruct(&instruction(key)).await.unwrap());
        assert_eq!(answered.get(key).unwrap_or(&paid), &paid, "{key}");
    }
    let mut payouts = provider.payouts().await;
    payouts.sort_unstable();
    assert_eq!(payouts, keys);
}

#[tokio::test]
async fn killed_before_it_worked_it_has_never_heard_of_the_refund() {
    let mut provider = Provider::start().await;
    provider.misbehave(json!({"work_late": {"after_ms": 600_000}})).await;
    let unsettled = provider.hasty_client().instruct(&instruction("rfd_1")).await.unwrap_err();
    assert!(matches!(unsettled, Unsettled::Unknown(_)), "{unsettled:?}");
    provider.kill().await;
    provider.again().await;
    assert_eq!(provider.client().ask("rfd_1").await.unwrap(), None);
    reference(provider.client().instruct(&instruction("rfd_1")).await.unwrap());
    assert_eq!(provider.payouts().await, ["rfd_1"]);
}

#[tokio::test]
async fn what_was_pending_ends_although_the_provider_was_killed_meanwhile() {
    let mut provider = Provider::start().await;
    provider.misbehave(json!({"pending": {"after_ms": 1_000}})).await;
    let settlement = provider.client().instruct(&instruction("rfd_1")).await.unwrap();
    assert_eq!(settlement, Settlement::Pending);
    provider.kill().await;
    provider.again().await;
    let client = provider.client();
    let ended = eventually("the pending refund's end", PATIENCE, || async {
        client.ask("rfd_1").await.unwrap().filter(|settlement| *settlement != Settlement::Pending)
    });
    reference(ended.await);
    assert_eq!(provider.payouts().await, ["rfd_1"]);
}

#[tokio::test]
async fn a_ledger_that_broke_off_is_told_and_goes_on_from_its_last_whole_line() {
    let mut provider = Provider::start().await;
    provider.client().instruct(&instruction("rfd_1")).await.unwrap();
    provider.kill().await;
    let mut ledger = File::options().append(true).open(provider.ledger_file()).unwrap();
    ledger.write_all(br#"{"entry":"instructed","id":"re_0000"#).unwrap();
    provider.again().await;
    assert!(provider.said().contains("(35 bytes)"), "{}", provider.said());
    provider.client().instruct(&instruction("rfd_2")).await.unwrap();
    provider.kill().await;
    provider.again().await;
    assert_eq!(provider.payouts().await, ["rfd_1", "rfd_2"]);
}
