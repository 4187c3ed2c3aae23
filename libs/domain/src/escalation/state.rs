//! What an escalation has become.

use serde::{Deserialize, Serialize};

use super::{Event, RaisedBy};
use crate::values::{At, Kind, Rung};

/// An escalation, as far as decisions need it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum State {
    Absent,
    /// Nobody has answered yet; without `answer_by` it waits on the top rung, or before there is a ladder.
    Waiting {
        climb: Climb,
        answer_by: Option<At>,
    },
    Accepted(Climb),
    /// Resolved, declined or ended. It may be raised again.
    Over(Climb),
}

/// How far up it is, whatever phase it is in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Climb {
    /// Who raised it last.
    pub by: RaisedBy,
    pub kind: Kind,
    /// The rung asked for last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Rung>,
    /// Every rung that has seen it, in that order; it is on the last.
    pub rungs: Vec<Rung>,
}

impl State {
    /// How far up it is, once it was raised.
    pub fn climb(&self) -> Option<&Climb> {
        match self {
            State::Absent => None,
            State::Waiting { climb, .. } | State::Accepted(climb) | State::Over(climb) => Some(climb),
        }
    }

    fn moved(self, to: impl FnOnce(Climb) -> State) -> State {
        match self {
            State::Absent => State::Absent,
            State::Waiting { climb, .. } | State::Accepted(climb) | State::Over(climb) => to(climb),
        }
    }

    /// Waiting on a rung until then.
    fn on(self, rung: &Rung, until: At) -> State {
        self.moved(|mut climb| {
            climb.rungs.retain(|seen| seen != rung);
            climb.rungs.push(rung.clone());
            State::Waiting { climb, answer_by: Some(until) }
        })
    }
}

/// What an escalation becomes by an event.
pub fn evolve(state: State, event: &Event) -> State {
    match event {
        Event::Raised(raised) => {
            let rungs = state.climb().map(|climb| climb.rungs.clone()).unwrap_or_default();
            let climb = Climb { by: raised.by, kind: raised.kind, asked: raised.rung.clone(), rungs };
            State::Waiting { climb, answer_by: None }
        }
        Event::Placed(placed) => state.on(&placed.rung, placed.answer_by),
        Event::Climbed(climbed) => state.on(&climbed.to, climbed.answer_by),
        Event::Accepted(_) => state.moved(State::Accepted),
        Event::Unanswered(_) | Event::Exhausted(_) => {
            state.moved(|climb| State::Waiting { climb, answer_by: None })
        }
        Event::Declined(_) | Event::Resolved(_) | Event::Ended(_) => state.moved(State::Over),
    }
}
