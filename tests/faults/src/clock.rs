//! The clock of a run: it may go faster than the machine's, so that the policy's minutes pass in seconds.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use seva::house::system_clock;
use seva_domain::values::At;
use seva_eventlog::writer::Clock;

use crate::history;

/// How a run's clock goes: like the machine's until it began, and so many times as fast from then on. Every process of a run has the same.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Pace {
    /// Microseconds since 1970, by the machine's clock.
    pub began: i64,
    /// 1: as the machine's.
    pub rate: i64,
}

impl Pace {
    /// A clock that begins now.
    pub fn new(rate: i64) -> Pace {
        Pace { began: history::now(), rate }
    }

    /// What it shows when the machine's clock shows this.
    pub fn at(self, machine: i64) -> i64 {
        let since = machine.saturating_sub(self.began).max(0);
        machine.min(self.began).saturating_add(since.saturating_mul(self.rate))
    }

    /// What it shows.
    pub fn now(self) -> i64 {
        self.at(history::now())
    }

    /// What services are started with.
    pub fn clock(self) -> Clock {
        let machine = system_clock();
        Arc::new(move || At(self.at(machine().0)))
    }
}
