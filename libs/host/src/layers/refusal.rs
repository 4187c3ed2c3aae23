//! Why a request is turned away, and what its caller is told.

use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};

/// Why a request was answered here, before or instead of its service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// As many requests as allowed are being worked on.
    Busy {
        /// The limit that is reached.
        in_flight_max: usize,
    },
    /// The handler panicked. The log has the place under the same reference.
    Panicked {
        /// What to quote when reporting it.
        reference: String,
    },
    /// This caller has called as often as it may for now.
    TooOften {
        /// When it may call again.
        retry_after: Duration,
    },
    /// The answer did not come in time; what was asked may still happen.
    TooLate {
        /// The time the request had.
        after_ms: u64,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { in_flight_max } => {
                write!(f, "{in_flight_max} requests are being worked on already; try again in a moment")
            }
            Self::Panicked { reference } => {
                write!(f, "the service failed; report it with the reference {reference}")
            }
            Self::TooOften { retry_after } => {
                let ms = retry_after.as_millis().max(1);
                write!(f, "you call too often; try again in {ms} ms")
            }
            Self::TooLate { after_ms } => write!(
                f,
                "no answer within {after_ms} ms; it may still take effect, so repeat it with the same request id"
            ),
        }
    }
}

impl From<&Refusal> for Status {
    fn from(refusal: &Refusal) -> Self {
        let code = match refusal {
            Refusal::Busy { .. } | Refusal::TooOften { .. } => Code::ResourceExhausted,
            Refusal::Panicked { .. } => Code::Internal,
            Refusal::TooLate { .. } => Code::DeadlineExceeded,
        };
        Self::new(code, refusal.to_string())
    }
}
