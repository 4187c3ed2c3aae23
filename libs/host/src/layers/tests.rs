//! The limits as their clients see them.

use axum::http::Method;
use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tonic::Code;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tower::{ServiceExt, service_fn};

use super::*;

/// Answers at once, panics, or never answers, by the request's path.
async fn handle(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    match request.uri().path() {
        "/panics" => panic!("a literal"),
        "/hangs" | "/watch" => std::future::pending().await,
        _ => {
            let left = request.extensions().get::<Deadline>().map(Deadline::remaining);
            let mut response = Status::new(Code::Ok, "").into_http();
            response.extensions_mut().insert(left);
            Ok(response)
        }
    }
}

fn request(path: &str, timeout: Option<&str>) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = path.parse().unwrap();
    if let Some(timeout) = timeout {
        request.headers_mut().insert("grpc-timeout", timeout.parse().unwrap());
    }
    request
}

fn guards(in_flight_max: usize) -> Guards {
    let limits = Limits {
        in_flight_max,
        streams: |path| path == "/watch",
        always: |path| path == "/health",
        ..Limits::default()
    };
    Guards::new(limits, Counters::default())
}

async fn answer(guards: &Guards, request: Request<Body>) -> Response<Body> {
    guards.layer(service_fn(handle)).oneshot(request).await.unwrap()
}

fn code(response: &Response<Body>) -> Code {
    Status::from_header_map(response.headers()).unwrap().code()
}

#[tokio::test]
async fn a_panic_is_answered_internal_and_counted() {
    let guards = guards(2);
    assert_eq!(code(&answer(&guards, request("/panics", None)).await), Code::Internal);
    assert_eq!(guards.counters.panics.get(), 1);
    assert_eq!(code(&answer(&guards, request("/works", None)).await), Code::Ok);
    assert_eq!(guards.in_flight.available_permits(), 2);
}

#[tokio::test]
async fn a_panic_before_the_handler_runs_is_caught_too() {
    let panics = service_fn(|_: Request<Body>| -> std::future::Ready<Result<Response<Body>, Infallible>> {
        panic!("a literal")
    });
    let response = guards(1).layer(panics).oneshot(request("/works", None)).await.unwrap();
    assert_eq!(code(&response), Code::Internal);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_deadline_gets_five_seconds() {
    let began = Instant::now();
    let guards = guards(1);
    assert_eq!(code(&answer(&guards, request("/hangs", None)).await), Code::DeadlineExceeded);
    let took = began.elapsed();
    assert!(took > Duration::from_millis(4900) && took < Duration::from_millis(5010), "{took:?}");
    assert_eq!(guards.counters.too_late.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_long_deadline_is_capped_and_a_short_one_kept() {
    for (asked, seconds) in [("1H", 30), ("31S", 30), ("2S", 2), ("nonsense", 5)] {
        let response = answer(&guards(1), request("/works", Some(asked))).await;
        let left = response.extensions().get::<Option<Duration>>().unwrap().unwrap();
        let expected = Duration::from_secs(seconds);
        assert!(left <= expected && left + Duration::from_millis(10) > expected, "{asked}: {left:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_has_only_the_deadline_it_asks_for() {
    let guards = guards(4);
    let watching = answer(&guards, request("/watch", None));
    assert!(tokio::time::timeout(Duration::from_secs(3600), watching).await.is_err());
    let bounded = answer(&guards, request("/watch", Some("50S"))).await;
    assert_eq!(code(&bounded), Code::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_has_begun_ends_at_its_deadline_with_a_status() {
    let endless = service_fn(|_: Request<Body>| async {
        let body = StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, Status>>());
        Ok::<_, Infallible>(Response::new(Body::new(body)))
    });
    let guards = guards(1);
    let began = Instant::now();
    let watching = guards.layer(endless).oneshot(request("/watch", Some("2S"))).await.unwrap();
    let end = watching.into_body().collect().await.unwrap();
    let status = Status::from_header_map(end.trailers().unwrap()).unwrap();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(began.elapsed() <= Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(guards.counters.too_late.get(), 1);
}

#[tokio::test]
async fn one_request_too_many_is_refused_at_once() {
    let guards = guards(1);
    let mut hanging = hang(guards.clone());
    while guards.in_flight.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(code(&answer(&guards, request("/works", None)).await), Code::ResourceExhausted);
    assert_eq!(guards.counters.busy.get(), 1);
    assert_eq!(code(&answer(&guards, request("/health", None)).await), Code::Ok);
    hanging.abort();
    assert!((&mut hanging).await.unwrap_err().is_cancelled());
    assert_eq!(code(&answer(&guards, request("/works", None)).await), Code::Ok);
}

fn hang(guards: Guards) -> tokio::task::JoinHandle<Response<Body>> {
    tokio::spawn(async move { answer(&guards, request("/hangs", None)).await })
}

#[test]
fn timeouts_are_read_as_the_protocol_says() {
    let read = |text: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", text.parse().unwrap());
        grpc_timeout(&headers)
    };
    assert_eq!(read("250m"), Some(Duration::from_millis(250)));
    assert_eq!(read("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
    for wrong in ["", "5", "m", "123456789S", "-1S", "+1S", "1x"] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
}

#[tokio::test]
async fn a_tonic_server_answers_refusals_over_the_wire() {
    let limits = Limits { deadline_default: Duration::from_millis(50), ..Limits::default() };
    let layer = Guards::new(limits, Counters::default());
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = incoming.local_addr().unwrap();
    let serving = Server::builder().layer(layer).serve_with_incoming(service_fn(handle), incoming);
    let serving = tokio::spawn(serving);
    let channel = Endpoint::from_shared(format!("http://{addr}")).unwrap().connect().await.unwrap();
    for (path, expected) in
        [("/panics", Code::Internal), ("/hangs", Code::DeadlineExceeded), ("/works", Code::Ok)]
    {
        let mut request = request(&format!("http://{addr}{path}"), None);
        *request.method_mut() = Method::POST;
        let response = channel.clone().oneshot(request).await.unwrap();
        assert_eq!(code(&response), expected, "{path}");
    }
    serving.abort();
}
