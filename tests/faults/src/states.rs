//! How every noun stands, as the log has it so far.

use std::collections::BTreeMap;

use anyhow::Context as _;
use seva_domain::noun::{Noun, State};
use seva_domain::record::Entry;
use seva_domain::values::At;
use seva_eventlog::commit::ReadCommit;
use seva_eventlog::log::Log;

/// What is due within so many minutes is soon.
const SOON_MINUTES: u32 = 24 * 60;

/// The states, read on from where they were.
#[derive(Default)]
pub(crate) struct States {
    states: BTreeMap<Noun, State>,
    /// The sequence read last.
    read: u64,
}

impl States {
    /// Reads on to a sequence.
    pub(crate) async fn read(&mut self, log: &Log, end: u64) -> anyhow::Result<()> {
        while self.read < end {
            let stored = log.read(self.read + 1).await?.context("a gap in the log")?;
            let commit = ReadCommit::decode(&stored.bytes, |_| true)?;
            for (_, record) in commit.records() {
                let state = self.states.remove(&record.noun).unwrap_or_else(|| State::absent(&record.noun));
                let evolve = |state: State, entry: &Entry| state.evolve(&entry.event, record.effective_at);
                self.states.insert(record.noun, record.events.iter().fold(state, evolve));
            }
            self.read += 1;
        }
        Ok(())
    }

    /// How a noun stands, once anything has happened to it.
    pub(crate) fn of(&self, noun: Noun) -> Option<&State> {
        self.states.get(&noun)
    }

    /// Something that happens by itself within the next hours. What takes days, as the silence that confirms, is not waited for.
    pub(crate) fn next(&self, now: At) -> Option<String> {
        let until = now.plus_minutes(SOON_MINUTES);
        let due = |(noun, state): (&Noun, &State)| {
            let soon = state.due().into_iter().find(|(at, _)| *at <= until)?;
            Some(format!("{} of {noun}", soon.1))
        };
        self.states.iter().find_map(due)
    }
}
