//! Which webhooks are listened to.

use super::*;

const NOW_S: i64 = 1_700_000_000;
const BODY: &[u8] = br#"{"id":"evt_1","type":"refund.paid","refund":{"idempotency_key":"rfd_1"}}"#;

fn secret() -> Secret {
    Secret::new("0123456789abcdef").unwrap()
}

fn receiver() -> Receiver {
    Receiver::new(secret())
}

fn hint() -> Result<Hint, Refusal> {
    Ok(Hint { key: "rfd_1".to_owned() })
}

#[test]
fn a_signature_is_what_openssl_makes_of_the_seconds_a_dot_and_the_body() {
    let made = "t=1700000000,v1=92b392af88f5b0bb88c79512dddc28ce8577d86c5bb6c8fce5e97d722b58038b";
    assert_eq!(sign(&secret(), NOW_S, BODY), made);
    assert_eq!(receiver().take(made, BODY, NOW_S), hint());
}

#[test]
fn a_webhook_under_another_secret_or_with_another_body_or_time_is_forged() {
    let other = Secret::new("another secret, as long").unwrap();
    assert_eq!(receiver().take(&sign(&other, NOW_S, BODY), BODY, NOW_S), Err(Refusal::Forged));
    let signature = sign(&secret(), NOW_S, BODY);
    let changed = String::from_utf8_lossy(BODY).replace("rfd_1", "rfd_2");
    assert_eq!(receiver().take(&signature, changed.as_bytes(), NOW_S), Err(Refusal::Forged));
    let later = signature.replace("t=1700000000", "t=1700000001");
    assert_eq!(receiver().take(&later, BODY, NOW_S), Err(Refusal::Forged));
}

#[test]
fn a_webhook_is_fresh_for_five_minutes_either_way() {
    let signature = sign(&secret(), NOW_S, BODY);
    for (now_s, result) in [
        (NOW_S + TOLERANCE_S, hint()),
        (NOW_S + TOLERANCE_S + 1, Err(Refusal::Stale)),
        (NOW_S - TOLERANCE_S, hint()),
        (NOW_S - TOLERANCE_S - 1, Err(Refusal::Stale)),
        (i64::MIN, Err(Refusal::Stale)),
    ] {
        assert_eq!(receiver().take(&signature, BODY, now_s), result, "{now_s}");
    }
}

#[test]
fn a_delivery_is_taken_once_however_often_it_is_signed() {
    let mut receiver = receiver();
    assert_eq!(receiver.take(&sign(&secret(), NOW_S, BODY), BODY, NOW_S), hint());
    for again_s in [NOW_S, NOW_S + 1, NOW_S + TOLERANCE_S] {
        let signature = sign(&secret(), again_s, BODY);
        assert_eq!(receiver.take(&signature, BODY, again_s), Err(Refusal::Replayed));
    }
}

#[test]
fn a_header_without_one_time_and_a_code_is_no_signature() {
    let code = "0".repeat(64);
    let headers = [
        String::new(),
        format!("v1={code}"),
        format!("t=,v1={code}"),
        format!("t=1,t=2,v1={code}"),
        "t=1700000000".to_owned(),
        format!("t=1700000000,v0={code}"),
        "t=1700000000,v1=00".to_owned(),
        format!("t=1700000000,v1={}", "g".repeat(64)),
    ];
    for header in headers {
        assert_eq!(receiver().take(&header, BODY, NOW_S), Err(Refusal::Unsigned), "{header}");
    }
}

#[test]
fn one_right_code_is_enough_while_the_secret_is_being_changed() {
    let signature = sign(&secret(), NOW_S, BODY).replace("v1=", &format!("v1={},v1=", "0".repeat(64)));
    assert_eq!(receiver().take(&signature, BODY, NOW_S), hint());
}

#[test]
fn what_is_signed_and_not_understood_is_no_hint() {
    let long = vec![b' '; BODY_BYTES_MAX + 1];
    for body in [b"{}".as_slice(), b"", br#"{"id":"evt_1"}"#, &long] {
        assert_eq!(receiver().take(&sign(&secret(), NOW_S, body), body, NOW_S), Err(Refusal::Unreadable));
    }
}

#[test]
fn only_so_many_deliveries_are_remembered_and_the_newest_are_among_them() {
    let mut receiver = receiver();
    let mut last = (String::new(), Vec::new(), NOW_S);
    for n in 0..i64::try_from(REMEMBERED_MAX).unwrap() + 10 {
        let now_s = NOW_S + n / 1_000;
        let body = format!(r#"{{"id":"evt_{n}","refund":{{"idempotency_key":"rfd_1"}}}}"#).into_bytes();
        let signature = sign(&secret(), now_s, &body);
        assert_eq!(receiver.take(&signature, &body, now_s), hint());
        last = (signature, body, now_s);
    }
    assert!(receiver.taken.len() <= REMEMBERED_MAX);
    let (signature, body, now_s) = last;
    assert_eq!(receiver.take(&signature, &body, now_s), Err(Refusal::Replayed));
}
