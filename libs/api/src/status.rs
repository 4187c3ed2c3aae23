//! Every way in which a call fails, and what the caller is told: the only place where a gRPC status is made.

use std::collections::HashMap;
use std::time::Duration;

use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use rand::RngCore as _;
use seva_domain::values::RequestId;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, PreconditionViolation, StatusExt as _};

/// The domain of every reason.
pub const DOMAIN: &str = "seva";

/// How much of a message, of a word in it, and of all that is wrong is told: an answer's status goes as headers, of which clients take 16 KiB.
const MESSAGE_CHARS_MAX: usize = 500;
const WORD_CHARS_MAX: usize = 200;
const WRONG_MAX: usize = 20;

/// Every reason that a caller can meet, sorted. Callers branch on them: none is ever renamed.
pub const REASONS: &[&str] = &[
    "ABORTED",
    "ALREADY_ACCEPTED",
    "ALREADY_DECIDED",
    "ALREADY_ESCALATED",
    "ALREADY_REGISTERED",
    "ALREADY_RESOLVED",
    "BACKLOG_FULL",
    "CANCELLED",
    "CASCADE_TOO_LARGE",
    "CASE_CLOSED",
    "CASE_OF_ANOTHER_CUSTOMER",
    "CATCHING_UP",
    "CHARGE_DIFFERS",
    "CUSTOMER_FORGOTTEN",
    "DEADLINE_EXCEEDED",
    "ESCALATION_OVER",
    "EXCEEDS_CAPTURED",
    "FORGETTING_NOT_ASKED",
    "FORGETTING_NOT_CONFIRMED",
    "IDENTITY_TAKEN",
    "INTERNAL",
    "IN_TRIAGE",
    "LEGAL_HOLD",
    "LOG_UNAVAILABLE",
    "MALFORMED",
    "MESSAGE_TOO_LARGE",
    "NOT_ACCEPTED",
    "NOT_DECIDED",
    "NOT_FOUND",
    "NOT_IN_IMPORT",
    "NOT_REGISTERED",
    "NOT_RESOLVED",
    "NO_ROLE",
    "OTHER_CURRENCY",
    "OTHER_DEPARTMENT",
    "OUTCOME_UNKNOWN",
    "OVERLOADED",
    "POLICY_INVALID",
    "POSITION_NOT_REACHED",
    "PROMISE_BROKEN",
    "PROMISE_DUE_PAST",
    "PROMISE_KEPT",
    "PROMISE_NOT_FOUND",
    "PROMISE_NOT_GIVEN",
    "QUEUE_FULL",
    "RATE_LIMITED",
    "REFUND_DECIDED",
    "REFUND_NOT_FOUND",
    "REFUND_NOT_INSTRUCTED",
    "REFUND_OPEN",
    "REFUND_SETTLED",
    "REQUEST_ID_REUSED",
    "ROLE_NOT_ALLOWED",
    "SECOND_PERSON_NEEDED",
    "STALE_REV",
    "TOO_MANY_IDENTITIES",
    "TOO_MANY_PROMISES",
    "TOO_MANY_REFUNDS",
    "UNAUTHENTICATED",
    "UNAVAILABLE",
    "UNIMPLEMENTED",
    "UNKNOWN_DEPARTMENT",
    "UNKNOWN_RUNG",
];

/// What is wrong with one field.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// The field's path in the request, for example `identities[2].value`; empty for the message as a whole.
    pub field: String,
    /// What is wrong, to be read after the field's name. Never holds the value.
    pub description: String,
}

impl Violation {
    /// Says what is wrong with a field.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Violation {
        Violation { field: field.into(), description: description.into() }
    }
}

