//! The master key is rotated while services run: the living stay readable, and a key put back from before opens nothing.

use seva_api::pb::intake::v1::GetTimelineRequest;
use seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient;
use seva_api::pb::intake::v1::{ConfirmForgettingRequest, ForgetCustomerRequest};
use seva_domain::customer::Event as CustomerEvent;
use seva_domain::noun::{Event, Noun};
use seva_eventlog::commit::ReadCommit;
use seva_rights::Identity;
use seva_stories::say::interaction;
use seva_stories::{Served, as_actor, seva};
use seva_support::{TestNats, eventually};
use seva_vault::MasterKey;

use crate::{PATIENCE, WORDS, asking, confirming};

/// Somebody with this account says something; answers who it is.
async fn says(served: &Served, account: &str, request_id: &str) -> String {
    let mut intake = IntakeServiceClient::new(served.channel("intake").unwrap());
    let request = interaction(request_id, account, WORDS);
    intake.log_interaction(request).await.unwrap().into_inner().customer_id
}

async fn can_be_read(served: &Served, customer_id: &str) -> bool {
    let mut intake = IntakeServiceClient::new(served.channel("intake").unwrap());
    let request = GetTimelineRequest { customer_id: customer_id.to_owned(), page: None, read: None };
    let timeline = intake.get_timeline(request).await.unwrap().into_inner();
    format!("{:?}", timeline.entries).contains(WORDS)
}

/// The subject of the customer's first key.
async fn subject(nats: &TestNats, customer_id: &str) -> String {
    let noun = Noun::Customer(customer_id.parse().unwrap());
    let client = nats.connect(Identity::Operator).await;
    let mut stream = async_nats::jetstream::new(client).get_stream("SEVA_LOG").await.unwrap();
    let last = stream.info().await.unwrap().state.last_sequence;
    for sequence in 1..=last {
        let message = stream.get_raw_message(sequence).await.unwrap();
        let commit = ReadCommit::decode(&message.payload, |noun| noun == "customer").unwrap();
        for (_, record) in commit.records().filter(|(_, record)| record.noun == noun) {
            for entry in &record.events {
                if let Event::Customer(CustomerEvent::Registered(registered)) = &entry.event {
                    return format!("seva.key.{}", registered.key.to_string().trim_start_matches("key_"));
                }
            }
        }
    }
    panic!("nobody of this id is registered");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_master_key_is_rotated_while_services_run() {
    let nats = seva_support::nats().await;
    seva::nats::set_up(&nats.url(), nats.seeds(), 1).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("master.key");
    MasterKey::generate_file(&key_file).unwrap();
    let served = Served::start(&nats, folder.path()).await.unwrap();
    let (asha, ben) = (says(&served, "asha", "1").await, says(&served, "ben", "2").await);
    served.settled().await;
    let client = nats.connect(Identity::Operator).await;
    let context = async_nats::jetstream::new(client);
    let subject = subject(&nats, &asha).await;
    let keys = context.get_stream("SEVA_KEYS").await.unwrap();
    let backup = keys.get_last_raw_message_by_subject(&subject).await.unwrap().payload;
    let mut intake = IntakeServiceClient::new(served.channel("intake").unwrap());
    let ask: ForgetCustomerRequest = asking(&asha);
    intake.forget_customer(as_actor("agent:ana", ask)).await.unwrap();
    let confirm: ConfirmForgettingRequest = confirming(&asha);
    intake.confirm_forgetting(as_actor("agent:bo", confirm)).await.unwrap();
    eventually("the key is destroyed", PATIENCE, async || {
        let last = keys.get_last_raw_message_by_subject(&subject).await.ok()?;
        last.payload.is_empty().then_some(())
    })
    .await;

    let data = folder.path().join("data");
    let output = seva(&["keys", "rotate", "--at", data.to_str().unwrap()]).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("is in epoch 2 now"), "{said}");
    let mut others = Vec::new();
    for n in 0..20 {
        others.push(says(&served, &format!("later-{n}"), &format!("later {n}")).await);
    }
    assert_eq!(says(&served, "ben", "3").await, ben);
    served.settled().await;
    assert!(can_be_read(&served, &ben).await);
    assert!(served.stop().await.unwrap().success());

    // As if the store had been put back: what says that the key is gone is not there.
    let store = async_nats::jetstream::new(nats.connect_to_harm().await);
    let keys = store.get_stream("SEVA_KEYS").await.unwrap();
    let mark = keys.get_last_raw_message_by_subject(&subject).await.unwrap();
    keys.delete_message(mark.sequence).await.unwrap();
    store.publish(subject, backup).await.unwrap().await.unwrap();
    let served = Served::start(&nats, folder.path()).await.unwrap();
    for living in others.iter().chain([&ben]) {
        assert!(can_be_read(&served, living).await);
    }
    assert!(!can_be_read(&served, &asha).await);
    assert!(served.stop().await.unwrap().success());
}
