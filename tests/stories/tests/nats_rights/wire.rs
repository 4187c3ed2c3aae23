//! A client that says exactly what it is told to and hears everything: libraries check subjects first, and keep refusals apart from calls.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde_json::{Value, json};
use seva_rights::Identity;
use seva_support::TestNats;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use std::time::Duration;

use crate::calls::{Call, Deed};
use crate::place::other;

/// How long the server may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the server sends.
enum Heard {
    Refusal(String),
    Message { subject: String, headers: String, payload: Vec<u8> },
    Pong,
}

/// A connection as one identity.
pub(crate) struct Wire {
    stream: BufReader<TcpStream>,
    inbox: String,
    asked: u32,
}

impl Wire {
    pub(crate) async fn connect(nats: &TestNats, identity: Identity) -> Wire {
        let mut stream = BufReader::new(TcpStream::connect(nats.addr()).await.unwrap());
        let mut greeting = String::new();
        stream.read_line(&mut greeting).await.unwrap();
        let info: Value = serde_json::from_str(greeting.strip_prefix("INFO ").unwrap()).unwrap();
        let seed = std::fs::read_to_string(nats.seeds().path(identity)).unwrap();
        let pair = KeyPair::from_seed(seed.trim()).unwrap();
        let signature = pair.sign(info["nonce"].as_str().unwrap().as_bytes()).unwrap();
        let connect = json!({
            "nkey": pair.public_key(), "sig": URL_SAFE_NO_PAD.encode(signature), "verbose": false,
            "pedantic": false, "headers": true, "no_responders": true, "lang": "test", "version": "1", "protocol": 1,
        });
        let inbox = format!("{}.try", identity.inbox());
        let mut wire = Wire { stream, inbox, asked: 0 };
        wire.send(format!("CONNECT {connect}\r\nSUB {}.* 1\r\nPING\r\n", wire.inbox)).await;
        assert!(matches!(wire.hear().await, Heard::Pong), "{identity:?} is let in");
        wire
    }

    /// Makes a call as an identity. Answers its cell.
    pub(crate) async fn cell(&mut self, call: &Call, identity: Identity) -> String {
        let key =
            format!("{:032x}", 1_000 + Identity::ALL.iter().position(|other| *other == identity).unwrap());
        let filled = |text: &str| {
            text.replace("{me}", identity.name()).replace("{other}", other(identity)).replace("{key}", &key)
        };
        let (subject, body) = (filled(&call.subject), filled(&call.body));
        let outcome = tokio::time::timeout(PATIENCE, async {
            match call.deed {
                Deed::Ask => self.ask(&subject, &body).await,
                Deed::Tell => self.only(format!("PUB {subject} 0\r\n\r\n")).await,
                Deed::Listen => self.only(format!("SUB {subject} 7\r\n")).await,
            }
        });
        outcome.await.unwrap_or_else(|_| panic!("{identity:?}: nothing is heard of {subject}"))
    }

    /// Says something that is not answered, and hears whether it is refused.
    async fn only(&mut self, said: String) -> String {
        let is_subscription = said.starts_with("SUB ");
        self.send(format!("{said}PING\r\n")).await;
        let mut cell = "yes".to_owned();
        loop {
            match self.hear().await {
                Heard::Refusal(why) => cell = refused(&why),
                Heard::Message { .. } => {}
                Heard::Pong => break,
            }
        }
        if is_subscription {
            self.send("UNSUB 7\r\n".to_owned()).await;
        }
        cell
    }

    /// Asks, and hears the refusal or the first answer.
    async fn ask(&mut self, subject: &str, body: &str) -> String {
        self.asked += 1;
        let reply = format!("{}.{}", self.inbox, self.asked);
        self.send(format!("PUB {subject} {reply} {}\r\n{body}\r\nPING\r\n", body.len())).await;
        let (mut cell, mut is_through) = (None, false);
        // A refusal comes before the server's own answer; an answer from elsewhere may come after it.
        while cell.is_none() || !is_through {
            match self.hear().await {
                Heard::Refusal(why) => cell = Some(refused(&why)),
                // What a consumer hands out comes under the subject that it was stored under.
                Heard::Message { subject, headers, payload }
                    if subject == reply || !subject.starts_with("_INBOX") =>
                {
                    cell = cell.or_else(|| Some(answered(&headers, &payload)));
                }
                Heard::Message { .. } => {}
                Heard::Pong => is_through = true,
            }
        }
        cell.unwrap()
    }

    async fn send(&mut self, text: String) {
        self.stream.get_mut().write_all(text.as_bytes()).await.unwrap();
    }

    async fn hear(&mut self) -> Heard {
        loop {
            let mut line = String::new();
            assert!(self.stream.read_line(&mut line).await.unwrap() > 0, "the server hung up");
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[0] {
                "-ERR" => return Heard::Refusal(line.trim().to_owned()),
                "PONG" => return Heard::Pong,
                "PING" => self.send("PONG\r\n".to_owned()).await,
                "MSG" | "HMSG" => {
                    let sizes: Vec<usize> = words.iter().rev().map_while(|word| word.parse().ok()).collect();
                    let head = if words[0] == "HMSG" { sizes[1] } else { 0 };
                    let mut bytes = vec![0; sizes[0] + 2];
                    self.stream.read_exact(&mut bytes).await.unwrap();
                    let headers = String::from_utf8_lossy(&bytes[..head]).into_owned();
                    return Heard::Message {
                        subject: words[1].to_owned(),
                        headers,
                        payload: bytes[head..sizes[0]].to_vec(),
                    };
                }
                _ => {}
            }
        }
    }
}

fn refused(why: &str) -> String {
    assert!(why.contains("Permissions Violation"), "{why}");
    "-".to_owned()
}

/// The cell for an answer: done, or the code of the refusal.
fn answered(headers: &str, payload: &[u8]) -> String {
    let status = headers.strip_prefix("NATS/1.0 ").and_then(|rest| rest.get(..3));
    match status {
        // There was nothing to hand out, which is an answer.
        Some("404") | Some("408") | None => {}
        Some(status) => return status.to_owned(),
    }
    let code =
        serde_json::from_slice::<Value>(payload).ok().and_then(|answer| answer["error"]["err_code"].as_u64());
    code.map_or_else(|| "yes".to_owned(), |code| code.to_string())
}
