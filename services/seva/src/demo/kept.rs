//! What the demo keeps in its folder, so that playing the week again says the same again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The file's content: the first start, and the suggestions that steps of the week became.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Content {
    started_at: Timestamp,
    #[serde(default)]
    suggestions: BTreeMap<String, String>,
}

/// `DIR/demo.toml`.
#[derive(Debug)]
pub(crate) struct Kept {
    path: PathBuf,
    content: Content,
}

impl Kept {
    /// Reads the file, or makes it with this start.
    pub(crate) fn open(dir: &Path, now: Timestamp) -> anyhow::Result<Kept> {
        let path = dir.join("demo.toml");
        if path.exists() {
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let content =
                toml::from_str(&text).with_context(|| format!("{} is not the demo's", path.display()))?;
            return Ok(Kept { path, content });
        }
        let kept = Kept { path, content: Content { started_at: now, suggestions: BTreeMap::new() } };
        kept.write()?;
        Ok(kept)
    }

    /// When the demo first started on this folder: the week ends before it.
    pub(crate) fn started_at(&self) -> Timestamp {
        self.content.started_at
    }

    /// The suggestion that a step became, if that was found out already.
    pub(crate) fn suggestion(&self, step: &str) -> Option<&str> {
        self.content.suggestions.get(step).map(String::as_str)
    }

    /// Keeps which suggestion a step became, before anything is done with it.
    pub(crate) fn keep_suggestion(&mut self, step: &str, suggestion_id: &str) -> anyhow::Result<()> {
        self.content.suggestions.insert(step.to_owned(), suggestion_id.to_owned());
        self.write()
    }

    /// Writes beside and renames, so that a half-written file is never read.
    fn write(&self) -> anyhow::Result<()> {
        let beside = self.path.with_extension("toml.new");
        let write = || {
            std::fs::write(&beside, toml::to_string(&self.content)?)?;
            anyhow::Ok(std::fs::rename(&beside, &self.path)?)
        };
        write().with_context(|| format!("cannot write {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_start_and_the_suggestions_found_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let first: Timestamp = "2026-03-09T10:20:30.123456Z".parse().unwrap();
        let later: Timestamp = "2026-03-11T08:00:00Z".parse().unwrap();
        let mut kept = Kept::open(dir.path(), first).unwrap();
        kept.keep_suggestion("paper", "sug_1").unwrap();
        let again = Kept::open(dir.path(), later).unwrap();
        assert_eq!((again.started_at(), again.suggestion("paper")), (first, Some("sug_1")));
        assert_eq!(again.suggestion("plastic"), None);
    }
}
