//! Callers who ask too much of a port, and those who call beside them.

use std::error::Error;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use seva::house::Options;
use seva::ports::{Limits, Settings};
use seva_api::pb::common::v1::ReadOptions;
use seva_api::pb::intake::v1::GetTimelineRequest;
use seva_api::pb::operations::v1::{DigestReadModelsRequest, GetStatusRequest};
use seva_domain::service::Service;
use seva_stories::{House, Services, as_actor, audited, refused, say};
use seva_support::eventually;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use crate::raw::{GO_AWAY, RST_STREAM, Raw};
use crate::{PATIENCE, number};

const GET_STATUS: &str = "/seva.operations.v1.OperationsService/GetStatus";

/// A further process of intake whose ports are held to other limits than the house's.
struct Held {
    services: Services,
    _data: TempDir,
}

async fn held(house: &House, ports: Settings) -> Held {
    let data = tempfile::tempdir().unwrap();
    let services = vec![Service::Intake];
    let options = Options { services, data: data.path().to_owned(), ports, ..house.options().clone() };
    let services = Services::start(&options).await;
    let held = Held { services, _data: data };
    eventually("it serves", PATIENCE, async || {
        let answer = held.services.operations(Service::Intake).get_status(GetStatusRequest {}).await;
        answer.is_ok_and(|status| status.into_inner().state == "SERVING").then_some(())
    })
    .await;
    held
}

fn limits(limits: Limits) -> Settings {
    Settings { limits, ..Settings::default() }
}

impl Held {
    fn url(&self) -> String {
        self.services.url(Service::Intake)
    }