/// Why a call failed. Nothing in it is personal: ids, field names and words of the program only.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The writes that the database has not taken in yet are too many; nothing happened.
    #[error("too much is waiting to be folded: try again shortly")]
    BacklogFull,
    /// The process is not yet where it can answer, or no longer.
    #[error("{message}")]
    CatchingUp {
        /// What it is waiting for.
        message: String,
    },
    /// The caller is known, and may not.
    #[error("{message}")]
    Denied {
        /// One of [`REASONS`].
        reason: &'static str,
        /// What the caller has not.
        message: &'static str,
    },
    /// A bug, or damaged data.
    #[error("something is wrong in this service")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The log or the key store does not answer; nothing happened.
    #[error("the log cannot be reached; nothing was recorded")]
    LogUnavailable,
    /// Fields of the request cannot be used.
    #[error("{}", sentence(.0))]
    Malformed(Vec<Violation>),
    /// A request is longer than a service takes.
    #[error("the message is longer than {limit_bytes} bytes")]
    MessageTooLarge {
        /// How long it may be.
        limit_bytes: usize,
    },
    /// No contract declares the method.
    #[error("there is no such method")]
    NoSuchMethod,
    /// What the request is about is not there.
    #[error("there is no {what} {id}")]
    NotFound {
        /// For example `case`.
        what: &'static str,
        /// Its id: an opaque one, or a name that the company gave.
        id: String,
    },
    /// The write was sent and no answer came: it may be recorded.
    #[error("whether this was recorded is not known: send the same request again")]
    OutcomeUnknown {
        /// What the log knows the request by.
        request: RequestId,
    },
    /// A policy document cannot be published.
    #[error("the policy cannot be published: {}", sentence(.0))]
    PolicyInvalid(Vec<Violation>),
    /// The read model did not get there before the deadline.
    #[error("the read model has not reached the position asked for")]
    PositionNotReached,
    /// Too many writes wait already; nothing happened.
    #[error("too many writes are waiting: try again shortly")]
    QueueFull,
    /// A business rule says no.
    #[error("{message}")]
    Refused {
        /// Which rule: one of [`REASONS`].
        reason: &'static str,
        /// The rule's own sentence.
        message: String,
        /// The facts it rests on.
        metadata: Vec<(&'static str, String)>,
    },
    /// The request id was used before, with another body.
    #[error("this request id was used before, for a request that says something else")]
    RequestIdReused,
    /// What the caller saw last is no longer how it stands.
    #[error("this has changed since: it is at rev {current_rev}")]
    Stale {
        /// How it stands now.
        current_rev: u64,
    },
    /// The caller calls more often than one caller may; nothing happened.
    #[error("you call too often; try again in {} ms", retry_after.as_millis().max(1))]
    TooOften {
        /// When it may call again.
        retry_after: Duration,
    },
    /// Nobody knows who calls. Says the same whatever is wrong, so that nobody learns from it.
    #[error("the caller is not known: send one valid token as `authorization: Bearer TOKEN`")]
    Unauthenticated,
}

impl Error {
    /// One field that cannot be used.
    pub fn malformed(field: impl Into<String>, description: impl Into<String>) -> Error {
        Error::Malformed(vec![Violation::new(field, description)])
    }

    /// Nothing is written for somebody who was forgotten: what they said could be sealed under no key.
    pub fn forgotten() -> Error {
        let rejection = seva_domain::customer::Rejection::Forgotten;
        Error::Refused { reason: rejection.reason(), message: rejection.to_string(), metadata: Vec::new() }
    }

    /// Whether somebody was forgotten, and therefore nothing written.
    pub fn is_forgotten(&self) -> bool {
        self.reason() == seva_domain::customer::Rejection::Forgotten.reason()
    }

    /// What a caller branches on: one of [`REASONS`].
    pub fn reason(&self) -> &'static str {
        match self {
            Error::BacklogFull => "BACKLOG_FULL",
            Error::CatchingUp { .. } => "CATCHING_UP",
            Error::Denied { reason, .. } => reason,
            Error::Internal(_) => "INTERNAL",
            Error::NoSuchMethod => "UNIMPLEMENTED",
            Error::LogUnavailable => "LOG_UNAVAILABLE",
            Error::Malformed(_) => "MALFORMED",
            Error::MessageTooLarge { .. } => "MESSAGE_TOO_LARGE",
            Error::NotFound { .. } => "NOT_FOUND",
            Error::OutcomeUnknown { .. } => "OUTCOME_UNKNOWN",
            Error::PolicyInvalid(_) => "POLICY_INVALID",
            Error::PositionNotReached => "POSITION_NOT_REACHED",
            Error::QueueFull => "QUEUE_FULL",
            Error::Refused { reason, .. } => reason,
            Error::RequestIdReused => "REQUEST_ID_REUSED",
            Error::Stale { .. } => "STALE_REV",
            Error::TooOften { .. } => "RATE_LIMITED",
            Error::Unauthenticated => "UNAUTHENTICATED",
        }
    }

    fn code(&self) -> Code {
        match self {
            Error::Malformed(_) | Error::MessageTooLarge { .. } => Code::InvalidArgument,
            Error::PolicyInvalid(_) | Error::Refused { .. } => Code::FailedPrecondition,
            Error::NotFound { .. } => Code::NotFound,
            Error::Stale { .. } => Code::Aborted,
            Error::RequestIdReused => Code::AlreadyExists,
            Error::BacklogFull | Error::QueueFull | Error::TooOften { .. } => Code::ResourceExhausted,
            Error::CatchingUp { .. }
            | Error::LogUnavailable
            | Error::OutcomeUnknown { .. }
            | Error::PositionNotReached => Code::Unavailable,
            Error::Denied { .. } => Code::PermissionDenied,
            Error::Internal(_) => Code::Internal,
            Error::NoSuchMethod => Code::Unimplemented,
            Error::Unauthenticated => Code::Unauthenticated,
        }
    }

    /// When the same request may do better.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::TooOften { retry_after } => Some(*retry_after),
            Error::PositionNotReached | Error::QueueFull => Some(Duration::from_millis(100)),
            Error::BacklogFull
            | Error::CatchingUp { .. }
            | Error::LogUnavailable
            | Error::OutcomeUnknown { .. } => Some(Duration::from_secs(1)),
            Error::Denied { .. }
            | Error::Internal(_)
            | Error::Malformed(_)
            | Error::MessageTooLarge { .. }
            | Error::NoSuchMethod
            | Error::NotFound { .. }
            | Error::PolicyInvalid(_)
            | Error::Refused { .. }
            | Error::RequestIdReused
            | Error::Stale { .. }
            | Error::Unauthenticated => None,
        }
    }

    /// The facts beside the reason.
    fn metadata(&self) -> HashMap<String, String> {
        let facts = match self {
            Error::MessageTooLarge { limit_bytes } => {
                vec![("limit_bytes", limit_bytes.to_string())]
            }
            Error::OutcomeUnknown { request } => vec![("request", request.to_string())],
            Error::Refused { metadata, .. } => metadata.clone(),
            Error::Stale { current_rev } => vec![("current_rev", current_rev.to_string())],
            Error::BacklogFull
            | Error::CatchingUp { .. }
            | Error::Denied { .. }
            | Error::Internal(_)
            | Error::LogUnavailable
            | Error::Malformed(_)
            | Error::NoSuchMethod
            | Error::NotFound { .. }
            | Error::PolicyInvalid(_)
            | Error::PositionNotReached
            | Error::QueueFull
            | Error::RequestIdReused
            | Error::TooOften { .. }
            | Error::Unauthenticated => Vec::new(),
        };
        facts.into_iter().map(|(name, value)| (name.to_owned(), clipped(&value, WORD_CHARS_MAX))).collect()
    }
}

