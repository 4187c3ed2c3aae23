//! The policy document, as managers write it.

use seva_domain::policy::{Document, STARTER};
use seva_support::{Edit, edited};

fn parse(text: &str) {
    match Document::parse(text) {
        Ok(document) => assert_eq!(document.check(), Vec::new(), "what is taken has nothing wrong with it"),
        Err(findings) => {
            assert!(!findings.is_empty() && findings.iter().all(|found| !found.message.is_empty()))
        }
    }
}

#[test]
fn a_document_with_mistakes_is_taken_or_refused_with_all_of_them() {
    bolero::check!().with_type::<Vec<Edit>>().for_each(|edits| {
        parse(&String::from_utf8_lossy(&edited(STARTER.as_bytes(), edits)));
    });
}

#[test]
fn what_is_no_document_is_refused() {
    bolero::check!().with_type::<String>().for_each(|text| {
        assert!(Document::parse(text).is_err());
    });
}
