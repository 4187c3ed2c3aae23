//! The proof: a hundred of a thousand people are forgotten, and nothing of them is left anywhere, while nothing of anybody else is any different.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use prost::Message as _;
use seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient;
use seva_api::pb::intake::v1::{
    ConfirmForgettingRequest, ForgetCustomerRequest, ForgettingPhase, ForgettingReason, GetForgettingRequest,
    GetTimelineRequest, IdentifyCustomerRequest, LogInteractionRequest,
};
use seva_api::pb::operations::v1::operations_service_client::OperationsServiceClient;
use seva_api::pb::operations::v1::{DigestReadModelsRequest, GetStatusRequest};
use seva_domain::customer::Event as CustomerEvent;
use seva_domain::noun::{Event, Noun};
use seva_domain::service::Service;
use seva_domain::values::{CustomerId, KeyId};
use seva_eventlog::jetstream::JetStreamLog;
use seva_eventlog::log::Log;
use seva_eventlog::simulate;
use seva_rights::Identity;
use seva_stories::places::{Places, files, found, rows, stored_messages};
use seva_stories::{Recorded, Search, Served, as_actor};
use seva_support::{TestNats, eventually};

use crate::PATIENCE;
use crate::people::{AT_ONCE, GONE, PEOPLE, PHONE_GONE, Person, STAYS, come};
use crate::survives::{copy, keys};

/// Everybody's customer id, by their number.
type Ids = BTreeMap<usize, String>;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_hundred_people_forgotten_and_nothing_else_is_different() -> Result<()> {
    let mut nats = seva_support::nats().await;
    seva::nats::set_up(&nats.url(), nats.seeds(), 1).await?;
    let folder = tempfile::tempdir()?;
    let served = Served::start(&nats, folder.path()).await?;
    come(&served, folder.path()).await?;
    served.settled().await;
    let ids = identified(&served).await?;
    let to_go: Vec<&String> = Person::all().filter(|person| person.is_to_go()).map(|p| &ids[&p.0]).collect();
    ensure!(to_go.len() == 100, "{} are to be forgotten", to_go.len());
    let living = timelines(&served, &ids, |person| !person.is_to_go()).await?;
    ensure!(living.len() == PEOPLE - 100);
    let traces = Traces::of(&nats, &to_go).await?;
    ensure!(traces.wrapped.len() >= 100 && traces.tokens.len() >= 300 && traces.ciphertexts.len() > 150);
    served.stop().await?;
    nats.stop().await?;
    let before = Places::from_iter(files(nats.folder())?);
    ensure!(
        found(&Search::of_bytes(traces.wrapped.clone()), &before).len() == 1,
        "the keys stand in one file"
    );
    let before = files(&folder.path().join("data"))?;
    for looked_for in [&traces.tokens, &traces.ciphertexts] {
        ensure!(
            !found(&Search::of_bytes(looked_for.clone()), &before).is_empty(),
            "the search finds nothing"
        );
    }
    let backup = tempfile::tempdir()?;
    copy(&keys(nats.folder()), backup.path());
    nats.restart().await?;

    let served = Served::start(&nats, folder.path()).await?;
    forget(&served, &to_go).await?;
    served.settled().await;
    cleaned(&served).await;
    let mut said = Places::from([("the metrics".to_owned(), served.metrics().await?)]);
    for (n, refusal) in late(&served, &to_go).await?.into_iter().enumerate() {
        said.insert(format!("refusal {n}"), refusal.into_bytes());
    }
    ensure!(
        timelines(&served, &ids, |person| !person.is_to_go()).await? == living,
        "somebody's timeline differs"
    );
    let digests = digests(&served).await?;
    served.stop().await?;
    said.insert("what the process said".to_owned(), fs::read(folder.path().join("said"))?);
    nothing_is_left(&mut nats, folder.path(), &traces, &said).await?;
    println!(
        "searched for {} wrapped keys, {} look-ups, {} sealed texts and {} words of {} people: none is left",
        traces.wrapped.len(),
        traces.tokens.len(),
        traces.ciphertexts.len(),
        GONE.len() + 1,
        to_go.len()
    );

    // The log is whole, and its databases are the same made anew.
    let client = nats.connect(Identity::Operator).await;
    let log = JetStreamLog::open(client, Identity::Operator.consumers()).await?;
    let run = simulate::run(&Log::JetStream(log)).await?;
    ensure!(run.difference.is_none(), "{:?}", run.difference);
    fs::remove_dir_all(folder.path().join("data"))?;
    let served = Served::start(&nats, folder.path()).await?;
    ensure!(self::digests(&served).await? == digests, "rows made anew are other rows");
    gone_and_living(&served, &ids, &living).await?;
    cleaned(&served).await;
    served.stop().await?;

    // An older backup of the keys brings nobody back.
    nats.stop().await?;
    let store = keys(nats.folder());
    fs::remove_dir_all(&store)?;
    copy(backup.path(), &store);
    nats.restart().await?;
    let served = Served::start(&nats, folder.path()).await?;
    eventually("the keys are destroyed again", PATIENCE, async || {
        let messages = stored_messages(&nats).await.ok()?;
        found(&Search::of_bytes(traces.wrapped.clone()), &messages).is_empty().then_some(())
    })
    .await;
    gone_and_living(&served, &ids, &living).await?;
    served.stop().await?;
    nothing_is_left(&mut nats, folder.path(), &traces, &Places::new()).await
}

