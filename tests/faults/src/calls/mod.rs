//! One call to one process, and what its answer says happened.

mod escalation;
mod feedback;
mod intake;
mod reads;
mod refunds;

use std::time::Duration;

use prost_types::Timestamp;
use seva_api::replayed::REPLAYED;
use seva_domain::service::Service;
use tonic::{Request, Response, Status};
use tonic_types::StatusExt as _;

use crate::doors::Door;
use crate::history::Read;
use crate::write::Write;

/// How long a caller waits.
const DEADLINE: Duration = Duration::from_secs(8);

/// What a call came to.
#[derive(Clone, Debug)]
pub(crate) enum Outcome<T> {
    Ok(T),
    /// Nothing happened, and why.
    Fail(String),
    /// Nobody can tell.
    Unknown(String),
}

/// What a write was answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    pub(crate) position: String,
    /// What the answer names: case, customer and interaction, or whatever else was made.
    pub(crate) ids: Vec<String>,
    pub(crate) is_replayed: bool,
}

/// What a read was answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) position: String,
    pub(crate) ids: Vec<String>,
}

/// Asks for a write.
pub(crate) async fn write(door: &Door, write: &Write) -> Outcome<Written> {
    let asked = async {
        match write.verb.service() {
            Service::Escalation => escalation::ask(door, write).await,
            Service::Feedback => feedback::ask(door, write).await,
            Service::Intake => intake::ask(door, write).await,
            Service::Refunds => refunds::ask(door, write).await,
            Service::Policy => Err(Status::invalid_argument("nobody asks policy")),
        }
    };
    bounded(asked).await
}

/// Asks a question.
pub(crate) async fn read(door: &Door, read: &Read) -> Outcome<Found> {
    bounded(reads::ask(door, read)).await
}

async fn bounded<T>(asked: impl Future<Output = Result<T, Status>>) -> Outcome<T> {
    match tokio::time::timeout(DEADLINE + Duration::from_secs(2), asked).await {
        Ok(Ok(answer)) => Outcome::Ok(answer),
        Ok(Err(status)) => refused(&status),
        Err(_) => Outcome::Unknown("NO_ANSWER".to_owned()),
    }
}

/// What an error says happened. Only a reason that the service gave, and that means it, says that nothing did.
fn refused<T>(status: &Status) -> Outcome<T> {
    let Some(info) = status.get_details_error_info() else {
        return Outcome::Unknown(format!("{:?}", status.code()).to_uppercase());
    };
    match info.reason.as_str() {
        "OUTCOME_UNKNOWN" | "DEADLINE_EXCEEDED" | "CANCELLED" | "UNAVAILABLE" | "ABORTED" | "INTERNAL" => {
            Outcome::Unknown(info.reason)
        }
        _ => Outcome::Fail(info.reason),
    }
}

fn asked<M>(write: &Write, message: M) -> Request<M> {
    let mut request = seva_tokens::as_actor(write.actor(), message);
    request.set_timeout(DEADLINE);
    request
}

fn answered<M>(response: Response<M>, take: impl FnOnce(M) -> (String, Vec<String>)) -> Written {
    let is_replayed = response.metadata().contains_key(REPLAYED);
    let (position, ids) = take(response.into_inner());
    Written { position, ids, is_replayed }
}

fn time(micros: i64) -> Option<Timestamp> {
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).ok()?;
    Some(Timestamp { seconds: micros.div_euclid(1_000_000), nanos })
}
