//! The desk: where one command, one due time or one record of another service becomes records, with all that follows from it in the service.
//!
//! The writer works at it, and so does the simulator: the same functions give the same records, byte for byte.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::noun::{self, Command, Event, Noun, Rejection, State, Unreadable};
use crate::plan::{Intent, NoPlan, Plan, Setting, plan};
use crate::policy::Policy;
use crate::record::{Cause, Entry, Origin, Record, Request, Step};
use crate::rows::{self, Delta, Due, Held, Key, Lookup, Seen, Value, View};
use crate::service::Service;
use crate::suggestion;
use crate::values::{Actor, At, Department, ImportId, RecordId, RequestId};

/// How many records one cause may lead to in a commit, itself included.
pub const CASCADE_RECORDS_MAX: usize = 64;

/// How many causes may stand between a record and what began it.
pub const DEPTH_MAX: u16 = 16;

/// A caller's request, ready to be decided.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Submission {
    pub request: Request,
    pub actor: Actor,
    /// When it happened; `None` is now.
    pub occurred_at: Option<At>,
    /// The import that brings it: its rules reckon with the time it happened.
    pub import: Option<ImportId>,
    /// The one department in which the caller may act on suggestions; `None` is the whole house.
    pub within: Option<Department>,
    pub intent: Intent,
}

/// What a request came to, where it has a plan and was not refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Handled {
    /// Records were made: the request's own, what was due to their nouns before, and what follows.
    Recorded,
    /// It is so already. The noun asked about stands at this rev.
    AlreadySo { rev: u64 },
}

/// Where records are made: a view of the shard, and what they change on top of it.
pub struct Desk<'a> {
    view: &'a dyn View,
    service: Service,
    policy: Option<Arc<Policy>>,
    /// The commit's time.
    at: At,
    /// The index in the commit of the first record made here.
    first_index: u16,
    delta: Delta,
    records: Vec<Arc<Record>>,
}

/// What came of work at a desk: the records, and the rows they change.
#[derive(Debug, Default)]
pub struct Work {
    pub records: Vec<Arc<Record>>,
    pub delta: Delta,
}

/// How a desk stood before something that may have to be undone.
struct Before {
    records: usize,
    delta: Delta,
}

/// One command to one noun, and why.
struct Order {
    noun: Noun,
    id: RecordId,
    request: Option<Request>,
    actor: Actor,
    occurred_at: At,
    /// What the rules reckon with, unless the noun is further already.
    effective_at: At,
    cause: Option<Cause>,
    step: Option<Step>,
    depth: u16,
    import: Option<ImportId>,
}

impl View for Desk<'_> {
    fn held(&self, noun: &Noun) -> Option<Arc<Held>> {
        match self.delta.get(&Key::Noun(*noun)) {
            Some(Some(Value::Noun(held))) => Some(Arc::clone(held)),
            Some(_) | None => self.view.held(noun),
        }
    }

    fn find(&self, lookup: &Lookup) -> Vec<Noun> {
        let mut nouns = self.view.find(lookup);
        apply_lookups(&mut nouns, &self.delta, lookup);
        nouns
    }

    fn seen(&self, request: &RequestId) -> Option<Seen> {
        match self.delta.get(&Key::Request(*request)) {
            Some(Some(Value::Request(seen))) => Some(*seen),
            Some(_) | None => self.view.seen(request),
        }
    }
}

/// Brings the nouns found by a look-up up to date with rows that change it.
pub fn apply_lookups(nouns: &mut Vec<Noun>, delta: &Delta, lookup: &Lookup) {
    // The least noun in order of keys: any look-up's rows begin there.
    let least = Noun::Case(crate::values::CaseId::from_bytes([0; 16]));
    let rows = delta.range(Key::Lookup(*lookup, least)..);
    for (key, value) in rows {
        match key {
            Key::Lookup(found, noun) if found == lookup => {
                nouns.retain(|other| other != noun);
                if value.is_some() {
                    nouns.push(*noun);
                }
            }
            Key::Due(_) | Key::Lookup(..) | Key::Noun(_) | Key::Request(_) => break,
        }
    }
    nouns.sort_unstable();
}

