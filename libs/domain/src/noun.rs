//! The nouns of the house, and everything that is said of any of them: events, states, commands, rejections.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

use crate::rows::Dues;
use crate::values::{At, CaseId, ChargeId, CustomerId, ImportId, NotAnId, SuggestionId};
use crate::{case, charge, customer, escalation, import, policy, suggestion};

/// One thing that has a history of its own.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Noun {
    // In the order of the tags of their keys: rows must order like the nouns they name.
    Case(CaseId),
    Customer(CustomerId),
    Import(ImportId),
    /// The company's one policy.
    Policy,
    Suggestion(SuggestionId),
    /// Of a case: it has the case's id.
    Escalation(CaseId),
    Charge(ChargeId),
}

impl Noun {
    /// What this noun is called in the log.
    pub fn name(&self) -> &'static str {
        match self {
            Noun::Case(_) => "case",
            Noun::Charge(_) => "charge",
            Noun::Customer(_) => "customer",
            Noun::Escalation(_) => "escalation",
            Noun::Import(_) => "import",
            Noun::Policy => "policy",
            Noun::Suggestion(_) => "suggestion",
        }
    }

    /// The text form of its id.
    pub fn id(&self) -> String {
        match self {
            Noun::Case(id) | Noun::Escalation(id) => id.to_string(),
            Noun::Charge(id) => id.to_string(),
            Noun::Customer(id) => id.to_string(),
            Noun::Import(id) => id.to_string(),
            Noun::Policy => "company".to_owned(),
            Noun::Suggestion(id) => id.to_string(),
        }
    }

    /// 17 bytes that order like the noun: its kind, then its id.
    pub fn key(&self) -> [u8; 17] {
        let (tag, id) = match self {
            Noun::Case(id) => (1, *id.bytes()),
            Noun::Customer(id) => (2, *id.bytes()),
            Noun::Import(id) => (3, *id.bytes()),
            Noun::Policy => (4, [0; 16]),
            Noun::Suggestion(id) => (5, *id.bytes()),
            Noun::Escalation(id) => (6, *id.bytes()),
            Noun::Charge(id) => (7, *id.bytes()),
        };
        let mut key = [tag; 17];
        key[1..].copy_from_slice(&id);
        key
    }

    /// The noun that [`Noun::key`] gave these bytes for.
    pub fn from_key(key: &[u8]) -> Option<Noun> {
        let (tag, id) = key.split_first()?;
        let id: [u8; 16] = id.try_into().ok()?;
        match tag {
            1 => Some(Noun::Case(CaseId::from_bytes(id))),
            2 => Some(Noun::Customer(CustomerId::from_bytes(id))),
            3 => Some(Noun::Import(ImportId::from_bytes(id))),
            4 => Some(Noun::Policy),
            5 => Some(Noun::Suggestion(SuggestionId::from_bytes(id))),
            6 => Some(Noun::Escalation(CaseId::from_bytes(id))),
            7 => Some(Noun::Charge(ChargeId::from_bytes(id))),
            _ => None,
        }
    }

    /// The noun of this name and id.
    pub fn parse(name: &str, id: &str) -> Result<Noun, Unreadable> {
        let wrong = |_: NotAnId| Unreadable::Noun { name: name.to_owned() };
        match name {
            "case" => CaseId::from_str(id).map(Noun::Case).map_err(wrong),
            "charge" => ChargeId::from_str(id).map(Noun::Charge).map_err(wrong),
            "escalation" => CaseId::from_str(id).map(Noun::Escalation).map_err(wrong),
            "customer" => CustomerId::from_str(id).map(Noun::Customer).map_err(wrong),
            "import" => ImportId::from_str(id).map(Noun::Import).map_err(wrong),
            "policy" => Ok(Noun::Policy),
            "suggestion" => SuggestionId::from_str(id).map(Noun::Suggestion).map_err(wrong),
            _ => Err(Unreadable::Noun { name: name.to_owned() }),
        }
    }
}

impl fmt::Display for Noun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Noun::Policy => f.write_str("the policy"),
            Noun::Case(id) => write!(f, "case {id}"),
            Noun::Charge(id) => write!(f, "charge {id}"),
            Noun::Customer(id) => write!(f, "customer {id}"),
            Noun::Escalation(id) => write!(f, "escalation of case {id}"),
            Noun::Import(id) => write!(f, "import {id}"),
            Noun::Suggestion(id) => write!(f, "suggestion {id}"),
        }
    }
}

/// Why something stored cannot be understood by this build.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unreadable {
    #[error(
        "no noun `{name}` is known, or its id is malformed: a newer build may be needed to read this log"
    )]
    Noun { name: String },
    #[error("no event type `{event_type}` is known: a newer build is needed to read this log")]
    EventType { event_type: String },
    #[error("the event type `{event_type}` is known, but its data is not of its shape: {detail}")]
    Data { event_type: String, detail: String },
    #[error("{noun} has rev {found} where {expected} should follow: a record is missing or stands twice")]
    Rev { noun: String, expected: u64, found: u64 },
}

