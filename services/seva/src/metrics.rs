//! What is measured of each service, as numbers that an operator's monitoring reads.

use std::time::Duration;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use seva_history::relay::Relay;
use seva_readmodel::engine::Engine;
use tokio_util::sync::CancellationToken;

/// How often the numbers are looked at.
const EVERY: Duration = Duration::from_secs(1);

type Labels = Vec<(&'static str, String)>;

/// The numbers. Clones are the same ones.
#[derive(Clone, Default)]
pub struct Gauges {
    backlog_bytes: Family<Labels, Gauge>,
    database_bytes: Family<Labels, Gauge>,
    followed_sequence: Family<Labels, Gauge>,
    forgotten_to_clean: Family<Labels, Gauge>,
    published_events: Family<Labels, Gauge>,
    read_model_lag_messages: Family<Labels, Gauge>,
    relay_lag_messages: Family<Labels, Gauge>,
    relayed_sequence: Family<Labels, Gauge>,
    shard_sequence: Family<Labels, Gauge>,
}

impl Gauges {
    /// Makes the numbers known to a registry.
    pub fn register(registry: &mut Registry) -> Gauges {
        let gauges = Gauges::default();
        let Gauges {
            backlog_bytes,
            database_bytes,
            followed_sequence,
            forgotten_to_clean,
            published_events,
            read_model_lag_messages,
            relay_lag_messages,
            relayed_sequence,
            shard_sequence,
        } = gauges.clone();
        registry.register(
            "backlog_bytes",
            "Confirmed rows that the database does not hold yet",
            backlog_bytes,
        );
        registry.register("database_bytes", "What the database takes on disk", database_bytes);
        registry.register("followed_sequence", "Last message of the log that was read", followed_sequence);
        registry.register(
            "forgotten_to_clean",
            "People forgotten of whom overwritten rows may still stand in the database's files",
            forgotten_to_clean,
        );
        registry.register("published_events", "Events that this process has published", published_events);
        registry.register(
            "read_model_lag_messages",
            "Messages read and not yet folded",
            read_model_lag_messages,
        );
        registry.register(
            "relay_lag_messages",
            "Messages of the log whose events are not published yet",
            relay_lag_messages,
        );
        registry.register(
            "relayed_sequence",
            "Last message of the log whose events are all published",
            relayed_sequence,
        );
        registry.register("shard_sequence", "Last commit of the service's own shard", shard_sequence);
        gauges
    }

    /// Keeps the relay's numbers up to date until told to stop.
    pub async fn follow_relay(self, relay: Relay, stop: CancellationToken) {
        let history = || vec![("service", "history".to_owned())];
        while !stop.is_cancelled() {
            let progress = relay.progress().borrow().clone();
            let followed = relay.followed().borrow().sequence;
            set(&self.followed_sequence, history(), followed);
            set(&self.published_events, history(), progress.published);
            set(&self.relayed_sequence, history(), progress.relayed);
            // A log that does not answer leaves the number as it was.
            if let Ok(end) = relay.log().end().await {
                set(&self.relay_lag_messages, history(), end.saturating_sub(progress.relayed));
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Keeps a service's numbers up to date until told to stop.
    pub async fn follow(self, engine: Engine, stop: CancellationToken) {
        let service = || vec![("service", engine.service().name().to_owned())];
        while !stop.is_cancelled() {
            if let Ok(running) = engine.running() {
                let progress = running.writer.progress().borrow().clone();
                set(&self.backlog_bytes, service(), progress.backlog_bytes as u64);
                set(&self.database_bytes, service(), running.size_on_disk());
                set(&self.followed_sequence, service(), progress.followed);
                set(&self.shard_sequence, service(), progress.tip);
                // A row that cannot be read leaves the number as it was.
                if let Ok(people) = running.uncleaned() {
                    set(&self.forgotten_to_clean, service(), people);
                }
                let models = running.projections.progress().borrow().clone();
                for (name, model) in models {
                    let mut labels = service();
                    labels.push(("read_model", name.to_owned()));
                    set(
                        &self.read_model_lag_messages,
                        labels,
                        progress.followed.saturating_sub(model.sequence),
                    );
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }
}

fn set(family: &Family<Labels, Gauge>, labels: Labels, value: u64) {
    family.get_or_create(&labels).set(i64::try_from(value).unwrap_or(i64::MAX));
}
