//! What a case has become.

use serde::{Deserialize, Serialize};

use super::Event;
use crate::values::{
    At, Classification, CustomerId, Direction, InteractionId, Kind, PromiseId, PromiseKind, Sealed, ThreadId,
};

/// A case, as far as decisions need it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum State {
    Absent,
    Open(Matter),
    /// Staff say it is solved; `until` is when silence counts as consent.
    Resolved {
        matter: Matter,
        until: Option<At>,
    },
    Closed(Matter),
}

/// What stays the same whatever phase a case is in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Matter {
    pub customer: CustomerId,
    pub kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<ThreadId>,
    pub opened_at: At,
    pub last_interaction_at: At,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<Opening>,
    /// Every promise ever given in it, in that order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub promises: Vec<Promise>,
}

/// A promise, as far as decisions need it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Promise {
    pub id: PromiseId,
    pub kind: PromiseKind,
    pub due: At,
    pub standing: Standing,
}

/// What has become of a promise.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Standing {
    /// The policy has not answered yet.
    Proposed,
    Pending,
    Kept,
    Broken,
    Refused,
}

/// What the customer said first; until then, what was said to them first.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Opening {
    pub interaction: InteractionId,
    pub direction: Direction,
    pub text: Sealed,
    pub classification: Classification,
}

impl State {
    /// The matter, once there is one.
    pub fn matter(&self) -> Option<&Matter> {
        match self {
            State::Absent => None,
            State::Open(matter) | State::Resolved { matter, .. } | State::Closed(matter) => Some(matter),
        }
    }

    /// Whether it still waits for staff or for the customer.
    pub fn is_unfinished(&self) -> bool {
        match self {
            State::Open(_) | State::Resolved { .. } => true,
            State::Absent | State::Closed(_) => false,
        }
    }

    /// A promise of it.
    pub fn promise(&self, id: PromiseId) -> Option<&Promise> {
        self.matter()?.promises.iter().find(|promise| promise.id == id)
    }

    fn with_promise(self, id: PromiseId, change: impl FnOnce(&mut Promise)) -> State {
        self.with(|matter| {
            if let Some(promise) = matter.promises.iter_mut().find(|promise| promise.id == id) {
                change(promise);
            }
        })
    }

    fn with(self, change: impl FnOnce(&mut Matter)) -> State {
        let mut state = self;
        match &mut state {
            State::Absent => {}
            State::Open(matter) | State::Resolved { matter, .. } | State::Closed(matter) => change(matter),
        }
        state
    }

    fn moved(self, to: impl FnOnce(Matter) -> State) -> State {
        match self {
            State::Absent => State::Absent,
            State::Open(matter) | State::Resolved { matter, .. } | State::Closed(matter) => to(matter),
        }
    }
}

/// What a case becomes by an event that counts from `at`.
pub fn evolve(state: State, event: &Event, at: At) -> State {
    match event {
        Event::Opened(opened) => State::Open(Matter {
            customer: opened.customer,
            kind: opened.kind,
            thread: opened.thread,
            opened_at: at,
            last_interaction_at: at,
            opening: None,
            promises: Vec::new(),
        }),
        Event::Linked(_) => state,
        Event::InteractionLogged(logged) => state.with(|matter| {
            matter.last_interaction_at = matter.last_interaction_at.max(at);
            let is_first = match &matter.opening {
                None => true,
                Some(opening) => {
                    opening.direction == Direction::Outbound && logged.direction == Direction::Inbound
                }
            };
            if is_first {
                matter.opening = Some(Opening {
                    interaction: logged.interaction,
                    direction: logged.direction,
                    text: logged.text.clone(),
                    classification: logged.classification.clone(),
                });
            }
        }),
        Event::Reclassified(reclassified) => state.with(|matter| matter.kind = reclassified.to),
        Event::Resolved(_) => state.moved(|matter| State::Resolved { matter, until: None }),
        Event::ConfirmationAwaited(awaited) => {
            state.moved(|matter| State::Resolved { matter, until: Some(awaited.until) })
        }
        Event::ResolutionConfirmed(_) => state.moved(State::Closed),
        Event::ResolutionRejected(_) | Event::Reopened(_) => state.moved(State::Open),
        Event::PromiseProposed(proposed) => state.with(|matter| {
            let (id, kind, due) = (proposed.promise, proposed.kind.clone(), proposed.due);
            matter.promises.push(Promise { id, kind, due, standing: Standing::Proposed });
        }),
        Event::PromiseMade(made) => {
            state.with_promise(made.promise, |promise| promise.standing = Standing::Pending)
        }
        Event::PromiseRefused(refused) => {
            state.with_promise(refused.promise, |promise| promise.standing = Standing::Refused)
        }
        Event::PromiseKept(kept) => {
            state.with_promise(kept.promise, |promise| promise.standing = Standing::Kept)
        }
        Event::PromiseRenegotiated(renegotiated) => {
            state.with_promise(renegotiated.promise, |promise| promise.due = renegotiated.due)
        }
        Event::PromiseBroken(broken) => {
            state.with_promise(broken.promise, |promise| promise.standing = Standing::Broken)
        }
    }
}
