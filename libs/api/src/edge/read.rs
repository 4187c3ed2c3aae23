//! Reading: rows that are where the caller wants them, and pages of them.

use std::sync::Arc;

use prost::Message;
use seva_eventlog::base::Base;
use seva_eventlog::commit::Position;
use seva_eventlog::store::{Row, Store, StoreError};
use seva_readmodel::engine::Engine;

use super::{Edge, WAIT_MAX, running};
use crate::access::Caller;
use crate::open::{Texts, close, open};
use crate::parse::Fields;
use crate::pb::common::v1::{PageRequest, ReadOptions};
use crate::status::Error;

/// How many rows a page has, if the caller does not say, and at most.
const PAGE: (u32, u32) = (50, 1_000);

/// A page that a caller asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Page {
    pub size: usize,
    /// The key to go on from.
    pub from: Option<Vec<u8>>,
}

impl Page {
    /// Reads what a caller asked for. A list's tokens are keys of its own rows, which begin with `prefix`: no other list's will do.
    pub fn parse(page: Option<&PageRequest>, prefix: &[u8]) -> Result<Page, Error> {
        let Some(page) = page else { return Ok(Page { size: PAGE.0 as usize, from: None }) };
        let size = if page.page_size == 0 { PAGE.0 } else { page.page_size.min(PAGE.1) };
        let mut fields = Fields::default();
        let from = if page.page_token.is_empty() {
            Some(None)
        } else {
            let bytes = unhex(&page.page_token).filter(|key| key.starts_with(prefix));
            let bytes = bytes.ok_or("is not a token that a page of this list answered");
            fields.take("page.page_token", bytes).map(Some)
        };
        fields.finish(|| Some(Page { size: size as usize, from: from? }))
    }

    /// The token for the page that begins at this key.
    pub fn token(key: &[u8]) -> String {
        key.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len() / 2).map(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).ok()).collect()
}

/// A row, read as the message it is.
pub fn get<M: Message + Default>(rows: &dyn Store, key: &[u8]) -> Result<Option<M>, Error> {
    rows.get(key).map_err(unreadable)?.map(|value| decode(&value)).transpose()
}

/// Reads a row's value as the message it is.
pub fn decode<M: Message + Default>(value: &[u8]) -> Result<M, Error> {
    M::decode(value).map_err(|error| Error::Internal(error.into()))
}

/// Takes the row beyond a page away. Answers the token of the next page.
pub fn next_page(rows: &mut Vec<Row>, size: usize) -> String {
    match rows.get(size) {
        Some((key, _)) => {
            let token = Page::token(key);
            rows.truncate(size);
            token
        }
        None => String::new(),
    }
}

/// What rows that cannot be read mean for a caller.
pub fn unreadable(error: StoreError) -> Error {
    Error::Internal(error.into())
}

impl Edge {
    /// The rows of a read model once they are where the caller wants them, and the position they are at.
    pub async fn read(
        &self,
        model: &str,
        options: Option<&ReadOptions>,
    ) -> Result<(Arc<dyn Store>, String), Error> {
        let wanted = options.map_or("", |options| options.at_least_position.as_str());
        let position = if wanted.is_empty() {
            Position::default()
        } else {
            self.position("read.at_least_position", wanted)?
        };
        self.read_from(model, position).await
    }

    /// The rows of a read model once they are at a position, and the position they are at.
    pub async fn read_from(
        &self,
        model: &str,
        position: Position,
    ) -> Result<(Arc<dyn Store>, String), Error> {
        reached(&self.engine, model, position).await
    }

    /// What the service decides on, once its rows hold what the caller wants to see.
    pub async fn decided(&self, options: Option<&ReadOptions>) -> Result<Arc<Base>, Error> {
        let running = self.running()?;
        let wanted = options.map_or("", |options| options.at_least_position.as_str());
        if !wanted.is_empty() {
            let sequence = self.position("read.at_least_position", wanted)?.sequence();
            let mut progress = running.writer.progress();
            // The shard's own commits are what its rows are of: there may be none up to there.
            let holds = progress.wait_for(|at| at.followed >= sequence && at.stored >= at.tip.min(sequence));
            match tokio::time::timeout(WAIT_MAX, holds).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) | Err(_) => return Err(Error::PositionNotReached),
            }
        }
        Ok(Arc::clone(&running.shard))
    }

    /// Reads a position that a caller gave.
    pub fn position(&self, field: &str, token: &str) -> Result<Position, Error> {
        Position::from_token(token, self.engine.log().incarnation())
            .map_err(|error| Error::malformed(field, error.to_string()))
    }

    /// Opens the texts of an answer for a caller that may read them and says what for, and records that. For others they are closed.
    pub async fn open<M: Texts>(&self, caller: &Caller, mut message: M) -> Result<M, Error> {
        if !caller.reads_texts() {
            close(&mut message);
            return Ok(message);
        }
        let opened = open(&mut message, &self.vault).await?;
        if opened > 0 {
            self.audit.opened(caller, opened).await?;
        }
        Ok(message)
    }
}

/// The rows of a read model of an engine once they are at a position, and the position they are at.
pub(crate) async fn reached(
    engine: &Engine,
    model: &str,
    position: Position,
) -> Result<(Arc<dyn Store>, String), Error> {
    let running = running(engine)?;
    let incarnation = engine.log().incarnation();
    let reached = running.projections.reach(model, position, WAIT_MAX);
    reached.await.map_err(|_| Error::PositionNotReached)?;
    // The position is taken before the rows, so the rows are never behind it.
    let progress = running.projections.progress();
    let sequence = progress.borrow().get(model).map_or(0, |model| model.sequence);
    let rows = running.projections.rows(model);
    let rows = rows.ok_or_else(|| Error::Internal(format!("no read model `{model}`").into()))?;
    Ok((rows, Position::end_of(sequence).token(incarnation)))
}
