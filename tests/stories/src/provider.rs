//! A sandbox provider for one test: its own process, its own folder, killed and started again at will.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::program;
use serde_json::{Value, json};
use seva_refunds::provider::exchange::Peer;
use seva_refunds::provider::{Instruction, PaymentProvider, Settlement};
use seva_support::eventually;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// How long anything here may take before it counts as never.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How long a caller without time waits: long enough for the request to land.
const HASTE: Duration = Duration::from_millis(500);

/// A running provider. Dropping it kills it.
pub struct Provider {
    url: String,
    options: Vec<String>,
    child: Child,
    folder: TempDir,
}

impl Provider {
    pub async fn start() -> Provider {
        Provider::start_with(&[]).await
    }

    /// Starts one with further options.
    pub async fn start_with(options: &[&str]) -> Provider {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let (child, url) = run(folder.path(), &options).await;
        Provider { url, options, child, folder }
    }

    /// Kills the process, as a power failure would.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("a child can be killed");
    }

    /// Starts it again on what it left.
    pub async fn again(&mut self) {
        (self.child, self.url) = run(self.folder.path(), &self.options).await;
    }

    /// Starts it again where it was, for callers that knew its address.
    pub async fn again_at_its_address(&mut self) {
        let address = self.url.trim_start_matches("http://").to_owned();
        self.options = vec!["--listen".to_owned(), address];
        self.again().await;
    }

    pub fn ledger_file(&self) -> PathBuf {
        self.folder.path().join("ledger.jsonl")
    }

    /// What it said to whoever watches, since the first start.
    pub fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("said")).expect("it said something, or nothing")
    }

    /// The real client.
    pub fn client(&self) -> PaymentProvider {
        PaymentProvider::new(&self.url).expect("a loopback address").answering_within(PATIENCE)
    }

    /// The real client, of a caller who has no time.
    pub fn hasty_client(&self) -> PaymentProvider {
        self.client().answering_within(HASTE)
    }

    fn peer(&self) -> Peer {
        Peer::parse(&self.url).expect("a loopback address")
    }

    /// Tells it something.
    pub async fn control(&self, told: Value) {
        let body = told.to_string().into();
        let answer = self.peer().post("/control", &[], body, PATIENCE).await.expect("the provider answers");
        assert_eq!(answer.status, 200, "{told}: {:?}", answer.body);
    }

    /// Adds a rule.
    pub async fn misbehave(&self, how: Value) {
        self.control(json!({"do": "misbehave", "how": how, "times": 1})).await;
    }

    pub async fn ledger(&self) -> Value {
        self.get("/control/ledger").await.1
    }

    /// What stands at this path: status and body.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.peer().get(path, PATIENCE).await.expect("the provider answers");
        (answer.status, serde_json::from_slice(&answer.body).expect("an answer is JSON"))
    }

    /// The keys of all payouts, in order.
    pub async fn payouts(&self) -> Vec<String> {
        let ledger = self.ledger().await;
        let payouts = ledger["payouts"].as_array().expect("payouts are a list");
        let keys = payouts.iter().map(|payout| payout["idempotency_key"].as_str());
        keys.map(|key| key.expect("a payout has a key").to_owned()).collect()
    }

    /// Waits until the ledger has at least this many payouts.
    pub async fn paid(&self, count: usize) {
        let look = || async { (self.payouts().await.len() >= count).then_some(()) };
        eventually("the payout", PATIENCE, look).await;
    }
}

async fn run(folder: &Path, options: &[String]) -> (Child, String) {
    let address = folder.join("provider.json");
    if address.exists() {
        fs::remove_file(&address).expect("the old address can be removed");
    }
    let said =
        File::options().create(true).append(true).open(folder.join("said")).expect("a file can be made");
    let mut command = Command::new(program());
    command.arg("sandbox-provider").arg("--data").arg(folder).args(options);
    command.stdout(Stdio::null()).stderr(said).kill_on_drop(true);
    let child = command.spawn().expect("the program runs");
    let url = eventually("the provider's address", PATIENCE, || async {
        let text = fs::read_to_string(&address).ok()?;
        let address: Value = serde_json::from_str(&text).expect("the address is JSON");
        address["url"].as_str().map(str::to_owned)
    });
    (child, url.await)
}

/// Two and a half euros back.
pub fn instruction(key: &str) -> Instruction {
    of_charge(key, "ch_1")
}

pub fn of_charge(key: &str, charge: &str) -> Instruction {
    Instruction {
        key: key.to_owned(),
        charge: charge.to_owned(),
        amount_minor: 250,
        currency: "EUR".to_owned(),
    }
}

/// The provider's name for what it paid.
#[track_caller]
pub fn reference(settlement: Settlement) -> String {
    let Settlement::Paid { reference } = settlement else { panic!("not paid: {settlement:?}") };
    reference
}

/// The code of a refusal.
#[track_caller]
pub fn code(settlement: Settlement) -> String {
    let Settlement::Failed { code, .. } = settlement else { panic!("not failed: {settlement:?}") };
    code
}