impl From<seva_vault::Error> for Error {
    fn from(error: seva_vault::Error) -> Error {
        match error {
            // The keys stand beside the log, so they go and come back together.
            seva_vault::Error::Unavailable(source) => {
                tracing::warn!(
                    error = source.as_ref() as &dyn std::error::Error,
                    "The key store does not answer"
                );
                Error::LogUnavailable
            }
            seva_vault::Error::Gone(_) => Error::forgotten(),
            damaged @ (seva_vault::Error::WrongMasterKey
            | seva_vault::Error::MasterKey(_)
            | seva_vault::Error::UnknownEpoch { .. }
            | seva_vault::Error::Misconfigured(_)
            | seva_vault::Error::NoKeeper
            | seva_vault::Error::NoStream
            | seva_vault::Error::DamagedKey(_)
            | seva_vault::Error::DamagedText { .. }) => Error::Internal(damaged.into()),
        }
    }
}

impl From<Error> for Status {
    /// Makes the answer. What is internal is logged here, once, with everything that led to it; the caller gets the log line's id.
    fn from(error: Error) -> Status {
        debug_assert!(REASONS.contains(&error.reason()), "{} is not listed in REASONS", error.reason());
        let mut details = ErrorDetails::new();
        let mut facts = error.metadata();
        let mut message = clipped(&error.to_string(), MESSAGE_CHARS_MAX);
        match &error {
            Error::Malformed(violations) => {
                let violations = told(violations)
                    .map(|Violation { field, description }| FieldViolation::new(field, description));
                details.set_bad_request(violations.collect::<Vec<_>>());
            }
            Error::MessageTooLarge { .. } => {
                details.add_bad_request_violation("", message.clone());
            }
            Error::PolicyInvalid(findings) => {
                let findings = told(findings).map(|Violation { field, description }| {
                    PreconditionViolation::new("POLICY", field, description)
                });
                details.set_precondition_failure(findings.collect::<Vec<_>>());
            }
            Error::NotFound { what, id } => {
                details.set_resource_info(*what, clipped(id, WORD_CHARS_MAX), "", "");
            }
            Error::Internal(source) => {
                let id = format!("err_{:016x}", rand::rng().next_u64());
                tracing::error!(error.id = %id, "A call failed inside {id}: {}", chain(source.as_ref()));
                message = format!("{message}; whoever runs it finds the cause in its log under {id}");
                facts.insert("error_id".to_owned(), id);
            }
            Error::BacklogFull
            | Error::CatchingUp { .. }
            | Error::Denied { .. }
            | Error::LogUnavailable
            | Error::NoSuchMethod
            | Error::OutcomeUnknown { .. }
            | Error::PositionNotReached
            | Error::QueueFull
            | Error::Refused { .. }
            | Error::RequestIdReused
            | Error::Stale { .. }
            | Error::TooOften { .. }
            | Error::Unauthenticated => {}
        }
        if let Some(delay) = error.retry_after() {
            details.set_retry_info(Some(delay));
        }
        details.set_error_info(error.reason(), DOMAIN, facts);
        Status::with_error_details(error.code(), message, details)
    }
}