impl<'a> Desk<'a> {
    /// A desk over a view of a service's shard, at a commit's time.
    pub fn new(
        view: &'a dyn View,
        service: Service,
        policy: Option<Arc<Policy>>,
        at: At,
        first_index: u16,
    ) -> Desk<'a> {
        Desk { view, service, policy, at, first_index, delta: Delta::new(), records: Vec::new() }
    }

    /// The records made and the rows they change.
    pub fn finish(self) -> Work {
        Work { records: self.records, delta: self.delta }
    }

    /// Decides a caller's request, and all that follows from it here. On an error nothing of this desk may be kept.
    pub fn handle(&mut self, submission: &Submission) -> Result<Handled, NoPlan> {
        let occurred_at = submission.occurred_at.unwrap_or(self.at);
        let effective_at = if submission.import.is_some() { occurred_at } else { self.at };
        let setting =
            Setting { request: submission.request.id, at: effective_at, policy: self.policy.as_deref() };
        let plan = plan(&submission.intent, self, &setting)?;
        if let Some(department) = &submission.within {
            self.stays_within(department, &plan)?;
        }
        for (n, (noun, command)) in (0..).zip(&plan.commands) {
            let order = Order {
                noun: *noun,
                id: Record::id_of_fact(submission.request.id, n),
                request: Some(submission.request),
                actor: submission.actor.clone(),
                occurred_at,
                effective_at,
                cause: None,
                step: None,
                depth: 0,
                import: submission.import,
            };
            self.decide(order, command)?;
        }
        self.cascade(0)?;
        if self.records.is_empty() {
            let rev = self.held(&plan.subject).map_or(0, |held| held.rev);
            return Ok(Handled::AlreadySo { rev });
        }
        Ok(Handled::Recorded)
    }

    /// Refuses a plan that acts on a suggestion of another department.
    fn stays_within(&self, department: &Department, plan: &Plan) -> Result<(), Rejection> {
        let is_elsewhere = plan.commands.iter().any(|(noun, _)| {
            let held = self.held(noun);
            let idea = held.as_deref().and_then(|held| match &held.state {
                State::Suggestion(state) => state.idea(),
                State::Case(_)
                | State::Charge(_)
                | State::Customer(_)
                | State::Escalation(_)
                | State::Import(_)
                | State::Policy(_) => None,
            });
            idea.is_some_and(|idea| idea.department != *department)
        });
        if is_elsewhere { Err(suggestion::Rejection::OtherDepartment.into()) } else { Ok(()) }
    }

    /// Does what a due time reached stands for, with all that follows from it here. A noun that has moved on leaves nothing.
    pub fn fire(&mut self, due: &Due) -> Result<(), Rejection> {
        self.fire_alone(due)?;
        self.cascade(0)
    }

    fn fire_alone(&mut self, due: &Due) -> Result<(), Rejection> {
        let Some(command) = noun::when_due(&due.noun, &due.name) else { return Ok(()) };
        let order = Order {
            noun: due.noun,
            id: Record::id_of_due(&due.noun, &due.name, due.at),
            request: None,
            actor: Actor::policy(),
            occurred_at: due.at,
            effective_at: due.at,
            cause: Some(Cause::Due(due.at)),
            step: None,
            depth: 0,
            // What becomes of history by itself is history.
            import: due.clock,
        };
        self.decide_now(order, &command).map(|_| ())
    }

    /// Takes in a record of another service: the processes react to it.
    pub fn take_in(&mut self, record: &Record) -> Result<(), Rejection> {
        self.react(record, Cause::Record(record.id))?;
        self.cascade(0)
    }

    /// Folds a record that this service does not own but decides by: the policy.
    pub fn fold_foreign(&mut self, record: &Record) -> Result<(), Unreadable> {
        let before = self.held(&record.noun);
        rows::fold(&mut self.delta, before.as_deref(), record, 0, 0)
    }

    /// Runs what callers did again, as the log has it: only the facts are taken, the rules and the reactions are made anew. `facts` are the
    /// records of one request.
    pub fn rerun(&mut self, facts: &[Arc<Record>]) -> Result<(), Rejection> {
        for fact in facts {
            let order = Order {
                noun: fact.noun,
                id: fact.id,
                request: fact.request,
                actor: fact.actor.clone(),
                occurred_at: fact.occurred_at,
                effective_at: if fact.import.is_some() { fact.occurred_at } else { self.at },
                cause: None,
                step: None,
                depth: 0,
                import: fact.import,
            };
            let happened = fact.events.iter().filter(|entry| entry.origin == Origin::Fact);
            let events = happened.map(|entry| entry.event.clone()).collect();
            self.catch_up(&order)?;
            let before = self.held(&order.noun);
            self.record(order, before.as_deref(), events)?;
        }
        self.cascade(0)
    }

    /// Decides a command to a noun that has caught up with the time of it. What comes to nothing leaves it as it was.
    fn decide(&mut self, order: Order, command: &Command) -> Result<(), Rejection> {
        let before = self.catch_up(&order)?;
        let decided = self.decide_now(order, command);
        if !matches!(decided, Ok(true))
            && let Some(before) = before
        {
            self.records.truncate(before.records);
            self.delta = before.delta;
        }
        decided.map(|_| ())
    }

    /// Fires what is due to a noun by its import's clock up to the time of an order, so that its history comes in as it was lived through.
    /// Answers how the desk stood before, if there was something.
    fn catch_up(&mut self, order: &Order) -> Result<Option<Before>, Rejection> {
        let mut before = None;
        while let Some(held) = self.held(&order.noun)
            && held.import.is_some()
            && let until = effective(order, Some(&held))
            && let Some((at, name)) = held.state.due().into_iter().filter(|(at, _)| *at <= until).min()
        {
            let made = self.records.len();
            before.get_or_insert_with(|| Before { records: made, delta: self.delta.clone() });
            self.fire_alone(&Due { clock: held.import, at, noun: order.noun, name: name.into_owned() })?;
            if self.records.len() == made {
                break;
            }
        }
        Ok(before)
    }

    /// Decides a command as its noun stands. Answers whether something came of it.
    fn decide_now(&mut self, order: Order, command: &Command) -> Result<bool, Rejection> {
        let before = self.held(&order.noun);
        let absent;
        let state = match before.as_deref() {
            Some(held) => &held.state,
            None => {
                absent = State::absent(&order.noun);
                &absent
            }
        };
        let at = effective(&order, before.as_deref());
        let facts = noun::decide(state, command, at)?;
        if facts.is_empty() {
            return Ok(false);
        }
        self.record(order, before.as_deref(), facts).map(|()| true)
    }

    /// Makes a record of facts and of what the policy makes of them.
    fn record(&mut self, order: Order, before: Option<&Held>, facts: Vec<Event>) -> Result<(), Rejection> {
        if self.records.len() >= CASCADE_RECORDS_MAX {
            return Err(Rejection::TooMuch("more than 64 records"));
        }
        let effective_at = effective(&order, before);
        let mut state = before.map_or_else(|| State::absent(&order.noun), |held| held.state.clone());
        let mut events = Vec::with_capacity(facts.len());
        for fact in facts {
            state = state.evolve(&fact, effective_at);
            let rules = match &self.policy {
                Some(policy) => noun::rule(&state, &fact, policy, effective_at),
                None => Vec::new(),
            };
            events.push(Entry { origin: Origin::Fact, event: fact });
            for event in rules {
                state = state.evolve(&event, effective_at);
                events.push(Entry { origin: Origin::Rule, event });
            }
        }
        let Order { noun, id, request, actor, occurred_at, cause, step, depth, import, effective_at: _ } =
            order;
        let record = Record {
            id,
            noun,
            rev: before.map_or(0, |held| held.rev) + 1,
            events,
            request,
            actor,
            policy: self.policy.as_ref().map_or(0, |policy| policy.version),
            occurred_at,
            effective_at,
            recorded_at: self.at,
            cause,
            step,
            depth,
            import,
        };
        let index = self.first_index + self.records.len() as u16;
        rows::fold_to(&mut self.delta, before, &record, state, 0, index)
            .map_err(|_| Rejection::TooMuch("a record that is not the noun's next"))?;
        self.records.push(Arc::new(record));
        Ok(())
    }

    /// Lets the service's own processes react to each record made from the given one on, and to what that makes.
    fn cascade(&mut self, from: usize) -> Result<(), Rejection> {
        let mut waiting: VecDeque<usize> = (from..self.records.len()).collect();
        while let Some(n) = waiting.pop_front() {
            let record = Arc::clone(&self.records[n]);
            let made = self.records.len();
            self.react(&record, Cause::Here(self.first_index + n as u16))?;
            waiting.extend(made..self.records.len());
        }
        Ok(())
    }

    fn react(&mut self, record: &Record, cause: Cause) -> Result<(), Rejection> {
        for process in self.service.processes() {
            for (n, reaction) in (0..).zip(process.react(record, self.policy.as_deref())) {
                if record.depth >= DEPTH_MAX {
                    return Err(Rejection::TooMuch("more than 16 reactions one after the other"));
                }
                let order = Order {
                    noun: reaction.noun,
                    id: Record::id_of_step(record.id, process.name(), reaction.name, n),
                    request: None,
                    actor: Actor::policy(),
                    occurred_at: record.occurred_at,
                    effective_at: if record.import.is_some() { record.occurred_at } else { self.at },
                    cause: Some(cause),
                    step: Some(Step {
                        process: process.name().to_owned(),
                        name: reaction.name.to_owned(),
                        n,
                    }),
                    depth: record.depth + 1,
                    import: record.import,
                };
                match self.decide(order, &reaction.command) {
                    Ok(()) => {}
                    Err(Rejection::TooMuch(what)) => return Err(Rejection::TooMuch(what)),
                    // A step that its noun refuses leaves nothing: the noun knows best.
                    Err(
                        Rejection::Case(_)
                        | Rejection::Charge(_)
                        | Rejection::Customer(_)
                        | Rejection::Escalation(_)
                        | Rejection::Policy(_)
                        | Rejection::Suggestion(_)
                        | Rejection::NotFound(_)
                        | Rejection::Stale { .. },
                    ) => {}
                }
            }
        }
        Ok(())
    }
}

fn effective(order: &Order, before: Option<&Held>) -> At {
    before.map_or(order.effective_at, |held| order.effective_at.max(held.at))
}
