//! Log and keys backed up as `nats stream backup` does, and restored on another server: the same answers from new databases.

use async_nats::Client;
use bytes::Bytes;
use futures::StreamExt as _;
use serde_json::{Value, json};
use seva_api::pb::intake::v1::GetTimelineRequest;
use seva_api::pb::operations::v1::GetStatusResponse;
use seva_domain::service::Service;
use seva_rights::Identity;
use seva_stories::{House, Services, as_actor, say};
use seva_support::{eventually, nats};

use crate::servers::PATIENCE;

/// What the server gives of a stream.
struct Backup {
    stream: &'static str,
    config: Value,
    state: Value,
    chunks: Vec<Bytes>,
}

/// Asks the server's own interface. Answers what it says.
async fn ask(client: &Client, subject: String, question: Bytes) -> Value {
    let answer = client.request(subject, question).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
    assert!(answer.get("error").is_none(), "{answer}");
    answer
}

async fn back_up(client: &Client, stream: &'static str) -> Backup {
    let inbox = client.new_inbox();
    let mut arriving = client.subscribe(inbox.clone()).await.unwrap();
    let question = json!({"deliver_subject": inbox, "no_consumers": true, "chunk_size": 64 * 1024});
    let subject = format!("$JS.API.STREAM.SNAPSHOT.{stream}");
    let answer = ask(client, subject, question.to_string().into()).await;
    let mut chunks = Vec::new();
    loop {
        let chunk = arriving.next().await.unwrap();
        if chunk.payload.is_empty() {
            return Backup {
                stream,
                config: answer["config"].clone(),
                state: answer["state"].clone(),
                chunks,
            };
        }
        if let Some(reply) = chunk.reply {
            client.publish(reply, Bytes::new()).await.unwrap();
        }
        chunks.push(chunk.payload);
    }
}

async fn restore(client: &Client, backup: &Backup) {
    let question = json!({"config": backup.config, "state": backup.state}).to_string();
    let subject = format!("$JS.API.STREAM.RESTORE.{}", backup.stream);
    let answer = ask(client, subject, question.into()).await;
    let to = answer["deliver_subject"].as_str().unwrap();
    for chunk in &backup.chunks {
        client.request(to.to_owned(), chunk.clone()).await.unwrap();
    }
    ask(client, to.to_owned(), Bytes::new()).await;
}

async fn log_interactions(services: &Services, requests: std::ops::Range<usize>) {
    for n in requests {
        let request =
            say::interaction(&format!("call-{n}"), &format!("A-{}", n % 5), &format!("Question {n}"));
        services.intake().log_interaction(as_actor("agent", request)).await.unwrap();
    }
}

/// Whether a text of before can be read: its key was restored too.
async fn opens(services: &Services, customer_id: &str) -> bool {
    let request = GetTimelineRequest { customer_id: customer_id.to_owned(), ..GetTimelineRequest::default() };
    let timeline = services.intake().get_timeline(request).await.unwrap().into_inner();
    format!("{timeline:?}").contains("Clear(\"Question 0\")")
}

/// Waits until the services take commands and have folded all there is.
async fn serving(services: &Services) {
    let is_done = |status: GetStatusResponse| {
        let end = status.followed_sequence;
        status.state == "SERVING" && status.read_models.iter().all(|model| model.sequence == end)
    };
    let all = async || services.statuses().await.into_iter().all(is_done).then_some(());
    eventually("the services serve", PATIENCE, all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_restored_log_with_its_keys_gives_the_same_answers_from_new_databases() {
    let mut house = House::start().await;
    let first = say::interaction("call-0", "A-0", "Question 0");
    let first = house.intake().log_interaction(as_actor("agent", first)).await.unwrap().into_inner();
    log_interactions(&house, 1..30).await;
    house.settled().await;
    let before = house.digests(Service::Intake).await;
    let incarnation = house.statuses().await[0].log_incarnation.clone();
    let client = house.nats().connect(Identity::Operator).await;
    let mut backups = Vec::new();
    for stream in ["SEVA_LOG", "SEVA_KEYS"] {
        backups.push(back_up(&client, stream).await);
    }
    // What is written after the backup is lost with the server.
    log_interactions(&house, 30..35).await;
    house.settled().await;
    house.stop_services().await;

    let elsewhere = nats().await;
    let client = elsewhere.connect(Identity::Operator).await;
    for backup in &backups {
        restore(&client, backup).await;
    }
    seva::nats::set_up(&elsewhere.url(), elsewhere.seeds(), 1).await.unwrap();
    let mut options = house.options().clone();
    (options.nats_url, options.monitor_url) = (elsewhere.url(), elsewhere.monitor_url());
    options.seeds = elsewhere.seeds().clone();
    // New databases, and those that know of more than the log has: they are put aside by themselves.
    let data = tempfile::tempdir().unwrap();
    for folder in [house.data().to_owned(), data.path().to_owned()] {
        options.data = folder;
        let services = Services::start(&options).await;
        serving(&services).await;
        assert_eq!(services.digests(Service::Intake).await, before);
        assert!(opens(&services, &first.customer_id).await);
        // Positions handed out before may name what is lost: they are refused.
        assert_ne!(services.statuses().await[0].log_incarnation, incarnation);
        services.stop().await;
    }
    let services = Services::start(&options).await;
    serving(&services).await;
    // The same request again: the answer that the log remembers, and a new one is taken.
    log_interactions(&services, 29..40).await;
    services.stop().await;
}
