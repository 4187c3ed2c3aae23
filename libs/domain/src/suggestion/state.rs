//! What a suggestion has become.

use serde::{Deserialize, Serialize};

use super::{Audience, Event};
use crate::values::{Department, KeyId};

/// A suggestion, as far as decisions need it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum State {
    Absent,
    Waiting(Idea),
    Acknowledged(Idea),
    /// Adopted or declined; `told` is who knows.
    Decided {
        idea: Idea,
        told: Vec<Audience>,
    },
}

/// What stays the same whatever phase a suggestion is in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Idea {
    /// The one inbox it is in.
    pub department: Department,
    /// The key its text is sealed under.
    pub key: KeyId,
}

impl State {
    /// The idea, once there is one.
    pub fn idea(&self) -> Option<&Idea> {
        match self {
            State::Absent => None,
            State::Waiting(idea) | State::Acknowledged(idea) | State::Decided { idea, .. } => Some(idea),
        }
    }

    fn with(self, change: impl FnOnce(&mut Idea)) -> State {
        let mut state = self;
        match &mut state {
            State::Absent => {}
            State::Waiting(idea) | State::Acknowledged(idea) | State::Decided { idea, .. } => change(idea),
        }
        state
    }

    fn moved(self, to: impl FnOnce(Idea) -> State) -> State {
        match self {
            State::Absent => State::Absent,
            State::Waiting(idea) | State::Acknowledged(idea) | State::Decided { idea, .. } => to(idea),
        }
    }
}

/// What a suggestion becomes by an event.
pub fn evolve(state: State, event: &Event) -> State {
    match event {
        Event::Captured(captured) => {
            State::Waiting(Idea { department: Department::triage(), key: captured.text.key })
        }
        Event::Routed(routed) => state.with(|idea| idea.department = routed.department.clone()),
        Event::Acknowledged(_) => state.moved(State::Acknowledged),
        Event::Rerouted(rerouted) => state.moved(|mut idea| {
            idea.department = rerouted.to.clone();
            State::Waiting(idea)
        }),
        Event::Adopted(_) | Event::Declined(_) => {
            state.moved(|idea| State::Decided { idea, told: Vec::new() })
        }
        Event::OutcomeReported(reported) => {
            let mut state = state;
            match &mut state {
                State::Decided { told, .. } => told.push(reported.to),
                State::Absent | State::Waiting(_) | State::Acknowledged(_) => {}
            }
            state
        }
    }
}