/// Who everybody is, by the one thing that all of them are known by.
async fn identified(served: &Served) -> Result<Ids> {
    let identifying = stream::iter(Person::all()).map(|person| async move {
        let mut intake = IntakeServiceClient::new(served.channel("intake")?);
        let request = IdentifyCustomerRequest { identities: vec![person.email()], read: None };
        let found = intake.identify_customer(request).await?.into_inner();
        ensure!(!found.customer_id.is_empty(), "{person:?} is nobody");
        Ok((person.0, found.customer_id))
    });
    identifying.buffer_unordered(AT_ONCE).try_collect().await
}

/// The timelines of some of the people, as they come over the wire.
async fn timelines(
    served: &Served,
    ids: &Ids,
    of: impl Fn(Person) -> bool,
) -> Result<BTreeMap<usize, Vec<Vec<u8>>>> {
    let reading = stream::iter(ids.iter().filter(|(n, _)| of(Person(**n)))).map(|(n, id)| async move {
        let mut intake = IntakeServiceClient::new(served.channel("intake")?);
        let request = GetTimelineRequest { customer_id: id.clone(), page: None, read: None };
        let timeline = intake.get_timeline(request).await?.into_inner();
        ensure!(!timeline.entries.is_empty(), "person {n} has no timeline");
        Ok((*n, timeline.entries.iter().map(prost::Message::encode_to_vec).collect()))
    });
    reading.buffer_unordered(AT_ONCE).try_collect().await
}

/// What must be nowhere any more: keys as the store kept them, what customers were found by, what was sealed.
struct Traces {
    wrapped: Vec<(String, Vec<u8>)>,
    tokens: Vec<(String, Vec<u8>)>,
    ciphertexts: Vec<(String, Vec<u8>)>,
}