/// Something that happened to a noun.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    Case(case::Event),
    Charge(charge::Event),
    Customer(customer::Event),
    Escalation(escalation::Event),
    Import(import::Event),
    Policy(policy::Event),
    Suggestion(suggestion::Event),
}

impl Event {
    /// The type on the wire, for ever: `case.opened.v1`.
    pub fn wire_type(&self) -> &'static str {
        match self {
            Event::Case(event) => event.wire_type(),
            Event::Charge(event) => event.wire_type(),
            Event::Customer(event) => event.wire_type(),
            Event::Escalation(event) => event.wire_type(),
            Event::Import(event) => event.wire_type(),
            Event::Policy(event) => event.wire_type(),
            Event::Suggestion(event) => event.wire_type(),
        }
    }

    /// Reads an event of any version ever written.
    pub fn read(event_type: &str, data: &str) -> Result<Event, Unreadable> {
        match event_type.split('.').next().unwrap_or_default() {
            "case" => case::Event::read(event_type, data).map(Event::Case),
            "charge" => charge::Event::read(event_type, data).map(Event::Charge),
            "customer" => customer::Event::read(event_type, data).map(Event::Customer),
            "escalation" => escalation::Event::read(event_type, data).map(Event::Escalation),
            "import" => import::Event::read(event_type, data).map(Event::Import),
            "policy" => policy::Event::read(event_type, data).map(Event::Policy),
            "suggestion" => suggestion::Event::read(event_type, data).map(Event::Suggestion),
            _ => Err(Unreadable::EventType { event_type: event_type.to_owned() }),
        }
    }
}

/// Writes an event's data; its type stands beside it.
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::Case(event) => event.serialize(serializer),
            Event::Charge(event) => event.serialize(serializer),
            Event::Customer(event) => event.serialize(serializer),
            Event::Escalation(event) => event.serialize(serializer),
            Event::Import(event) => event.serialize(serializer),
            Event::Policy(event) => event.serialize(serializer),
            Event::Suggestion(event) => event.serialize(serializer),
        }
    }
}

/// Reads one event's data, or says which type could not be read.
pub(crate) fn read_data<'a, T: Deserialize<'a>>(event_type: &str, data: &'a str) -> Result<T, Unreadable> {
    serde_json::from_str(data).map_err(|error| Unreadable::Data {
        event_type: event_type.to_owned(),
        // The place, not the message: a message could quote the data.
        detail: format!("line {}, column {}", error.line(), error.column()),
    })
}

/// What a noun has become.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum State {
    Case(case::State),
    Charge(charge::State),
    Customer(customer::State),
    Escalation(escalation::State),
    Import(import::State),
    Policy(policy::State),
    Suggestion(suggestion::State),
}

impl State {
    /// The state of a noun that nothing has happened to.
    pub fn absent(noun: &Noun) -> State {
        match noun {
            Noun::Case(_) => State::Case(case::State::Absent),
            Noun::Charge(_) => State::Charge(charge::State::Absent),
            Noun::Customer(_) => State::Customer(customer::State::Absent),
            Noun::Escalation(_) => State::Escalation(escalation::State::Absent),
            Noun::Import(_) => State::Import(import::State::Absent),
            Noun::Policy => State::Policy(policy::State::Absent),
            Noun::Suggestion(_) => State::Suggestion(suggestion::State::Absent),
        }
    }

    /// What the noun becomes by an event. An event of another noun leaves it as it is.
    pub fn evolve(self, event: &Event, at: At) -> State {
        match (self, event) {
            (State::Case(state), Event::Case(event)) => State::Case(case::evolve(state, event, at)),
            (State::Charge(state), Event::Charge(event)) => State::Charge(charge::evolve(state, event)),
            (State::Escalation(state), Event::Escalation(event)) => {
                State::Escalation(escalation::evolve(state, event))
            }
            (State::Customer(state), Event::Customer(event)) => {
                State::Customer(customer::evolve(state, event))
            }
            (State::Import(state), Event::Import(event)) => State::Import(import::evolve(state, event)),
            (State::Policy(state), Event::Policy(event)) => State::Policy(policy::evolve(state, event)),
            (State::Suggestion(state), Event::Suggestion(event)) => {
                State::Suggestion(suggestion::evolve(state, event))
            }
            (
                state,
                Event::Case(_)
                | Event::Charge(_)
                | Event::Customer(_)
                | Event::Escalation(_)
                | Event::Import(_)
                | Event::Policy(_)
                | Event::Suggestion(_),
            ) => state,
        }
    }

    /// When something will happen to it by itself, and what.
    pub fn due(&self) -> Dues {
        match self {
            State::Case(state) => case::due(state),
            State::Charge(state) => charge::due(state),
            State::Escalation(state) => escalation::due(state),
            State::Customer(_) | State::Import(_) | State::Policy(_) | State::Suggestion(_) => Dues::new(),
        }
    }
}

/// What one noun is told to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    Case(case::Command),
    Charge(charge::Command),
    Customer(customer::Command),
    Escalation(escalation::Command),
    Import(import::Command),
    Policy(policy::Command),
    Suggestion(suggestion::Command),
}

