//! What the published stream keeps to itself.

use seva_stories::House;
use seva_stories::say::{interaction, registration, suggestion};

use crate::importing::import;
use crate::stream::{Running, check};

/// How the ids begin that hash what a caller sent, or name a key.
const HASHES: [&str; 4] = ["tok_", "thr_", "req_", "key_"];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_name_word_key_or_hash_of_one_is_in_any_message() {
    let house = House::start().await;
    let mut intake = house.intake();
    intake.register_customer(registration("register", "meera@example.com")).await.unwrap();
    let mut said = interaction("say", "meera@example.com", "Wortschatz of mine");
    said.thread = "a thread of Meera".to_owned();
    intake.log_interaction(said).await.unwrap();
    house.feedback().capture_suggestion(suggestion("suggest", "Wortschatz of mine")).await.unwrap();
    import(&house, 200).await;
    let relay = Running::start(house.nats()).await;
    relay.caught_up().await;
    relay.stop().await;
    for message in check(house.nats()).await {
        let whole = format!(
            "{} {:?} {}",
            message.subject,
            message.headers,
            String::from_utf8(message.body.clone()).unwrap()
        );
        for word in ["Meera", "meera", "Wortschatz", "Sundays"] {
            assert!(!whole.contains(word), "{word}: {whole}");
        }
        for hash in HASHES {
            let is_hash = |(at, _): (usize, &str)| {
                whole[at + hash.len()..].starts_with(|c: char| c.is_ascii_hexdigit())
            };
            assert!(!whole.match_indices(hash).any(is_hash), "{hash}: {whole}");
        }
    }
    house.stop().await;
}
