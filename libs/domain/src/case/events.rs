//! What can have happened to a case.

use serde::{Deserialize, Serialize, Serializer};

use crate::noun::{Unreadable, read_data};
use crate::values::{
    At, CaseId, Channel, Classification, CustomerId, Direction, InteractionId, Kind, Sealed, ThreadId,
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
        }
    }
}
