//! What clients do with cases: log what was said, and work on what came of it.

use rand::Rng as _;
use rand::seq::IndexedRandom as _;

use super::{Case, Client, remember};
use crate::write::Verb;

impl Client {
    pub(super) async fn logs(&mut self) -> anyhow::Result<()> {
        let mut write = self.request(Verb::Log);
        write.account = if self.rng.random_bool(0.7) {
            format!("hot-{}", self.rng.random_range(0..self.load.hot))
        } else {
            write.marker.clone()
        };
        if self.rng.random_bool(0.15)
            && let Some(case) = self.case()
        {
            (write.about, write.account) = (case.case, case.account);
        }
        let account = write.account.clone();
        let Some(written) = self.asks(write).await? else { return Ok(()) };
        let [case, customer, interaction] = written.ids.as_slice() else { return Ok(()) };
        let case = Case {
            case: case.clone(),
            customer: customer.clone(),
            interaction: interaction.clone(),
            account,
            position: written.position,
        };
        self.load.with_known(|known| remember(&mut known.cases, case.clone()));
        // What was just acknowledged by one process is asked for at once, of any.
        match self.rng.random_range(0..10) {
            0..3 => self.reads_of(&case).await,
            3..6 => self.asks_of(&case).await,
            _ => Ok(()),
        }
    }

    pub(super) async fn works_on_a_case(&mut self) -> anyhow::Result<()> {
        match self.case() {
            Some(case) => self.asks_of(&case).await,
            None => Ok(()),
        }
    }

    pub(super) async fn asks_of(&mut self, case: &Case) -> anyhow::Result<()> {
        let verb = *Verb::OF_CASES.choose(&mut self.rng).unwrap_or(&Verb::Resolve);
        let mut write = self.request(verb);
        write.about = case.case.clone();
        self.asks(write).await.map(drop)
    }
}
