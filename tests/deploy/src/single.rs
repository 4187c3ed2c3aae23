//! The configuration for a single server, run.

use seva_eventlog::commit::BYTES_MAX;
use seva_rights::{Identity, Seeds};
use seva_support::eventually;

use crate::servers::{PATIENCE, Server};
use crate::watching::page;

#[tokio::test]
async fn a_single_server_syncs_every_write_and_has_the_limits_that_its_file_gives() {
    let folder = tempfile::tempdir().unwrap();
    let seeds = Seeds::make(folder.path()).unwrap();
    let mut server = Server::new("deploy/nats-server.conf", &seeds, &[], Vec::new());
    server.start().await;
    assert!(server.syncs_always().await);
    let connect = async || server.connect(Identity::Operator).await;
    let client = eventually("the server takes clients", PATIENCE, connect).await;
    assert!(async_nats::connect(&server.url).await.is_err(), "nobody is let in without a seed");
    let info = client.server_info();
    assert_eq!(info.max_payload, 1024 * 1024);
    assert!(info.max_payload >= 2 * BYTES_MAX, "a commit has room");
    assert!(info.host.starts_with("127."), "{}", info.host);
    let page = page(&format!("{}/varz", server.monitor)).await.unwrap();
    let varz: serde_json::Value = serde_json::from_str(&page).unwrap();
    let limits = &varz["jetstream"]["config"];
    assert_eq!(
        (&limits["max_memory"], &limits["max_storage"]),
        (&(64 << 20).into(), &(100_u64 << 30).into())
    );
    assert!(varz["http_host"].as_str().unwrap().starts_with("127."), "{varz}");
}
