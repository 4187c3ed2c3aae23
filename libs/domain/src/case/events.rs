//! What can have happened to a case.

use serde::{Deserialize, Serialize, Serializer};

use crate::noun::{Unreadable, read_data};
use crate::values::{
    At, CaseId, Channel, Classification, CustomerId, Direction, InteractionId, Kind, PromiseId, PromiseKind,
    Sealed, ThreadId,
};

/// A customer's matter came up.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Opened {
    pub customer: CustomerId,
    pub kind: Kind,
    pub channel: Channel,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<ThreadId>,
}

/// Another customer's case belongs to the same conversation.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Linked {
    pub to: CaseId,
}

/// Something was said.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct InteractionLogged {
    pub interaction: InteractionId,
    pub customer: CustomerId,
    pub channel: Channel,
    pub direction: Direction,
    pub kind: Kind,
    pub text: Sealed,
    pub classification: Classification,
}

/// It was about something else than it was taken for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Reclassified {
    pub from: Kind,
    pub to: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Sealed>,
    pub customer: CustomerId,
    /// What the customer said first (or, if they said nothing yet, what was said to them): whoever acts on the new kind works from it.
    pub interaction: InteractionId,
    pub text: Sealed,
    pub classification: Classification,
}

/// Staff say that it is solved.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Resolved {
    pub resolution: Sealed,
}

/// The policy waits until then for the customer to object.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ConfirmationAwaited {
    pub until: At,
    /// The policy's number that this follows from.
    pub silence_days: u16,
}

/// How the customer agreed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfirmedBy {
    Customer,
    Silence,
}

/// The customer is content: the case is closed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ResolutionConfirmed {
    pub by: ConfirmedBy,
}

/// The customer is not content: the case is open again.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ResolutionRejected {
    pub reason: Sealed,
}

/// Why a case was opened again.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReopenedBecause {
    CustomerWroteAgain,
    Staff(Sealed),
}

/// A case that was over is not.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Reopened {
    pub because: ReopenedBecause,
}

/// Staff want to give the customer their word; whether the company can keep it the policy says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PromiseProposed {
    pub promise: PromiseId,
    pub kind: PromiseKind,
    pub due: At,
    pub text: Sealed,
}

/// The company can keep it: the promise stands.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PromiseMade {
    pub promise: PromiseId,
    pub due: At,
}

/// Why the company cannot keep a promise.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Infeasible {
    /// The policy has no such kind of promise.
    UnknownKind,
    /// It takes the company at least until then.
    TooSoon { soonest: At },
    /// The company does not commit itself beyond then.
    TooFar { latest: At },
}

/// The company cannot keep it: the promise is not given.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PromiseRefused {
    pub promise: PromiseId,
    pub because: Infeasible,
}

/// What was promised was done in time.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PromiseKept {
    pub promise: PromiseId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Sealed>,
}

/// The customer agreed to another time.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PromiseRenegotiated {
    pub promise: PromiseId,
    pub from: At,
    pub due: At,
    pub reason: Sealed,
}

/// Its time came, and it was not kept.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PromiseBroken {
    pub promise: PromiseId,
    pub kind: PromiseKind,
    pub due: At,
    /// Whom it was given, and what their matter is about.
    pub customer: CustomerId,
    pub about: Kind,
}

/// Something that happened to a case.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// `case.opened.v1`
    Opened(Opened),
    /// `case.linked.v1`
    Linked(Linked),
    /// `case.interaction_logged.v1`
    InteractionLogged(InteractionLogged),
    /// `case.reclassified.v1`
    Reclassified(Reclassified),
    /// `case.resolved.v1`
    Resolved(Resolved),
    /// `case.confirmation_awaited.v1`
    ConfirmationAwaited(ConfirmationAwaited),
    /// `case.resolution_confirmed.v1`
    ResolutionConfirmed(ResolutionConfirmed),
    /// `case.resolution_rejected.v1`
    ResolutionRejected(ResolutionRejected),
    /// `case.reopened.v1`
    Reopened(Reopened),
    /// `case.promise_proposed.v1`
    PromiseProposed(PromiseProposed),
    /// `case.promise_made.v1`
    PromiseMade(PromiseMade),
    /// `case.promise_refused.v1`
    PromiseRefused(PromiseRefused),
    /// `case.promise_kept.v1`
    PromiseKept(PromiseKept),
    /// `case.promise_renegotiated.v1`
    PromiseRenegotiated(PromiseRenegotiated),
    /// `case.promise_broken.v1`
    PromiseBroken(PromiseBroken),
}

