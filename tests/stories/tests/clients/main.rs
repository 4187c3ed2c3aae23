//! Clients that nobody here wrote: Python's grpcio with reflection, and nats-py on the log and on the published events.

use std::path::{Path, PathBuf};
use std::process::Output;

use seva_domain::service::Service;
use seva_eventlog::follow::Own;
use seva_eventlog::jetstream::JetStreamLog;
use seva_eventlog::log::Log;
use seva_history::relay::Relay;
use seva_history::stream::Published;
use seva_rights::Identity;
use seva_stories::{House, say};
use tokio::process::Command;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

const REQUIREMENTS: &str = include_str!("requirements.txt");

/// A Python with the packages of `requirements.txt`, or why there is none; made by whichever test asks first.
async fn python() -> Result<PathBuf, String> {
    static PYTHON: OnceCell<Result<PathBuf, String>> = OnceCell::const_new();
    PYTHON.get_or_init(make_python).await.clone()
}

/// Makes it in the target folder, for all later runs.
async fn make_python() -> Result<PathBuf, String> {
    let test = std::env::current_exe().expect("a test knows where it is");
    let target = test.ancestors().nth(3).expect("a test stands in a folder of the target folder");
    let home = target.join("python-clients");
    let python = home.join("bin/python");
    let ready = home.join("requirements.txt");
    if std::fs::read_to_string(&ready).is_ok_and(|installed| installed == REQUIREMENTS) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home)).await?;
    let wanted = home.join("wanted.txt");
    std::fs::write(&wanted, REQUIREMENTS).expect("the target folder can be written");
    let install =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "-r"];
    run(Command::new(&python).args(install).arg(&wanted)).await?;
    // Under its final name only once everything is there.
    std::fs::rename(&wanted, &ready).expect("the target folder can be written");
    Ok(python)
}

async fn run(command: &mut Command) -> Result<String, String> {
    let Output { status, stdout, stderr } =
        command.kill_on_drop(true).output().await.map_err(|error| error.to_string())?;
    if status.success() {
        Ok(String::from_utf8_lossy(&stdout).into_owned())
    } else {
        Err(format!("{status}: {}", String::from_utf8_lossy(&stderr)))
    }
}

async fn script(python: &Path, name: &str, args: &[&str]) -> serde_json::Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name);
    let said = run(Command::new(python).arg(script).args(args))
        .await
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{name} said {said:?}: {error}"))
}

/// The file of an identity's seed.
fn seed(house: &House, identity: Identity) -> String {
    house.nats().seeds().path(identity).to_str().expect("a path of plain text").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_logs_an_interaction_by_reflection_reads_it_back_and_finds_it_in_the_log() {
    let python = match python().await {
        Ok(python) => python,
        Err(why) => {
            eprintln!("SKIPPED: no Python with grpcio and nats-py could be made here: {why}");
            return;
        }
    };
    let house = House::start().await;
    let intake = house.url(Service::Intake);
    let grpc = script(
        &python,
        "grpc_by_reflection.py",
        &[intake.trim_start_matches("http://"), &seva_tokens::token("agent:py")],
    )
    .await;
    assert_eq!(grpc["texts"], serde_json::json!(["மகிழ்ச்சி: the parcel came."]), "{grpc}");
    assert_eq!(grpc["replayed"], serde_json::json!([false, true]), "{grpc}");
    assert_eq!((&grpc["is_same"], &grpc["refused"]), (&true.into(), &"ALREADY_EXISTS".into()), "{grpc}");

    let case = grpc["case_id"].as_str().unwrap();
    let log =
        script(&python, "read_log.py", &[&house.nats().url(), &seed(&house, Identity::Operator), case]).await;
    assert_eq!(log["subject"], "seva.log.intake.0", "{log}");
    assert_eq!(log["actor"], "agent:py", "{log}");
    assert_eq!(log["events"], serde_json::json!(["case.opened.v1", "case.interaction_logged.v1"]), "{log}");
    assert_eq!(house.log().await.of_request("agent:py", "py-1").len(), 2, "a customer and a case");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_subscribes_to_what_becomes_of_suggestions() {
    let python = match python().await {
        Ok(python) => python,
        Err(why) => {
            eprintln!("SKIPPED: no Python with grpcio and nats-py could be made here: {why}");
            return;
        }
    };
    let house = House::start().await;
    let client = house.nats().connect(Identity::History).await;
    let log = JetStreamLog::open(client.clone(), Identity::History.consumers()).await.unwrap();
    let log = Log::JetStream(log);
    let published = Published::open(client).await.unwrap();
    let stop = CancellationToken::new();
    let (_relay, task) = Relay::start(log, published, Own::default(), stop.clone());
    let said = say::suggestion("one", "The parcel should be delivered on Sundays.");
    let captured = house.feedback().capture_suggestion(said).await.unwrap().into_inner();

    let event =
        script(&python, "read_events.py", &[&house.nats().url(), &seed(&house, Identity::Analyst)]).await;
    let subjects = ["seva.events.suggestion.captured", "seva.events.suggestion.routed"];
    assert_eq!(event["subjects"], serde_json::json!(subjects), "no other noun's events: {event}");
    let attributes = &event["attributes"];
    assert_eq!(attributes["subject"], captured.suggestion_id, "{event}");
    assert_eq!(attributes["id"], format!("{}-1", captured.position), "{event}");
    for (name, value) in
        [("specversion", "1.0"), ("source", "/seva/feedback"), ("origin", "rule"), ("policyversion", "1")]
    {
        assert_eq!(attributes[name], value, "{event}");
    }
    let routed = serde_json::json!({"department": "delivery", "policy_version": 1, "row": "en/delivery"});
    assert_eq!(event["data"], routed, "{event}");
    stop.cancel();
    task.await.unwrap().unwrap();
    house.stop().await;
}
