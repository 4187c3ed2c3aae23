//! What an answer may be, and what it may not.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use prost_reflect::MethodDescriptor;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// How many mistakes are told.
const TOLD_MAX: usize = 50;

/// Hears every answer. A lock, held for one entry.
#[derive(Debug, Default)]
pub(crate) struct Judge(Mutex<Heard>);

#[derive(Debug, Default)]
struct Heard {
    mistakes: Vec<String>,
    /// How often each method was answered how.
    answers: BTreeMap<(String, String), u64>,
    longest: Duration,
}

impl Judge {
    fn with<T>(&self, change: impl FnOnce(&mut Heard) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn hangs(&self, what: &str) {
        self.with(|heard| heard.mistakes.push(format!("{what}: hangs")));
    }

    pub(crate) fn hears(
        &self,
        method: &MethodDescriptor,
        what: &str,
        answer: &Result<Bytes, Status>,
        took: Duration,
    ) {
        let (how, mistake) = match answer {
            Ok(_) => ("OK".to_owned(), None),
            Err(status) => {
                let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
                (format!("{:?} {reason}", status.code()), mistake(method, status))
            }
        };
        self.with(|heard| {
            if let Some(mistake) = mistake {
                heard.mistakes.push(format!("{what}: {mistake}"));
            }
            *heard.answers.entry((method.name().to_owned(), how)).or_default() += 1;
            heard.longest = heard.longest.max(took);
        });
    }

    /// What was answered wrongly.
    pub(crate) fn found(&self) -> Vec<String> {
        self.with(|heard| heard.mistakes.iter().take(TOLD_MAX).cloned().collect())
    }

    /// How often which answer was given.
    pub(crate) fn summary(&self) -> String {
        self.with(|heard| {
            let mut by_answer: BTreeMap<&str, u64> = BTreeMap::new();
            for ((_, how), times) in &heard.answers {
                *by_answer.entry(how).or_default() += times;
            }
            let lines = by_answer.iter().map(|(how, times)| format!("{times:>8}  {how}"));
            let longest = heard.longest.as_millis();
            format!("{}\nlongest {longest} ms", lines.collect::<Vec<_>>().join("\n"))
        })
    }

    /// A run whose messages are all malformed says nothing about what is behind the door.
    pub(crate) fn assert_reached_the_rules(&self) {
        self.with(|heard| {
            let answered = |wanted: &str| -> u64 {
                heard.answers.iter().filter(|((_, how), _)| how.starts_with(wanted)).map(|(_, n)| n).sum()
            };
            let all = answered("");
            assert!(answered("OK") * 20 > all, "hardly any call was answered");
            assert!(answered("FailedPrecondition") > 0, "no rule was asked");
        });
    }
}

/// What is wrong with a refusal, if anything is.
fn mistake(method: &MethodDescriptor, status: &Status) -> Option<String> {
    let is_ours = method.parent_service().full_name().starts_with("seva.");
    match status.code() {
        Code::Internal | Code::Unknown | Code::DataLoss => Some(format!("{status:?}")),
        // The client's own clock may be faster, and then nobody told it why.
        Code::Cancelled | Code::DeadlineExceeded => None,
        _ if is_ours && status.get_details_error_info().is_none() => {
            Some(format!("without a reason: {status:?}"))
        }
        _ => None,
    }
}

/// One of a process's numbers, as its page shows it.
pub(crate) async fn number(url: &str, name: &str) -> u64 {
    let (host, path) = url.strip_prefix("http://").and_then(|url| url.split_once('/')).unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(format!("GET /{path} HTTP/1.0\r\nhost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).await.unwrap();
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("there is no number {name}")).parse().unwrap()
}
