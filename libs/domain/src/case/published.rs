//! What is told of a case outside the house.

use serde::Serialize;

use super::events::{self, ConfirmedBy, Event};
use crate::published::{Row, Time, one_of, published_types};
use crate::values::{
    CaseId, Channel, Classification, CustomerId, Direction, InteractionId, Kind, Language, PromiseId,
    PromiseKind,
};

/// Why the company cannot keep a promise.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Infeasible {
    TooFar,
    TooSoon,
    UnknownKind,
}

one_of!(Infeasible: TooFar, TooSoon, UnknownKind);

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

    /// Staff want to give the customer their word; the policy answers.
    PromiseProposed = "case.promise_proposed.v1" {
        /// The promise.
        promise: PromiseId,
        /// What kind it is.
        kind: PromiseKind,
        /// When it is to be kept at the latest.
        due: Time,
    }

    /// The company can keep it: the promise stands.
    PromiseMade = "case.promise_made.v1" {
        /// The promise.
        promise: PromiseId,
        /// When it is to be kept at the latest.
        due: Time,
    }

    /// The company cannot keep it: the promise is not given.
    PromiseRefused = "case.promise_refused.v1" {
        /// The promise.
        promise: PromiseId,
        /// Why.
        because: Infeasible,
        /// What could have been promised; null where nothing could.
        possible: Option<Time>,
    }

    /// What was promised was done in time.
    PromiseKept = "case.promise_kept.v1" {
        /// The promise.
        promise: PromiseId,
    }

    /// The customer agreed to another time.
    PromiseRenegotiated = "case.promise_renegotiated.v1" {
        /// The promise.
        promise: PromiseId,
        /// When it was to be kept before.
        from: Time,
        /// When it is to be kept now.
        due: Time,
    }

    /// Its time came, and it was not kept.
    PromiseBroken = "case.promise_broken.v1" {
        /// The promise.
        promise: PromiseId,
        /// What kind it was.
        kind: PromiseKind,
        /// When it was to be kept.
        due: Time,
        /// Whom it was given.
        customer: CustomerId,
        /// What their matter is about.
        about: Kind,
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
            Event::PromiseProposed(events::PromiseProposed { promise, kind, due, text: _ }) => {
                let (promise, kind, due) = (*promise, kind.clone(), Time(*due));
                Told::PromiseProposed(PromiseProposed { promise, kind, due })
            }
            Event::PromiseMade(events::PromiseMade { promise, due }) => {
                Told::PromiseMade(PromiseMade { promise: *promise, due: Time(*due) })
            }
            Event::PromiseRefused(refused) => Told::PromiseRefused(refused.into()),
            Event::PromiseKept(events::PromiseKept { promise, note: _ }) => {
                Told::PromiseKept(PromiseKept { promise: *promise })
            }
            Event::PromiseRenegotiated(events::PromiseRenegotiated { promise, from, due, reason: _ }) => {
                let (promise, from, due) = (*promise, Time(*from), Time(*due));
                Told::PromiseRenegotiated(PromiseRenegotiated { promise, from, due })
            }
            Event::PromiseBroken(events::PromiseBroken { promise, kind, due, customer, about }) => {
                Told::PromiseBroken(PromiseBroken {
                    promise: *promise,
                    kind: kind.clone(),
                    due: Time(*due),
                    customer: *customer,
                    about: *about,
                })
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

impl From<&events::PromiseRefused> for PromiseRefused {
    fn from(refused: &events::PromiseRefused) -> PromiseRefused {
        let events::PromiseRefused { promise, because } = refused;
        let (because, possible) = match because {
            events::Infeasible::UnknownKind => (Infeasible::UnknownKind, None),
            events::Infeasible::TooSoon { soonest } => (Infeasible::TooSoon, Some(Time(*soonest))),
            events::Infeasible::TooFar { latest } => (Infeasible::TooFar, Some(Time(*latest))),
        };
        PromiseRefused { promise: *promise, because, possible }
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
