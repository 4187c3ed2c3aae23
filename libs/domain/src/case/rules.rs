//! What the policy makes of what happened to a case, and what happens to a case by itself.

use super::{Command, ConfirmationAwaited, Event, Reopened, ReopenedBecause, State};
use crate::policy::Policy;
use crate::values::{At, Direction};

/// The due time at which silence counts as consent to a resolution.
pub const CONFIRM_BY_SILENCE: &str = "confirm_by_silence";

/// What the policy makes of a fact, given the state that the fact led to.
pub fn rule(state: &State, fact: &Event, policy: &Policy, at: At) -> Vec<Event> {
    match fact {
        Event::InteractionLogged(logged) if logged.direction == Direction::Inbound => match state {
            State::Resolved { .. } | State::Closed(_) => {
                vec![Event::Reopened(Reopened { because: ReopenedBecause::CustomerWroteAgain })]
            }
            State::Absent | State::Open(_) => Vec::new(),
        },
        Event::Resolved(_) => {
            let silence_days = policy.document.case.confirm_silence_days;
            let until = at.plus_days(silence_days);
            vec![Event::ConfirmationAwaited(ConfirmationAwaited { until, silence_days })]
        }
        Event::Opened(_)
        | Event::Linked(_)
        | Event::InteractionLogged(_)
        | Event::Reclassified(_)
        | Event::ConfirmationAwaited(_)
        | Event::ResolutionConfirmed(_)
        | Event::ResolutionRejected(_)
        | Event::Reopened(_) => Vec::new(),
    }
}

/// When something happens to a case by itself.
pub fn due(state: &State) -> Option<(At, &'static str)> {
    match state {
        State::Resolved { until, .. } => until.map(|until| (until, CONFIRM_BY_SILENCE)),
        State::Absent | State::Open(_) | State::Closed(_) => None,
    }
}

/// The command that a due time reached stands for.
pub fn when_due(name: &str) -> Option<Command> {
    (name == CONFIRM_BY_SILENCE).then_some(Command::ConfirmBySilence)
}
