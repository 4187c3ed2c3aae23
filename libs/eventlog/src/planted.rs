//! Mistakes planted on purpose, for the fault run to find. Without the feature `planted` none is ever made.

#[cfg(all(feature = "planted", not(debug_assertions)))]
compile_error!("no mistake is ever planted in a release build");

#[cfg(feature = "planted")]
pub(crate) use self::chosen::{done_again, is, take_in_again};

/// A mistake; the variable SEVA_PLANTED names the one that is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Bug {
    AckBeforeAck,
    GuardLeftOut,
    RefusalBeforeConfirmed,
    RequestMemorySkipped,
    TimeoutTakenAsAbsent,
    UnfoldedRowsEvicted,
}

/// Whether a mistake is to be made.
#[cfg(not(feature = "planted"))]
pub(crate) const fn is(_bug: Bug) -> bool {
    false
}

/// Reacts twice to the same record, if that is the mistake to be made.
#[cfg(not(feature = "planted"))]
pub(crate) const fn take_in_again(
    _desk: &mut seva_domain::desk::Desk<'_>,
    _record: &seva_domain::record::Record,
) {
}

/// What is done a second time because of what a due time did, if that is the mistake to be made.
#[cfg(not(feature = "planted"))]
pub(crate) const fn done_again(
    _records: &[std::sync::Arc<seva_domain::record::Record>],
) -> Option<std::sync::Arc<seva_domain::record::Record>> {
    None
}

#[cfg(feature = "planted")]
mod chosen {
    use std::sync::{Arc, LazyLock};

    use seva_domain::case::{self, PromiseKept};
    use seva_domain::desk::Desk;
    use seva_domain::escalation;
    use seva_domain::noun::Event;
    use seva_domain::record::{Entry, Origin, Record};
    use seva_domain::values::InteractionId;

    use super::Bug;

    static CHOSEN: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("SEVA_PLANTED").ok());

    pub(crate) fn is(bug: Bug) -> bool {
        CHOSEN.as_deref()
            == Some(match bug {
                Bug::AckBeforeAck => "ack_before_ack",
                Bug::GuardLeftOut => "guard_left_out",
                Bug::RefusalBeforeConfirmed => "refusal_before_confirmed",
                Bug::RequestMemorySkipped => "request_memory_skipped",
                Bug::TimeoutTakenAsAbsent => "timeout_taken_as_absent",
                Bug::UnfoldedRowsEvicted => "unfolded_rows_evicted",
            })
    }

    pub(crate) fn take_in_again(desk: &mut Desk<'_>, record: &Record) {
        if CHOSEN.as_deref() != Some("reaction_doubled") {
            return;
        }
        // A step is taken once because the interaction names what it makes: here it has another name the second time.
        let mut other = record.clone();
        for entry in &mut other.events {
            if let Event::Case(case::Event::InteractionLogged(logged)) = &mut entry.event {
                logged.interaction = InteractionId::derive(&[logged.interaction.bytes()]);
            }
        }
        if let Err(rejection) = desk.take_in(&other) {
            tracing::error!(%rejection, "the second reaction was left out");
        }
    }

    /// A rung that did not answer is taken not to have answered once more, without asking how the escalation stands; a promise that broke is kept.
    pub(crate) fn done_again(records: &[Arc<Record>]) -> Option<Arc<Record>> {
        let record = records.first()?;
        let event = match (CHOSEN.as_deref()?, &record.events.first()?.event) {
            ("climb_fired_twice", Event::Escalation(event @ escalation::Event::Unanswered(_))) => {
                Event::Escalation(event.clone())
            }
            ("promise_broken_and_kept", Event::Case(case::Event::PromiseBroken(broken))) => {
                Event::Case(case::Event::PromiseKept(PromiseKept { promise: broken.promise, note: None }))
            }
            _ => return None,
        };
        let events = vec![Entry { origin: Origin::Fact, event }];
        Some(Arc::new(Record { events, ..Record::clone(record) }))
    }
}
