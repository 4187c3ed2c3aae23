//! What the policy's ladder makes of an escalation, and what happens to one by itself.

use super::{Climb, Climbed, Command, Event, Exhausted, Placed, RaisedBy, State};
use crate::policy::Policy;
use crate::policy::escalation::Ladder;
use crate::rows::Dues;
use crate::values::{At, Rung};

/// The due time at which a rung has not answered.
const UNANSWERED: &str = "unanswered";

/// What the policy makes of a fact, given the state that the fact led to.
pub fn rule(state: &State, fact: &Event, policy: &Policy, at: At) -> Vec<Event> {
    let Some(climb) = state.climb() else { return Vec::new() };
    let Some(ladder) = policy.document.escalation.ladder(climb.kind) else { return Vec::new() };
    match fact {
        Event::Raised(_) => place(ladder, climb, at).into_iter().collect(),
        Event::Unanswered(unanswered) => vec![climbed(ladder, &unanswered.rung, at)],
        Event::Placed(_)
        | Event::Accepted(_)
        | Event::Declined(_)
        | Event::Climbed(_)
        | Event::Exhausted(_)
        | Event::Resolved(_)
        | Event::Ended(_) => Vec::new(),
    }
}

/// On the rung asked for; else where the ladder begins for whoever raised it; but never below one that has seen it.
fn place(ladder: &Ladder, climb: &Climb, at: At) -> Option<Event> {
    let begins = match climb.by {
        RaisedBy::Customer => ladder.index(&ladder.customers_begin_at),
        RaisedBy::BrokenPromise(_) | RaisedBy::Staff => None,
    };
    let asked = climb.asked.as_ref().and_then(|rung| ladder.index(rung.as_str()));
    let seen = climb.rungs.iter().filter_map(|rung| ladder.index(rung.as_str())).max();
    let on = ladder.rungs.get(asked.or(begins).unwrap_or(0).max(seen.unwrap_or(0)))?;
    Some(Event::Placed(Placed {
        ladder: ladder.id.clone(),
        rung: on.rung()?,
        department: on.department()?,
        answer_by: at.plus_minutes(on.answer_within_minutes),
        answer_within_minutes: on.answer_within_minutes,
    }))
}

/// To the rung above. From a rung that the policy no longer has there is none.
fn climbed(ladder: &Ladder, from: &Rung, at: At) -> Event {
    let next = ladder.index(from.as_str()).and_then(|n| ladder.rungs.get(n + 1));
    let to = next.and_then(|on| Some((on.rung()?, on.department()?, on.answer_within_minutes)));
    match to {
        Some((to, department, answer_within_minutes)) => Event::Climbed(Climbed {
            from: from.clone(),
            to,
            department,
            answer_by: at.plus_minutes(answer_within_minutes),
            answer_within_minutes,
        }),
        None => Event::Exhausted(Exhausted { rung: from.clone() }),
    }
}

/// When something happens to an escalation by itself.
pub fn due(state: &State) -> Dues {
    match state {
        State::Waiting { answer_by: Some(answer_by), .. } => vec![(*answer_by, UNANSWERED.into())],
        State::Absent | State::Waiting { answer_by: None, .. } | State::Accepted(_) | State::Over(_) => {
            Dues::new()
        }
    }
}

/// The command that a due time reached stands for.
pub fn when_due(name: &str) -> Option<Command> {
    (name == UNANSWERED).then_some(Command::GoUnanswered)
}
