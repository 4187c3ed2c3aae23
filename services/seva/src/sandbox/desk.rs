//! The provider's desk: one book, one ledger, one caller at a time.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::behaviour::{Arrival, Behaviour, Call, Rule, choose};
use super::book::{Book, Refund, Taken};
use super::entry::{Entry, Order, Outcome};
use super::ledger::{Ledger, LedgerError, Opened};

/// All that the provider knows.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    // A lock and no task: whoever holds it writes to disk in a thread of its own, and never waits for anything else.
    inside: Arc<Mutex<Inside>>,
    broken: CancellationToken,
}

#[derive(Debug)]
pub(super) struct Inside {
    pub(super) book: Book,
    pub(super) calls: Calls,
    ledger: Ledger,
    rules: Vec<Rule>,
}

/// How many calls came in since the start.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Calls {
    ask: u64,
    instruct: u64,
}

/// Why an instruction made no refund and found none.
#[derive(Debug)]
pub(super) enum Refused {
    /// The key is known with another body.
    ChangedBody,
    /// The ledger could not be written.
    Broken,
}

impl Desk {
    /// Opens the folder's ledger, and says how much of an unfinished line was dropped.
    pub(super) fn open(dir: &Path) -> Result<(Desk, usize), LedgerError> {
        let Opened { ledger, entries, torn_bytes } = Ledger::open(dir)?;
        let mut book = Book::default();
        entries.into_iter().for_each(|entry| book.apply(entry));
        let inside = Inside { book, calls: Calls::default(), ledger, rules: Vec::new() };
        let desk = Desk { inside: Arc::new(Mutex::new(inside)), broken: CancellationToken::new() };
        Ok((desk, torn_bytes))
    }

    /// Waits until the ledger could not be written.
    pub(super) async fn broken(&self) {
        self.broken.cancelled().await;
    }

    /// Counts a call in, and says how to treat it.
    pub(super) async fn arrive(
        &self,
        call: Call,
        key: Option<String>,
        charge: Option<String>,
    ) -> Option<Behaviour> {
        let arrive = move |inside: &mut Inside| {
            let is_known = key.as_deref().is_some_and(|key| inside.book.by_key(key).is_some());
            let is_new = call == Call::Instruct && !is_known;
            match call {
                Call::Ask => inside.calls.ask += 1,
                Call::Instruct => inside.calls.instruct += 1,
            }
            let arrival = Arrival { call, key: key.as_deref(), charge: charge.as_deref(), is_new };
            choose(&mut inside.rules, arrival)
        };
        self.with(arrive).await
    }

    /// Takes an instruction: the refund it made or found, and whether it made it.
    pub(super) async fn instruct(
        &self,
        order: Order,
        how: Option<Behaviour>,
        now_ms: i64,
    ) -> Result<(Refund, bool), Refused> {
        let broken = self.broken.clone();
        let instruct = move |inside: &mut Inside| {
            let key = order.key.clone();
            let entry = match inside.book.instruct(order, how.as_ref(), now_ms) {
                Taken::Known(refund) => return Ok((refund.clone(), false)),
                Taken::ChangedBody => return Err(Refused::ChangedBody),
                Taken::New(entry) => entry,
            };
            inside.write(entry, &broken).map_err(|_| Refused::Broken)?;
            let refund = inside.book.by_key(&key).ok_or(Refused::Broken)?;
            Ok((refund.clone(), true))
        };
        self.with(instruct).await
    }

    /// Ends a pending refund; `None` if it is not pending.
    pub(super) async fn settle(&self, id: String, code: Option<String>) -> io::Result<Option<Refund>> {
        let broken = self.broken.clone();
        let settle = move |inside: &mut Inside| {
            let Some(entry) = inside.book.settle(&id, code) else { return Ok(None) };
            inside.write(entry, &broken)?;
            Ok(inside.book.by_id(&id).cloned())
        };
        self.with(settle).await
    }

    /// Notes how much was captured of a charge.
    pub(super) async fn capture(
        &self,
        charge: String,
        amount_minor: i64,
        currency: String,
    ) -> io::Result<()> {
        let broken = self.broken.clone();
        let entry = Entry::Captured { charge, amount_minor, currency };
        self.with(move |inside| inside.write(entry, &broken)).await
    }

    /// Adds a rule, or drops all of them.
    pub(super) async fn behave(&self, rule: Option<Rule>) {
        let behave = |inside: &mut Inside| match rule {
            Some(rule) => inside.rules.push(rule),
            None => inside.rules.clear(),
        };
        self.with(behave).await;
    }

    /// The refunds that are pending.
    pub(super) async fn pending(&self) -> Vec<Refund> {
        let is_pending = |refund: &&Refund| matches!(refund.now, Outcome::Pending { .. });
        self.with(move |inside| inside.book.refunds.iter().filter(is_pending).cloned().collect()).await
    }

    /// Looks at, or changes, what is inside.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Inside) -> T + Send + 'static,
    ) -> T {
        let inside = Arc::clone(&self.inside);
        let working = tokio::task::spawn_blocking(move || {
            work(&mut inside.lock().unwrap_or_else(PoisonError::into_inner))
        });
        working.await.expect("work at the desk does not panic")
    }
}

impl Inside {
    /// Writes an entry, then takes it in. After an error the provider ends: what is on disk is then not known.
    fn write(&mut self, entry: Entry, broken: &CancellationToken) -> io::Result<()> {
        if let Err(error) = self.ledger.append(&entry) {
            tracing::error!(%error, "the ledger could not be written");
            broken.cancel();
            return Err(error);
        }
        self.book.apply(entry);
        Ok(())
    }
}
