//! The history: what was called and done, written before it is done, and what came of it; one JSON object a line.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::clock::Pace;
use crate::write::Write;

/// Where a history stands in a kept folder.
pub const FILE: &str = "history.jsonl";

/// One line of a history. Times are microseconds since 1970, by the machine's clock.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// The run begins.
    Began {
        at: i64,
        seed: u64,
        kills: u32,
        clients: u32,
        /// How the processes' clocks go.
        pace: Pace,
    },
    /// A call is about to be made.
    Invoke {
        at: i64,
        attempt: u64,
        client: u32,
        to: String,
        life: u64,
        call: Call,
    },
    /// A write was recorded, or was so already.
    Ok {
        at: i64,
        attempt: u64,
        position: String,
        ids: Vec<String>,
        is_replayed: bool,
    },
    /// A read was answered.
    Read {
        at: i64,
        attempt: u64,
        life: u64,
        position: String,
        holds_expected: bool,
    },
    /// A call certainly changed nothing.
    Fail {
        at: i64,
        attempt: u64,
        reason: String,
    },
    /// Nobody can tell what a call changed.
    Unknown {
        at: i64,
        attempt: u64,
        reason: String,
    },
    /// A process was killed.
    Killed {
        at: i64,
        process: String,
    },
    /// A process was started; its lives are counted.
    Started {
        at: i64,
        process: String,
        life: u64,
    },
    /// The payment provider was told to misbehave.
    Told {
        at: i64,
        rule: String,
    },
    /// The log's server was halted, and went on.
    Halted {
        at: i64,
    },
    Resumed {
        at: i64,
    },
    /// A process ended by itself.
    Ended {
        at: i64,
        process: String,
        life: u64,
        was_up: bool,
        status: String,
    },
    /// Nothing is called or killed any more.
    Healed {
        at: i64,
    },
    /// Every process has reached the end of the log; or why not.
    Settled {
        at: i64,
        trouble: Option<String>,
    },
    /// The digest of a read model at rest.
    Digest {
        process: String,
        model: String,
        sequence: u64,
        rows: u64,
        digest: String,
        is_rebuilt: bool,
    },
}

/// What is called.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    Write(Write),
    Read(Read),
}

/// A question.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Read {
    pub of: Of,
    /// Empty: the read may be as far behind as it is.
    pub at_least: String,
    /// What must be in the answer.
    pub expects: Option<String>,
}

/// What is asked about.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    Case(String),
    Charge(String),
    Escalation(String),
    Inbox(String),
    Policy,
    Timeline(String),
}

impl Of {
    /// The question, without whom it is about.
    pub fn name(&self) -> &'static str {
        match self {
            Of::Case(_) => "case",
            Of::Charge(_) => "charge",
            Of::Escalation(_) => "escalation",
            Of::Inbox(_) => "inbox",
            Of::Policy => "policy",
            Of::Timeline(_) => "timeline",
        }
    }
}

/// Where lines are written. Clones write to the same file.
#[derive(Clone, Debug)]
pub struct History {
    // A lock, because clients share the file; held for one line.
    file: Arc<Mutex<File>>,
}

impl History {
    /// Begins a history in a folder.
    pub fn create(folder: &Path) -> anyhow::Result<History> {
        let path = folder.join(FILE);
        let file = File::create_new(&path).with_context(|| format!("{} cannot be begun", path.display()))?;
        Ok(History { file: Arc::new(Mutex::new(file)) })
    }

    /// Writes a line. A history that cannot be written proves nothing: the run ends.
    pub fn write(&self, line: &Line) -> anyhow::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&text)?;
        Ok(())
    }
}

/// Reads a history.
pub fn read(folder: &Path) -> anyhow::Result<Vec<Line>> {
    let path = folder.join(FILE);
    let file = File::open(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut lines = Vec::new();
    for (n, line) in BufReader::new(file).lines().enumerate() {
        let text = line?;
        lines.push(serde_json::from_str(&text).with_context(|| format!("{}:{}", path.display(), n + 1))?);
    }
    Ok(lines)
}

/// The time.
#[expect(clippy::disallowed_methods, reason = "a test is an edge: somebody has to say what time it is")]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