impl Traces {
    async fn of(nats: &TestNats, to_go: &[&String]) -> Result<Traces> {
        let client = nats.connect(Identity::Operator).await;
        let recorded = Recorded::read(client.clone()).await;
        let stream = async_nats::jetstream::new(client).get_stream("SEVA_KEYS").await?;
        let (mut keys, mut tokens): (Vec<KeyId>, Vec<_>) = (Vec::new(), Vec::new());
        for customer in to_go {
            for record in recorded.of_noun(&Noun::Customer(customer.parse::<CustomerId>()?)) {
                for entry in &record.events {
                    match &entry.event {
                        Event::Customer(CustomerEvent::Registered(registered)) => keys.push(registered.key),
                        Event::Customer(CustomerEvent::KeyJoined(joined)) => keys.push(joined.key),
                        Event::Customer(CustomerEvent::IdentityAdded(added)) => {
                            let token = added.identity.token;
                            tokens.push((token.to_string(), token.bytes().to_vec()));
                            tokens.push((format!("{token} in words"), token.to_string().into_bytes()));
                        }
                        _ => {}
                    }
                }
            }
        }
        let mut wrapped = Vec::new();
        for key in &keys {
            let subject = format!("seva.key.{}", key.to_string().trim_start_matches("key_"));
            let message = stream.get_last_raw_message_by_subject(&subject).await?;
            wrapped.push((key.to_string(), message.payload.to_vec()));
        }
        Ok(Traces { wrapped, tokens, ciphertexts: ciphertexts(&recorded, &keys) })
    }
}

/// What was sealed under these keys, as read models hold it.
fn ciphertexts(recorded: &Recorded, keys: &[KeyId]) -> Vec<(String, Vec<u8>)> {
    fn collect(value: &serde_json::Value, keys: &[String], found: &mut Vec<(String, Vec<u8>)>) {
        match value {
            serde_json::Value::Object(map) => {
                if let (Some(key), Some(data)) = (map.get("key"), map.get("data"))
                    && let (Some(key), Some(data)) = (key.as_str(), data.as_str())
                    && keys.iter().any(|known| known == key)
                {
                    let bytes = STANDARD_NO_PAD.decode(data).unwrap_or_default();
                    found.push((format!("a text under {key}"), bytes));
                }
                map.values().for_each(|value| collect(value, keys, found));
            }
            serde_json::Value::Array(values) => {
                values.iter().for_each(|value| collect(value, keys, found));
            }
            _ => {}
        }
    }
    let keys: Vec<String> = keys.iter().map(KeyId::to_string).collect();
    let mut found = Vec::new();
    for (_, _, record) in &recorded.records {
        if let Ok(value) = serde_json::to_value(record.as_ref()) {
            collect(&value, &keys, &mut found);
        }
    }
    found
}

/// Ana asks, Bo confirms, a hundred times; waits until it is done.
async fn forget(served: &Served, to_go: &[&String]) -> Result<()> {
    let forgetting = stream::iter(to_go).map(|customer| async move {
        let mut intake = IntakeServiceClient::new(served.channel("intake")?);
        let customer_id = || (*customer).clone();
        let request = ForgetCustomerRequest {
            request_id: format!("forget {customer}"),
            customer_id: customer_id(),
            reason: ForgettingReason::PersonAsked.into(),
        };
        intake.forget_customer(as_actor("agent:ana", request)).await?;
        let request = ConfirmForgettingRequest {
            request_id: format!("confirm {customer}"),
            customer_id: customer_id(),
        };
        intake.confirm_forgetting(as_actor("agent:bo", request)).await?;
        let is_done = async || {
            let request = GetForgettingRequest { customer_id: customer_id(), read: None };
            let mut intake = IntakeServiceClient::new(served.channel("intake").ok()?);
            let told = intake.get_forgetting(request).await.ok()?.into_inner().forgetting?;
            (told.phase() == ForgettingPhase::Forgotten).then_some(told)
        };
        let told = eventually("somebody is forgotten", PATIENCE, is_done).await;
        ensure!(told.keys_destroyed > 0 && told.texts_erased > 0, "{told:?}");
        Ok(())
    });
    forgetting.buffer_unordered(AT_ONCE).try_collect().await
}

