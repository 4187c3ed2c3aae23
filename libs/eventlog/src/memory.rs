//! The log in memory: a second real log, for tests, simulation and trying things out. It keeps the same promises but does not outlive the process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::stream;
use seva_domain::service::Service;
use seva_domain::values::At;
use tokio::sync::watch;

use crate::log::{AppendError, Following, LogError, Stored};

/// A log in memory. Clones are the same log.
#[derive(Clone, Debug)]
pub struct MemoryLog {
    // A lock, because a log has many writers by nature; it is never held across an await.
    messages: Arc<Mutex<Vec<Stored>>>,
    end: Arc<watch::Sender<u64>>,
    clock: fn() -> At,
}

impl MemoryLog {
    /// An empty log that stamps what it stores by this clock.
    pub fn new(clock: fn() -> At) -> MemoryLog {
        let (end, _) = watch::channel(0);
        MemoryLog { messages: Arc::default(), end: Arc::new(end), clock }
    }

    fn messages(&self) -> MutexGuard<'_, Vec<Stored>> {
        // A panic elsewhere cannot leave the list half changed: it only ever grows by one push.
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn append(
        &self,
        service: Service,
        guard: u64,
        bytes: Bytes,
    ) -> Result<u64, AppendError> {
        // A log answers later, never at once: callers must not come to rely on it.
        tokio::task::yield_now().await;
        let sequence = {
            let mut messages = self.messages();
            let last = messages.iter().rev().find(|m| m.service == service).map_or(0, |m| m.sequence);
            if last != guard {
                return Err(AppendError::Conflict);
            }
            let sequence = messages.len() as u64 + 1;
            messages.push(Stored { sequence, service, stamp: (self.clock)(), bytes });
            sequence
        };
        self.end.send_replace(sequence);
        Ok(sequence)
    }

    pub(crate) fn is_end(&self, service: Service, sequence: u64) -> Result<bool, LogError> {
        let messages = self.messages();
        Ok(messages.iter().rev().find(|m| m.service == service).map_or(0, |m| m.sequence) <= sequence)
    }

    pub(crate) fn read(&self, sequence: u64) -> Result<Option<Stored>, LogError> {
        let index = usize::try_from(sequence.saturating_sub(1)).unwrap_or(usize::MAX);
        Ok(self.messages().get(index).filter(|stored| stored.sequence == sequence).cloned())
    }

    pub(crate) fn end(&self) -> Result<u64, LogError> {
        Ok(self.messages().len() as u64)
    }

    pub(crate) fn incarnation(&self) -> &str {
        "memory"
    }

    pub(crate) fn follow(&self, from: u64) -> Following {
        let next = from.max(1);
        let state = (self.clone(), self.end.subscribe(), next);
        Box::pin(stream::unfold(state, |(log, mut end, next)| async move {
            loop {
                if let Ok(Some(stored)) = log.read(next) {
                    return Some((Ok(stored), (log, end, next + 1)));
                }
                // The sender lives in `log`, so this ends only with a message.
                end.wait_for(|end| *end >= next).await.ok()?;
            }
        }))
    }
}
