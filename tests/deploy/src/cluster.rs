//! The configuration for three servers, run: a cluster that keeps what it acknowledged when its leader is killed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_nats::jetstream;
use futures::future::join_all;
use seva::house::{CLEAN_AFTER, Durability, Options, system_clock};
use seva_api::pb::operations::v1::GetStatusResponse;
use seva_domain::service::Service;
use seva_eventlog::jetstream::{JetStreamLog, STREAM};
use seva_eventlog::log::Log;
use seva_eventlog::simulate;
use seva_rights::{Identity, Seeds};
use seva_stories::{MASTER, Recorded, Services, as_actor, say};
use seva_support::eventually;
use seva_vault::MasterKey;
use tempfile::TempDir;

use crate::servers::{PATIENCE, Server, free_port};
use crate::watching::page;

/// How many writes each host has to have had acknowledged before the leader is killed, and the survivors after it.
const WRITES: usize = 20;

/// The names that the routes of the file go by, which are the servers' names too.
const NAMES: [&str; 3] = ["nats-1", "nats-2", "nats-3"];

/// Three servers, started, each syncing every write.
async fn servers(seeds: &Seeds) -> Vec<Server> {
    let ports = NAMES.map(|_| free_port());
    let written = NAMES.map(|name| format!("nats://{name}:6222"));
    let routes: Vec<(&str, String)> = written
        .iter()
        .zip(ports)
        .map(|(written, port)| (written.as_str(), format!("nats://127.0.0.1:{port}")))
        .collect();
    let server = |(name, port): (&str, u16)| {
        let environment = vec![("NATS_NAME", name.to_owned()), ("NATS_ROUTE", format!("127.0.0.1:{port}"))];
        Server::new("deploy/nats-cluster.conf", seeds, &routes, environment)
    };
    let mut servers: Vec<Server> = NAMES.into_iter().zip(ports).map(server).collect();
    for server in &mut servers {
        server.start().await;
    }
    for server in &mut servers {
        assert!(server.syncs_always().await);
    }
    servers
}

/// What a stream's servers are: its leader, and how many others are up to date with it.
async fn members(server: &Server, stream: &str) -> Option<(String, usize)> {
    let context = jetstream::new(server.connect(Identity::Operator).await?);
    let cluster = context.get_stream(stream).await.ok()?.cached_info().cluster.clone()?;
    let current = cluster.replicas.iter().filter(|peer| peer.current && !peer.offline).count();
    Some((cluster.leader?, current))
}

/// A host: its server, and services that use it.
struct Host {
    services: Services,
    acknowledged: AtomicUsize,
    _data: TempDir,
}

impl Host {
    async fn start(server: &Server) -> Host {
        let is_member = async || {
            let client = server.connect(Identity::Operator).await?;
            jetstream::new(client).query_account().await.ok()
        };
        eventually("the server is one of three", PATIENCE, is_member).await;
        // Each host's is begun with: the streams are made by whichever is first.
        let made = async || seva::nats::set_up(&server.url, &server.seeds, 3).await.ok();
        eventually("the streams are made", PATIENCE, made).await;
        let data = tempfile::tempdir().unwrap();
        let options = Options {
            services: vec![Service::Intake, Service::Policy],
            nats_url: server.url.clone(),
            seeds: server.seeds.clone(),
            monitor_url: server.monitor.clone(),
            data: data.path().to_owned(),
            listen: ([127, 0, 0, 1], 0).into(),
            history: false,
            master: Some(MasterKey::from_bytes(MASTER)),
            identity: seva_tokens::identity(),
            durability: Durability::Always,
            clock: system_clock(),
            checks_clock: true,
            payment_provider: None,
            metrics_port: 0,
            clean_after: CLEAN_AFTER,
            ports: Default::default(),
        };
        Host { services: Services::start(&options).await, acknowledged: AtomicUsize::new(0), _data: data }
    }