/// Why nothing happened.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Rejection {
    #[error(transparent)]
    Case(#[from] case::Rejection),
    #[error(transparent)]
    Charge(#[from] charge::Rejection),
    #[error(transparent)]
    Customer(#[from] customer::Rejection),
    #[error(transparent)]
    Escalation(#[from] escalation::Rejection),
    #[error(transparent)]
    Policy(#[from] policy::Rejection),
    #[error(transparent)]
    Suggestion(#[from] suggestion::Rejection),
    #[error("there is no {0}")]
    NotFound(Noun),
    #[error("{noun} has moved on: it is at rev {current}, not {expected}")]
    Stale { noun: Noun, expected: u64, current: u64 },
    #[error("what this would set off is too much for one commit: {0}")]
    TooMuch(&'static str),
}

impl Rejection {
    /// The stable reason that callers see. A contract: listed in the tests.
    pub fn reason(&self) -> &'static str {
        match self {
            Rejection::Case(rejection) => rejection.reason(),
            Rejection::Charge(rejection) => rejection.reason(),
            Rejection::Customer(rejection) => rejection.reason(),
            Rejection::Escalation(rejection) => rejection.reason(),
            Rejection::Policy(rejection) => rejection.reason(),
            Rejection::Suggestion(rejection) => rejection.reason(),
            Rejection::NotFound(_) => "NOT_FOUND",
            Rejection::Stale { .. } => "STALE_REV",
            Rejection::TooMuch(_) => "CASCADE_TOO_LARGE",
        }
    }
}

/// Decides what a command makes happen to a noun in this state. No facts: it is so already.
pub fn decide(state: &State, command: &Command, at: At) -> Result<Vec<Event>, Rejection> {
    Ok(match (state, command) {
        (State::Case(state), Command::Case(command)) => {
            case::decide(state, command, at)?.into_iter().map(Event::Case).collect()
        }
        (State::Charge(state), Command::Charge(command)) => {
            charge::decide(state, command, at)?.into_iter().map(Event::Charge).collect()
        }
        (State::Escalation(state), Command::Escalation(command)) => {
            escalation::decide(state, command, at)?.into_iter().map(Event::Escalation).collect()
        }
        (State::Customer(state), Command::Customer(command)) => {
            customer::decide(state, command)?.into_iter().map(Event::Customer).collect()
        }
        (State::Import(state), Command::Import(command)) => {
            import::decide(state, command).into_iter().map(Event::Import).collect()
        }
        (State::Policy(state), Command::Policy(command)) => {
            policy::decide(state, command)?.into_iter().map(Event::Policy).collect()
        }
        (State::Suggestion(state), Command::Suggestion(command)) => {
            suggestion::decide(state, command)?.into_iter().map(Event::Suggestion).collect()
        }
        (
            State::Case(_)
            | State::Charge(_)
            | State::Customer(_)
            | State::Escalation(_)
            | State::Import(_)
            | State::Policy(_)
            | State::Suggestion(_),
            Command::Case(_)
            | Command::Charge(_)
            | Command::Customer(_)
            | Command::Escalation(_)
            | Command::Import(_)
            | Command::Policy(_)
            | Command::Suggestion(_),
        ) => Vec::new(),
    })
}

/// What the policy makes of a fact, given the state that the fact led to.
pub fn rule(state: &State, fact: &Event, policy: &policy::Policy, at: At) -> Vec<Event> {
    match (state, fact) {
        (State::Case(state), Event::Case(fact)) => {
            case::rule(state, fact, policy, at).into_iter().map(Event::Case).collect()
        }
        (State::Charge(state), Event::Charge(fact)) => {
            charge::rule(state, fact, policy, at).into_iter().map(Event::Charge).collect()
        }
        (State::Escalation(state), Event::Escalation(fact)) => {
            escalation::rule(state, fact, policy, at).into_iter().map(Event::Escalation).collect()
        }
        (State::Suggestion(_), Event::Suggestion(fact)) => {
            suggestion::rule(fact, policy).into_iter().map(Event::Suggestion).collect()
        }
        (
            State::Case(_)
            | State::Charge(_)
            | State::Customer(_)
            | State::Escalation(_)
            | State::Import(_)
            | State::Policy(_)
            | State::Suggestion(_),
            Event::Case(_)
            | Event::Charge(_)
            | Event::Customer(_)
            | Event::Escalation(_)
            | Event::Import(_)
            | Event::Policy(_)
            | Event::Suggestion(_),
        ) => Vec::new(),
    }
}

/// The command that a due time reached stands for.
pub fn when_due(noun: &Noun, name: &str) -> Option<Command> {
    match noun {
        Noun::Case(_) => case::when_due(name).map(Command::Case),
        Noun::Charge(_) => charge::when_due(name).map(Command::Charge),
        Noun::Escalation(_) => escalation::when_due(name).map(Command::Escalation),
        Noun::Customer(_) | Noun::Import(_) | Noun::Policy | Noun::Suggestion(_) => None,
    }
}
