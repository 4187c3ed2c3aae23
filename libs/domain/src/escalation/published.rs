//! What is told of an escalation outside the house.

use serde::Serialize;

use super::events::{self, EndedBecause, Event};
use crate::published::{Time, one_of, published_types};
use crate::values::{CustomerId, Department, Kind, PromiseId, Rung};

/// Who or what raised it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RaisedBy {
    BrokenPromise,
    Customer,
    Staff,
}

one_of!(RaisedBy: BrokenPromise, Customer, Staff);
one_of!(EndedBecause: CaseClosed);

published_types! {
    /// A case needs somebody higher; the escalation has the case's id.
    Raised = "escalation.raised.v1" {
        /// Who or what raised it.
        by: RaisedBy,
        /// The promise that was broken; null where none was.
        promise: Option<PromiseId>,
        /// Whose matter it is.
        customer: CustomerId,
        /// What the case is about: decides the ladder.
        kind: Kind,
        /// The rung asked for; null where none was.
        rung: Option<Rung>,
    }

    /// The policy's ladder says who answers it.
    Placed = "escalation.placed.v1" {
        /// Which rung.
        rung: Rung,
        /// The department that the rung belongs to.
        department: Department,
        /// By when the rung must answer; then it climbs.
        answer_by: Time,
        /// The policy's number that this follows from.
        answer_within_minutes: u32,
    }

    /// The rung takes it on.
    Accepted = "escalation.accepted.v1" {}

    /// The rung answers that it is not for anybody higher: it is over.
    Declined = "escalation.declined.v1" {}

    /// The rung's deadline passed without an answer.
    Unanswered = "escalation.unanswered.v1" {
        /// Which rung.
        rung: Rung,
        /// The deadline.
        answer_by: Time,
    }

    /// It goes to the next rung.
    Climbed = "escalation.climbed.v1" {
        /// The rung that did not answer.
        from: Rung,
        /// The rung above.
        to: Rung,
        /// The department that the rung above belongs to.
        department: Department,
        /// By when that rung must answer.
        answer_by: Time,
        /// The policy's number that this follows from.
        answer_within_minutes: u32,
    }

    /// There is no rung above: it stays where it is until somebody answers.
    Exhausted = "escalation.exhausted.v1" {
        /// The top rung.
        rung: Rung,
    }

    /// The rung that took it on has settled it.
    Resolved = "escalation.resolved.v1" {}

    /// It is over without having been settled by a rung.
    Ended = "escalation.ended.v1" {
        /// Why.
        because: EndedBecause,
    }
}

impl From<&Event> for Told {
    fn from(event: &Event) -> Told {
        match event {
            Event::Raised(raised) => Told::Raised(raised.into()),
            Event::Placed(placed) => Told::Placed(placed.into()),
            Event::Accepted(events::Accepted {}) => Told::Accepted(Accepted {}),
            Event::Declined(events::Declined { reason: _ }) => Told::Declined(Declined {}),
            Event::Unanswered(events::Unanswered { rung, answer_by }) => {
                Told::Unanswered(Unanswered { rung: rung.clone(), answer_by: Time(*answer_by) })
            }
            Event::Climbed(climbed) => Told::Climbed(climbed.into()),
            Event::Exhausted(events::Exhausted { rung }) => Told::Exhausted(Exhausted { rung: rung.clone() }),
            Event::Resolved(events::Resolved { resolution: _ }) => Told::Resolved(Resolved {}),
            Event::Ended(events::Ended { because }) => Told::Ended(Ended { because: *because }),
        }
    }
}

impl From<&events::Raised> for Raised {
    fn from(raised: &events::Raised) -> Raised {
        let events::Raised { by, customer, kind, reason: _, rung } = raised;
        let (by, promise) = match by {
            events::RaisedBy::BrokenPromise(promise) => (RaisedBy::BrokenPromise, Some(*promise)),
            events::RaisedBy::Customer => (RaisedBy::Customer, None),
            events::RaisedBy::Staff => (RaisedBy::Staff, None),
        };
        Raised { by, promise, customer: *customer, kind: *kind, rung: rung.clone() }
    }
}

impl From<&events::Placed> for Placed {
    fn from(placed: &events::Placed) -> Placed {
        let events::Placed { ladder: _, rung, department, answer_by, answer_within_minutes } = placed;
        Placed {
            rung: rung.clone(),
            department: department.clone(),
            answer_by: Time(*answer_by),
            answer_within_minutes: *answer_within_minutes,
        }
    }
}

impl From<&events::Climbed> for Climbed {
    fn from(climbed: &events::Climbed) -> Climbed {
        let events::Climbed { from, to, department, answer_by, answer_within_minutes } = climbed;
        Climbed {
            from: from.clone(),
            to: to.clone(),
            department: department.clone(),
            answer_by: Time(*answer_by),
            answer_within_minutes: *answer_within_minutes,
        }
    }
}
