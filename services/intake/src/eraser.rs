//! The eraser: destroys the keys of whoever is to be forgotten, and writes down that it is done.
//!
//! That somebody is to be forgotten stands in the log before a key is destroyed. Destroying again is success, and so is writing it down again: so
//! whichever process of intake is there does it, several may, and one that died on the way left nothing behind but work. At every start the keys of
//! everybody ever forgotten are destroyed once more, for the key store may have been put back from a backup that still has them.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use seva_api::edge::{Asked, Edge, log_error};
use seva_api::forgetting::Destroyed;
use seva_api::status::Error;
use seva_domain::customer;
use seva_domain::noun::{Noun, State};
use seva_domain::rows::Lookup;
use seva_domain::values::{Actor, CustomerId, KeyId};
use seva_eventlog::commit::Position;
use seva_eventlog::store::StoreError;
use seva_readmodel::engine::Running;
use seva_readmodel::forgotten;
use tokio_util::sync::CancellationToken;

/// How many keys are destroyed at once.
const AT_ONCE_MAX: usize = 32;

/// How many keys of the forgotten are read at once.
const PAGE: usize = 1_000;

/// How long the eraser rests after something did not answer.
const AGAIN: Duration = Duration::from_millis(500);

/// The eraser of one process of intake.
#[derive(Clone)]
pub struct Eraser {
    edge: Edge,
    by: Actor,
}

impl Eraser {
    /// An eraser that writes through an edge.
    pub fn new(edge: Edge) -> Eraser {
        // Staff ids are of people; this one is of the house.
        Eraser { edge, by: Actor::policy() }
    }

    /// Destroys what is to be destroyed, until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut is_replayed = false;
        while !stop.is_cancelled() {
            let round = async {
                if !is_replayed {
                    self.destroy_again().await?;
                    is_replayed = true;
                }
                self.destroy_what_waits().await
            };
            let round = tokio::select! {
                () = stop.cancelled() => return,
                round = round => round,
            };
            // Another database, a log that is away: the same again finds what is left.
            match round {
                Ok(()) => continue,
                Err(error @ (Error::CatchingUp { .. } | Error::PositionNotReached)) => {
                    tracing::debug!(%error, "who was forgotten is not known to the end yet");
                }
                Err(error) => tracing::warn!(%error, "keys of the forgotten are not all destroyed yet"),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Destroys the keys of everybody ever forgotten, as far as the log was when this began.
    async fn destroy_again(&self) -> Result<(), Error> {
        let end = self.edge.engine().log().end().await.map_err(log_error)?;
        let (rows, _) = self.edge.read_from(forgotten::NAME, Position::of(end, 0)).await?;
        let mut after = None;
        loop {
            let keys = forgotten::keys(rows.as_ref(), after, PAGE).map_err(unreadable)?;
            self.destroy(&keys).await?;
            match keys.last() {
                Some(last) if keys.len() == PAGE => after = Some(*last),
                Some(_) | None => return Ok(()),
            }
        }
    }

    /// Waits for people to be forgotten, and forgets them. Ends when what runs does.
    async fn destroy_what_waits(&self) -> Result<(), Error> {
        let not_yet =
            |error: seva_readmodel::engine::NotRunning| Error::CatchingUp { message: error.to_string() };
        let mut changed = self.edge.engine().changed();
        changed.mark_unchanged();
        let running = self.edge.engine().running().map_err(not_yet)?;
        let mut progress = running.writer.progress();
        loop {
            progress.mark_unchanged();
            for noun in running.shard.find(&Lookup::BeingForgotten).map_err(unreadable)?.iter() {
                if let Noun::Customer(customer) = noun {
                    self.forget(&running, *customer).await?;
                }
            }
            tokio::select! {
                moved = progress.changed() => if moved.is_err() {
                    return Err(Error::CatchingUp { message: "its writer has ended".to_owned() });
                },
                _ = changed.changed() => return Ok(()),
            }
        }
    }

    async fn forget(&self, running: &Arc<Running>, customer: CustomerId) -> Result<(), Error> {
        let held = running.shard.held(&Noun::Customer(customer)).map_err(unreadable)?;
        let Some(State::Customer(customer::State::BeingForgotten { keys })) =
            held.as_deref().map(|held| &held.state)
        else {
            return Ok(());
        };
        self.destroy(keys).await?;
        let request = self.edge.identities().request(&self.by, &format!("eraser/{customer}"));
        let asked = Asked { caller: &self.by, request, body: b"destroyed", within: None, import: None };
        self.edge.write(asked, &Destroyed(customer)).await?;
        tracing::info!(%customer, keys = keys.len(), "a customer is forgotten");
        Ok(())
    }

    async fn destroy(&self, keys: &[KeyId]) -> Result<(), Error> {
        let destroying = stream::iter(keys.to_vec()).map(|key| self.edge.destroy(key));
        destroying.buffer_unordered(AT_ONCE_MAX).try_collect::<()>().await
    }
}

fn unreadable(error: StoreError) -> Error {
    Error::Internal(error.into())
}
