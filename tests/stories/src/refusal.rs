//! How a call was refused, as a caller branches on it.

use std::collections::HashMap;
use std::fmt;

use tonic::{Code, Response, Status};
use tonic_types::StatusExt as _;

/// The parts of a refusal that are a contract.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    pub code: Code,
    /// Empty where the answer has none; every answer should have one.
    pub reason: String,
    /// The fields that cannot be used.
    pub fields: Vec<String>,
    pub metadata: HashMap<String, String>,
    pub message: String,
}

impl From<&Status> for Refusal {
    fn from(status: &Status) -> Refusal {
        let details = status.get_error_details();
        let info = details.error_info();
        let violations = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
        Refusal {
            code: status.code(),
            reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
            fields: violations.into_iter().map(|violation| violation.field).collect(),
            metadata: info.map(|info| info.metadata.clone()).unwrap_or_default(),
            message: status.message().to_owned(),
        }
    }
}

impl Refusal {
    /// Code and reason, and the fields if there are any: enough to tell one refusal from another.
    pub fn brief(&self) -> String {
        let fields =
            if self.fields.is_empty() { String::new() } else { format!(" {}", self.fields.join(" ")) };
        format!("{:?} {}{fields}", self.code, self.reason)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.brief(), self.message)
    }
}

/// The refusal of a call that must not succeed.
///
/// # Panics
///
/// When it did.
#[track_caller]
pub fn refused<T: fmt::Debug>(answer: Result<Response<T>, Status>) -> Refusal {
    match answer {
        Ok(answer) => panic!("should have been refused: {:?}", answer.into_inner()),
        Err(status) => Refusal::from(&status),
    }
}
