//! An append without an answer: whether it landed, did not, or lands later, a retry finds one record.

use futures::future::join_all;
use seva_domain::service::Service;
use seva_domain::values::Kind;
use seva_eventlog::writer::{Answer, Phase, Unavailable};
use seva_support::{Proxy, eventually};

use crate::house::House;
use crate::process::{Disk, Process, SOON, Setting};
use crate::submissions::{case, contact, register};

/// A house on a server, and one process of intake whose network can fail.
struct Cut {
    house: House,
    proxy: Proxy,
    intake: Process,
}

impl Cut {
    async fn new() -> Cut {
        let house = House::on_jetstream().await;
        let proxy = Proxy::start(house.nats.as_ref().unwrap().addr()).await;
        let log = house.log_at(proxy.addr(), Service::Intake).await;
        let intake = Process::start(log, Service::Intake, &Disk::default(), Setting::default()).await;
        intake.serves().await;
        intake.records(register("ann")).await;
        Cut { house, proxy, intake }
    }

    /// Ends with one record of the request, and a writer that goes on.
    async fn ends_with_one_record_of(self, name: &str) {
        let position = self.intake.records_at_last(register(name)).await;
        self.intake.serves().await;
        self.intake.records(contact("afterwards", "ann", Kind::Enquiry, None)).await;
        assert_eq!(self.house.audit().await.of_request(name), [position]);
    }
}

#[tokio::test]
async fn the_answer_is_lost_and_the_commit_landed() {
    let cut = Cut::new().await;
    let before = cut.house.log.end().await.unwrap();
    cut.proxy.cut_replies();
    let first = cut.intake.submits(register("ben"));
    let landed = || async { (cut.house.log.end().await.unwrap() > before).then_some(()) };
    eventually("the commit lands", SOON, landed).await;
    assert!(matches!(first.await.unwrap(), Answer::Unknown));
    let open = cut.intake.submit(register("ben")).await;
    assert!(matches!(open, Answer::Unknown), "{open:?}");
    let another = cut.intake.submit(register("cleo")).await;
    assert!(matches!(another, Answer::Unavailable(Unavailable::LogUnavailable)), "{another:?}");
    cut.proxy.heal();
    cut.ends_with_one_record_of("ben").await;
}

#[tokio::test]
async fn the_commit_did_not_land() {
    let cut = Cut::new().await;
    let before = cut.house.log.end().await.unwrap();
    cut.proxy.cut_requests();
    let answer = cut.intake.submit(register("ben")).await;
    assert!(matches!(answer, Answer::Unknown), "{answer:?}");
    assert_eq!(cut.house.log.end().await.unwrap(), before);
    cut.intake.is(Phase::LogUnavailable).await;
    cut.proxy.heal();
    cut.ends_with_one_record_of("ben").await;
}

#[tokio::test]
async fn the_commit_lands_later() {
    let cut = Cut::new().await;
    let before = cut.house.log.end().await.unwrap();
    cut.proxy.hold_requests();
    let answer = cut.intake.submit(register("ben")).await;
    assert!(matches!(answer, Answer::Unknown), "{answer:?}");
    assert_eq!(cut.house.log.end().await.unwrap(), before);
    let retry = cut.intake.submits(register("ben"));
    cut.proxy.release();
    let retry = retry.await.unwrap();
    assert!(matches!(retry, Answer::Seen(_) | Answer::Unknown | Answer::Unavailable(_)), "{retry:?}");
    cut.ends_with_one_record_of("ben").await;
}

#[tokio::test]
async fn the_commit_would_land_later_and_another_stands_there() {
    let cut = Cut::new().await;
    cut.proxy.hold_requests();
    let answer = cut.intake.submit(register("ben")).await;
    assert!(matches!(answer, Answer::Unknown), "{answer:?}");
    let other = cut.house.start(Service::Intake).await;
    let (_, position) = other.records(register("ben")).await;
    cut.proxy.release();
    let retry = cut.intake.records_at_last(register("ben")).await;
    assert_eq!(retry, position);
    cut.ends_with_one_record_of("ben").await;
}

