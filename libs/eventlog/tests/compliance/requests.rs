//! A request leaves its records once, however often and by however many ways it comes in.

use std::sync::Arc;

use futures::future::join_all;
use seva_domain::service::Service;
use seva_domain::values::Kind;
use seva_eventlog::writer::Answer;

use crate::house::House;
use crate::on_both_logs;
use crate::process::{Disk, Setting};
use crate::submissions::{contact, register, submission};

on_both_logs![
    a_request_of_another_service_is_another_request,
    a_request_seen_before_is_answered_with_its_place,
    a_request_that_is_being_recorded_waits_for_the_same_answer,
    a_used_id_under_another_body_shows_the_body_recorded,
    requests_are_remembered_over_restarts_and_by_other_processes,
];

async fn a_request_seen_before_is_answered_with_its_place(house: House) {
    let intake = house.start(Service::Intake).await;
    intake.records(register("ann")).await;
    let (records, position) = intake.records(contact("hello", "ann", Kind::Enquiry, None)).await;
    let Answer::Seen(seen) = intake.submit(contact("hello", "ann", Kind::Enquiry, None)).await else {
        panic!("not seen");
    };
    assert_eq!(seen.sequence, position.sequence());
    assert_eq!(Some(seen.request), records[0].request);
    let (again, at) = intake.writer().recorded(&seen).await.unwrap();
    assert_eq!((again, at), (records, position));
    assert_eq!(house.audit().await.of_request("hello").len(), 1);
}

async fn a_used_id_under_another_body_shows_the_body_recorded(house: House) {
    let intake = house.start(Service::Intake).await;
    let first = register("ann");
    intake.records(first.clone()).await;
    let other = submission("ann", contact("x", "ann", Kind::Complaint, None).intent);
    let Answer::Seen(seen) = intake.submit(other.clone()).await else { panic!("not seen") };
    assert_eq!(seen.request.digest, first.request.digest);
    assert_ne!(seen.request.digest, other.request.digest);
}

async fn a_request_that_is_being_recorded_waits_for_the_same_answer(house: House) {
    let intake = house.start(Service::Intake).await;
    let answers = join_all((0..8).map(|_| intake.writer().submit(Arc::new(register("ann"))))).await;
    let audit = house.audit().await;
    let [position] = audit.of_request("ann")[..] else { panic!("not one record") };
    for (n, answer) in answers.into_iter().enumerate() {
        match answer {
            Answer::Recorded { position: at, .. } if n == 0 => assert_eq!(at, position),
            Answer::Seen(seen) if n > 0 => {
                assert_eq!((seen.sequence, seen.index), (position.sequence(), position.index()));
            }
            other => panic!("the {n}th: {other:?}"),
        }
    }
}

async fn requests_are_remembered_over_restarts_and_by_other_processes(house: House) {
    let disk = Disk::default();
    let first = house.start_on(Service::Intake, &disk, Setting::default()).await;
    let (_, position) = first.records(register("ann")).await;
    first.has_stored(position.sequence()).await;
    let other = house.start(Service::Intake).await;
    assert!(matches!(other.submit(register("ann")).await, Answer::Seen(_)));
    first.kill().await;
    let again = house.start_on(Service::Intake, &disk, Setting::default()).await;
    assert!(matches!(again.submit(register("ann")).await, Answer::Seen(_)));
    assert_eq!(house.audit().await.of_request("ann"), [position]);
}

async fn a_request_of_another_service_is_another_request(house: House) {
    // The same caller may use an id once with each service: the policy was published under this one.
    let disk = Disk::default();
    let intake = house.start_on(Service::Intake, &disk, Setting::default()).await;
    let (_, position) = intake.records(register("the policy")).await;
    intake.has_stored(position.sequence()).await;
    let other = house.start(Service::Intake).await;
    let Answer::Seen(seen) = other.submit(register("the policy")).await else { panic!("not seen") };
    assert_eq!(seen.sequence, position.sequence());
    other.writer().recorded(&seen).await.unwrap();
}
