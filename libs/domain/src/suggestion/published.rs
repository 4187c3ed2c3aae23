//! What is told of a suggestion outside the house.

use super::events::{self, Audience, Event};
use crate::published::{Row, one_of, published_types};
use crate::values::{CaseId, Classification, CustomerId, Department, InteractionId, Language};

one_of!(Audience: Customer, Representative);

published_types! {
    /// Somebody had an idea.
    Captured = "suggestion.captured.v1" {
        /// The customer whose idea it is; null where nobody in particular had it.
        customer: Option<CustomerId>,
        /// The case in which it was said.
        case: Option<CaseId>,
        /// What was said there.
        interaction: Option<InteractionId>,
        /// The language it was said in.
        language: Language,
        /// The version of the policy whose phrase tables were asked.
        policy_version: u64,
        /// The row of them that fired; null where none did.
        row: Option<Row>,
    }

    /// The policy chose a department.
    Routed = "suggestion.routed.v1" {
        /// Which.
        department: Department,
        /// The version of the policy whose phrase tables were asked.
        policy_version: u64,
        /// The row of them that fired; null where none did.
        row: Option<Row>,
    }

    /// The department has seen it.
    Acknowledged = "suggestion.acknowledged.v1" {}

    /// It belonged elsewhere.
    Rerouted = "suggestion.rerouted.v1" {
        /// The department that had it.
        from: Department,
        /// The department that has it now.
        to: Department,
    }

    /// The department will do it.
    Adopted = "suggestion.adopted.v1" {}

    /// The department will not do it.
    Declined = "suggestion.declined.v1" {}

    /// Somebody was told what became of it.
    OutcomeReported = "suggestion.outcome_reported.v1" {
        /// Who was told.
        to: Audience,
    }
}

impl From<&Event> for Told {
    fn from(event: &Event) -> Told {
        match event {
            Event::Captured(captured) => Told::Captured(captured.into()),
            Event::Routed(events::Routed { department, policy, hit }) => Told::Routed(Routed {
                department: department.clone(),
                policy_version: *policy,
                row: hit.as_ref().map(Row::from),
            }),
            Event::Acknowledged(events::Acknowledged {}) => Told::Acknowledged(Acknowledged {}),
            Event::Rerouted(events::Rerouted { from, to, reason: _ }) => {
                Told::Rerouted(Rerouted { from: from.clone(), to: to.clone() })
            }
            Event::Adopted(events::Adopted { plan: _ }) => Told::Adopted(Adopted {}),
            Event::Declined(events::Declined { reason: _ }) => Told::Declined(Declined {}),
            Event::OutcomeReported(events::OutcomeReported { to, message: _ }) => {
                Told::OutcomeReported(OutcomeReported { to: *to })
            }
        }
    }
}

impl From<&events::Captured> for Captured {
    fn from(captured: &events::Captured) -> Captured {
        let events::Captured { text: _, classification, customer, case, interaction } = captured;
        let Classification { language, policy, hit } = classification;
        Captured {
            customer: *customer,
            case: *case,
            interaction: *interaction,
            language: language.clone(),
            policy_version: *policy,
            row: hit.as_ref().map(Row::from),
        }
    }
}
