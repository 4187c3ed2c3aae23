//! One round: a commit on its way, or the question whether the shard still ends where refusals rest on it, and who waits for it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use seva_domain::noun::Rejection;
use seva_domain::record::Record;
use seva_domain::rows::{Delta, Seen};

use super::{Answer, Ask};
use crate::commit::{Commit, Digest, Position};
use crate::follow::Chains;
use crate::log::AppendError;
use crate::shard::Checkpoint;

/// An answer that waits until what it rests on stands in the log.
pub(super) enum Held {
    /// The request's records are in the commit, from this index on among so many: what was due to their nouns before stands between them, what the
    /// processes made of them behind.
    Recorded {
        first: usize,
        count: usize,
    },
    /// The same request is in this commit already.
    Seen,
    AlreadySo {
        rev: u64,
    },
    Rejected(Rejection),
}

pub(super) struct InFlight {
    /// `None`: nothing is written; the round only asks whether the shard's end is still where answers rest on it.
    pub(super) commit: Option<OnItsWay>,
    pub(super) answers: Vec<(Ask, Held)>,
    pub(super) future: Pin<Box<dyn Future<Output = Outcome> + Send>>,
}

pub(super) struct OnItsWay {
    pub(super) commit: Arc<Commit>,
    pub(super) resume: Arc<Chains>,
    pub(super) digest: Digest,
    pub(super) bytes: Bytes,
    pub(super) guard: u64,
    pub(super) sent: Instant,
    pub(super) is_unknown: bool,
}

pub(super) enum Outcome {
    Appended(Result<u64, AppendError>),
    /// Whether the shard's end is where it was taken to be.
    AtEnd(bool),
    /// The log could not be asked.
    NoAnswer,
}

pub(super) struct Acked {
    pub(super) sequence: u64,
    pub(super) digest: Digest,
    pub(super) delta: Delta,
    pub(super) checkpoint: Checkpoint,
    pub(super) sent: Instant,
    pub(super) was_unknown: bool,
}

pub(super) async fn outcome(in_flight: &mut Option<InFlight>) -> Outcome {
    match in_flight {
        Some(in_flight) => in_flight.future.as_mut().await,
        None => std::future::pending().await,
    }
}

pub(super) fn hand_back(ask: Ask, answer: Answer) -> Option<Ask> {
    // A caller that is gone needs no answer.
    let _gone = ask.reply.send(answer);
    None
}

/// Answers all who wait for a commit. Answers who still waits: nobody.
pub(super) fn answer_all(
    answers: Vec<(Ask, Held)>,
    records: &[Arc<Record>],
    sequence: u64,
) -> Vec<(Ask, Held)> {
    for (ask, held) in answers {
        answer(ask, held, records, sequence, Position::end_of(sequence));
    }
    Vec::new()
}

pub(super) fn answer(ask: Ask, held: Held, records: &[Arc<Record>], sequence: u64, position: Position) {
    let answer = match held {
        Held::Recorded { first, count } => {
            let id = ask.submission.request.id;
            let all = (0..).zip(records).skip(first).take(count);
            let own = all.filter(|(_, record)| record.request.is_some_and(|request| request.id == id));
            let (places, records): (Vec<u16>, Vec<_>) =
                own.map(|(place, record)| (place, Arc::clone(record))).unzip();
            let last = places.last().copied().unwrap_or(u16::MAX);
            Answer::Recorded { records, position: Position::of(sequence, last) }
        }
        Held::Seen => {
            let id = ask.submission.request.id;
            let found = (0..).zip(records).find(|(_, r)| r.request.is_some_and(|request| request.id == id));
            match found
                .and_then(|(index, record)| record.request.map(|request| Seen { request, sequence, index }))
            {
                Some(seen) => Answer::Seen(seen),
                None => Answer::Unknown,
            }
        }
        Held::AlreadySo { rev } => Answer::AlreadySo { rev, position },
        Held::Rejected(rejection) => Answer::Rejected(rejection),
    };
    // A caller that is gone needs no answer.
    let _gone = ask.reply.send(answer);
}

/// The commit as it stands in the log, from records written already.
pub(super) fn assemble(commit: &Commit, written: &[u8]) -> Vec<u8> {
    let Commit { at, build, prev, reacted_to, records: _ } = commit;
    let build = serde_json::Value::from(build.as_str());
    let mut bytes =
        format!(r#"{{"at":{},"build":{build},"prev":"{prev}","reacted_to":{reacted_to},"records":["#, at.0)
            .into_bytes();
    bytes.extend_from_slice(written);
    bytes.extend_from_slice(b"]}");
    bytes
}
