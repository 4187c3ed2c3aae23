//! How often one caller may call: a bucket a caller, and a bounded number of buckets.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher as _, RandomState};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::{Extensions, HeaderMap, Request, Response};
use futures::future::{Either, Ready, ready};
use lru::LruCache;
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use super::{Counters, Refusal};

/// How often one caller may call.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How many calls a second, in the long run.
    pub per_second: NonZeroU32,
    /// How many calls at once, after a pause.
    pub burst: NonZeroU32,
    /// How many callers are told apart. One that was not heard of for longest begins anew.
    pub callers_max: NonZeroUsize,
}

/// Finds out who calls; those of whom it says nothing count as one caller.
pub type Caller = for<'a> fn(&'a HeaderMap, &'a Extensions) -> Option<&'a str>;

/// The layer that holds every caller to the same rate. Clones count together.
#[derive(Clone)]
pub struct Rates {
    rate: Rate,
    caller: Caller,
    counters: Counters,
    answer: fn(&Refusal) -> Status,
    buckets: Arc<Buckets>,
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rates").field("rate", &self.rate).finish_non_exhaustive()
    }
}

impl Rates {
    /// Makes the layer; refusals are counted in `counters` and worded by `answer`.
    pub fn new(rate: Rate, caller: Caller, counters: Counters, answer: fn(&Refusal) -> Status) -> Rates {
        Rates { rate, caller, counters, answer, buckets: Arc::new(Buckets::new(rate)) }
    }

    fn refusal<B>(&self, request: &Request<B>) -> Option<Refusal> {
        let caller = (self.caller)(request.headers(), request.extensions());
        let retry_after = self.buckets.take(caller.unwrap_or_default(), Instant::now()).err()?;
        Some(Refusal::TooOften { retry_after })
    }
}

/// When each caller's bucket is full again.
struct Buckets {
    /// How much time one call takes out of a bucket.
    each: Duration,
    /// How much time a bucket holds.
    depth: Duration,
    hasher: RandomState,
    /// By a keyed hash, so that a caller's name takes no room however long it is. A lock, because every request of every connection
    /// passes here, and holds it for one look-up.
    full_at: Mutex<LruCache<u64, Instant>>,
}

impl Buckets {
    fn new(rate: Rate) -> Buckets {
        // Never nothing, or a bucket would hold nothing: two threads do not agree on what time it is.
        let each = (Duration::from_secs(1) / rate.per_second.get()).max(Duration::from_nanos(1));
        let full_at = Mutex::new(LruCache::new(rate.callers_max));
        Buckets { each, depth: each * rate.burst.get(), hasher: RandomState::new(), full_at }
    }

    /// Takes one call out of a caller's bucket, or answers how long it must wait.
    fn take(&self, caller: &str, now: Instant) -> Result<(), Duration> {
        let key = self.hasher.hash_one(caller);
        let mut buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = buckets.get_or_insert_mut(key, || now);
        let after = (*full_at).max(now) + self.each;
        match (after - now).checked_sub(self.depth) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                *full_at = after;
                Ok(())
            }
        }
    }
}

impl<S> Layer<S> for Rates {
    type Service = Rated<S>;

    fn layer(&self, inner: S) -> Rated<S> {
        Rated { inner, rates: self.clone() }
    }
}

/// A service behind [`Rates`].
#[derive(Clone, Debug)]
pub struct Rated<S> {
    inner: S,
    rates: Rates,
}

type Answered = Result<Response<Body>, Infallible>;

impl<S, B> Service<Request<B>> for Rated<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
    S::Future: Future<Output = Answered>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Answered>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.rates.refusal(&request) {
            None => Either::Left(self.inner.call(request)),
            Some(refusal) => {
                self.rates.counters.count(&refusal);
                Either::Right(ready(Ok((self.rates.answer)(&refusal).into_http())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(per_second: u32, burst: u32, callers_max: usize) -> Buckets {
        let [per_second, burst] = [per_second, burst].map(|n| NonZeroU32::new(n).unwrap());
        Buckets::new(Rate { per_second, burst, callers_max: NonZeroUsize::new(callers_max).unwrap() })
    }

    #[test]
    fn a_caller_may_call_as_often_as_its_bucket_holds_and_then_as_it_fills() {
        let (buckets, now) = (buckets(10, 3, 8), Instant::now());
        let ms = Duration::from_millis;
        for _ in 0..3 {
            buckets.take("ana", now).unwrap();
        }
        assert_eq!(buckets.take("ana", now), Err(ms(100)));
        assert_eq!(buckets.take("ana", now + ms(60)), Err(ms(40)), "a refusal takes nothing");
        buckets.take("ben", now).unwrap();
        buckets.take("ana", now + ms(100)).unwrap();
        assert_eq!(buckets.take("ana", now + ms(100)), Err(ms(100)));
        for _ in 0..3 {
            buckets.take("ana", now + ms(10_000)).unwrap();
        }
        buckets.take("ana", now + ms(10_000)).unwrap_err();
    }

    #[test]
    fn a_rate_without_end_refuses_nobody_whoever_has_the_later_clock() {
        let (buckets, now) = (buckets(u32::MAX, u32::MAX, 8), Instant::now());
        buckets.take("ana", now + Duration::from_millis(1)).unwrap();
        buckets.take("ana", now).unwrap();
    }

    #[test]
    fn callers_beyond_the_bound_take_no_room() {
        let (buckets, now) = (buckets(1, 1, 2), Instant::now());
        for n in 0..1_000 {
            buckets.take(&format!("caller-{n}"), now).unwrap();
        }
        assert_eq!(buckets.full_at.lock().unwrap().len(), 2);
        buckets.take("caller-999", now).unwrap_err();
    }
}
