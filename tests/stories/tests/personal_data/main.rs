//! Nothing personal stands anywhere in clear: not in the log, the keys, the published events, the databases, what the program says, or what
//! it measures.

mod script;
mod search;
mod served;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use async_nats::jetstream;
use futures::{StreamExt as _, TryStreamExt as _};
use seva_api::pb::feedback::v1::feedback_service_client::FeedbackServiceClient;
use seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient;
use seva_api::pb::policy::v1::PublishPolicyRequest;
use seva_api::pb::policy::v1::policy_service_client::PolicyServiceClient;
use seva_domain::policy::STARTER;
use seva_rights::Identity;
use seva_stories::as_actor;
use seva_support::TestNats;

use self::script::{Caller, PHONE, Script};
use self::search::Search;
use self::served::Served;

const LATIN: Script = Script { word: "Zquillonbrae", name: "latin" };
const DEVANAGARI: Script = Script { word: "झङठढळणषघ", name: "devanagari" };

/// A word that is nobody's, written where everybody may read it: the search must find it.
const CONTROL: &str = "Zcontrolword";

/// Bytes by where they were found.
type Places = BTreeMap<String, Vec<u8>>;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_personal_is_written_or_said_in_clear() -> Result<()> {
    let nats = seva_support::nats().await;
    let folder = tempfile::tempdir()?;
    seva::nats::set_up(&nats.url(), nats.seeds(), 1).await?;
    let served = Served::start(&nats, folder.path()).await?;
    let mut caller = Caller {
        intake: IntakeServiceClient::new(served.channel("intake")?),
        feedback: FeedbackServiceClient::new(served.channel("feedback")?),
        refusals: Vec::new(),
    };
    publish(&served).await?;
    for script in [LATIN, DEVANAGARI] {
        caller.play(script).await.with_context(|| script.name)?;
        caller.be_refused(script).await.with_context(|| script.name)?;
    }
    served.settled().await;

    let stored = stored_messages(&nats).await?;
    let mut said = Places::from([("the metrics".to_owned(), served.metrics().await?)]);
    for (n, refusal) in caller.refusals.iter().enumerate() {
        said.insert(format!("refusal {n}"), refusal.clone().into_bytes());
    }
    let status = served.stop().await?;
    ensure!(status.success(), "{status}");
    said.insert("what the process said".to_owned(), fs::read(folder.path().join("said"))?);
    let raw_log = files(nats.folder())?;
    let raw_databases = files(&folder.path().join("data"))?;
    let rows = rows(&folder.path().join("data"))?;
    eprintln!(
        "searched: {} messages, {} rows, {} files, {} refusals, {} bytes of what the process said",
        stored.len(),
        rows.len(),
        raw_log.len() + raw_databases.len(),
        caller.refusals.len(),
        said["what the process said"].len()
    );

    let personal = Search::of(&[LATIN.word, DEVANAGARI.word, PHONE]);
    let everything = [&stored, &said, &raw_log, &raw_databases, &rows];
    let found: Vec<_> = everything.iter().flat_map(|places| found(&personal, places)).collect();
    ensure!(found.is_empty(), "found in clear: {found:#?}");
    let control = Search::of(&[CONTROL]);
    for (name, places) in [
        ("messages", &stored),
        ("files of the log", &raw_log),
        ("files of the databases", &raw_databases),
        ("rows", &rows),
    ] {
        ensure!(!self::found(&control, places).is_empty(), "the search misses what stands in the {name}");
    }
    ensure!(!said["what the process said"].is_empty(), "the process said nothing");
    let published = stored.iter().filter(|(place, _)| place.ends_with(" of SEVA_EVENTS"));
    ensure!(published.clone().count() > 50, "only {} published events", published.count());
    // Sealed under the person's key or hashed: what names a person stays inside.
    for (place, bytes) in published {
        let message = String::from_utf8_lossy(bytes);
        let sealed = ["\"data\":\"", "\"tok_"].into_iter().find(|form| message.contains(form));
        ensure!(sealed.is_none(), "{place}: {message}");
    }
    Ok(())
}

/// Publishes a policy: the company's own words, in which a manager wrote the control word.
async fn publish(served: &Served) -> Result<()> {
    let document = STARTER.replacen("title = \"", &format!("title = \"{CONTROL} "), 1);
    ensure!(document.contains(CONTROL), "the starter policy has no title");
    let request = PublishPolicyRequest {
        request_id: format!("{} {} request", LATIN.word, DEVANAGARI.word),
        document,
        reason: format!("{CONTROL} for a reason"),
        expected_version: None,
    };
    PolicyServiceClient::new(served.channel("policy")?)
        .publish_policy(as_actor("manager-1", request))
        .await?;
    served.settled().await;
    Ok(())
}

fn found(search: &Search, places: &Places) -> Vec<(String, search::Found)> {
    places.iter().filter_map(|(place, bytes)| Some((place.clone(), search.find(bytes)?))).collect()
}

/// Subject, headers and payload of every message of every stream.
async fn stored_messages(nats: &TestNats) -> Result<Places> {
    let context = jetstream::new(nats.connect(Identity::Operator).await);
    let names: Vec<String> = context.stream_names().try_collect().await?;
    ensure!(names.len() >= 3, "the log, the keys and the published events: {names:?}");
    let mut places = Places::new();
    for name in names {
        let mut stream = context.get_stream(&name).await?;
        let state = stream.info().await?.state.clone();
        let stream = &stream;
        let all = futures::stream::iter(state.first_sequence..=state.last_sequence);
        let messages: Vec<_> =
            all.map(|n| async move { (n, stream.get_raw_message(n).await) }).buffered(32).collect().await;
        let mut count = 0;
        for (n, message) in messages {
            // Of some streams messages may have been deleted.
            let Ok(message) = message else { continue };
            let mut bytes = format!("{}\n{:?}\n", message.subject, message.headers).into_bytes();
            bytes.extend_from_slice(&message.payload);
            places.insert(format!("message {n} of {name}"), bytes);
            count += 1;
        }
        ensure!(count == state.messages, "{name}: {count} of {} messages", state.messages);
    }
    Ok(places)
}

/// Every file under a folder, as it is.
fn files(folder: &Path) -> Result<Places> {
    let mut places = Places::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            places.append(&mut files(&path)?);
        } else {
            places.insert(
                path.display().to_string(),
                [path.display().to_string().into_bytes(), fs::read(&path)?].concat(),
            );
        }
    }
    Ok(places)
}

/// Every row of every tree of every database, name, key and value.
fn rows(data: &Path) -> Result<Places> {
    let mut places = Places::new();
    for service in ["feedback", "intake", "policy"] {
        let db = sled::open(data.join(service).join("generation-1"))?;
        for name in db.tree_names() {
            let name_told = String::from_utf8_lossy(&name).into_owned();
            for (n, row) in db.open_tree(&name)?.iter().enumerate() {
                let (key, value) = row?;
                places.insert(
                    format!("row {n} of {service}'s {name_told}"),
                    [name.as_ref(), &key, &value].concat(),
                );
            }
        }
    }
    ensure!(places.len() > 100, "only {} rows", places.len());
    Ok(places)
}