    /// Another caller, on another connection, is answered.
    async fn is_well(&self) {
        let status = as_actor("somebody-else", GetStatusRequest {});
        let answer = self.services.operations(Service::Intake).get_status(status).await.unwrap();
        assert_eq!(answer.into_inner().state, "SERVING");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_calls_too_often_is_told_when_to_call_again_and_nobody_else_is() {
    let house = House::start().await;
    let calls_per_second = NonZeroU32::new(2).unwrap();
    let held = held(&house, Settings { calls_per_second, ..Settings::default() }).await;
    let mut operations = held.services.operations(Service::Intake);
    let refused = async || number(&held.services, "seva_requests_refused_rate_total").await;
    // Whoever waited until it serves may have asked too often as well.
    let before = refused().await;
    let mut refusals = Vec::new();
    for _ in 0..20 {
        let answer = operations.get_status(as_actor("hasty", GetStatusRequest {})).await;
        refusals.extend(answer.err());
    }
    assert!((1..20).contains(&refusals.len()), "four at once, and two a second: {}", refusals.len());
    let details = refusals[0].get_error_details();
    assert_eq!(refusals[0].code(), Code::ResourceExhausted);
    assert_eq!(details.error_info().unwrap().reason, "RATE_LIMITED");
    let retry = details.retry_info().unwrap().retry_delay.unwrap();
    assert!(retry > Duration::ZERO && retry <= Duration::from_millis(500), "{retry:?}");
    assert_eq!(refused().await - before, refusals.len() as u64);
    held.is_well().await;
    eventually("it may call again", PATIENCE, async || {
        operations.clone().get_status(as_actor("hasty", GetStatusRequest {})).await.ok()
    })
    .await;

    // What is audited is on disk before it is worked on: who is turned away must not fill the disk.
    let mut answered = 0;
    for _ in 0..20 {
        let answer = operations.digest_read_models(as_actor("curious", DigestReadModelsRequest {})).await;
        answered += u64::from(answer.is_ok());
    }
    assert!((1..20).contains(&answered), "four at once, and two a second: {answered}");
    assert_eq!(audited(&house).await.calls("curious", "called"), answered);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_call_too_many_at_once_is_refused_and_the_next_one_answered() {
    let house = House::start().await;
    let said = say::interaction("one", "A-1", "Hello?");
    let said = house.intake().log_interaction(as_actor("ana", said)).await.unwrap().into_inner();
    let calls_at_once = NonZeroUsize::new(3).unwrap();
    let held = held(&house, limits(Limits { calls_at_once, ..Limits::default() })).await;

    // A read that waits for what will not come is a call that lasts.
    let (log, _) = said.position.split_once('-').unwrap();
    let read = Some(ReadOptions { at_least_position: format!("{log}-ffffffffff") });
    let waits = GetTimelineRequest { customer_id: said.customer_id, read, ..GetTimelineRequest::default() };
    let mut waiting = JoinSet::new();
    for _ in 0..3 {
        let (mut intake, waits) = (held.services.intake(), waits.clone());
        // Until it is aborted: what is told that there is no room, or has waited in vain, begins again.
        waiting.spawn(
            async move { while intake.get_timeline(as_actor("ana", waits.clone())).await.is_err() {} },
        );
    }
    let one_more = || as_actor("ben", GetTimelineRequest { read: None, ..waits.clone() });
    let refused = async {
        loop {
            if let Err(status) = held.services.intake().get_timeline(one_more()).await {
                return status;
            }
        }
    };
    let refusal = tokio::time::timeout(PATIENCE, refused).await.expect("three calls are under way");
    assert_eq!(refusal.code(), Code::ResourceExhausted);
    let details = refusal.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "OVERLOADED");
    assert!(details.retry_info().unwrap().retry_delay.unwrap() > Duration::ZERO);
    assert!(number(&held.services, "seva_requests_refused_busy_total").await >= 1);
    // How it is can be asked all the same.
    held.is_well().await;
    waiting.shutdown().await;
    eventually("there is room again", PATIENCE, async || {
        held.services.intake().get_timeline(one_more()).await.ok()
    })
    .await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_long_or_packed_is_refused_and_the_connection_goes_on() {
    let house = House::start().await;
    let mut intake = house.intake();
    let long = say::interaction("long", "A-1", &"x".repeat(300 * 1024));
    let refusal = refused(intake.log_interaction(as_actor("ana", long)).await);
    assert_eq!((refusal.code, refusal.reason.as_str()), (Code::InvalidArgument, "MESSAGE_TOO_LARGE"));
    assert_eq!(refusal.metadata["limit_bytes"], "262144");

    // Nothing is unpacked, so nothing that is packed small can become large here.
    let packed = say::interaction("packed", "A-1", &"x".repeat(200 * 1024));
    let packing = intake.clone().send_compressed(tonic::codec::CompressionEncoding::Gzip);
    let refusal = refused({ packing }.log_interaction(as_actor("ana", packed)).await);
    assert_eq!((refusal.code, refusal.reason.as_str()), (Code::Unimplemented, "UNIMPLEMENTED"));

    let mut heavy = as_actor("ana", GetStatusRequest {});
    heavy.metadata_mut().insert("x-heavy", "x".repeat(20 * 1024).parse().unwrap());
    let mut operations = house.operations(Service::Intake);
    operations.get_status(heavy).await.unwrap_err();
    operations.get_status(as_actor("ana", GetStatusRequest {})).await.unwrap();
    let short = say::interaction("short", "A-1", "Hello?");
    intake.log_interaction(as_actor("ana", short)).await.unwrap();
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_stream_too_many_on_a_connection_is_refused() {
    let house = House::start().await;
    let held = held(&house, limits(Limits { streams: 2, ..Limits::default() })).await;
    let mut raw = Raw::connect(&held.url()).await;
    raw.call_at_once(&[1, 3, 5], GET_STATUS).await.unwrap();
    let reset = loop {
        let frame = raw.next().await.expect("the connection goes on");
        // The others, without a token, are answered before their bodies have come.
        if frame.kind == RST_STREAM && frame.stream == 5 {
            break frame;
        }
    };
    // REFUSED_STREAM: it may be sent again.
    assert_eq!(reset.payload, [0, 0, 0, 7]);
    held.is_well().await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_begins_and_cancels_calls_without_end_is_sent_away() {
    let house = House::start().await;
    let held = held(&house, Settings::default()).await;
    let mut raw = Raw::connect(&held.url()).await;
    let mut begun = 0;
    for n in 0..100_000 {
        let stream = 2 * n + 1;
        let called = raw.call(stream, GET_STATUS, true).await;
        // CANCEL
        let cancelled = raw.send(RST_STREAM, 0, stream, &[0, 0, 0, 8]).await;
        if called.and(cancelled).is_err() {
            break;
        }
        begun += 1;
    }
    assert!(begun < 100_000, "all {begun} calls were taken");
    held.is_well().await;
    let in_time = eventually("none of them is worked on any more", PATIENCE, async || {
        let answers = (0..8).map(|_| async {
            held.services.operations(Service::Intake).get_status(GetStatusRequest {}).await
        });
        futures::future::join_all(answers).await.iter().all(Result::is_ok).then_some(())
    });
    in_time.await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_on_which_nobody_answers_is_ended() {
    let house = House::start().await;
    let keepalive = Duration::from_millis(200);
    let held = held(&house, limits(Limits { keepalive, ..Limits::default() })).await;
    let mut raw = Raw::connect(&held.url()).await;
    while let Some(frame) = raw.next().await {
        assert_ne!(frame.kind, RST_STREAM, "{frame:?}");
    }
    held.is_well().await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_connection_is_asked_to_be_made_anew_and_no_call_that_was_heard_fails() {
    let house = House::start().await;
    let (age, grace) = (Duration::from_millis(300), Duration::from_secs(1));
    let held = held(&house, limits(Limits { age, grace, ..Limits::default() })).await;

    // This one stays, with a call that never ends.
    let mut raw = Raw::connect(&held.url()).await;
    raw.call(1, GET_STATUS, false).await.unwrap();
    let mut was_asked = false;
    let mut operations = held.services.operations(Service::Intake);
    let calling = async {
        loop {
            match operations.get_status(Request::new(GetStatusRequest {})).await {
                // The client took a connection that was just ending: the server has not heard the call, and says so.
                Err(status) if status.source().is_some_and(<dyn Error>::is::<tonic::transport::Error>) => {}
                answer => drop(answer.unwrap()),
            }
            tokio::task::yield_now().await;
        }
    };
    let staying = async {
        while let Some(frame) = raw.next().await {
            was_asked |= frame.kind == GO_AWAY;
        }
    };
    tokio::select! {
        () = staying => {}
        () = calling => {}
    }
    assert!(was_asked, "asked before it was ended");
    held.is_well().await;
    house.stop().await;
}
