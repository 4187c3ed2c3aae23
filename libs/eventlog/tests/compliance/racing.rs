//! Two writers of one service on the same nouns: nothing is lost, nothing doubled, neither starves.

use std::time::Instant;

use futures::future::join_all;
use seva_domain::noun::Noun;
use seva_domain::service::Service;
use seva_domain::values::Kind;

use crate::house::House;
use crate::on_both_logs;
use crate::process::{Disk, Setting};
use crate::submissions::{case, contact, register};

on_both_logs![two_writers_on_the_same_nouns_share_the_log];

const CLIENTS: usize = 8;
const ROUNDS: usize = 25;

async fn two_writers_on_the_same_nouns_share_the_log(house: House) {
    let a = house.start(Service::Intake).await;
    let b =
        house.start_on(Service::Intake, &Disk::default(), Setting { build: "b", ..Setting::default() }).await;
    a.records(register("ann")).await;
    // All others join it, so that all are about one case.
    a.records(contact("the case", "ann", Kind::Enquiry, None)).await;
    b.records_at_last(contact("before", "ann", Kind::Enquiry, None)).await;
    let before = house.log.end().await.unwrap();
    let client = |process, name: &'static str, n: usize| {
        let process: &crate::process::Process = process;
        async move {
            let mut longest_ms = 0;
            for round in 0..ROUNDS {
                let begun = Instant::now();
                process.records(contact(&format!("{name} {n} {round}"), "ann", Kind::Enquiry, None)).await;
                longest_ms = longest_ms.max(begun.elapsed().as_millis());
            }
            longest_ms
        }
    };
    let of_a = join_all((0..CLIENTS).map(|n| client(&a, "a", n)));
    let of_b = join_all((0..CLIENTS).map(|n| client(&b, "b", n)));
    let (waits_a, waits_b) = tokio::join!(of_a, of_b);
    let audit = house.audit().await;
    for name in ["a", "b"] {
        for n in 0..CLIENTS * ROUNDS {
            assert_eq!(audit.of_request(&format!("{name} {} {}", n / ROUNDS, n % ROUNDS)).len(), 1);
        }
    }
    let shares = audit.shares(Service::Intake);
    let longest_ms = waits_a.into_iter().chain(waits_b).max();
    let commits = house.log.end().await.unwrap() - before;
    eprintln!(
        "shares of the commits: {shares:?} ({commits} for {} commands), longest wait {longest_ms:?} ms",
        2 * CLIENTS * ROUNDS
    );
    assert!(shares["a"] * 10 > shares["b"] && shares["b"] * 10 > shares["a"], "{shares:?}");
    assert!(audit.of_noun(Noun::Case(case("the case"))).len() == 2 * CLIENTS * ROUNDS + 2);
}
