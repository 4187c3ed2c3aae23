//! What clients do with escalations.

use rand::seq::IndexedRandom as _;

use super::Client;
use crate::write::{Verb, Write};

impl Client {
    pub(super) async fn escalates(&mut self) -> anyhow::Result<()> {
        let Some(case) = self.case() else { return Ok(()) };
        let verb = *Verb::OF_ESCALATIONS.choose(&mut self.rng).unwrap_or(&Verb::Raise);
        let write = Write { about: case.case, ..self.request(verb) };
        self.asks(write).await.map(drop)
    }
}
