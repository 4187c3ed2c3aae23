//! The provider's webhooks: signed, fresh and new, or refused. What one says is a hint to ask, and nothing more.
//!
//! The header `provider-signature` is `t=<seconds since 1970>,v1=<hexadecimal>`: HMAC-SHA256 under the shared secret over the seconds, a
//! dot, and the body as it came. While a secret is being changed there may be several `v1`.

mod secret;
mod signature;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use self::secret::{Secret, SecretError};
pub use self::signature::sign;

use self::signature::Signed;

/// The header that carries time and signature.
pub const SIGNATURE_HEADER: &str = "provider-signature";

/// How far the provider's stamp may be from the time it arrives, either way, in seconds.
pub const TOLERANCE_S: i64 = 300;

/// How large a webhook's body may be, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// How many deliveries are remembered within the tolerance. Past it the oldest are forgotten: at worst the provider is asked once more.
const REMEMBERED_MAX: usize = 10_000;

/// A reason to ask the provider about a refund. It says nothing about the money: anybody may have read a webhook before, and an old one can
/// arrive after a newer one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hint {
    /// The key to ask under.
    pub key: String,
}

/// Why a webhook is not listened to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// No signature of the form agreed on.
    #[error("the webhook carries no readable signature")]
    Unsigned,
    /// Not signed under this secret, or changed on its way.
    #[error("the webhook's signature is not the provider's")]
    Forged,
    /// Signed too long ago, or in the future.
    #[error("the webhook was not signed within {TOLERANCE_S} s of now")]
    Stale,
    /// This delivery was taken before. A provider that tells twice means no harm: it is to be thanked, so that it stops.
    #[error("the webhook was taken before")]
    Replayed,
    /// Signed by the provider, but not understood.
    #[error("the webhook's body is not the JSON agreed on, or too long")]
    Unreadable,
}

/// What a webhook's body must hold.
#[derive(Deserialize)]
struct Body {
    id: String,
    refund: Named,
}

#[derive(Deserialize)]
struct Named {
    idempotency_key: String,
}

/// Takes webhooks, and remembers which it has taken.
#[derive(Debug)]
pub struct Receiver {
    secret: Secret,
    /// Each delivery with the second after which it is stale anyway.
    taken: BTreeMap<String, i64>,
}

impl Receiver {
    /// One that knows this secret.
    pub fn new(secret: Secret) -> Receiver {
        Receiver { secret, taken: BTreeMap::new() }
    }

    /// Checks one webhook: its signature header and its body, as they came, at this second.
    pub fn take(&mut self, signature: &str, body: &[u8], now_s: i64) -> Result<Hint, Refusal> {
        if body.len() > BODY_BYTES_MAX {
            return Err(Refusal::Unreadable);
        }
        let signed = Signed::parse(signature).ok_or(Refusal::Unsigned)?;
        if !signed.is_by(&self.secret, body) {
            return Err(Refusal::Forged);
        }
        if signed.at_s.abs_diff(now_s) > TOLERANCE_S.unsigned_abs() {
            return Err(Refusal::Stale);
        }
        let Body { id, refund } = serde_json::from_slice(body).map_err(|_| Refusal::Unreadable)?;
        self.make_room(now_s);
        if self.taken.insert(id, signed.at_s.saturating_add(TOLERANCE_S)).is_some() {
            return Err(Refusal::Replayed);
        }
        Ok(Hint { key: refund.idempotency_key })
    }

    /// Makes room once there is none: drops what is stale by now, and where that is not enough, the older half.
    fn make_room(&mut self, now_s: i64) {
        if self.taken.len() < REMEMBERED_MAX {
            return;
        }
        self.taken.retain(|_, until_s| *until_s >= now_s);
        if self.taken.len() >= REMEMBERED_MAX {
            let mut ends: Vec<i64> = self.taken.values().copied().collect();
            let (_, middle, _) = ends.select_nth_unstable(REMEMBERED_MAX / 2);
            let middle = *middle;
            self.taken.retain(|_, until_s| *until_s > middle);
        }
    }
}

#[cfg(test)]
mod tests;
