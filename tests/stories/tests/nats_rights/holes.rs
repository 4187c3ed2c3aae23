//! What the server was found to let through, and what closes it.

use std::time::Duration;

use async_nats::jetstream::{self, consumer::push};
use futures::StreamExt as _;
use seva_domain::service::Service;
use seva_rights::Identity;
use seva_support::eventually;

use crate::place::Place;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The server asks nobody whether the maker of a push consumer may publish where it delivers; but it delivers only where somebody listens
/// under exactly that subject, and nobody may listen outside their own inbox.
#[tokio::test]
async fn a_consumer_that_pushes_into_another_stream_pushes_nothing_as_nobody_may_listen_there() {
    let place = Place::new().await;
    let intake = Identity::Service(Service::Intake);
    let context = jetstream::new(place.nats.connect(intake).await);
    let config = push::Config {
        name: Some(intake.consumers().remove(0)),
        deliver_subject: "seva.events.case.opened".to_owned(),
        ack_policy: jetstream::consumer::AckPolicy::None,
        inactive_threshold: Duration::from_secs(60),
        ..push::Config::default()
    };
    let log = context.get_stream_no_info("SEVA_LOG").await.unwrap();
    let mut consumer = log.create_consumer(config).await.unwrap();
    let before = place.state().await.ends["SEVA_EVENTS"];
    context.publish("seva.log.intake.0", "{}".into()).await.unwrap().await.unwrap();
    assert_eq!(consumer.info().await.unwrap().delivered.stream_sequence, 0);
    assert_eq!(place.state().await.ends["SEVA_EVENTS"], before);

    // With somebody who listens there it would: this is why no identity may.
    let mut listening = place.harm.subscribe("seva.events.case.opened").await.unwrap();
    tokio::time::timeout(PATIENCE, listening.next()).await.expect("what was pushed arrives").unwrap();
    let grown = async || (place.state().await.ends["SEVA_EVENTS"] > before).then_some(());
    eventually("it stands in the other stream", PATIENCE, grown).await;
}
