//! A real server, started, killed and started again.

use super::*;
use crate::nats_server::{MonitorError, http, sync_always};

async fn start(folder: &Path) -> NatsServer {
    NatsServer::start(Options::new(folder)).await.unwrap()
}

#[tokio::test]
async fn a_killed_server_comes_back_on_the_same_ports_and_still_syncs_always() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = start(folder.path()).await;
    let (url, monitor_url, first_pid) = (server.url(), server.monitor_url(), server.pid().unwrap());
    assert!(sync_always(&monitor_url).await.unwrap());

    server.kill9().await.unwrap();
    assert_eq!(server.pid(), None);
    assert!(matches!(
        sync_always(&monitor_url).await,
        Err(MonitorError::Http(http::Error::Unreachable { .. }))
    ));

    server.restart().await.unwrap();
    assert_eq!((server.url(), server.monitor_url()), (url, monitor_url.clone()));
    assert_ne!(server.pid().unwrap(), first_pid);
    assert!(sync_always(&monitor_url).await.unwrap());
    server.stop().await.unwrap();
    assert!(!server.is_running());
}

#[tokio::test]
async fn a_server_that_syncs_lazily_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { sync_always: false, ..Options::new(folder.path()) };
    let server = NatsServer::start(options).await.unwrap();
    assert!(!sync_always(&server.monitor_url()).await.unwrap());
}

#[tokio::test]
async fn a_frozen_server_is_silent_until_thawed() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = start(folder.path()).await;
    server.freeze().await.unwrap();
    assert!(matches!(
        sync_always(&server.monitor_url()).await,
        Err(MonitorError::Http(http::Error::Slow { .. }))
    ));
    server.thaw().unwrap();
    assert!(sync_always(&server.monitor_url()).await.unwrap());
    assert!(server.is_running());
}

#[tokio::test]
async fn a_folder_serves_one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path()).await;
    let error = NatsServer::start(Options::new(folder.path())).await.unwrap_err();
    assert!(matches!(error, StartError::InUse { .. }), "{error}");
    drop(first);
    start(folder.path()).await;
}

#[tokio::test]
async fn a_server_left_behind_is_ended_before_another_opens_its_store() {
    let folder = tempfile::tempdir().unwrap();
    let left_behind = start(folder.path()).await;
    let old_pid = left_behind.pid().unwrap();
    // What a killed parent leaves: the process runs on and nobody holds the lock.
    left_behind._lock.unlock().unwrap();
    let server = start(folder.path()).await;
    let mut left_behind = left_behind;
    assert!(!left_behind.is_running());
    assert_ne!(server.pid().unwrap(), old_pid);
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_quotes_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = Some(taken.local_addr().unwrap().port());
    let monitor_port = Some(free_port().unwrap());
    let error =
        NatsServer::start(Options { port, monitor_port, ..Options::new(folder.path()) }).await.unwrap_err();
    assert!(error.to_string().contains("address already in use"), "{error}");
}
