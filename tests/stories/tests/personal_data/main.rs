//! Nothing personal stands anywhere in clear: not in the log, the keys, the published events, the databases, what the program says, or what
//! it measures.

mod script;

use std::fs;

use anyhow::{Context as _, Result, ensure};
use seva_api::pb::feedback::v1::feedback_service_client::FeedbackServiceClient;
use seva_api::pb::intake::v1::intake_service_client::IntakeServiceClient;
use seva_api::pb::policy::v1::PublishPolicyRequest;
use seva_api::pb::policy::v1::policy_service_client::PolicyServiceClient;
use seva_domain::policy::STARTER;
use seva_stories::places::{Places, files, found, rows, stored_messages};
use seva_stories::{Search, Served, as_actor};

use self::script::{Caller, PHONE, Script};

const LATIN: Script = Script { word: "Zquillonbrae", name: "latin" };
const DEVANAGARI: Script = Script { word: "झङठढळणषघ", name: "devanagari" };

/// A word that is nobody's, written where everybody may read it: the search must find it.
const CONTROL: &str = "Zcontrolword";

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
    let clear: Vec<_> = everything.iter().flat_map(|places| found(&personal, places)).collect();
    ensure!(clear.is_empty(), "found in clear: {clear:#?}");
    let control = Search::of(&[CONTROL]);
    for (name, places) in [
        ("messages", &stored),
        ("files of the log", &raw_log),
        ("files of the databases", &raw_databases),
        ("rows", &rows),
    ] {
        ensure!(!found(&control, places).is_empty(), "the search misses what stands in the {name}");
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