impl Event {
    /// The type on the wire.
    pub fn wire_type(&self) -> &'static str {
        match self {
            Event::Opened(_) => "case.opened.v1",
            Event::Linked(_) => "case.linked.v1",
            Event::InteractionLogged(_) => "case.interaction_logged.v1",
            Event::Reclassified(_) => "case.reclassified.v1",
            Event::Resolved(_) => "case.resolved.v1",
            Event::ConfirmationAwaited(_) => "case.confirmation_awaited.v1",
            Event::ResolutionConfirmed(_) => "case.resolution_confirmed.v1",
            Event::ResolutionRejected(_) => "case.resolution_rejected.v1",
            Event::Reopened(_) => "case.reopened.v1",
            Event::PromiseProposed(_) => "case.promise_proposed.v1",
            Event::PromiseMade(_) => "case.promise_made.v1",
            Event::PromiseRefused(_) => "case.promise_refused.v1",
            Event::PromiseKept(_) => "case.promise_kept.v1",
            Event::PromiseRenegotiated(_) => "case.promise_renegotiated.v1",
            Event::PromiseBroken(_) => "case.promise_broken.v1",
        }
    }

    /// Reads an event of any version ever written.
    pub fn read(event_type: &str, data: &str) -> Result<Event, Unreadable> {
        match event_type {
            "case.opened.v1" => read_data(event_type, data).map(Event::Opened),
            "case.linked.v1" => read_data(event_type, data).map(Event::Linked),
            "case.interaction_logged.v1" => read_data(event_type, data).map(Event::InteractionLogged),
            "case.reclassified.v1" => read_data(event_type, data).map(Event::Reclassified),
            "case.resolved.v1" => read_data(event_type, data).map(Event::Resolved),
            "case.confirmation_awaited.v1" => read_data(event_type, data).map(Event::ConfirmationAwaited),
            "case.resolution_confirmed.v1" => read_data(event_type, data).map(Event::ResolutionConfirmed),
            "case.resolution_rejected.v1" => read_data(event_type, data).map(Event::ResolutionRejected),
            "case.reopened.v1" => read_data(event_type, data).map(Event::Reopened),
            "case.promise_proposed.v1" => read_data(event_type, data).map(Event::PromiseProposed),
            "case.promise_made.v1" => read_data(event_type, data).map(Event::PromiseMade),
            "case.promise_refused.v1" => read_data(event_type, data).map(Event::PromiseRefused),
            "case.promise_kept.v1" => read_data(event_type, data).map(Event::PromiseKept),
            "case.promise_renegotiated.v1" => read_data(event_type, data).map(Event::PromiseRenegotiated),
            "case.promise_broken.v1" => read_data(event_type, data).map(Event::PromiseBroken),
            _ => Err(Unreadable::EventType { event_type: event_type.to_owned() }),
        }
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::Opened(data) => data.serialize(serializer),
            Event::Linked(data) => data.serialize(serializer),
            Event::InteractionLogged(data) => data.serialize(serializer),
            Event::Reclassified(data) => data.serialize(serializer),
            Event::Resolved(data) => data.serialize(serializer),
            Event::ConfirmationAwaited(data) => data.serialize(serializer),
            Event::ResolutionConfirmed(data) => data.serialize(serializer),
            Event::ResolutionRejected(data) => data.serialize(serializer),
            Event::Reopened(data) => data.serialize(serializer),
            Event::PromiseProposed(data) => data.serialize(serializer),
            Event::PromiseMade(data) => data.serialize(serializer),
            Event::PromiseRefused(data) => data.serialize(serializer),
            Event::PromiseKept(data) => data.serialize(serializer),
            Event::PromiseRenegotiated(data) => data.serialize(serializer),
            Event::PromiseBroken(data) => data.serialize(serializer),
        }
    }
}
