//! The program's verbs that prepare a nats-server, and what it says when that was not done.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Output, Stdio};

use seva_host::nats_server::{NatsServer, Options};
use seva_rights::{Identity, Seeds};
use seva_stories::command;
use seva_support::nats;

async fn run<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> (bool, String) {
    let mut command = command();
    command.args(args).env("SEVA_MASTER_KEY", "07".repeat(32)).stdin(Stdio::null()).kill_on_drop(true);
    let Output { status, stdout, stderr } = command.output().await.unwrap();
    (status.success(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

#[tokio::test]
async fn what_is_written_for_a_server_lets_everybody_in_and_writing_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("etc");
    let (is_done, said) = run(["nats-config", "--out", out.to_str().unwrap()]).await;
    assert!(is_done, "{said}");
    let accounts = std::fs::read_to_string(out.join("nats-accounts.conf")).unwrap();
    let server = Options { accounts: accounts.clone(), ..Options::new(folder.path().join("nats")) };
    let server = NatsServer::start(server).await.unwrap();
    for identity in Identity::ALL {
        let options = Seeds::in_folder(out.join("seeds")).connect_as(identity).unwrap();
        options.connect(server.url()).await.unwrap();
    }
    let (is_done, said) = run(["nats-config", "--out", out.to_str().unwrap()]).await;
    assert!(is_done, "{said}");
    assert_eq!(std::fs::read_to_string(out.join("nats-accounts.conf")).unwrap(), accounts);
}

#[tokio::test]
async fn a_service_without_streams_or_without_its_seed_says_what_is_missing_and_what_makes_it() {
    let (nats, folder) = (nats().await, tempfile::tempdir().unwrap());
    let (url, monitor) = (nats.url(), nats.monitor_url());
    let serve = async |seeds: &Path| {
        let (data, seeds) = (folder.path().join("data"), seeds.to_str().unwrap());
        let data = data.to_str().unwrap();
        run(["serve", "intake", "--nats", &url, "--monitor", &monitor, "--data", data, "--nats-creds", seeds])
            .await
    };
    let (is_done, said) = serve(nats.seeds().folder()).await;
    assert!(
        !is_done && said.contains("there is no stream SEVA_LOG yet: `seva nats-setup` makes it"),
        "{said}"
    );
    let (is_done, said) = serve(folder.path()).await;
    assert!(!is_done && said.contains("intake.nk") && said.contains("seva nats-config"), "{said}");
    for _ in 0..2 {
        let seeds = nats.seeds().folder().to_str().unwrap();
        let (is_done, said) = run(["nats-setup", "--nats", &url, "--nats-creds", seeds]).await;
        assert!(is_done && said.contains("SEVA_EVENTS"), "{said}");
    }
}
