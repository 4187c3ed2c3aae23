//! What the page on deploying says to watch is what a process shows.

use std::collections::BTreeSet;

use seva_stories::House;
use seva_support::eventually;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::files::text;
use crate::servers::PATIENCE;

/// What stands at an address, without the head of the answer.
pub(crate) async fn page(url: &str) -> Option<String> {
    let (host, path) = url.strip_prefix("http://")?.split_once('/')?;
    let mut stream = TcpStream::connect(host).await.ok()?;
    let request = format!("GET /{path} HTTP/1.0\r\nhost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).await.ok()?;
    Some(page.split_once("\r\n\r\n")?.1.to_owned())
}

/// The names of a page's numbers, without labels and values.
fn names(page: &str) -> BTreeSet<String> {
    let numbers = page.lines().filter(|line| line.starts_with("seva_"));
    numbers.filter_map(|line| line.split(['{', ' ']).next()).map(ToOwned::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_numbers_to_watch_are_those_that_there_are() {
    let house = House::start().await;
    let readme = text("deploy/README.md");
    let told = readme.split('`').skip(1).step_by(2).filter(|code| code.starts_with("seva_"));
    let told: BTreeSet<String> = told.map(ToOwned::to_owned).collect();
    assert!(!told.is_empty());
    // A number of a service stands there once the service has been looked at.
    let shown = eventually("all numbers that are told of", PATIENCE, async || {
        let shown = names(&page(house.metrics()).await?);
        told.is_subset(&shown).then_some(shown)
    });
    assert_eq!(shown.await, told);
    house.stop().await;
}