/// The whole answer to a call that failed before any method saw it.
pub fn answer(error: Error) -> http::Response<tonic::body::Body> {
    Status::from(error).into_http()
}

/// Whether the headers of an answer say that the caller may not.
pub fn says_denied(headers: &http::HeaderMap) -> bool {
    Status::from_header_map(headers).is_some_and(|status| status.code() == Code::PermissionDenied)
}

/// Gives a status that something else made (tonic, a layer) the details that every answer has.
pub fn complete(status: Status) -> Status {
    if status.code() == Code::Ok || !status.details().is_empty() {
        return status;
    }
    let (code, message) = (status.code(), &*clipped(status.message(), MESSAGE_CHARS_MAX));
    // What tonic says when it cannot even cut a message out of what the caller sent, and what its own codec says of messages that are not
    // ours: those of health and reflection. It calls that INTERNAL or OUT_OF_RANGE.
    let broken = [
        "Missing request message",
        "Unexpected EOF",
        "protocol error",
        "Error decompressing",
        "failed to decode Protobuf message",
    ];
    if code == Code::OutOfRange || (code == Code::ResourceExhausted && message.contains("decompressing")) {
        return Error::MessageTooLarge { limit_bytes: crate::REQUEST_BYTES_MAX }.into();
    }
    if code == Code::Internal && broken.iter().any(|start| message.starts_with(start)) {
        return Error::malformed("", format!("cannot be read: {message}")).into();
    }
    let (reason, retry) = match code {
        Code::Aborted => ("ABORTED", None),
        Code::Cancelled => ("CANCELLED", None),
        Code::DeadlineExceeded => ("DEADLINE_EXCEEDED", None),
        Code::ResourceExhausted => ("OVERLOADED", Some(Duration::from_millis(100))),
        Code::Unavailable => ("UNAVAILABLE", Some(Duration::from_secs(1))),
        Code::Unimplemented => ("UNIMPLEMENTED", None),
        Code::InvalidArgument => ("MALFORMED", None),
        Code::NotFound => ("NOT_FOUND", None),
        Code::AlreadyExists
        | Code::DataLoss
        | Code::FailedPrecondition
        | Code::Internal
        | Code::Ok
        | Code::OutOfRange
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::Unknown => ("INTERNAL", None),
    };
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    if retry.is_some() {
        details.set_retry_info(retry);
    }
    let mut completed = Status::with_error_details(code, message, details);
    *completed.metadata_mut() = status.metadata().clone();
    completed
}

/// [`complete`] for every answer of a server, to be mapped over its responses: where the answer is nothing but a status, and where a status
/// stands under what was answered before.
pub fn complete_response(mut response: http::Response<Body>) -> http::Response<Body> {
    complete_headers(response.headers_mut());
    if response.body().is_end_stream() {
        return response;
    }
    response.map(|body| {
        Body::new(body.map_frame(|frame| match frame.into_trailers() {
            Ok(mut trailers) => {
                complete_headers(&mut trailers);
                Frame::trailers(trailers)
            }
            Err(frame) => frame,
        }))
    })
}

fn complete_headers(headers: &mut http::HeaderMap) {
    if headers.contains_key(Status::GRPC_STATUS)
        && let Some(status) = Status::from_header_map(headers)
        && status.code() != Code::Ok
        && status.details().is_empty()
    {
        let mut completed = http::HeaderMap::new();
        // A status that cannot be written as headers is left as it was.
        if complete(status).add_header(&mut completed).is_ok() {
            for (name, value) in &completed {
                headers.insert(name, value.clone());
            }
        }
    }
}

/// A text, cut where it is longer than so many characters.
fn clipped(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// What is wrong, as far as it is told, and how much more there is.
fn told(violations: &[Violation]) -> impl Iterator<Item = Violation> + '_ {
    let more = violations.len().saturating_sub(WRONG_MAX);
    let rest = (more > 0).then(|| Violation::new("", format!("has {more} more mistakes")));
    let clip = |wrong: &Violation| {
        let Violation { field, description } = wrong;
        Violation::new(clipped(field, WORD_CHARS_MAX / 2), clipped(description, WORD_CHARS_MAX))
    };
    violations.iter().take(WRONG_MAX).map(clip).chain(rest)
}

/// The violations as one sentence.
fn sentence(violations: &[Violation]) -> String {
    let one = |wrong: &Violation| match wrong.field.as_str() {
        "" => format!("the message {}", wrong.description),
        field => format!("{field} {}", wrong.description),
    };
    violations.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// An error and what led to it, outermost first.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
