//! Bad tokens against the program itself: every one is refused with the same words, and the operator's log says what was wrong.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use seva::house::system_clock;
use seva::token::{DevKey, IDENTITY_FILE, KEYS_FILE, Person};
use seva_api::access::Role;
use seva_host::endpoints::Endpoints;
use seva_stories::command;
use seva_support::{eventually, nats};
use tokio::process::Child;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use super::call::call;
use super::forged;

const PATIENCE: Duration = Duration::from_secs(60);

/// One method of each service, and what every service answers.
const PROBES: [(&str, &str); 5] = [
    ("escalation", "/seva.escalation.v1.EscalationService/GetEscalation"),
    ("feedback", "/seva.feedback.v1.FeedbackService/ListInbox"),
    ("intake", "/seva.intake.v1.IntakeService/GetCase"),
    ("policy", "/seva.policy.v1.PolicyService/GetPolicy"),
    ("refunds", "/seva.refunds.v1.RefundsService/ApproveRefund"),
];

/// The program with all services, believing the keys of a folder of its own.
struct Program {
    _child: Child,
    endpoints: Endpoints,
}

impl Program {
    async fn start(nats: &seva_support::TestNats, folder: &Path) -> Program {
        seva::nats::set_up(&nats.url(), nats.seeds(), 1).await.unwrap();
        let data = folder.join("data");
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let child = command()
            .args(["serve", "--nats", &nats.url(), "--monitor", &nats.monitor_url(), "--data"])
            .arg(&data)
            .arg("--nats-creds")
            .arg(nats.seeds().folder())
            .arg("--identity")
            .arg(folder.join(IDENTITY_FILE))
            .env("SEVA_MASTER_KEY", "07".repeat(32))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let endpoints = eventually("the program listens", PATIENCE, || async {
            Endpoints::read(&data).ok().filter(|endpoints| endpoints.services.len() >= 5)
        })
        .await;
        Program { _child: child, endpoints }
    }

    fn channel(&self, service: &str) -> Channel {
        Endpoint::from_shared(self.endpoints.service(service).unwrap().to_owned()).unwrap().connect_lazy()
    }
}

fn carrying(authorization: &[String]) -> Request<()> {
    let mut request = Request::new(());
    for value in authorization {
        request.metadata_mut().append("authorization", value.parse().unwrap());
    }
    request
}

/// All that a caller can tell one answer from another by.
fn told(status: &Status) -> String {
    format!("{:?} {} {:?}", status.code(), status.message(), status.get_error_details())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_bad_token_is_refused_with_the_same_words_and_the_log_says_why() {
    let (nats, folder) = (nats().await, tempfile::tempdir().unwrap());
    let key = DevKey::keep(folder.path()).unwrap();
    let other = DevKey::keep(&folder.path().join("other")).unwrap();
    let program = Program::start(&nats, folder.path()).await;
    let now = (system_clock())();
    let bad = forged::all(&key, &other, now);
    let (mut answers, mut called) = (BTreeSet::new(), 0);
    for (service, path) in PROBES {
        for forged in &bad {
            let answer = call(program.channel(service), path, carrying(&forged.authorization)).await;
            let status = answer.expect_err(forged.what);
            assert_eq!(status.code(), Code::Unauthenticated, "{} at {service}: {status}", forged.what);
            answers.insert(told(&status));
            called += 1;
        }
    }
    assert_eq!(answers.len(), 1, "callers can tell what was wrong: {answers:#?}");

    let king = key.sign(&key.header(), &{
        let mut claims =
            Person { subject: "agent-7", ..Person::default() }.claims(now, Duration::from_secs(600));
        claims.insert("roles".to_owned(), serde_json::json!(["king"]));
        claims
    });
    let king = format!("Bearer {}", king.unwrap());
    for (service, path) in PROBES {
        let status =
            call(program.channel(service), path, carrying(std::slice::from_ref(&king))).await.unwrap_err();
        let reason = status.get_details_error_info().unwrap().reason;
        assert_eq!(
            (status.code(), reason.as_str()),
            (Code::PermissionDenied, "NO_ROLE"),
            "unknown role at {service}"
        );
        called += 1;
    }
    println!(
        "{} bad tokens and an unknown role x {} services: {called} called, {called} refused",
        bad.len(),
        PROBES.len()
    );

    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    for forged in &bad {
        assert!(
            log.contains(forged.reason),
            "the log does not say {} of a token that is {}",
            forged.reason,
            forged.what
        );
        for value in forged.authorization.iter().filter(|value| value.len() > 40) {
            assert!(!log.contains(value.trim_start_matches("Bearer ")), "the log holds a token");
        }
    }
    assert!(log.contains("NO_ROLE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_taken_away_stops_counting_and_a_new_one_counts_at_once() {
    let (nats, folder) = (nats().await, tempfile::tempdir().unwrap());
    let first = DevKey::keep(folder.path()).unwrap();
    let second = DevKey::keep(&folder.path().join("second")).unwrap();
    let identity = folder.path().join(IDENTITY_FILE);
    let text = std::fs::read_to_string(&identity).unwrap();
    std::fs::write(&identity, format!("{text}refresh_seconds = 1\n")).unwrap();
    let program = Program::start(&nats, folder.path()).await;
    let person = Person { subject: "agent-7", roles: &[Role::Agent], ..Person::default() };
    let (now, hour) = ((system_clock())(), Duration::from_secs(3_600));
    let tokens = [&first, &second].map(|key| format!("Bearer {}", key.mint(&person, now, hour).unwrap()));
    let counts = async |token: &String| {
        let path = "/seva.intake.v1.IntakeService/GetCase";
        let answer = call(program.channel("intake"), path, carrying(std::slice::from_ref(token))).await;
        // What is let through is refused by its method: the message is empty.
        answer.unwrap_err().code() == Code::InvalidArgument
    };
    assert!(counts(&tokens[0]).await);
    assert!(!counts(&tokens[1]).await, "a key that is not in the set");

    let mut both = first.keys();
    both["keys"].as_array_mut().unwrap().push(second.keys()["keys"][0].clone());
    write_keys(folder.path(), &both.to_string());
    eventually("the new key counts", PATIENCE, || async { counts(&tokens[1]).await.then_some(()) }).await;
    assert!(counts(&tokens[0]).await, "the old one still does");

    write_keys(folder.path(), &second.keys().to_string());
    eventually("the old key counts no more", PATIENCE, || async {
        (!counts(&tokens[0]).await).then_some(())
    })
    .await;
    assert!(counts(&tokens[1]).await);
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("TOKEN_UNKNOWN_KEY"));
}

fn write_keys(folder: &Path, keys: &str) {
    seva_host::files::write_whole(&folder.join(KEYS_FILE), keys).unwrap();
}
