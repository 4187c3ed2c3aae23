//! The body of an answer that is cut off at its deadline, as the protocol says: with a status of its own.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::http::HeaderMap;
use bytes::Bytes;
use http_body::Frame;
use prometheus_client::metrics::counter::Counter;
use tokio::time::Sleep;
use tonic::body::Body;

/// A stream that its caller wants until a moment, and no longer.
pub(super) struct Until {
    body: Body,
    ends: Pin<Box<Sleep>>,
    /// What stands under the answer when its time is over; nothing once that was said.
    farewell: Option<HeaderMap>,
    late: Counter,
}

impl Until {
    /// Lets a body go on until its end or this moment, and then says farewell, and counts it.
    pub(super) fn new(body: Body, ends: Sleep, farewell: HeaderMap, late: Counter) -> Until {
        Until { body, ends: Box::pin(ends), farewell: Some(farewell), late }
    }
}

impl http_body::Body for Until {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        if self.farewell.is_none() {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        ready!(self.ends.as_mut().poll(cx));
        self.late.inc();
        let farewell = self.farewell.take();
        // Whoever made it is told by being dropped.
        self.body = Body::empty();
        Poll::Ready(farewell.map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.farewell.is_none() || self.body.is_end_stream()
    }
}
