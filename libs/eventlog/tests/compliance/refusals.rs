//! An answer that leaves no record is given only when what it rests on is the end of the shard.

use std::time::Duration;

use seva_domain::noun::Noun;
use seva_domain::service::Service;
use seva_domain::values::Kind;
use seva_eventlog::writer::{Answer, Unavailable};
use seva_support::{Proxy, eventually};

use crate::house::House;
use crate::on_both_logs;
use crate::process::{Disk, Process, SOON, Setting};
use crate::submissions::{case, contact, register, register_as, reopen, resolve};

on_both_logs![
    a_refusal_waits_until_what_another_process_wrote_is_followed,
    what_was_decided_on_a_stale_state_is_decided_again,
];

/// How long an answer that must not come is waited for. Too short a time can hide a fault, never make one.
const A_WHILE: Duration = Duration::from_millis(300);

async fn a_refusal_waits_until_what_another_process_wrote_is_followed(house: House) {
    let (writes, stale) = (house.start(Service::Intake).await, house.start(Service::Intake).await);
    writes.records(register("ann")).await;
    stale.shows("ann", |progress| progress.tip >= 3).await;
    stale.stall(true);
    writes.records(contact("hello", "ann", Kind::Enquiry, None)).await;
    let mut asked = stale.submits(resolve("solved", case("hello")));
    let early = tokio::time::timeout(A_WHILE, &mut asked).await;
    assert!(early.is_err(), "answered on a stale state: {early:?}");
    stale.stall(false);
    let answer = asked.await.unwrap();
    assert!(matches!(answer, Answer::Recorded { .. }), "{answer:?}");
    assert_eq!(house.audit().await.of_noun(Noun::Case(case("hello"))).len(), 2);
}

async fn what_was_decided_on_a_stale_state_is_decided_again(house: House) {
    let (writes, stale) = (house.start(Service::Intake).await, house.start(Service::Intake).await);
    writes.records(register("ann")).await;
    stale.shows("ann", |progress| progress.tip >= 3).await;
    stale.stall(true);
    let (_, first) = writes.records(register_as("the first", &["shared"])).await;
    // On the state it knows this one would be recorded, and the log refuses it.
    let second = stale.submits(register_as("the second", &["shared"]));
    let third = stale.submits(register("the third"));
    stale.stall(false);
    let second = second.await.unwrap();
    assert!(
        matches!(&second, Answer::Rejected(rejection) if rejection.reason() == "IDENTITY_TAKEN"),
        "{second:?}"
    );
    assert!(matches!(third.await.unwrap(), Answer::Recorded { .. }));
    let audit = house.audit().await;
    assert_eq!(audit.of_request("the first"), [first]);
    assert!(audit.of_request("the second").is_empty());
}

#[tokio::test]
async fn a_refusal_that_cannot_be_confirmed_is_no_refusal() {
    let house = House::on_jetstream().await;
    let proxy = Proxy::start(house.nats.as_ref().unwrap().addr()).await;
    let writes = house.start(Service::Intake).await;
    writes.records(register("ann")).await;
    let cut_off = Process::start(
        house.log_at(proxy.addr(), Service::Intake).await,
        Service::Intake,
        &Disk::default(),
        Setting::default(),
    )
    .await;
    cut_off.serves().await;
    proxy.cut_replies();
    writes.records(contact("hello", "ann", Kind::Enquiry, None)).await;
    let answer = cut_off.submit(reopen("again", case("hello"))).await;
    assert!(matches!(answer, Answer::Unavailable(Unavailable::LogUnavailable)), "{answer:?}");
    proxy.heal();
    let attempt = || async {
        match cut_off.submit(reopen("again", case("hello"))).await {
            Answer::AlreadySo { rev, .. } => Some(rev),
            Answer::Unavailable(_) => None,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(eventually("the case is found", SOON, attempt).await, 1);
    house.audit().await;
}
