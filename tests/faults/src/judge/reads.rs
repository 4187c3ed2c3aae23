//! V7: a read holds what its caller asked it to hold, and one caller's reads of one process never go back.

use std::collections::BTreeMap;

use seva_eventlog::commit::Position;

use super::{Attempt, End, Finding, Verdict};

/// Judges every read.
pub(super) fn judge(verdict: &mut Verdict, attempts: &[Attempt], incarnation: &str) {
    let (mut honoured, mut forward) = (Finding::default(), Finding::default());
    let mut last: BTreeMap<(u32, &str, u64, &str), Position> = BTreeMap::new();
    for attempt in attempts {
        let Some(read) = attempt.read() else { continue };
        let name = read.of.name();
        match &attempt.end {
            End::Read { life, position, holds_expected } => {
                *verdict.counts.entry("reads answered").or_default() += 1;
                let Ok(position) = Position::from_token(position, incarnation) else {
                    honoured.check(false, || format!("a read answered the position {position}"));
                    continue;
                };
                let asked = Position::from_token(&read.at_least, incarnation).ok();
                if let Some(asked) = asked {
                    honoured.check(position.sequence() >= asked.sequence(), || {
                        format!("{name} of {} at {position:?}, asked for {asked:?}", attempt.to)
                    });
                }
                if read.expects.is_some() {
                    honoured.check(*holds_expected, || {
                        format!(
                            "{name} of {} at {position:?} lacks {:?}, asked for {asked:?}",
                            attempt.to, read.expects
                        )
                    });
                }
                // Between two lives a process may go back: only a position asked for holds there.
                if *life == attempt.life {
                    let before = last.insert((attempt.client, &attempt.to, *life, name), position);
                    forward.check(before.is_none_or(|before| position >= before), || {
                        format!("{name} of {} went from {before:?} to {position:?}", attempt.to)
                    });
                }
            }
            End::Fail(reason) if reason == "NOT_FOUND" && !read.at_least.is_empty() => {
                honoured
                    .check(false, || format!("{name} of {} did not find what was acknowledged", attempt.to));
            }
            End::Fail(_) | End::Ok { .. } | End::Unknown(_) => {
                *verdict.counts.entry("reads not answered").or_default() += 1;
            }
        }
    }
    verdict
        .findings
        .extend([("V7 at_least_position honoured", honoured), ("V7 reads never go back", forward)]);
}
