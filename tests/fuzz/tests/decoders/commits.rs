//! Messages of the log.

use std::path::Path;
use std::sync::LazyLock;

use seva_domain::noun::Noun;
use seva_domain::values::{CaseId, ChargeId, CustomerId, ImportId, RecordId, SuggestionId};
use seva_eventlog::commit::{Digest, ReadCommit};
use seva_support::{Edit, edited};

/// A commit for every example of an event that was ever written.
static COMMITS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../libs/domain/contracts");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let examples = files.filter_map(|path| {
        let wire_type = path.file_name()?.to_str()?.strip_suffix(".json")?.to_owned();
        let noun = noun(wire_type.split('.').next()?)?;
        Some(commit(&noun, &wire_type, &std::fs::read_to_string(&path).unwrap()).into_bytes())
    });
    examples.collect()
});

/// A noun of this name.
fn noun(name: &str) -> Option<Noun> {
    let id = [7; 16];
    Some(match name {
        "case" => Noun::Case(CaseId::from_bytes(id)),
        "charge" => Noun::Charge(ChargeId::from_bytes(id)),
        "customer" => Noun::Customer(CustomerId::from_bytes(id)),
        "escalation" => Noun::Escalation(CaseId::from_bytes(id)),
        "import" => Noun::Import(ImportId::from_bytes(id)),
        "policy" => Noun::Policy,
        "suggestion" => Noun::Suggestion(SuggestionId::from_bytes(id)),
        _ => return None,
    })
}

/// A commit of one record of one event, as it stands in the log.
fn commit(noun: &Noun, wire_type: &str, data: &str) -> String {
    let (name, noun_id, id, digest) = (noun.name(), noun.id(), RecordId::from_bytes([8; 16]), Digest::NONE);
    format!(
        r#"{{"at":1700000000000000,"build":"seva-0.1.0","prev":"{digest}","reacted_to":7,"records":[{{"id":"{id}","noun":"{name}","noun_id":"{noun_id}","rev":1,"events":[{{"type":"{wire_type}","origin":"fact","data":{data}}}],"actor":"agent:ana","policy":1,"occurred_at":1700000000000000,"effective_at":1700000000000000,"recorded_at":1700000000000000,"depth":0}}]}}"#
    )
}

fn decode(bytes: &[u8]) {
    let Ok(read) = ReadCommit::decode(bytes, |_| true) else { return };
    // What could be read can be written, and then says the same.
    for (_, record) in read.records() {
        let written = serde_json::to_string(&**record).unwrap();
        let commit = format!(
            r#"{{"at":1,"build":"","prev":"{}","reacted_to":0,"records":[{written}]}}"#,
            Digest::of(bytes)
        );
        let again = ReadCommit::decode(commit.as_bytes(), |_| true).unwrap();
        assert_eq!(again.records[0].as_ref(), Some(record));
    }
}

#[test]
fn every_example_is_read() {
    assert!(COMMITS.len() > 40, "the examples were not found");
    for commit in COMMITS.iter() {
        let read = ReadCommit::decode(commit, |_| true);
        assert!(read.is_ok(), "{:?}: {}", read.err(), String::from_utf8_lossy(commit));
    }
}

#[test]
fn a_damaged_commit_is_refused_or_read_whole() {
    bolero::check!().with_type::<(u8, Vec<Edit>)>().for_each(|(example, edits)| {
        let commit = &COMMITS[usize::from(*example) % COMMITS.len()];
        decode(&edited(commit, edits));
    });
}

#[test]
fn what_is_no_commit_is_refused() {
    bolero::check!().for_each(|bytes: &[u8]| {
        decode(bytes);
        let text = String::from_utf8_lossy(bytes);
        if let Ok(digest) = text.parse::<Digest>() {
            assert_eq!(digest.to_string(), text.to_ascii_lowercase());
        }
    });
}
