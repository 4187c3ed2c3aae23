//! What is made of every answer that a provider, or what stands between, can give.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::*;

/// A provider that gives every request the same bytes, whatever they are, and then closes.
struct Says {
    provider: PaymentProvider,
    _answering: AbortOnDropHandle<()>,
}

async fn says(bytes: impl Into<Vec<u8>>) -> Says {
    let bytes = bytes.into();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answering = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).await.unwrap() > 0, "nothing was asked");
            // A client that has heard enough may be gone by now.
            if stream.write_all(&bytes).await.is_ok() && stream.shutdown().await.is_ok() {
                while stream.read(&mut request).await.is_ok_and(|count| count > 0) {}
            }
        }
    });
    let provider = PaymentProvider::new(&url).unwrap();
    Says { provider, _answering: AbortOnDropHandle::new(answering) }
}

fn http(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} Said\r\nlocation: /elsewhere\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn refund(rest: &str) -> String {
    format!(
        r#"{{"id":"re_1","idempotency_key":"rfd_1","charge":"ch_1","amount_minor":250,"currency":"EUR",{rest}}}"#
    )
}

fn instruction() -> Instruction {
    Instruction {
        key: "rfd_1".to_owned(),
        charge: "ch_1".to_owned(),
        amount_minor: 250,
        currency: "EUR".to_owned(),
    }
}

async fn instructed(answer: impl Into<Vec<u8>>) -> Result<Settlement, Unsettled> {
    says(answer).await.provider.instruct(&instruction()).await
}

async fn asked(answer: impl Into<Vec<u8>>) -> Result<Option<Settlement>, Unknown> {
    says(answer).await.provider.ask("rfd_1").await
}

fn paid() -> Settlement {
    Settlement::Paid { reference: "re_1".to_owned() }
}

fn failed(code: &str) -> Settlement {
    Settlement::Failed { code: code.to_owned(), reason: "No.".to_owned() }
}

#[tokio::test]
async fn the_providers_word_on_a_refund_is_taken() {
    let failure = r#""status":"failed","failure":{"code":"insufficient_funds","reason":"No."}"#;
    for (said, meant) in [
        (r#""status":"paid""#, paid()),
        (r#""status":"pending""#, Settlement::Pending),
        (failure, failed("insufficient_funds")),
    ] {
        assert_eq!(instructed(http(201, &refund(said))).await.unwrap(), meant);
        let found = format!(r#"{{"data":[{}]}}"#, refund(said));
        assert_eq!(asked(http(200, &found)).await.unwrap(), Some(meant));
    }
    assert_eq!(asked(http(200, r#"{"data":[]}"#)).await.unwrap(), None);
}

#[tokio::test]
async fn a_refusal_is_a_failure_and_a_changed_body_a_mistake_of_ours() {
    let error = |code: &str| format!(r#"{{"error":{{"code":"{code}","reason":"No."}}}}"#);
    for status in [400, 402, 404, 422] {
        let settlement = instructed(http(status, &error("unknown_charge"))).await.unwrap();
        assert_eq!(settlement, failed("unknown_charge"), "{status}");
    }
    for status in [400, 409, 422] {
        let unsettled = instructed(http(status, &error("idempotency_key_reused"))).await.unwrap_err();
        assert!(matches!(&unsettled, Unsettled::ChangedBody { key } if key == "rfd_1"), "{unsettled:?}");
    }
}

#[tokio::test]
async fn whatever_does_not_say_what_became_of_the_money_is_unknown() {
    let error = r#"{"error":{"code":"idempotency_key_in_use","reason":"No."}}"#;
    let whole = http(201, &refund(r#""status":"paid""#));
    let answers = [
        // Turned away, or sent elsewhere.
        http(409, error),
        http(301, ""),
        http(401, "{}"),
        http(403, "{}"),
        http(429, "{}"),
        http(500, &refund(r#""status":"paid""#)),
        http(503, ""),
        // Not of this contract.
        http(201, ""),
        http(201, "{}"),
        http(404, "<html>not here</html>"),
        http(422, r#"{"error":{"code":"Not a code","reason":"No."}}"#),
        http(201, &refund(r#""status":"surely""#)),
        http(201, &refund(r#""status":"failed""#)),
        http(201, &refund(r#""status":"paid","failure":{"code":"no","reason":"No."}"#)),
        // Another refund.
        http(201, &refund(r#""status":"paid""#).replace("rfd_1", "rfd_2")),
        http(201, &refund(r#""status":"paid""#).replace("250", "251")),
        http(201, &refund(r#""status":"paid""#).replace("EUR", "USD")),
        http(201, &refund(r#""status":"paid""#).replace("ch_1", "ch_2")),
        // Broken off, or no HTTP at all.
        String::new(),
        "rubbish\r\n\r\n".to_owned(),
        whole[..whole.len() - 1].to_owned(),
    ];
    for answer in answers {
        let unsettled = instructed(answer.clone()).await;
        assert!(matches!(unsettled, Err(Unsettled::Unknown(_))), "{answer}: {unsettled:?}");
    }
}

#[tokio::test]
async fn never_heard_of_is_said_by_an_empty_list_and_by_nothing_else() {
    let two = format!(r#"{{"data":[{0},{0}]}}"#, refund(r#""status":"paid""#));
    let other = format!(r#"{{"data":[{}]}}"#, refund(r#""status":"paid""#).replace("rfd_1", "rfd_2"));
    let answers = [
        http(404, r#"{"error":{"code":"not_found","reason":"No."}}"#),
        http(503, r#"{"data":[]}"#),
        http(200, "{}"),
        http(200, ""),
        http(200, &two),
        http(200, &other),
        String::new(),
    ];
    for answer in answers {
        let unknown = asked(answer.clone()).await;
        assert!(unknown.is_err(), "{answer}: {unknown:?}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let endless = format!("HTTP/1.1 200 Said\r\n\r\n{}", " ".repeat(1 << 20));
    let unknown = asked(endless).await.unwrap_err();
    assert!(matches!(unknown, Unknown::NoAnswer(Broken::Body(_))), "{unknown:?}");
}

#[tokio::test]
async fn a_provider_that_says_nothing_is_waited_for_so_long_and_no_longer() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let provider = PaymentProvider::new(&url).unwrap().answering_within(Duration::from_millis(50));
    let unknown = provider.ask("rfd_1").await.unwrap_err();
    assert!(matches!(unknown, Unknown::Late { within_ms: 50 }), "{unknown:?}");
}

#[tokio::test]
async fn a_provider_that_is_not_there_has_said_nothing() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let unsettled = PaymentProvider::new(&url).unwrap().instruct(&instruction()).await.unwrap_err();
    let Unsettled::Unknown(Unknown::NoAnswer(Broken::Unreachable { .. })) = unsettled else {
        panic!("{unsettled:?}")
    };
}

#[tokio::test]
async fn the_providers_sentence_is_clipped_and_cannot_steer_a_terminal() {
    let reason = format!("a\\u001b[2J{}", "x".repeat(1000));
    let body = format!(r#"{{"error":{{"code":"no","reason":"{reason}"}}}}"#);
    let Settlement::Failed { reason, .. } = instructed(http(422, &body)).await.unwrap() else { panic!() };
    assert_eq!(reason.chars().count(), 200);
    assert!(reason.starts_with("a [2Jx"), "{reason}");
}
