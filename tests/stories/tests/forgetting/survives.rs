//! Forgetting survives what happens to processes, databases and the key store.

use std::fs;
use std::path::{Path, PathBuf};

use seva_api::pb::intake::v1::{ForgettingPhase, GetTimelineRequest};
use seva_api::pb::operations::v1::{GetStatusRequest, RebuildReadModelRequest};
use seva_domain::service::Service;
use seva_rights::Identity;
use seva_stories::{House, Services};
use seva_support::eventually;

use crate::{PATIENCE, WORDS, complaint, confirm, forget, forgotten};

async fn timeline(services: &Services, customer_id: &str) -> String {
    let request = GetTimelineRequest { customer_id: customer_id.to_owned(), page: None, read: None };
    let timeline = services.intake().get_timeline(request).await.unwrap().into_inner();
    format!("{:?}", timeline.entries)
}

/// What each service's rows are digested to.
async fn digests(services: &Services) -> Vec<(String, u64, String)> {
    let mut all = Vec::new();
    for service in services.names() {
        all.extend(services.digests(service).await);
    }
    all
}

/// Waits until no database holds anything in its files that was overwritten when somebody was forgotten.
async fn cleaned(services: &Services) {
    eventually("every database is cleaned", PATIENCE, async || {
        for service in services.names() {
            let status =
                services.operations(service).get_status(GetStatusRequest {}).await.ok()?.into_inner();
            if status.forgotten_to_clean > 0 {
                return None;
            }
        }
        Some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_is_done_by_whichever_process_is_there_next() {
    let mut house = House::start().await;
    let asha = complaint(&house, "asha").await.customer_id;
    let ben = complaint(&house, "ben").await.customer_id;
    // Nobody waits for the keys to be destroyed: the process may end before they are.
    confirm(&house, &asha).await;
    house.restart_services().await;
    let forgetting = forgotten(&house, &asha).await.forgetting.unwrap();
    assert_eq!(forgetting.phase(), ForgettingPhase::Forgotten);
    house.settled().await;
    assert_eq!(house.log().await.events("customer.forgotten.v1").len(), 1);
    assert!(timeline(&house, &ben).await.contains(WORDS), "nobody else's words are gone");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_forget_once() {
    let house = House::start().await;
    let second = house.second(Service::Intake).await;
    let asha = complaint(&house, "asha").await.customer_id;
    house.settled_with(&[&second]).await;
    assert!(timeline(&second, &asha).await.contains(WORDS));
    forget(&house, &asha).await;
    house.settled_with(&[&second]).await;
    assert_eq!(house.log().await.events("customer.forgotten.v1").len(), 1);
    assert!(!timeline(&second, &asha).await.contains(WORDS), "the other process holds no key either");
    second.stop().await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_made_anew_are_the_same_without_the_words() {
    let mut house = House::start().await;
    let asha = complaint(&house, "asha").await.customer_id;
    complaint(&house, "ben").await;
    forget(&house, &asha).await;
    house.settled().await;
    cleaned(&house).await;
    let before = digests(&house).await;
    for model in ["cases.v2", "customers.v1", "forgotten.v1"] {
        let request = RebuildReadModelRequest { name: model.to_owned() };
        house.operations(Service::Intake).rebuild_read_model(request).await.unwrap();
    }
    assert_eq!(digests(&house).await, before);
    house.stop_services().await;
    for service in Service::ALL {
        fs::remove_dir_all(house.data().join(service.name())).unwrap();
    }
    house.start_services().await;
    assert_eq!(digests(&house).await, before);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_come_back_with_an_older_backup_are_destroyed_again() {
    let mut house = House::start().await;
    let asha = complaint(&house, "asha").await.customer_id;
    let ben = complaint(&house, "ben").await.customer_id;
    let backup = tempfile::tempdir().unwrap();
    house.while_stopped(|store| copy(&keys(store), backup.path())).await;

    forget(&house, &asha).await;
    house.settled().await;
    house
        .while_stopped(|store| {
            let keys = keys(store);
            fs::remove_dir_all(&keys).unwrap();
            copy(backup.path(), &keys);
        })
        .await;
    eventually("the keys are destroyed again", PATIENCE, async || {
        let key = key_of(&house, &asha).await;
        (!has_key(&house, &key).await).then_some(())
    })
    .await;
    assert!(!timeline(&house, &asha).await.contains(WORDS));
    assert!(timeline(&house, &ben).await.contains(WORDS));
    house.stop().await;
}

/// The subject of the customer's first key in the key store.
async fn key_of(house: &House, customer_id: &str) -> String {
    use seva_domain::customer::Event as CustomerEvent;
    use seva_domain::noun::{Event, Noun};
    let noun = Noun::Customer(customer_id.parse().unwrap());
    let records = house.log().await.of_noun(&noun);
    let key = records.iter().flat_map(|record| &record.events).find_map(|entry| match &entry.event {
        Event::Customer(CustomerEvent::Registered(registered)) => Some(registered.key),
        _ => None,
    });
    format!("seva.key.{}", key.unwrap().to_string().trim_start_matches("key_"))
}

/// Whether the key store holds the key of this subject.
async fn has_key(house: &House, subject: &str) -> bool {
    let client = house.nats().connect(Identity::Operator).await;
    let stream = async_nats::jetstream::new(client).get_stream("SEVA_KEYS").await.unwrap();
    // Overwritten and not yet marked there is no message at all.
    stream.get_last_raw_message_by_subject(subject).await.is_ok_and(|last| !last.payload.is_empty())
}

/// Where nats-server keeps the stream of keys.
pub(crate) fn keys(store: &Path) -> PathBuf {
    let mut folders = vec![store.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("SEVA_KEYS") {
                return path;
            }
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    panic!("nats-server keeps no stream of keys");
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_cleaned_once_for_everybody_forgotten_and_says_so() {
    let house = House::start().await;
    let mut people = Vec::new();
    for n in 0..5 {
        people.push(complaint(&house, &format!("caller-{n}")).await.customer_id);
    }
    for customer in &people[..3] {
        forget(&house, customer).await;
    }
    house.settled().await;
    cleaned(&house).await;
    let status =
        house.operations(Service::Intake).get_status(GetStatusRequest {}).await.unwrap().into_inner();
    assert!(status.database_generation > 1, "{status:?}");
    let generations = fs::read_dir(house.data().join("intake")).unwrap();
    let names: Vec<String> =
        generations.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names.iter().filter(|name| name.starts_with("generation-")).count(), 1, "{names:?}");
    for customer in &people[3..] {
        assert!(timeline(&house, customer).await.contains(WORDS));
    }
    house.stop().await;
}