#[tokio::test]
async fn what_gathers_on_top_of_a_commit_on_its_way_keeps_the_order_of_time_and_takes_nothing_in_twice() {
    let Cut { house, proxy, intake } = Cut::new().await;
    proxy.hold_requests();
    intake.clock.set_off(60_000_000);
    let first = intake.submits(contact("hello", "ann", Kind::Enquiry, None));
    let held = proxy.requests_held_bytes();
    let is_held = || async { (proxy.requests_held_bytes() > held).then_some(()) };
    eventually("the first is on its way", SOON, is_held).await;
    intake.clock.set_off(-60_000_000);
    let second = intake.submits(contact("again", "ann", Kind::Enquiry, Some(case("hello"))));
    let asked = intake.clock.asked();
    let gathers = || async { (intake.clock.asked() > asked).then_some(()) };
    eventually("the second gathers", SOON, gathers).await;
    proxy.release();
    assert!(matches!(first.await.unwrap(), Answer::Recorded { .. }));
    assert!(matches!(second.await.unwrap(), Answer::Recorded { .. }));
    let audit = house.audit().await;
    let times: Vec<_> = audit.commits.iter().rev().take(2).map(|commit| commit.commit.at).collect();
    assert_eq!(times[0], times[1]);
}

#[tokio::test]
async fn the_policy_is_taken_in_once_while_commands_gather_on_top_of_it() {
    let house = House::on_jetstream().await;
    let proxy = Proxy::start(house.nats.as_ref().unwrap().addr()).await;
    let log = house.log_at(proxy.addr(), Service::Intake).await;
    let intake = Process::start(log, Service::Intake, &Disk::default(), Setting::default()).await;
    intake.stall(true);
    let is_stalled = || async { (intake.followed.borrow().sequence >= 1).then_some(()) };
    eventually("the policy is followed", SOON, is_stalled).await;
    // Whether the gate let it pass before it was stalled, or only now, what comes next gathers on top of a commit that is held.
    proxy.hold_requests();
    intake.stall(false);
    intake.serves().await;
    let names = ["ann", "ben", "cleo"];
    let all = names.map(|name| intake.submits(register(name)));
    let asked = intake.clock.asked();
    let gathers = || async { (intake.clock.asked() > asked).then_some(()) };
    eventually("they gather", SOON, gathers).await;
    proxy.release();
    for answer in join_all(all).await {
        assert!(matches!(answer.unwrap(), Answer::Recorded { .. }));
    }
    let audit = house.audit().await;
    let empty = audit.commits.iter().filter(|commit| commit.commit.records.is_empty()).count();
    assert_eq!(empty, 1);
}

#[tokio::test]
async fn a_server_killed_and_back_has_all_it_acknowledged_and_the_writer_goes_on() {
    let mut house = House::on_jetstream().await;
    let intake = house.start(Service::Intake).await;
    intake.records(register("ann")).await;
    let names: Vec<String> = (0..40).map(|n| format!("customer {n}")).collect();
    let nats = house.nats.as_mut().unwrap();
    let (callers, took) = tokio::join!(
        join_all(names.iter().map(|name| async { intake.records_at_last(register(name)).await })),
        async {
            nats.kill9().await.unwrap();
            nats.restart().await.unwrap();
            let back = std::time::Instant::now();
            intake.records_at_last(register("the first afterwards")).await;
            back.elapsed()
        }
    );
    eprintln!("the writer goes on {} ms after the server is back", took.as_millis());
    intake.serves().await;
    // What another process writes is followed as well: the follower is back.
    let other = house.start(Service::Intake).await;
    let (_, position) = other.records(contact("hello", "ann", Kind::Enquiry, None)).await;
    let followed = std::time::Instant::now();
    intake.shows("it follows", |progress| progress.tip >= position.sequence()).await;
    eprintln!("the follower goes on {} ms later", followed.elapsed().as_millis());
    let audit = house.audit().await;
    for (name, position) in names.iter().zip(callers) {
        assert_eq!(audit.of_request(name), [position]);
    }
}
