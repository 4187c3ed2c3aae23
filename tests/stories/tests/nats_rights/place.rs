//! What the calls are tried on: a server with the three streams, a few messages in each, and on each a consumer that is nobody's.

use std::collections::BTreeMap;

use async_nats::Client;
use async_nats::jetstream::{self, Context, consumer::pull};
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::Value;
use seva_rights::Identity;
use seva_support::{TestNats, nats};

/// The streams.
pub(crate) const STREAMS: [&str; 4] = ["SEVA_AUDIT", "SEVA_EVENTS", "SEVA_KEYS", "SEVA_LOG"];

/// A key that is there.
pub(crate) const KEY: &str = "seva.key.00000000000000000000000000000001";

/// A server to try calls on.
pub(crate) struct Place {
    pub(crate) nats: TestNats,
    /// Who may look everywhere.
    pub(crate) harm: Client,
    /// Each stream's configuration, as JSON.
    pub(crate) configs: BTreeMap<&'static str, String>,
}

/// What must not change, and how far the streams go.
#[derive(Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) ends: BTreeMap<&'static str, u64>,
    pub(crate) configs: BTreeMap<&'static str, Value>,
    /// By stream: the names of its consumers.
    pub(crate) consumers: BTreeMap<&'static str, Vec<String>>,
    /// By stream: what the consumer that is nobody's delivered, and what it waits to hear of.
    pub(crate) victims: BTreeMap<&'static str, (u64, usize, u64)>,
}

impl Place {
    pub(crate) async fn new() -> Place {
        let nats = nats().await;
        seva::nats::set_up(&nats.url(), nats.seeds(), 1).await.unwrap();
        let harm = nats.connect_to_harm().await;
        let context = jetstream::new(harm.clone());
        for (subject, body) in [
            ("seva.log.intake.0", "{}"),
            ("seva.log.intake.0", "{}"),
            ("seva.events.case.opened", "{}"),
            ("seva.events.case.opened", "{}"),
            ("seva.audit.intake", "{}"),
            ("seva.audit.intake", "{}"),
            (KEY, "wrapped"),
            ("seva.key.00000000000000000000000000000002", "wrapped"),
            ("seva.key.00000000000000000000000000000003", "wrapped"),
        ] {
            context.publish(subject, body.into()).await.unwrap().await.unwrap();
        }
        let mut configs = BTreeMap::new();
        for stream in STREAMS {
            let config = pull::Config { durable_name: Some("victim".to_owned()), ..pull::Config::default() };
            let found = context.get_stream(stream).await.unwrap();
            let victim = found.create_consumer(config).await.unwrap();
            // One message of it waits to be acknowledged.
            let mut fetched = victim.fetch().max_messages(1).messages().await.unwrap();
            fetched.next().await.unwrap().unwrap();
            configs.insert(stream, serde_json::to_string(&found.cached_info().config).unwrap());
        }
        Place { nats, harm, configs }
    }

    fn context(&self) -> Context {
        jetstream::new(self.harm.clone())
    }

    pub(crate) async fn state(&self) -> State {
        let (mut ends, mut configs) = (BTreeMap::new(), BTreeMap::new());
        let (mut consumers, mut victims) = (BTreeMap::new(), BTreeMap::new());
        for name in STREAMS {
            let stream = self.context().get_stream(name).await.unwrap();
            let victim = stream.consumer_info("victim").await.unwrap();
            victims.insert(
                name,
                (victim.delivered.stream_sequence, victim.num_ack_pending, victim.ack_floor.stream_sequence),
            );
            consumers.insert(name, stream.consumer_names().try_collect().await.unwrap());
            ends.insert(name, stream.cached_info().state.last_sequence);
            configs.insert(name, serde_json::to_value(&stream.cached_info().config).unwrap());
        }
        State { ends, configs, consumers, victims }
    }
}

/// Another identity than this one, whose consumers and answers are none of its business.
pub(crate) fn other(identity: Identity) -> &'static str {
    match identity.name() {
        "intake" => "refunds",
        _ => "intake",
    }
}
