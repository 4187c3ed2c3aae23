//! Audit records, counted together, and denials: one record a minute for each way in which somebody was denied something.

use std::collections::BTreeMap;

use serde::Serialize;
use seva_domain::values::At;

use super::caller::Purpose;
use crate::parse::timestamp;

/// How many ways of being denied are told apart in a minute. What comes on top is counted together.
const DISTINCT_MAX: usize = 32;

/// How many records of denials wait at most for a log that does not answer.
const WAITING_MAX: usize = 10 * (DISTINCT_MAX + 1);

/// One minute, in microseconds.
const MINUTE: i64 = 60_000_000;

/// What audit records are told apart by. Nothing in it is personal: opaque ids and words of the program.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(super) struct Key {
    pub(super) outcome: Outcome,
    /// For example `IntakeService/GetCase`; empty where many are counted together.
    pub(super) method: String,
    /// Who called, and `/` for whom; empty for whoever was not verified.
    pub(super) who: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) purpose: Option<Purpose>,
    /// Why it was denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'static str>,
}

/// What a call came to.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// It was let through.
    Called,
    Denied,
    /// Texts were opened for it.
    Opened,
}

/// How often, and when.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Tally {
    pub(super) calls: u64,
    pub(super) texts: u64,
    pub(super) first: At,
    pub(super) last: At,
}

/// Keys and how often each.
pub(super) type Tallies = BTreeMap<Key, Tally>;

/// An audit record as it stands in the stream.
#[derive(Serialize)]
struct Record<'a> {
    service: &'a str,
    #[serde(flatten)]
    key: &'a Key,
    calls: u64,
    #[serde(skip_serializing_if = "is_none")]
    texts: u64,
    first_at: String,
    last_at: String,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// Counts one more.
pub(super) fn add(tallies: &mut Tallies, key: Key, one: Tally) {
    let tally = tallies.entry(key).or_insert(Tally { calls: 0, texts: 0, ..one });
    tally.calls += one.calls;
    tally.texts += one.texts;
    tally.first = tally.first.min(one.first);
    tally.last = tally.last.max(one.last);
}

/// The message that tells of them.
pub(super) fn message(service: &str, tallies: &Tallies) -> Result<Vec<u8>, serde_json::Error> {
    let records = tallies.iter().map(|(key, tally)| {
        let Tally { calls, texts, first, last } = *tally;
        let [first_at, last_at] = [first, last].map(|at| timestamp(at).to_string());
        Record { service, key, calls, texts, first_at, last_at }
    });
    #[derive(Serialize)]
    struct Message<'a> {
        records: Vec<Record<'a>>,
    }
    serde_json::to_vec(&Message { records: records.collect() })
}

/// The denials of the minute at hand, and those that wait to be written.
#[derive(Debug, Default)]
pub(super) struct Denials {
    minute: i64,
    now: Tallies,
    over: Vec<Tallies>,
}

impl Denials {
    /// Counts a denial. Answers whether it is the first of its kind in this minute: that one is told to the operator at once.
    pub(super) fn add(&mut self, key: Key, at: At) -> bool {
        self.turn(at);
        let one = Tally { calls: 1, texts: 0, first: at, last: at };
        let is_first = !self.now.contains_key(&key);
        if is_first && self.now.len() >= DISTINCT_MAX {
            let others = Key {
                outcome: Outcome::Denied,
                method: String::new(),
                who: String::new(),
                purpose: None,
                reason: Some("MANY"),
            };
            add(&mut self.now, others, one);
            return false;
        }
        add(&mut self.now, key, one);
        is_first
    }

    /// Takes what is to be written: the minutes that are over, or with `all` everything.
    pub(super) fn take(&mut self, at: At, all: bool) -> Vec<Tallies> {
        self.turn(at);
        if all && !self.now.is_empty() {
            self.over.push(std::mem::take(&mut self.now));
        }
        std::mem::take(&mut self.over)
    }

    /// Gives back what could not be written. The oldest go first when too many wait. Answers how many records were lost.
    pub(super) fn give_back(&mut self, tallies: Vec<Tallies>) -> usize {
        let newer = std::mem::replace(&mut self.over, tallies);
        self.over.extend(newer);
        let mut lost = 0;
        while self.over.iter().map(Tallies::len).sum::<usize>() > WAITING_MAX {
            lost += self.over.remove(0).len();
        }
        lost
    }

    fn turn(&mut self, at: At) {
        let minute = at.0.div_euclid(MINUTE);
        if minute != self.minute {
            self.minute = minute;
            if !self.now.is_empty() {
                self.over.push(std::mem::take(&mut self.now));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(who: &str) -> Key {
        Key {
            outcome: Outcome::Denied,
            method: "IntakeService/GetCase".to_owned(),
            who: who.to_owned(),
            purpose: None,
            reason: Some("ROLE_NOT_ALLOWED"),
        }
    }

    #[test]
    fn the_same_denial_is_counted_and_told_once_a_minute() {
        let mut denials = Denials::default();
        assert!(denials.add(denied("ana"), At(0)));
        assert!(!denials.add(denied("ana"), At(59_000_000)));
        assert!(denials.take(At(59_999_999), false).is_empty(), "the minute is not over");
        assert!(denials.add(denied("ana"), At(60_000_000)));
        let over = denials.take(At(60_000_001), false);
        assert_eq!(over.len(), 1);
        let tally = over[0][&denied("ana")];
        assert_eq!((tally.calls, tally.first, tally.last), (2, At(0), At(59_000_000)));
        let message = String::from_utf8(message("intake", &over[0]).unwrap()).unwrap();
        assert!(message.contains(r#""who":"ana""#) && message.contains(r#""calls":2"#), "{message}");
    }

    #[test]
    fn a_flood_of_different_denials_is_counted_together() {
        let mut denials = Denials::default();
        for n in 0..10_000 {
            denials.add(denied(&format!("caller-{n}")), At(1));
        }
        let told = denials.take(At(2), true);
        assert_eq!(told[0].len(), DISTINCT_MAX + 1);
        assert_eq!(told[0].values().map(|tally| tally.calls).sum::<u64>(), 10_000);
    }

    #[test]
    fn what_cannot_be_written_waits_but_not_for_ever() {
        let mut denials = Denials::default();
        let mut lost = 0;
        for minute in 0..60 {
            for n in 0..DISTINCT_MAX {
                denials.add(denied(&format!("caller-{n}")), At(minute * MINUTE));
            }
            let waiting = denials.take(At((minute + 1) * MINUTE), false);
            lost += denials.give_back(waiting);
        }
        let waiting = denials.take(At(60 * MINUTE), true);
        let kept: usize = waiting.iter().map(Tallies::len).sum();
        assert!(kept <= WAITING_MAX && kept + lost == 60 * DISTINCT_MAX, "{kept} kept, {lost} lost");
    }
}
