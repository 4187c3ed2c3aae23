//! What stands before every gRPC service: a deadline, a bound on requests in flight, a net for panics.

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::{HeaderMap, Request, Response};
use futures::FutureExt;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::chance;

/// The limits a server holds every request to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The deadline of a request that names none.
    pub deadline_default: Duration,
    /// The longest deadline a unary request may have, whatever it asks for.
    pub deadline_max: Duration,
    /// How many requests may be worked on at once; one more is refused, never queued.
    pub in_flight_max: usize,
    /// Says whether a path (`/package.Service/Method`) streams, and so keeps its own deadline.
    pub streams: fn(&str) -> bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline_default: Duration::from_secs(5),
            deadline_max: Duration::from_secs(30),
            in_flight_max: 1024,
            streams: |_| false,
        }
    }
}

/// When the request at hand must be answered; handlers find it among the request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

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
            Refusal::Busy { .. } => Code::ResourceExhausted,
            Refusal::Panicked { .. } => Code::Internal,
            Refusal::TooLate { .. } => Code::DeadlineExceeded,
        };
        Self::new(code, refusal.to_string())
    }
}

/// Counts what these layers refuse.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    busy: Counter,
    panics: Counter,
    too_late: Counter,
}

impl Counters {
    /// Adds the counters to `registry`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("requests_refused_busy", "Requests refused: too many in flight", self.busy.clone());
        registry.register("requests_panicked", "Requests whose handler panicked", self.panics.clone());
        registry.register(
            "requests_too_late",
            "Requests not answered by their deadline",
            self.too_late.clone(),
        );
    }

    fn count(&self, refusal: &Refusal) {
        match refusal {
            Refusal::Busy { .. } => self.busy.inc(),
            Refusal::Panicked { .. } => self.panics.inc(),
            Refusal::TooLate { .. } => self.too_late.inc(),
        };
    }
}

/// The layer to give to `tonic::transport::Server::layer`; all connections share its limits.
#[derive(Clone, Debug)]
pub struct Guards {
    limits: Limits,
    in_flight: Arc<Semaphore>,
    counters: Counters,
    answer: fn(&Refusal) -> Status,
}

impl Guards {
    /// Makes the layer; refusals are counted in `counters`.
    pub fn new(limits: Limits, counters: Counters) -> Self {
        let in_flight = Arc::new(Semaphore::new(limits.in_flight_max));
        Self { limits, in_flight, counters, answer: |refusal| Status::from(refusal) }
    }

    /// Lets `answer` word the refusals, for instance to add error details.
    #[must_use]
    pub fn answering(self, answer: fn(&Refusal) -> Status) -> Self {
        Self { answer, ..self }
    }

    fn refuse(&self, refusal: &Refusal) -> Response<Body> {
        self.counters.count(refusal);
        (self.answer)(refusal).into_http()
    }

    fn panicked(&self, path: &str, panic: Box<dyn Any + Send>) -> Response<Body> {
        // The panic hook has logged the place; the payload may quote a customer and is dropped.
        drop(panic);
        let reference = format!("{:016x}", chance::number());
        tracing::error!(path, reference, "a request handler panicked");
        self.refuse(&Refusal::Panicked { reference })
    }

    /// Returns how long the request may take, or nothing for a stream that names no deadline.
    fn allowance<B>(&self, request: &Request<B>) -> Option<Duration> {
        let asked = grpc_timeout(request.headers());
        if (self.limits.streams)(request.uri().path()) {
            return asked;
        }
        Some(asked.unwrap_or(self.limits.deadline_default).min(self.limits.deadline_max))
    }
}

impl<S> Layer<S> for Guards {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, guards: self.clone() }
    }
}

/// A service behind [`Guards`].
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    inner: S,
    guards: Guards,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<S, B> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Answer {
        let Ok(permit) = Arc::clone(&self.guards.in_flight).try_acquire_owned() else {
            let refusal = Refusal::Busy { in_flight_max: self.guards.limits.in_flight_max };
            return Box::pin(std::future::ready(Ok(self.guards.refuse(&refusal))));
        };
        let path = request.uri().path().to_owned();
        let allowance = self.guards.allowance(&request);
        let sleep = allowance.map(|allowance| tokio::time::sleep(before_the_client_gives_up(allowance)));
        if let Some(sleep) = &sleep {
            request.extensions_mut().insert(Deadline(sleep.deadline()));
        }
        let handling = match std::panic::catch_unwind(AssertUnwindSafe(|| self.inner.call(request))) {
            Ok(handling) => AssertUnwindSafe(handling).catch_unwind(),
            Err(panic) => {
                return Box::pin(std::future::ready(Ok(self.guards.panicked(&path, panic))));
            }
        };
        let guards = self.guards.clone();
        Box::pin(async move {
            let too_late = async {
                match sleep {
                    Some(sleep) => sleep.await,
                    None => std::future::pending().await,
                }
            };
            let answer = tokio::select! {
                biased;
                answer = handling => answer.unwrap_or_else(|panic| Ok(guards.panicked(&path, panic))),
                () = too_late => {
                    let after_ms = allowance.unwrap_or_default().as_millis().try_into().unwrap_or(u64::MAX);
                    Ok(guards.refuse(&Refusal::TooLate { after_ms }))
                }
            };
            drop(permit);
            answer
        })
    }
}

/// Leaves time for our answer to arrive: tonic, and the client, answer CANCELLED on the dot.
fn before_the_client_gives_up(allowance: Duration) -> Duration {
    allowance - (allowance / 20).min(Duration::from_millis(5))
}

/// Reads the `grpc-timeout` header: at most eight digits and a unit. Anything else counts as absent.
fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
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

#[cfg(test)]
mod tests;
