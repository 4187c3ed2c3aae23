//! The door of a service: verifies who calls, refuses what the method does not declare for them, and records what was denied. And the book behind
//! it, in which the calls of audited methods are entered.
//!
//! Default deny: what no contract declares is not there. Two things that are not ours are declared here: health, for everybody and without a
//! token, since load balancers ask; and reflection, for whoever has a role.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use seva_domain::values::At;
use seva_eventlog::writer::Clock;
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, Request, Response};
use tower::{Layer, Service};

use super::audit::Audit;
use super::caller::{Caller, Purpose};
use super::permission::Method;
use super::principal::Principal;
use super::token::{AUTHORIZATION, Verifier};
use crate::status::{Error, answer, says_denied};

/// Stands before all methods of one service.
#[derive(Clone)]
pub struct Door {
    verifier: Arc<Verifier>,
    audit: Audit,
    clock: Clock,
}

impl Door {
    /// A door that believes what the verifier does.
    pub fn new(verifier: Arc<Verifier>, audit: Audit, clock: Clock) -> Door {
        Door { verifier, audit, clock }
    }

    /// Lets a call through, or says what its caller is told.
    async fn check(&self, path: &str, headers: &HeaderMap) -> Result<Option<Caller>, Error> {
        if path.starts_with("/grpc.health.v1.Health/") {
            return Ok(None);
        }
        let method = Method::at(path);
        let told = method.map_or("", Method::short_name);
        let now: At = (self.clock)();
        let principal = match self.verifier.verify(headers, now).await {
            Ok(principal) => principal,
            Err(bad) => {
                // The caller is told the same whatever it was.
                self.audit.denied(told, "", bad.reason());
                return Err(Error::Unauthenticated);
            }
        };
        self.check_role(&principal, method, path).inspect_err(|error| {
            self.audit.denied(told, principal.actor().as_str(), error.reason());
        })?;
        let Some(method) = method else { return Ok(None) };
        Ok(Some(Caller { principal, method, purpose: Purpose::of(headers)? }))
    }

    /// The book of the same service.
    pub fn book(&self) -> Book {
        Book { audit: self.audit.clone() }
    }

    fn check_role(&self, principal: &Principal, method: Option<&Method>, path: &str) -> Result<(), Error> {
        if principal.roles.is_empty() {
            let message = "the token gives its subject no role that is known here";
            return Err(Error::Denied { reason: "NO_ROLE", message });
        }
        match method {
            Some(method) if principal.is_one_of(method.roles) => Ok(()),
            Some(_) => {
                let message = "none of the caller's roles may call this method";
                Err(Error::Denied { reason: "ROLE_NOT_ALLOWED", message })
            }
            None if path.starts_with("/grpc.reflection.") => Ok(()),
            None => Err(Error::NoSuchMethod),
        }
    }

    /// What a handler denied by an object rule is recorded as well.
    fn note<B>(&self, caller: &Caller, answer: &Response<B>) {
        if says_denied(answer.headers()) {
            let method = caller.method.short_name();
            self.audit.denied(method, caller.actor().as_str(), "OTHER_DEPARTMENT");
        }
    }
}

impl<S> Layer<S> for Door {
    type Service = Checked<S>;

    fn layer(&self, inner: S) -> Checked<S> {
        Checked { inner, door: self.clone() }
    }
}

/// A service behind a [`Door`].
#[derive(Clone)]
pub struct Checked<S> {
    inner: S,
    door: Door,
}

/// Stands behind a [`Door`], and behind whatever else turns calls away: a call of an audited method is on disk before it is worked on, and who is
/// turned away writes nothing.
#[derive(Clone)]
pub struct Book {
    audit: Audit,
}

impl<S> Layer<S> for Book {
    type Service = Entered<S>;

    fn layer(&self, inner: S) -> Entered<S> {
        Entered { inner, book: self.clone() }
    }
}

/// A service behind a [`Book`].
#[derive(Clone)]
pub struct Entered<S> {
    inner: S,
    book: Book,
}

impl<S, B> Service<Request<B>> for Entered<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Answer {
        let caller = request.extensions().get::<Caller>().filter(|caller| caller.method.is_audited).cloned();
        let Some(caller) = caller else { return Box::pin(self.inner.call(request)) };
        let book = self.book.clone();
        // The one that was found ready is the one to be called.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        Box::pin(async move {
            match book.audit.called(&caller).await {
                Ok(()) => inner.call(request).await,
                Err(error) => Ok(answer(error)),
            }
        })
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<S, B> Service<Request<B>> for Checked<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Answer {
        let door = self.door.clone();
        // The one that was found ready is the one to be called.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        Box::pin(async move {
            let checked = door.check(request.uri().path(), request.headers()).await;
            let caller = match checked {
                Ok(caller) => caller,
                Err(error) => return Ok(answer(error)),
            };
            // Nothing behind the door has a use for the secret.
            request.headers_mut().remove(AUTHORIZATION);
            let Some(caller) = caller else { return inner.call(request).await };
            request.extensions_mut().insert(caller.clone());
            let answer = inner.call(request).await?;
            door.note(&caller, &answer);
            Ok(answer)
        })
    }
}
