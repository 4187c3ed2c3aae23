//! What is told of the policy outside the house: which version there is, never its text.

use super::events::{self, Event};
use crate::published::{Sha256, published_types};

published_types! {
    /// A document became the policy.
    Published = "policy.published.v1" {
        /// Counts from 1.
        version: u64,
        /// How long the document is, in bytes.
        document_bytes: u64,
        /// The document's digest.
        document_sha256: Sha256,
    }
}

impl From<&Event> for Told {
    fn from(event: &Event) -> Told {
        match event {
            Event::Published(events::Published { version, document, reason: _ }) => {
                Told::Published(Published {
                    version: *version,
                    document_bytes: document.len() as u64,
                    document_sha256: Sha256::of(document.as_bytes()),
                })
            }
        }
    }
}
