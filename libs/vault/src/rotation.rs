//! Rotating the master key: a new epoch, every key wrapped anew in it, and the old epochs gone.
//!
//! Services go on meanwhile: they read the keyring again when they meet an epoch that they do not have. A rotation that died is gone on with by the
//! next: the keyring holds both epochs until no key is wrapped in the old one. A backup of keys that the old one wrapped opens nothing after that.

use std::path::Path;

use async_nats::jetstream::context::Context;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::crypto::{WrappingKey, epoch_of};
use crate::nats::{NatsKeys, written_once};
use crate::{Error, MasterKey};

/// How many sequences of the stream are looked through in one go, and how many goes there are at once.
const STRETCH: u64 = 1_024;
const STRETCHES_AT_ONCE_MAX: usize = 16;

/// What a rotation came to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rotated {
    /// The epoch that keys are wrapped in now.
    pub epoch: u32,
    /// How many keys were wrapped anew.
    pub rewrapped: u64,
    /// How many keys could not be, because what the store keeps of them is damaged.
    pub damaged: u64,
}

/// Rotates the master key in a file, whose keys stand in the stream `SEVA_KEYS`, or ends the rotation that another began.
///
/// The keeper writes the keys; the operator lets the stream take them, and closes it to writing over a key again.
pub async fn rotate(operator: &Context, keeper: Context, file: &Path) -> Result<Rotated, Error> {
    let master = MasterKey::from_file(file)?;
    let keys = NatsKeys::connect(keeper, &master).await?;
    written_once(operator, false).await?;
    let ring = master.ring();
    if ring.epochs() == 1 {
        master.replace(ring.with_next())?;
    }
    let newest = std::sync::Arc::clone(master.ring().newest());
    loop {
        let made = keys.made_with(&master).await?;
        if made.wrapping.epoch() == newest.epoch() || keys.make_with(&newest, &made).await? {
            break;
        }
    }
    // No key is made in an old epoch any more: the store takes none. What is there is looked through until there is nothing left to do.
    let mut rotated = Rotated { epoch: newest.epoch(), ..Rotated::default() };
    loop {
        let round = look_through(&keys, &master, &newest).await?;
        rotated.rewrapped += round.rewrapped;
        rotated.damaged = round.damaged;
        if round.rewrapped == 0 {
            break;
        }
    }
    written_once(operator, true).await?;
    master.replace(master.ring().newest_alone())?;
    Ok(rotated)
}

/// Wraps every key anew that an older epoch wrapped.
async fn look_through(keys: &NatsKeys, master: &MasterKey, newest: &WrappingKey) -> Result<Rotated, Error> {
    let end = keys.end().await?;
    let begins = (0..=end / STRETCH).map(|n| n * STRETCH);
    let stretches = stream::iter(begins).map(|begin| stretch(keys, master, newest, begin));
    let all = stretches.buffer_unordered(STRETCHES_AT_ONCE_MAX);
    let sum = |sum: Rotated, one: Rotated| async move {
        let (rewrapped, damaged) = (sum.rewrapped + one.rewrapped, sum.damaged + one.damaged);
        Ok(Rotated { rewrapped, damaged, ..sum })
    };
    all.try_fold(Rotated::default(), sum).await
}

/// The keys of one stretch of the stream.
async fn stretch(
    keys: &NatsKeys,
    master: &MasterKey,
    newest: &WrappingKey,
    begin: u64,
) -> Result<Rotated, Error> {
    let mut round = Rotated::default();
    let mut from = begin.max(1);
    while let Some((sequence, id, wrapped)) = keys.next(from).await? {
        if sequence >= begin + STRETCH {
            break;
        }
        from = sequence + 1;
        // Of an erased key nothing is left, and what is wrapped already stays as it is.
        let is_done = wrapped.is_empty() || epoch_of(&wrapped) == Some(newest.epoch());
        if is_done {
            continue;
        }
        let ring = master.ring();
        let older = epoch_of(&wrapped).and_then(|epoch| ring.epoch(epoch));
        match older.and_then(|older| newest.rewrap(older, id, &wrapped)) {
            Some(anew) => {
                keys.rewrap(id, sequence, anew).await?;
                round.rewrapped += 1;
            }
            None => round.damaged += 1,
        }
    }
    Ok(round)
}
