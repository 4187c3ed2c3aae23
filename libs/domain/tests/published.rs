//! What subscribers rely on for ever: the published shape of every event, and that nothing personal is in it.
//!
//! `contracts/published/` holds one example file per published type and version. A file is never changed: another shape is another
//! version of the event, in a file of its own.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use seva_domain::noun::Event;
use seva_domain::published::{Described, Published, catalogue};

fn contracts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts")
}

/// Every example file of a folder: its event type and what it holds.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let examples = entries.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let read = |path: PathBuf| {
        let event_type = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (event_type, fs::read_to_string(&path).unwrap())
    };
    examples.map(read).collect()
}

/// What is published of every event ever written, by the type it was written under.
fn published() -> BTreeMap<String, Published> {
    let read = |(event_type, data): (String, String)| {
        let event = Event::read(&event_type, &data).unwrap();
        (event_type, Published::from(&event))
    };
    files(&contracts()).into_iter().map(read).collect()
}

fn types() -> BTreeSet<String> {
    catalogue().iter().map(|described| described.wire_type.to_owned()).collect()
}

#[test]
fn every_event_ever_written_is_published_under_the_type_it_has_today() {
    let mut told = BTreeSet::new();
    for (event_type, data) in files(&contracts()) {
        let event = Event::read(&event_type, &data).unwrap();
        let published = Published::from(&event);
        assert_eq!(published.wire_type(), event.wire_type());
        told.insert(published.wire_type().to_owned());
    }
    assert_eq!(told, types());
}

/// A type that has no file yet gets one, and the test fails once, so that somebody looks at it.
#[test]
fn what_is_published_today_has_exactly_the_shape_of_the_newest_example() {
    let folder = contracts().join("published");
    let files = files(&folder);
    let mut made = Vec::new();
    for Described { wire_type, example, .. } in catalogue() {
        let written = format!("{}\n", serde_json::to_string_pretty(&example).unwrap());
        match files.get(wire_type) {
            Some(file) => assert_eq!(
                &written, file,
                "{wire_type} is published otherwise than contracts/published/{wire_type}.json says: give the event a new version"
            ),
            None => {
                fs::write(folder.join(format!("{wire_type}.json")), written).unwrap();
                made.push(wire_type);
            }
        }
    }
    assert_eq!(made, Vec::<&str>::new(), "these are new contracts: look at their files and add them");
}

#[test]
fn every_published_example_is_of_an_event_that_was_written() {
    let written: BTreeSet<String> = files(&contracts()).into_keys().collect();
    let examples: BTreeSet<String> = files(&contracts().join("published")).into_keys().collect();
    assert_eq!(examples.difference(&written).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn an_example_has_the_fields_that_the_catalogue_names_in_their_order() {
    for Described { wire_type, meaning, fields, example } in catalogue() {
        let json = serde_json::to_string(&example).unwrap();
        let names = fields.iter().map(|field| format!("\"{}\":", field.name));
        let places: Vec<Option<usize>> = names.map(|name| json.find(&name)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{wire_type}: {json}");
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&json).unwrap();
        assert_eq!(object.len(), fields.len(), "{wire_type}");
        assert!(meaning.ends_with('.'), "{wire_type}: {meaning}");
        for field in fields {
            assert!(field.meaning.ends_with('.'), "{wire_type}: {}", field.meaning);
        }
    }
}

/// The examples of events hold a sealed text, a key, a token, a thread, a phrase and words of the policy wherever they can.
#[test]
fn nothing_sealed_hashed_or_written_by_a_person_is_published() {
    let events: String = files(&contracts()).into_values().collect();
    let published: String =
        published().values().map(|published| serde_json::to_string(published).unwrap()).collect();
    for secret in [
        "c2VhbGVk",
        "key_04",
        "req_05",
        "tok_07",
        "thr_06",
        "arrived late",
        "Our policy",
        "over the holidays",
    ] {
        assert!(events.contains(secret), "no event has {secret}: this test looks for nothing");
        assert!(!published.contains(secret), "{secret} is published");
    }
}
