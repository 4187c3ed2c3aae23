//! Takes out of a read model's rows what was sealed under keys that are gone.
//!
//! A row that holds texts is put through here: it is then found again by the keys it holds texts under, and a text that comes late, under a key
//! that is gone, is erased on arrival. Keys: `k` key, key of the row; `g` key that is gone.

use std::collections::BTreeSet;

use prost::Message;
use seva_domain::record::Record;
use seva_domain::values::KeyId;
use seva_readmodel::forgotten::confirmed;
use seva_readmodel::model::{FoldError, Rows};

use crate::open::Texts;
use crate::pb::common::v1::text::Value;
use crate::pb::common::v1::{Erased, Text};

/// Erases every sealed text of a message. Answers how many there were.
pub fn erase(message: &mut impl Texts) -> u64 {
    let mut erased = 0;
    message.texts_mut(&mut |text| {
        if key_of(text).is_some() {
            text.value = Some(Value::Erased(Erased {}));
            erased += 1;
        }
    });
    erased
}

/// Sets a row that holds texts, each under a key that says whose it is.
pub fn put<M: Texts + Message>(rows: &mut Rows<'_>, key: Vec<u8>, row: &mut M) -> Result<(), FoldError> {
    let mut keys = BTreeSet::new();
    row.texts_mut(&mut |text| keys.extend(key_of(text)));
    for held in keys {
        if rows.has(&gone_key(&held))? {
            erase_under(row, &held);
            continue;
        }
        let holds = [under(&held).as_slice(), &key].concat();
        if !rows.has(&holds)? {
            rows.put_bytes(holds, Vec::new());
        }
    }
    rows.put(key, row);
    Ok(())
}

/// Erases what is sealed under the keys that a record says are gone, if it says so, in rows that were [`put`].
pub fn fold<M: Texts + Message + Default>(rows: &mut Rows<'_>, record: &Record) -> Result<(), FoldError> {
    let Some(confirmed) = confirmed(record) else { return Ok(()) };
    for gone in confirmed.keys.iter().map(KeyId::to_string) {
        rows.put_bytes(gone_key(&gone), Vec::new());
        let prefix = under(&gone);
        for (holds, _) in rows.scan(&prefix)? {
            let key = holds[prefix.len()..].to_vec();
            if let Some(mut row) = rows.get::<M>(&key)? {
                erase_under(&mut row, &gone);
                rows.put(key, &row);
            }
            rows.remove(holds);
        }
    }
    Ok(())
}

/// The key that a text is sealed under, as its message holds it.
fn key_of(text: &Text) -> Option<String> {
    match &text.value {
        Some(Value::Sealed(sealed)) => Some(sealed.key.clone()),
        Some(Value::Clear(_) | Value::Erased(_) | Value::Closed(_)) | None => None,
    }
}

fn erase_under(message: &mut impl Texts, key: &str) {
    message.texts_mut(&mut |text| {
        if key_of(text).is_some_and(|held| held == key) {
            text.value = Some(Value::Erased(Erased {}));
        }
    });
}

fn under(key: &str) -> Vec<u8> {
    [b"k", key.as_bytes(), &[0]].concat()
}

fn gone_key(key: &str) -> Vec<u8> {
    [b"g", key.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::sealed_text;
    use crate::pb::feedback::v1::Suggestion;
    use seva_domain::customer::{Event as CustomerEvent, ForgettingConfirmed};
    use seva_domain::noun::{Event, Noun};
    use seva_domain::record::{Entry, Origin};
    use seva_domain::values::{Actor, At, CustomerId, RecordId, Sealed};
    use seva_eventlog::store::{MemoryStore, Store as _};

    fn key(n: u8) -> KeyId {
        KeyId::from_bytes([n; 16])
    }

    fn text(n: u8) -> Option<Text> {
        Some(sealed_text(&Sealed {
            key: key(n),
            context: "req_0/text".to_owned(),
            data: "c2VhbGVk".to_owned(),
        }))
    }

    fn saying(n: u8) -> Suggestion {
        Suggestion { text: text(n), ..Suggestion::default() }
    }

    fn forgets(keys: Vec<KeyId>) -> Record {
        let by = Actor::policy();
        let event = Event::Customer(CustomerEvent::ForgettingConfirmed(ForgettingConfirmed { by, keys }));
        Record {
            id: RecordId::from_bytes([1; 16]),
            noun: Noun::Customer(CustomerId::from_bytes([1; 16])),
            rev: 2,
            events: vec![Entry { origin: Origin::Fact, event }],
            request: None,
            actor: Actor::policy(),
            policy: 1,
            occurred_at: At(0),
            effective_at: At(0),
            recorded_at: At(0),
            cause: None,
            step: None,
            depth: 0,
            import: None,
        }
    }

    fn is_erased(rows: &Rows<'_>, key: &[u8]) -> bool {
        let row: Suggestion = rows.get(key).unwrap().unwrap();
        matches!(row.text.unwrap().value, Some(Value::Erased(_)))
    }

    #[test]
    fn what_is_sealed_under_a_key_that_is_gone_is_erased_wherever_it_stands_and_whenever_it_comes() {
        let store = MemoryStore::default();
        let mut rows = Rows::new(&store);
        for (row, n) in [(b"s1", 1), (b"s2", 2), (b"s3", 1)] {
            put(&mut rows, row.to_vec(), &mut saying(n)).unwrap();
        }
        store.apply(rows.into_changes()).unwrap();

        let mut rows = Rows::new(&store);
        fold::<Suggestion>(&mut rows, &forgets(vec![key(1)])).unwrap();
        put(&mut rows, b"s4".to_vec(), &mut saying(1)).unwrap();
        assert!(is_erased(&rows, b"s1") && is_erased(&rows, b"s3") && is_erased(&rows, b"s4"));
        assert!(!is_erased(&rows, b"s2"));
        assert!(rows.scan(&under(&key(1).to_string())).unwrap().is_empty());
    }

    #[test]
    fn a_message_is_erased_text_by_text() {
        let mut row = saying(1);
        assert_eq!(erase(&mut row), 1);
        assert_eq!(erase(&mut row), 0);
    }
}
