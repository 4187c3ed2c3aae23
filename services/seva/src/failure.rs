//! How a verb fails: what is said on standard error, and the exit code that scripts rely on.

use std::process::ExitCode;

use seva_host::endpoints;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// The exit codes. 0 is success.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Something went wrong that none of the others says.
    Error = 1,
    /// The command line, or a field of the request, cannot be used.
    Usage = 2,
    /// What was asked for is not there.
    NotFound = 3,
    /// A rule says no, or somebody else was faster.
    Conflict = 4,
    /// The caller may not do it.
    Denied = 5,
    /// Try again later.
    Unavailable = 6,
    /// Some of it was done.
    Partial = 7,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// A failure that this program itself finds, with the exit code it ends in.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

/// The command line cannot be used as it is.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    Failure { exit: Exit::Usage, message: message.into() }.into()
}

/// Nothing is known by what was given.
pub(crate) fn not_found(message: impl Into<String>) -> anyhow::Error {
    Failure { exit: Exit::NotFound, message: message.into() }.into()
}

/// Somebody has to be there, and is not yet.
pub(crate) fn unavailable(message: impl Into<String>) -> anyhow::Error {
    Failure { exit: Exit::Unavailable, message: message.into() }.into()
}

/// The exit code that an error ends in.
pub(crate) fn exit_of(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return failure.exit;
        }
        if let Some(status) = cause.downcast_ref::<Status>() {
            return exit_of_code(status.code());
        }
        if cause.downcast_ref::<tonic::transport::Error>().is_some() {
            return Exit::Unavailable;
        }
        if let Some(error) = cause.downcast_ref::<endpoints::Error>() {
            return exit_of_endpoints(error);
        }
    }
    Exit::Error
}

/// The exit code that missing endpoints end in.
fn exit_of_endpoints(error: &endpoints::Error) -> Exit {
    match error {
        endpoints::Error::Missing { .. } | endpoints::Error::NoLastDemo => Exit::Unavailable,
        endpoints::Error::NoSuchService { .. } => Exit::Usage,
        _ => Exit::Error,
    }
}

/// The exit code that a gRPC code ends in.
fn exit_of_code(code: Code) -> Exit {
    match code {
        Code::InvalidArgument | Code::OutOfRange => Exit::Usage,
        Code::NotFound => Exit::NotFound,
        Code::Aborted | Code::AlreadyExists | Code::FailedPrecondition => Exit::Conflict,
        Code::PermissionDenied | Code::Unauthenticated => Exit::Denied,
        Code::DeadlineExceeded | Code::ResourceExhausted | Code::Unavailable => Exit::Unavailable,
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::Unimplemented
        | Code::Internal
        | Code::DataLoss => Exit::Error,
    }
}

/// What an error says, in one or more lines.
pub(crate) fn explain(error: &anyhow::Error) -> String {
    let mut parts = Vec::new();
    for cause in error.chain() {
        if let Some(status) = cause.downcast_ref::<Status>() {
            parts.push(explain_status(status));
            break;
        }
        parts.push(cause.to_string());
    }
    parts.join(": ")
}

/// What a server answered: code, reason, message, the fields that are wrong, and when to try again.
pub(crate) fn explain_status(status: &Status) -> String {
    let details = status.get_error_details();
    let mut text = code_name(status.code()).to_owned();
    if let Some(info) = details.error_info() {
        text.push_str(&format!(" ({})", info.reason));
    }
    text.push_str(&format!(": {}", status.message()));
    if let Some(info) = details.error_info() {
        let mut facts: Vec<_> = info.metadata.iter().collect();
        facts.sort();
        for (name, value) in facts {
            text.push_str(&format!("\n  {name}: {value}"));
        }
    }
    for violation in details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default() {
        text.push_str(&format!("\n  field `{}`: {}", violation.field, violation.description));
    }
    if let Some(resource) = details.resource_info() {
        text.push_str(&format!("\n  {} `{}`", resource.resource_type, resource.resource_name));
    }
    if std::error::Error::source(status).is_some_and(|source| source.is::<tonic::transport::Error>()) {
        text.push_str("\n  nobody answers there: is it still running?");
    }
    if let Some(delay) = details.retry_info().and_then(|info| info.retry_delay) {
        text.push_str(&format!("\n  try again in {} ms", delay.as_millis()));
    }
    text
}

/// A code as the gRPC documents write it.
pub(crate) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use anyhow::Context as _;
    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::*;

    fn exit(status: Status) -> u8 {
        exit_of(&anyhow::Error::from(status).context("GetCase failed")) as u8
    }

    #[test]
    fn every_kind_of_answer_has_its_exit_code() {
        assert_eq!(exit(Status::internal("bug")), 1);
        assert_eq!(exit(Status::invalid_argument("no text")), 2);
        assert_eq!(exit(Status::not_found("no such case")), 3);
        assert_eq!(exit(Status::failed_precondition("closed")), 4);
        assert_eq!(exit(Status::already_exists("used")), 4);
        assert_eq!(exit(Status::aborted("stale")), 4);
        assert_eq!(exit(Status::permission_denied("no")), 5);
        assert_eq!(exit(Status::unavailable("log down")), 6);
        assert_eq!(exit(Status::resource_exhausted("full")), 6);
        assert_eq!(Exit::Partial as u8, 7);
    }

    #[test]
    fn what_this_program_finds_keeps_its_exit_code_through_context() {
        let error = Err::<(), _>(usage("not an identity")).context("in the timeline").unwrap_err();
        assert_eq!(exit_of(&error), Exit::Usage);
        assert_eq!(exit_of(&not_found("nobody")), Exit::NotFound);
        assert_eq!(exit_of(&unavailable("no demo runs")), Exit::Unavailable);
        assert_eq!(exit_of(&endpoints::Error::NoLastDemo.into()), Exit::Unavailable);
        assert_eq!(exit_of(&anyhow::anyhow!("disk full")), Exit::Error);
    }

    #[test]
    fn a_refusal_is_told_with_reason_fields_and_when_to_try_again() {
        let mut details = ErrorDetails::new();
        details.add_bad_request_violation("text", "must not be empty");
        details.set_error_info("QUEUE_FULL", "seva", [("limit".to_owned(), "1024".to_owned())]);
        details.set_retry_info(Some(Duration::from_millis(250)));
        let status = Status::with_error_details(Code::ResourceExhausted, "too much at once", details);
        let error = anyhow::Error::from(status).context("intake/LogInteraction");
        insta::assert_snapshot!(explain(&error), @r"
        intake/LogInteraction: RESOURCE_EXHAUSTED (QUEUE_FULL): too much at once
          limit: 1024
          field `text`: must not be empty
          try again in 250 ms
        ");
    }
}
