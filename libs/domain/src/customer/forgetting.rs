//! What can happen on the way to forgetting a person, and what stands in it.

use super::{
    Event, ForgettingConfirmed, ForgettingDeclined, ForgettingDeclinedBecause, ForgettingReason,
    ForgettingRequested, HoldLifted, HoldLiftedBecause, HoldPlaced, HoldReason, Known, Rejection,
};
use crate::values::Actor;

/// What is said about forgetting a person who is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Forgetting {
    /// Ask that they be forgotten.
    Ask { by: Actor, reason: ForgettingReason },
    /// Say that it is right.
    Confirm { by: Actor },
    /// Say that it is not, or no longer wanted.
    Decline { by: Actor, because: ForgettingDeclinedBecause },
    /// The law wants what is known of them kept.
    Hold { by: Actor, reason: HoldReason },
    /// It no longer does.
    Lift { by: Actor, reason: HoldReason, because: HoldLiftedBecause },
}

/// Decides what is said about forgetting a person.
pub(super) fn decide(known: &Known, said: &Forgetting) -> Result<Vec<Event>, Rejection> {
    match said {
        Forgetting::Ask { .. } if !known.holds.is_empty() => Err(Rejection::Held),
        Forgetting::Ask { .. } if known.forgetting.is_some() => Ok(Vec::new()),
        Forgetting::Ask { by, reason } => {
            let requested = ForgettingRequested { by: by.clone(), reason: *reason };
            Ok(vec![Event::ForgettingRequested(requested)])
        }
        Forgetting::Confirm { by } => confirm(known, by),
        Forgetting::Decline { .. } if known.forgetting.is_none() => Err(Rejection::NotAsked),
        Forgetting::Decline { by, because } => {
            let declined = ForgettingDeclined { by: by.clone(), because: *because };
            Ok(vec![Event::ForgettingDeclined(declined)])
        }
        Forgetting::Hold { reason, .. } if known.holds.contains(reason) => Ok(Vec::new()),
        Forgetting::Hold { by, reason } => {
            Ok(vec![Event::HoldPlaced(HoldPlaced { by: by.clone(), reason: *reason })])
        }
        Forgetting::Lift { reason, .. } if !known.holds.contains(reason) => Ok(Vec::new()),
        Forgetting::Lift { by, reason, because } => {
            let lifted = HoldLifted { by: by.clone(), reason: *reason, because: *because };
            Ok(vec![Event::HoldLifted(lifted)])
        }
    }
}

/// What cannot be undone takes two people, and waits for the law.
fn confirm(known: &Known, by: &Actor) -> Result<Vec<Event>, Rejection> {
    let asked = known.forgetting.as_ref().ok_or(Rejection::NotAsked)?;
    if !known.holds.is_empty() {
        return Err(Rejection::Held);
    }
    if asked.by.shares_somebody_with(by) {
        return Err(Rejection::SecondPersonNeeded);
    }
    let confirmed = ForgettingConfirmed { by: by.clone(), keys: known.keys.clone() };
    Ok(vec![Event::ForgettingConfirmed(confirmed)])
}
