//! What is told of a case outside the house.

use serde::Serialize;

use super::events::{self, ConfirmedBy, Event};
use crate::published::{Row, Time, one_of, published_types};
use crate::values::{CaseId, Channel, Classification, CustomerId, Direction, InteractionId, Kind, Language};

/// Why a case was opened again.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReopenedBecause {
    CustomerWroteAgain,
    Staff,
}

one_of!(ConfirmedBy: Customer, Silence);
one_of!(ReopenedBecause: CustomerWroteAgain, Staff);

published_types! {
    /// A customer's matter came up.
    Opened = "case.opened.v1" {
        /// Whose matter it is.
        customer: CustomerId,
        /// What it is about, as far as is known.
        kind: Kind,
        /// How it reached the company.
        channel: Channel,
    }

    /// Another customer's case belongs to the same conversation.
    Linked = "case.linked.v1" {
        /// The other case.
        to: CaseId,
    }

    /// Something was said.
    InteractionLogged = "case.interaction_logged.v1" {
        /// What was said is known by this.
        interaction: InteractionId,
        /// The customer who said it or was told.
        customer: CustomerId,
        /// How it was said.
        channel: Channel,
        /// `inbound` from the customer, `outbound` to the customer.
        direction: Direction,
        /// What it is about.
        kind: Kind,
        /// The language it was said in.
        language: Language,
        /// The version of the policy whose phrase tables were asked.
        policy_version: u64,
        /// The row of them that fired; null where none did.
        row: Option<Row>,
    }

    /// It was about something else than it was taken for.
    Reclassified = "case.reclassified.v1" {
        /// What it was taken for.
        from: Kind,
        /// What it is about.
        to: Kind,
        /// Whose matter it is.
        customer: CustomerId,
        /// What the customer said first, or was told first.
        interaction: InteractionId,
        /// The language of that.
        language: Language,
        /// The version of the policy whose phrase tables were asked.
        policy_version: u64,
        /// The row of them that fired; null where none did.
        row: Option<Row>,
    }

    /// Staff say that it is solved.
    Resolved = "case.resolved.v1" {}

    /// The policy waits for the customer to object.
    ConfirmationAwaited = "case.confirmation_awaited.v1" {
        /// How long; silence until then confirms.
        until: Time,
        /// The policy's number that this follows from.
        silence_days: u16,
    }

    /// The customer is content: the case is closed.
    ResolutionConfirmed = "case.resolution_confirmed.v1" {
        /// How the customer agreed.
        by: ConfirmedBy,
    }

    /// The customer is not content: the case is open again.
    ResolutionRejected = "case.resolution_rejected.v1" {}

    /// A case that was over is not.
    Reopened = "case.reopened.v1" {
        /// Why.
        because: ReopenedBecause,
    }
}

impl From<&Event> for Told {
    fn from(event: &Event) -> Told {
        match event {
            Event::Opened(events::Opened { customer, kind, channel, thread: _ }) => {
                Told::Opened(Opened { customer: *customer, kind: *kind, channel: *channel })
            }
            Event::Linked(events::Linked { to }) => Told::Linked(Linked { to: *to }),
            Event::InteractionLogged(logged) => Told::InteractionLogged(logged.into()),
            Event::Reclassified(reclassified) => Told::Reclassified(reclassified.into()),
            Event::Resolved(events::Resolved { resolution: _ }) => Told::Resolved(Resolved {}),
            Event::ConfirmationAwaited(events::ConfirmationAwaited { until, silence_days }) => {
                Told::ConfirmationAwaited(ConfirmationAwaited {
                    until: Time(*until),
                    silence_days: *silence_days,
                })
            }
            Event::ResolutionConfirmed(events::ResolutionConfirmed { by }) => {
                Told::ResolutionConfirmed(ResolutionConfirmed { by: *by })
            }
            Event::ResolutionRejected(events::ResolutionRejected { reason: _ }) => {
                Told::ResolutionRejected(ResolutionRejected {})
            }
            Event::Reopened(events::Reopened { because }) => {
                Told::Reopened(Reopened { because: because.into() })
            }
        }
    }
}

impl From<&events::InteractionLogged> for InteractionLogged {
    fn from(logged: &events::InteractionLogged) -> InteractionLogged {
        let events::InteractionLogged {
            interaction,
            customer,
            channel,
            direction,
            kind,
            text: _,
            classification,
        } = logged;
        let Classification { language, policy, hit } = classification;
        InteractionLogged {
            interaction: *interaction,
            customer: *customer,
            channel: *channel,
            direction: *direction,
            kind: *kind,
            language: language.clone(),
            policy_version: *policy,
            row: hit.as_ref().map(Row::from),
        }
    }
}

impl From<&events::Reclassified> for Reclassified {
    fn from(reclassified: &events::Reclassified) -> Reclassified {
        let events::Reclassified { from, to, reason: _, customer, interaction, text: _, classification } =
            reclassified;
        let Classification { language, policy, hit } = classification;
        Reclassified {
            from: *from,
            to: *to,
            customer: *customer,
            interaction: *interaction,
            language: language.clone(),
            policy_version: *policy,
            row: hit.as_ref().map(Row::from),
        }
    }
}

impl From<&events::ReopenedBecause> for ReopenedBecause {
    fn from(because: &events::ReopenedBecause) -> ReopenedBecause {
        match because {
            events::ReopenedBecause::CustomerWroteAgain => ReopenedBecause::CustomerWroteAgain,
            events::ReopenedBecause::Staff(_) => ReopenedBecause::Staff,
        }
    }
}
