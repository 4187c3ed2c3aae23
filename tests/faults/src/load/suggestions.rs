//! What clients do with suggestions.

use rand::seq::IndexedRandom as _;

use super::{Client, remember};
use crate::write::Verb;

impl Client {
    pub(super) async fn works_on_a_suggestion(&mut self) -> anyhow::Result<()> {
        let rng = &mut self.rng;
        let known = self.load.with_known(|known| known.suggestions.make_contiguous().choose(rng).cloned());
        let Some(suggestion) = known else { return self.looks_for_suggestions().await };
        let verb = *Verb::OF_SUGGESTIONS.choose(&mut self.rng).unwrap_or(&Verb::Acknowledge);
        let mut write = self.request(verb);
        write.about = suggestion;
        self.asks(write).await.map(drop)
    }

    pub(super) async fn captures(&mut self) -> anyhow::Result<()> {
        let write = self.request(Verb::Capture);
        let Some(written) = self.asks(write).await? else { return Ok(()) };
        self.learns(written.ids);
        Ok(())
    }

    pub(super) fn learns(&mut self, suggestions: Vec<String>) {
        self.load.with_known(|known| {
            for suggestion in suggestions {
                if !known.suggestions.contains(&suggestion) {
                    remember(&mut known.suggestions, suggestion);
                }
            }
        });
    }
}
