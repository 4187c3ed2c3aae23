//! A clock that a test can put forward.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use seva::house::system_clock;
use seva_domain::values::At;
use seva_eventlog::writer::Clock;

/// The machine's clock, ahead by what the test put it forward. Clones are the same clock.
#[derive(Clone, Debug, Default)]
pub struct TestClock {
    ahead_micros: Arc<AtomicI64>,
}

impl TestClock {
    /// Puts it forward.
    pub fn jump(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).expect("a jump of centuries is no test");
        self.ahead_micros.fetch_add(micros, Ordering::SeqCst);
    }

    /// The time on it.
    pub fn now(&self) -> At {
        At(system_clock()().0 + self.ahead_micros.load(Ordering::SeqCst))
    }

    /// What services are started with.
    pub fn clock(&self) -> Clock {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}
