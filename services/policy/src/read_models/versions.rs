//! Which versions of the policy were there, and what did each say? Two rows a version: what it is, and its document.
//!
//! Keys: `v` version; `d` version.

use seva_api::parse::timestamp;
use seva_api::pb::policy::v1::{GetPolicyResponse, PolicyVersion};
use seva_domain::noun::{Event, Noun};
use seva_domain::policy::Event as PolicyEvent;
use seva_domain::record::Record;
use seva_eventlog::commit::Position;
use seva_readmodel::model::{FoldError, ReadModel, Rows};

/// The read model's name.
pub const NAME: &str = "versions.v1";

/// What the keys of all versions begin with.
pub const VERSIONS: &[u8] = b"v";

/// The read model.
pub struct Versions;

impl ReadModel for Versions {
    fn name(&self) -> &'static str {
        NAME
    }

    fn fold(&self, rows: &mut Rows<'_>, record: &Record, _: Position) -> Result<(), FoldError> {
        if record.noun != Noun::Policy {
            return Ok(());
        }
        for entry in &record.events {
            let Event::Policy(PolicyEvent::Published(published)) = &entry.event else { continue };
            let version = PolicyVersion {
                version: published.version,
                published_at: Some(timestamp(record.effective_at)),
                published_by: record.actor.as_str().to_owned(),
                reason: published.reason.clone(),
            };
            rows.put([VERSIONS, &published.version.to_be_bytes()].concat(), &version);
            let document = published.document.clone();
            let whole = GetPolicyResponse { policy: Some(version), document, position: String::new() };
            rows.put(document_key(published.version), &whole);
        }
        Ok(())
    }
}

/// The key of a version's document.
pub fn document_key(version: u64) -> Vec<u8> {
    [b"d", version.to_be_bytes().as_slice()].concat()
}
