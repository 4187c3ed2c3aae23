//! What the policy makes of what happened to a case, and what happens to a case by itself.

use super::{
    Command, ConfirmationAwaited, Event, Infeasible, PromiseMade, PromiseProposed, PromiseRefused, Reopened,
    ReopenedBecause, Standing, State,
};
use crate::policy::Policy;
use crate::policy::promise::PromiseRules;
use crate::rows::Dues;
use crate::values::{At, Direction};

/// The due time at which silence counts as consent to a resolution.
pub const CONFIRM_BY_SILENCE: &str = "confirm_by_silence";

/// What the name of a promise's due time begins with; the promise's id follows.
const PROMISE_DUE: &str = "promise_due/";

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
        Event::PromiseProposed(proposed) => {
            let (promise, due) = (proposed.promise, proposed.due);
            vec![match infeasible(&policy.document.promise, proposed, at) {
                None => Event::PromiseMade(PromiseMade { promise, due }),
                Some(because) => Event::PromiseRefused(PromiseRefused { promise, because }),
            }]
        }
        Event::Opened(_)
        | Event::Linked(_)
        | Event::InteractionLogged(_)
        | Event::Reclassified(_)
        | Event::ConfirmationAwaited(_)
        | Event::ResolutionConfirmed(_)
        | Event::ResolutionRejected(_)
        | Event::Reopened(_)
        | Event::PromiseMade(_)
        | Event::PromiseRefused(_)
        | Event::PromiseKept(_)
        | Event::PromiseRenegotiated(_)
        | Event::PromiseBroken(_) => Vec::new(),
    }
}

/// Why the company cannot keep a promise; `None` if it can.
fn infeasible(rules: &PromiseRules, proposed: &PromiseProposed, at: At) -> Option<Infeasible> {
    let Some(kind) = rules.kind(&proposed.kind) else { return Some(Infeasible::UnknownKind) };
    let soonest = at.plus_minutes(kind.soonest_minutes);
    let latest = at.plus_minutes(kind.latest_minutes);
    if proposed.due < soonest {
        Some(Infeasible::TooSoon { soonest })
    } else if proposed.due > latest {
        Some(Infeasible::TooFar { latest })
    } else {
        None
    }
}

/// When something happens to a case by itself: silence confirms, and promises break.
pub fn due(state: &State) -> Dues {
    let mut dues = Dues::new();
    if let State::Resolved { until: Some(until), .. } = state {
        dues.push((*until, CONFIRM_BY_SILENCE.into()));
    }
    let promises = state.matter().map_or(&[][..], |matter| &matter.promises);
    let pending = promises.iter().filter(|promise| promise.standing == Standing::Pending);
    dues.extend(pending.map(|promise| (promise.due, format!("{PROMISE_DUE}{}", promise.id).into())));
    dues
}

/// The command that a due time reached stands for.
pub fn when_due(name: &str) -> Option<Command> {
    match name.strip_prefix(PROMISE_DUE) {
        Some(promise) => promise.parse().ok().map(|promise| Command::BreakPromise { promise }),
        None => (name == CONFIRM_BY_SILENCE).then_some(Command::ConfirmBySilence),
    }
}