    /// Writes until it is over, each request until it is acknowledged. Answers with those that were.
    async fn write(&self, name: &str, is_over: &AtomicBool) -> Vec<String> {
        let mut intake = self.services.intake();
        let mut acknowledged = Vec::new();
        let mut n = 0;
        while !is_over.load(Ordering::Relaxed) {
            let request = say::interaction(&format!("{name}-{n}"), &format!("A-{}", n % 7), "Hello?");
            if intake.log_interaction(as_actor(name, request)).await.is_ok() {
                acknowledged.push(format!("{name}-{n}"));
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
                n += 1;
            } else {
                self.answers_again(is_over).await;
            }
        }
        acknowledged
    }

    /// Waits until its services take commands, or it is over.
    async fn answers_again(&self, is_over: &AtomicBool) {
        let look = async || {
            let is_serving = |status: &GetStatusResponse| status.state == "SERVING";
            let all = self.services.statuses().await.iter().all(is_serving);
            (all || is_over.load(Ordering::Relaxed)).then_some(())
        };
        eventually("the host takes commands", PATIENCE, look).await;
    }

    /// Waits until so many more writes were acknowledged.
    async fn writes_on(&self, more: usize) {
        let from = self.acknowledged.load(Ordering::Relaxed);
        let look = async || (self.acknowledged.load(Ordering::Relaxed) >= from + more).then_some(());
        eventually("writes are acknowledged", PATIENCE, look).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_loses_nothing_that_it_acknowledged_when_its_leader_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut servers = servers(&Seeds::make(folder.path()).unwrap()).await;
    let mut hosts = Vec::new();
    for server in &servers {
        hosts.push(Host::start(server).await);
    }
    let is_over = AtomicBool::new(false);
    let writing = join_all(hosts.iter().zip(NAMES).map(|(host, name)| host.write(name, &is_over)));
    let killing = async {
        join_all(hosts.iter().map(|host| host.writes_on(WRITES))).await;
        for stream in [STREAM, "SEVA_KEYS"] {
            let whole = async || members(&servers[0], stream).await.filter(|(_, current)| *current == 2);
            eventually("three servers keep the stream", PATIENCE, whole).await;
        }
        // What an operator looks at for it.
        let page = page(&format!("{}/jsz?streams=true", servers[0].monitor)).await.unwrap();
        assert!(page.contains("\"current\": true") && page.contains(STREAM), "{page}");
        let (leader, _) = members(&servers[0], STREAM).await.unwrap();
        let killed = NAMES.iter().position(|name| **name == leader).unwrap();
        servers[killed].kill9().await;
        let survivors = hosts.iter().enumerate().filter(|(n, _)| *n != killed).map(|(_, host)| host);
        join_all(survivors.map(|host| host.writes_on(WRITES))).await;
        // The host whose server was killed goes on when it is back.
        servers[killed].start().await;
        hosts[killed].writes_on(WRITES).await;
        is_over.store(true, Ordering::Relaxed);
    };
    let (acknowledged, ()) = tokio::join!(writing, killing);

    let log = Recorded::read(servers[0].connect(Identity::Operator).await.unwrap()).await;
    let mut cases = HashMap::new();
    let of_cases = log.records.iter().filter(|(_, _, record)| record.noun.name() == "case");
    for request in of_cases.filter_map(|(_, _, record)| record.request) {
        *cases.entry(request.id).or_insert(0) += 1;
    }
    for (name, requests) in NAMES.iter().zip(&acknowledged) {
        assert!(requests.len() >= 2 * WRITES, "{name}: {}", requests.len());
        for request in requests {
            let id = log.request(name, request);
            assert_eq!(cases.get(&id), Some(&1), "{request} was acknowledged");
        }
    }
    let client = servers[0].connect(Identity::Operator).await.unwrap();
    let log = JetStreamLog::open(client, Identity::Operator.consumers()).await.unwrap();
    let log = Log::JetStream(log);
    assert!(simulate::run(&log).await.unwrap().difference.is_none());
    for host in hosts {
        host.services.stop().await;
    }
}
