//! What clients do with promises: some are kept, some put off, and many left to break.

use rand::Rng as _;

use super::{Client, Promise, remember};
use crate::write::{Verb, Write};

/// How far ahead something is promised, in milliseconds of the machine's clock.
const AHEAD_MS: std::ops::Range<i64> = 300..6_000;

impl Client {
    pub(super) async fn promises(&mut self) -> anyhow::Result<()> {
        match self.rng.random_range(0..10) {
            0..6 => self.makes_a_promise().await,
            6..8 => self.works_on_a_promise(Verb::KeepPromise).await,
            _ => self.works_on_a_promise(Verb::PutOffPromise).await,
        }
    }

    async fn makes_a_promise(&mut self) -> anyhow::Result<()> {
        let Some(case) = self.case() else { return Ok(()) };
        let write = Write {
            about: case.case.clone(),
            is_suggestion: self.rng.random_bool(0.1),
            number: self.due(),
            ..self.request(Verb::MakePromise)
        };
        let Some(written) = self.asks(write).await? else { return Ok(()) };
        for promise in written.ids {
            let promise = Promise { case: case.case.clone(), promise };
            self.load.with_known(|known| remember(&mut known.promises, promise));
        }
        Ok(())
    }

    async fn works_on_a_promise(&mut self, verb: Verb) -> anyhow::Result<()> {
        let Some(promise) = self.pick(|known| &mut known.promises) else { return Ok(()) };
        let write =
            Write { about: promise.case, of: promise.promise, number: self.due(), ..self.request(verb) };
        self.asks(write).await.map(drop)
    }

    fn due(&mut self) -> i64 {
        let pace = self.load.pace;
        pace.now() + self.rng.random_range(AHEAD_MS) * 1_000 * pace.rate
    }
}
