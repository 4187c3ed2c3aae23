//! Imports: where one begins and ends.

use seva_domain::import;
use seva_domain::plan::Intent;
use seva_domain::values::ImportId;

use crate::brought::is_import_key;
use crate::edge::{Draft, Pen, Whose};
use crate::parse::Fields;
use crate::pb::intake::v1 as pb;
use crate::status::Error;

/// The beginning or the end of an import.
pub struct Bracket {
    pub import: ImportId,
    pub command: import::Command,
}

impl Draft for Bracket {
    fn whose(&self) -> Whose {
        Whose::NoTexts
    }

    async fn intent(&self, _: &Pen<'_>) -> Result<Intent, Error> {
        Ok(Intent::Import { import: self.import, command: self.command.clone() })
    }
}

/// Reads the key of an import.
pub fn import_key(start: &pb::ImportStart) -> Result<String, Error> {
    let pb::ImportStart { import_key } = start;
    let mut fields = Fields::default();
    let key = fields.text("start.import_key", import_key, 1..=128);
    if key.is_some() && !is_import_key(import_key) {
        fields.refuse("start.import_key", "should be of a-z, 0-9, `-`, `_` and `.`");
    }
    fields.finish(|| key)
}
