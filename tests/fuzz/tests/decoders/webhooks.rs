//! What the payment provider sends, or somebody in its name.

use seva_refunds::provider::webhook::{Receiver, Refusal, Secret, TOLERANCE_S, sign};
use seva_support::{Edit, edited};

const NOW_S: i64 = 1_700_000_000;
const BODY: &[u8] = br#"{"id":"evt_1","type":"refund.paid","refund":{"idempotency_key":"rfd_1"}}"#;

fn secret() -> Secret {
    Secret::new("0123456789abcdef").unwrap()
}

#[test]
fn a_signature_that_was_changed_is_never_taken() {
    bolero::check!().with_type::<(Vec<Edit>, Vec<Edit>)>().for_each(|(in_signature, in_body)| {
        let signature = sign(&secret(), NOW_S, BODY);
        let changed = String::from_utf8_lossy(&edited(signature.as_bytes(), in_signature)).into_owned();
        let body = edited(BODY, in_body);
        let taken = Receiver::new(secret()).take(&changed, &body, NOW_S);
        if body != BODY {
            assert!(matches!(taken, Err(Refusal::Forged | Refusal::Unsigned)), "{taken:?}");
        }
    });
}

#[test]
fn a_signed_body_is_understood_or_refused_whatever_it_says_and_whenever() {
    bolero::check!().with_type::<(Vec<Edit>, i64)>().for_each(|(edits, at_s)| {
        let body = edited(BODY, edits);
        let taken = Receiver::new(secret()).take(&sign(&secret(), *at_s, &body), &body, NOW_S);
        if at_s.abs_diff(NOW_S) > TOLERANCE_S.unsigned_abs() {
            assert_eq!(taken, Err(Refusal::Stale));
        }
        let taken = Receiver::new(secret()).take(&sign(&secret(), NOW_S, &body), &body, NOW_S);
        assert!(matches!(taken, Ok(_) | Err(Refusal::Unreadable)), "{taken:?}");
    });
}

#[test]
fn what_is_no_signature_is_refused() {
    bolero::check!().with_type::<(String, Vec<u8>, i64)>().for_each(|(signature, body, now_s)| {
        let taken = Receiver::new(secret()).take(signature, body, *now_s);
        assert!(matches!(taken, Err(Refusal::Unsigned | Refusal::Forged)), "{taken:?}");
    });
}
