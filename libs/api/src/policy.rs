//! Policy over gRPC: requests to drafts, findings to answers.

use seva_domain::plan::Intent;
use seva_domain::policy::Document;

use crate::edge::{Draft, Pen, Whose};
use crate::intake::NOTE_CHARS_MAX;
use crate::parse::Fields;
use crate::pb::policy::v1 as pb;
use crate::status::Error;

/// The longest document, in characters.
const DOCUMENT_CHARS_MAX: usize = 200 * 1024;

/// A document to be published.
pub struct Publication {
    document: String,
    reason: String,
    expected_version: Option<u64>,
}

impl Publication {
    /// Checks a request. Whether the document can be the policy is checked where it is decided.
    pub fn parse(request: &pb::PublishPolicyRequest) -> Result<Publication, Error> {
        let pb::PublishPolicyRequest { request_id, document, reason, expected_version } = request;
        let mut fields = Fields::default();
        fields.request_id("request_id", request_id);
        let document = fields.text("document", document, 1..=DOCUMENT_CHARS_MAX);
        let reason = fields.text("reason", reason, 1..=NOTE_CHARS_MAX);
        let expected_version = *expected_version;
        fields.finish(|| Some(Publication { document: document?, reason: reason?, expected_version }))
    }
}

impl Draft for Publication {
    fn whose(&self) -> Whose {
        Whose::NoTexts
    }

    async fn intent(&self, _: &Pen<'_>) -> Result<Intent, Error> {
        Ok(Intent::Publish {
            document: self.document.clone(),
            reason: self.reason.clone(),
            expected_version: self.expected_version,
        })
    }
}

/// What is wrong with a document.
pub fn check(document: &str) -> pb::CheckPolicyResponse {
    let findings = Document::parse(document).err().unwrap_or_default();
    let findings = findings.into_iter().map(|f| pb::PolicyFinding { path: f.path, message: f.message });
    pb::CheckPolicyResponse { findings: findings.collect() }
}