/// What comes for the forgotten, in their words; answers what is said about it.
async fn late(served: &Served, to_go: &[&String]) -> Result<Vec<String>> {
    let mut said = Vec::new();
    for (n, customer) in to_go.iter().enumerate() {
        let mut intake = IntakeServiceClient::new(served.channel("intake")?);
        let request = LogInteractionRequest {
            request_id: format!("{} late {n}", GONE[n % 2]),
            customer_id: (*customer).clone(),
            identities: Vec::new(),
            text: format!("{} comes late", GONE[n % 2]),
            ..seva_stories::say::interaction("", "", "")
        };
        let status = intake.log_interaction(request).await.err().context("nothing comes late")?;
        said.push(format!("{status:?} {} {}", status.message(), String::from_utf8_lossy(status.details())));
    }
    Ok(said)
}

/// Waits until no database holds anything in its files that was overwritten when somebody was forgotten.
async fn cleaned(served: &Served) {
    eventually("every database is cleaned", PATIENCE, async || {
        for service in Service::ALL {
            let mut operations = OperationsServiceClient::new(served.channel(service.name()).ok()?);
            let status = operations.get_status(GetStatusRequest {}).await.ok()?.into_inner();
            if status.forgotten_to_clean > 0 {
                return None;
            }
        }
        Some(())
    })
    .await;
}

/// Every read model's rows and their digest.
async fn digests(served: &Served) -> Result<Vec<(String, u64, String)>> {
    let mut all = Vec::new();
    for service in Service::ALL {
        let mut operations = OperationsServiceClient::new(served.channel(service.name())?);
        let answer = operations.digest_read_models(DigestReadModelsRequest {}).await?.into_inner();
        let digests = answer.read_models.into_iter();
        all.extend(
            digests.map(|model| (format!("{} {}", service.name(), model.name), model.rows, model.digest)),
        );
    }
    Ok(all)
}

/// Looks through everything that was stored and said, once the services have stopped. Starts nats-server again.
async fn nothing_is_left(nats: &mut TestNats, folder: &Path, traces: &Traces, said: &Places) -> Result<()> {
    let data = folder.join("data");
    let messages = stored_messages(nats).await?;
    nats.stop().await?;
    let (raw_log, raw_databases, rows) = (files(nats.folder())?, files(&data)?, rows(&data)?);
    nats.restart().await?;
    let words = Search::of(&[GONE[0], GONE[1], STAYS[0], STAYS[1], PHONE_GONE]);
    for places in [&messages, &raw_log, &raw_databases, &rows, said] {
        let found = found(&words, places);
        ensure!(found.is_empty(), "in clear: {found:#?}");
    }
    let wrapped = Search::of_bytes(traces.wrapped.clone());
    for places in [&messages, &raw_log] {
        let found = found(&wrapped, places);
        ensure!(found.is_empty(), "a key that is gone: {found:#?}");
    }
    for looked_for in [&traces.tokens, &traces.ciphertexts] {
        let search = Search::of_bytes(looked_for.clone());
        for places in [&raw_databases, &rows] {
            let found = found(&search, places);
            ensure!(found.is_empty(), "left in a database: {found:#?}");
        }
    }
    Ok(())
}

/// Nobody reads what the forgotten said, and everybody else's timeline is what it was, in words.
async fn gone_and_living(served: &Served, ids: &Ids, living: &BTreeMap<usize, Vec<Vec<u8>>>) -> Result<()> {
    let gone = timelines(served, ids, Person::is_to_go).await?;
    for (n, entries) in &gone {
        for entry in entries {
            let entry = seva_api::pb::intake::v1::TimelineEntry::decode(entry.as_slice())?;
            let said = format!("{entry:?}");
            ensure!(!GONE.iter().any(|word| said.contains(word)), "person {n} is back: {said}");
        }
    }
    let now = timelines(served, ids, |person| !person.is_to_go()).await?;
    ensure!(now == *living, "somebody's timeline differs");
    // The control: what a living person said is found, through the door where it may be read.
    for (n, entries) in &now {
        let said = entries.concat();
        let word = STAYS[n % 2].as_bytes();
        ensure!(said.windows(word.len()).any(|window| window == word), "person {n} said nothing");
    }
    Ok(())
}
