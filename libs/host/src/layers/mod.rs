//! What stands before every gRPC service: a bound on requests in flight, a deadline, a net for panics, and a bound on what one caller asks.
//!
//! [`Guards`] stand outside: what they refuse costs next to nothing. [`Rates`] stand inside, behind whatever finds out who calls.

mod deadline;
mod rates;
mod refusal;
mod until;

use std::any::Any;
use std::convert::Infallible;
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
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

pub use self::deadline::Deadline;
use self::deadline::{before_the_client_gives_up, grpc_timeout};
pub use self::rates::{Caller, Rate, Rates};
pub use self::refusal::Refusal;
use self::until::Until;
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
    /// Says whether a path is let in however many are: what asks how a server is must be answered most of all when it is busy.
    pub always: fn(&str) -> bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline_default: Duration::from_secs(5),
            deadline_max: Duration::from_secs(30),
            in_flight_max: 1024,
            streams: |_| false,
            always: |_| false,
        }
    }
}

/// Counts what these layers refuse.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    busy: Counter,
    panics: Counter,
    too_late: Counter,
    too_often: Counter,
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
        registry.register(
            "requests_refused_rate",
            "Requests refused: their caller calls too often",
            self.too_often.clone(),
        );
    }

    fn count(&self, refusal: &Refusal) {
        match refusal {
            Refusal::Busy { .. } => self.busy.inc(),
            Refusal::Panicked { .. } => self.panics.inc(),
            Refusal::TooLate { .. } => self.too_late.inc(),
            Refusal::TooOften { .. } => self.too_often.inc(),
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

    /// Cuts a stream off at its deadline.
    fn until(&self, answer: Response<Body>, deadline: Instant, after_ms: u64) -> Response<Body> {
        let mut farewell = HeaderMap::new();
        match (self.answer)(&Refusal::TooLate { after_ms }).add_header(&mut farewell) {
            Ok(()) => {
                let late = self.counters.too_late.clone();
                answer.map(|body| {
                    Body::new(Until::new(body, tokio::time::sleep_until(deadline), farewell, late))
                })
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a deadline cannot be told");
                answer
            }
        }
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
        let permit = Arc::clone(&self.guards.in_flight).try_acquire_owned();
        if permit.is_err() && !(self.guards.limits.always)(request.uri().path()) {
            let refusal = Refusal::Busy { in_flight_max: self.guards.limits.in_flight_max };
            return Box::pin(std::future::ready(Ok(self.guards.refuse(&refusal))));
        }
        let path = request.uri().path().to_owned();
        let allowance = self.guards.allowance(&request);
        let sleep = allowance.map(|allowance| tokio::time::sleep(before_the_client_gives_up(allowance)));
        let deadline = sleep.as_ref().map(tokio::time::Sleep::deadline);
        if let Some(deadline) = deadline {
            request.extensions_mut().insert(Deadline(deadline));
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
            let after_ms = allowance.unwrap_or_default().as_millis().try_into().unwrap_or(u64::MAX);
            let answer = tokio::select! {
                biased;
                answer = handling => answer.unwrap_or_else(|panic| Ok(guards.panicked(&path, panic))),
                () = too_late => Ok(guards.refuse(&Refusal::TooLate { after_ms })),
            };
            drop(permit);
            match deadline {
                Some(deadline) if (guards.limits.streams)(&path) => {
                    answer.map(|answer| guards.until(answer, deadline, after_ms))
                }
                _ => answer,
            }
        })
    }
}

#[cfg(test)]
mod tests;
