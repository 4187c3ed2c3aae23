//! Callers: a verified principal, the method it calls, and what for. The layer makes one for every call; what is behind it asks it.

use std::sync::Arc;

use serde::Serialize;
use seva_domain::values::{Actor, Department};
use tonic::Request;
use tonic::codegen::http::{Extensions, HeaderMap};

use super::permission::{Method, ObjectRule};
use super::principal::Principal;
use crate::status::Error;

/// The metadata that says what a call needs personal data for.
pub const PURPOSE_KEY: &str = "seva-purpose";

/// What a call needs personal data for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    Service,
    Complaint,
    Refund,
    Suggestion,
    Quality,
    Legal,
}

impl Purpose {
    /// Every purpose, in the order of the contract.
    pub const ALL: [Purpose; 6] = [
        Purpose::Service,
        Purpose::Complaint,
        Purpose::Refund,
        Purpose::Suggestion,
        Purpose::Quality,
        Purpose::Legal,
    ];

    /// Its code in the metadata.
    pub fn code(self) -> &'static str {
        match self {
            Purpose::Service => "service",
            Purpose::Complaint => "complaint",
            Purpose::Refund => "refund",
            Purpose::Suggestion => "suggestion",
            Purpose::Quality => "quality",
            Purpose::Legal => "legal",
        }
    }

    /// What a call's headers say; none is allowed, and opens nothing.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Purpose>, Error> {
        let mut values = headers.get_all(PURPOSE_KEY).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let said = value.to_str().unwrap_or_default();
        let known = Purpose::ALL.into_iter().find(|purpose| purpose.code() == said);
        match (known, values.next()) {
            (Some(purpose), None) => Ok(Some(purpose)),
            _ => {
                let codes = Purpose::ALL.map(Purpose::code).join(", ");
                Err(Error::malformed(format!("metadata.{PURPOSE_KEY}"), format!("should be one of {codes}")))
            }
        }
    }
}

/// Who makes a call that was let through, and what for.
#[derive(Clone, Debug)]
pub struct Caller {
    pub principal: Arc<Principal>,
    pub(crate) method: &'static Method,
    pub purpose: Option<Purpose>,
}

impl Caller {
    /// Who records say it was.
    pub fn actor(&self) -> Actor {
        self.principal.actor()
    }

    /// Whether the texts of the answer are opened.
    pub fn reads_texts(&self) -> bool {
        self.purpose.is_some() && self.principal.is_one_of(self.method.personal_data)
    }

    /// The one department that the call may be about, by the object rule of its method. `None` is any.
    pub fn within(&self) -> Result<Option<&Department>, Error> {
        match self.method.object_rule {
            ObjectRule::OwnDepartment if !self.principal.is_house_wide() => {
                self.principal.department.as_ref().map(Some).ok_or_else(other_department)
            }
            ObjectRule::OwnDepartment | ObjectRule::None | ObjectRule::NotTheRequester => Ok(None),
        }
    }

    /// Refuses what is in another department, if the object rule of the method says so.
    pub fn sees(&self, department: &str) -> Result<(), Error> {
        match self.within()? {
            Some(own) if own.as_str() != department => Err(other_department()),
            Some(_) | None => Ok(()),
        }
    }
}

fn other_department() -> Error {
    Error::Denied { reason: "OTHER_DEPARTMENT", message: "this is in another department than the caller's" }
}

/// Who makes a call.
pub fn caller(extensions: &Extensions) -> Result<&Caller, Error> {
    extensions.get().ok_or_else(|| Error::Internal("a call came past the layer that verifies callers".into()))
}

/// A request's caller and message.
pub fn taken<T>(request: Request<T>) -> Result<(Caller, T), Error> {
    let (_, extensions, message) = request.into_parts();
    Ok((caller(&extensions)?.clone(), message))
}
