//! Until when a request must be answered, as its caller says and as it is capped.

use std::time::Duration;

use axum::http::HeaderMap;
use tokio::time::Instant;

/// When the request at hand must be answered; handlers find it among the request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(pub(super) Instant);

impl Deadline {
    /// Returns the time left, zero when it is over.
    pub fn remaining(&self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Returns the moment itself, for [`tokio::time::timeout_at`].
    pub fn at(&self) -> Instant {
        self.0
    }
}

/// Leaves time for our answer to arrive: tonic, and the client, answer CANCELLED on the dot.
pub(super) fn before_the_client_gives_up(allowance: Duration) -> Duration {
    allowance - (allowance / 20).min(Duration::from_millis(5))
}

/// Reads the `grpc-timeout` header: at most eight digits and a unit. Anything else counts as absent.
pub(super) fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}
