//! The cast of the stories: people, texts, a small policy, given/when/then for one noun, and a house of shards in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::customer::{Identity, IdentityKind};
use crate::desk::{Desk, Handled, Submission, Work};
use crate::noun::{self, Command, Event, Noun, Rejection, State};
use crate::plan::{Intent, Interaction, NoPlan, Sealing};
use crate::policy::{Document, Policy};
use crate::record::{Record, Request, Unread};
use crate::rows::{Delta, Due, Held, Key, Lookup, Seen, Value, View};
use crate::service::Service;
use crate::values::{
    Actor, At, CaseId, Channel, ChargeId, Classification, Currency, CustomerId, Department, Direction, Hit,
    ImportId, InteractionId, KeyId, Kind, Language, Minor, PromiseId, Reference, RefundId, RequestId, Rung,
    Sealed, SuggestionId, ThreadId, Token,
};
use crate::{case, charge, customer, escalation, import, policy, suggestion};

/// How long the cast's policy lets a contact join a case.
pub(crate) const JOIN_DAYS: u16 = 10;

/// How long the cast's policy waits for a customer to object.
pub(crate) const SILENCE_DAYS: u16 = 7;

/// A policy that sends `late` to delivery and knows one other department, product.
pub(crate) const DOCUMENT: &str = r#"
title = "The cast's policy"

[case]
rule = "Contacts join an open case."
join_within_days = 10
confirm_silence_days = 7

[promise]
rule = "We promise what we can do."
escalate_broken = true
kinds = [{ id = "callback", name = "A call back", soonest_minutes = 1440, latest_minutes = 7200 }]

[escalation]
rule = "What is not answered goes up."

[[escalation.ladders]]
id = "grave"
rule = "Three rungs."
kinds = ["complaint", "refund"]
customers_begin_at = "head"
rungs = [
    { id = "lead", name = "Lead", department = "product", answer_within_minutes = 1440 },
    { id = "head", name = "Head", department = "product", answer_within_minutes = 2880 },
    { id = "director", name = "Director", department = "delivery", answer_within_minutes = 4320 },
]

[[escalation.ladders]]
id = "other"
rule = "One rung."
kinds = ["enquiry", "internal", "other", "suggestion"]
customers_begin_at = "lead"
rungs = [{ id = "lead", name = "Lead", department = "product", answer_within_minutes = 1440 }]

[refund]
rule = "Little alone, more together."
outcome_within_seconds = 30
limits = [{ currency = "EUR", alone_up_to = 5000, consequential_up_to = 4000, goodwill_up_to = 1000 }]

[routing]
rule = "Words name the department."
departments = [{ id = "delivery", name = "Delivery" }, { id = "product", name = "Product" }]

[[routing.tables]]
language = "en"
rule = "English."

[[routing.tables.rows]]
id = "lateness"
department = "delivery"
phrases = ["late"]
"#;

/// The cast's policy, in force as this version.
pub(crate) fn policy(version: u64) -> Policy {
    Policy { version, document: Document::parse(DOCUMENT).unwrap() }
}

pub(crate) fn day(n: u16) -> At {
    At(0).plus_days(n)
}

pub(crate) fn case_id(n: u8) -> CaseId {
    CaseId::from_bytes([n; 16])
}

pub(crate) fn customer_id(n: u8) -> CustomerId {
    CustomerId::from_bytes([n; 16])
}

pub(crate) fn import_id(n: u8) -> ImportId {
    ImportId::from_bytes([n; 16])
}

pub(crate) fn interaction_id(n: u8) -> InteractionId {
    InteractionId::from_bytes([n; 16])
}

pub(crate) fn key(n: u8) -> KeyId {
    KeyId::from_bytes([n; 16])
}

pub(crate) fn suggestion_id(n: u8) -> SuggestionId {
    SuggestionId::from_bytes([n; 16])
}

pub(crate) fn charge_id(n: u8) -> ChargeId {
    ChargeId::from_bytes([n; 16])
}

pub(crate) fn promise_id(n: u8) -> PromiseId {
    PromiseId::from_bytes([n; 16])
}

pub(crate) fn refund_id(n: u8) -> RefundId {
    RefundId::from_bytes([n; 16])
}

pub(crate) fn rung(id: &str) -> Rung {
    Rung::parse(id).unwrap()
}

pub(crate) fn reference(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

pub(crate) fn minor(amount: u64) -> Minor {
    Minor::new(amount).unwrap()
}

pub(crate) fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

pub(crate) fn thread(n: u8) -> ThreadId {
    ThreadId::from_bytes([n; 16])
}

pub(crate) fn actor(id: &str) -> Actor {
    Actor::parse(id).unwrap()
}

pub(crate) fn department(id: &str) -> Department {
    Department::parse(id).unwrap()
}

/// A text that stands for itself, under key 1.
pub(crate) fn sealed(text: &str) -> Sealed {
    Sealed { key: key(1), context: "req_0/text".to_owned(), data: text.to_owned() }
}

/// What the phrase tables of the cast's policy find in a text about lateness.
pub(crate) fn about_lateness() -> Hit {
    Hit { table: "en".to_owned(), row: "lateness".to_owned(), phrase: "late".to_owned() }
}

/// English, classified by version 1, with this hit.
pub(crate) fn classified(hit: Option<Hit>) -> Classification {
    Classification { language: Language::parse("en").unwrap(), policy: 1, hit }
}

/// A text in English, about lateness if it says so.
pub(crate) fn classification(text: &str) -> Classification {
    classified(text.contains("late").then(about_lateness))
}

pub(crate) fn identity(kind: IdentityKind, value: &str) -> Identity {
    Identity { kind, token: Token::derive(&[value.as_bytes()]), value: sealed(value) }
}

pub(crate) fn account(value: &str) -> Identity {
    identity(IdentityKind::Account, value)
}

pub(crate) fn handle(value: &str) -> Identity {
    identity(IdentityKind::Handle, value)
}

pub(crate) fn email(value: &str) -> Identity {
    identity(IdentityKind::Email, value)
}

pub(crate) fn phone(value: &str) -> Identity {
    identity(IdentityKind::Phone, value)
}

/// A fresh key that is nobody's yet.
pub(crate) fn fresh(n: u8) -> Sealing {
    Sealing { key: key(n), owner: None }
}

/// A key that was taken to be this customer's.
pub(crate) fn sealed_for(customer: CustomerId, n: u8) -> Sealing {
    Sealing { key: key(n), owner: Some(customer) }
}

/// An inbound enquiry by e-mail from somebody unknown, under a fresh key.
pub(crate) fn says(text: &str) -> Interaction {
    Interaction {
        customer: None,
        identities: Vec::new(),
        name: None,
        channel: Channel::Email,
        direction: Direction::Inbound,
        kind: Kind::Enquiry,
        thread: None,
        case: None,
        text: sealed(text),
        classification: classification(text),
        sealing: fresh(1),
    }
}

/// An inbound enquiry from a caller known by these.
pub(crate) fn caller(identities: impl IntoIterator<Item = Identity>) -> Interaction {
    Interaction { identities: identities.into_iter().collect(), ..says("where is it") }
}

// A macro, because the ten conversions differ in nothing but the noun.
macro_rules! nouns {
    ($($module:ident = $noun:ident;)*) => {$(
        impl From<$module::Event> for Event {
            fn from(event: $module::Event) -> Event {
                Event::$noun(event)
            }
        }

        impl From<$module::Command> for Command {
            fn from(command: $module::Command) -> Command {
                Command::$noun(command)
            }
        }
    )*};
}

nouns! {
    case = Case;
    charge = Charge;
    customer = Customer;
    escalation = Escalation;
    import = Import;
    policy = Policy;
    suggestion = Suggestion;
}

/// A noun that some things have happened to on day 0, under the cast's policy.
pub(crate) struct Story {
    state: State,
    at: At,
    policy: Policy,
}

/// What a command came to, and what the policy made of it.
pub(crate) struct Outcome {
    command: Command,
    facts: Result<Vec<Event>, Rejection>,
    rules: Vec<Event>,
    after: Story,
}

/// Begins a story with what has happened to a noun.
pub(crate) fn given<E: Into<Event>>(noun: Noun, events: impl IntoIterator<Item = E>) -> Story {
    let absent = State::absent(&noun);
    let state = events.into_iter().fold(absent, |state, event| state.evolve(&event.into(), day(0)));
    Story { state, at: day(0), policy: policy(1) }
}

impl Story {
    /// What happens next happens at this time.
    pub(crate) fn at(self, at: At) -> Story {
        Story { at, ..self }
    }

    /// What happens next happens under this policy.
    pub(crate) fn under(self, policy: Policy) -> Story {
        Story { policy, ..self }
    }

    pub(crate) fn when(self, command: impl Into<Command>) -> Outcome {
        let Story { mut state, at, policy } = self;
        let command = command.into();
        let facts = noun::decide(&state, &command, at);
        let mut rules = Vec::new();
        for fact in facts.iter().flatten() {
            state = state.evolve(fact, at);
            let made = noun::rule(&state, fact, &policy, at);
            state = made.iter().fold(state, |state, event| state.evolve(event, at));
            rules.extend(made);
        }
        Outcome { command, facts, rules, after: Story { state, at, policy } }
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }
}

impl Outcome {
    /// Exactly these facts.
    #[track_caller]
    pub(crate) fn then<E: Into<Event>>(self, facts: impl IntoIterator<Item = E>) -> Outcome {
        let expected: Vec<Event> = facts.into_iter().map(Into::into).collect();
        assert_eq!(self.facts.as_ref(), Ok(&expected));
        self
    }

    /// Exactly these events of the policy; it is called even where there are none.
    #[track_caller]
    pub(crate) fn and_policy<E: Into<Event>>(self, rules: impl IntoIterator<Item = E>) -> Outcome {
        let expected: Vec<Event> = rules.into_iter().map(Into::into).collect();
        assert_eq!(self.rules, expected);
        self
    }

    /// It is so already.
    #[track_caller]
    pub(crate) fn then_nothing(self) -> Outcome {
        assert_eq!(self.facts, Ok(Vec::new()));
        assert_eq!(self.rules, []);
        self
    }

    /// Nothing happened, for this reason.
    #[track_caller]
    pub(crate) fn refused(self, reason: &str) -> Outcome {
        let refused = self.facts.as_ref().err().map(Rejection::reason);
        assert_eq!(refused, Some(reason), "{:?}", self.facts);
        self
    }

    /// The same command once more.
    pub(crate) fn again(self) -> Outcome {
        let command = self.command;
        self.after.when(command)
    }

    /// Goes on with the story.
    pub(crate) fn and_then(self) -> Story {
        self.after
    }
}

/// A shard's rows in memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shelf(BTreeMap<Key, Value>);

impl Shelf {
    pub(crate) fn put(&mut self, delta: Delta) {
        for (key, value) in delta {
            match value {
                Some(value) => self.0.insert(key, value),
                None => self.0.remove(&key),
            };
        }
    }

    /// The next thing to happen by itself by a clock that runs, if it is at or before this time.
    pub(crate) fn due(&self, by: At) -> Option<Due> {
        let closed = self.find(&Lookup::ClosedImports);
        let runs = |due: &Due| due.clock.is_none_or(|import| closed.contains(&Noun::Import(import)));
        let due = self.0.keys().filter_map(|key| match key {
            Key::Due(due) if due.at <= by && runs(due) => Some(due.clone()),
            Key::Due(_) | Key::Lookup(..) | Key::Noun(_) | Key::Request(_) => None,
        });
        due.min_by(|a, b| (a.at, a.noun, &a.name).cmp(&(b.at, b.noun, &b.name)))
    }

    pub(crate) fn nouns(&self) -> impl Iterator<Item = (&Noun, &Held)> {
        self.0.iter().filter_map(|row| match row {
            (Key::Noun(noun), Value::Noun(held)) => Some((noun, held.as_ref())),
            _ => None,
        })
    }

    pub(crate) fn state(&self, noun: Noun) -> State {
        self.held(&noun).map_or_else(|| State::absent(&noun), |held| held.state.clone())
    }
}

impl View for Shelf {
    fn held(&self, noun: &Noun) -> Option<Arc<Held>> {
        match self.0.get(&Key::Noun(*noun)) {
            Some(Value::Noun(held)) => Some(Arc::clone(held)),
            _ => None,
        }
    }

    fn find(&self, lookup: &Lookup) -> Vec<Noun> {
        let found = self.0.keys().filter_map(|key| match key {
            Key::Lookup(other, noun) if other == lookup => Some(*noun),
            Key::Due(_) | Key::Lookup(..) | Key::Noun(_) | Key::Request(_) => None,
        });
        found.collect()
    }

    fn seen(&self, request: &RequestId) -> Option<Seen> {
        match self.0.get(&Key::Request(*request)) {
            Some(Value::Request(seen)) => Some(*seen),
            _ => None,
        }
    }
}

/// All services with a shard each, every commit taken in at once, at a time that only moves on when told to.
pub(crate) struct House {
    pub(crate) shelves: BTreeMap<Service, Shelf>,
    pub(crate) policy: Option<Arc<Policy>>,
    pub(crate) now: At,
    /// All records, in the order they were written.
    pub(crate) log: Vec<Arc<Record>>,
    /// The same, commit by commit.
    pub(crate) commits: Vec<Vec<Arc<Record>>>,
    asked: u64,
}

/// What a request came to.
pub(crate) type Answer = Result<Vec<Arc<Record>>, NoPlan>;

impl House {
    /// A house on day 0, with the cast's policy in force as version 1.
    pub(crate) fn new() -> House {
        let mut house = House::without_policy();
        house.ask(publish(DOCUMENT)).unwrap();
        house
    }

    pub(crate) fn without_policy() -> House {
        let shelves = Service::ALL.into_iter().map(|service| (service, Shelf::default())).collect();
        House { shelves, policy: None, now: day(0), log: Vec::new(), commits: Vec::new(), asked: 0 }
    }

    pub(crate) fn shelf(&self, service: Service) -> &Shelf {
        &self.shelves[&service]
    }

    pub(crate) fn desk(&self, service: Service) -> Desk<'_> {
        Desk::new(self.shelf(service), service, self.policy.clone(), self.now, 0)
    }

    /// The request that the next intent will be asked as.
    pub(crate) fn next_request(&self) -> RequestId {
        RequestId::derive(&[&(self.asked + 1).to_be_bytes()])
    }

    /// Asks under a request id of its own; answers with the records of the service asked.
    pub(crate) fn ask(&mut self, intent: Intent) -> Answer {
        self.submit(None, None, intent)
    }

    /// Asks with something that happened at this time, perhaps of an import.
    pub(crate) fn submit(
        &mut self,
        occurred_at: Option<At>,
        import: Option<ImportId>,
        intent: Intent,
    ) -> Answer {
        self.asked += 1;
        let id = RequestId::derive(&[&self.asked.to_be_bytes()]);
        let request = Request { id, key: key(0), digest: Token::derive(&[b"body"]) };
        let service = asked_of(&intent);
        let submission =
            Submission { request, actor: actor("ana"), occurred_at, import, within: None, intent };
        let mut desk = self.desk(service);
        let handled = desk.handle(&submission)?;
        let work = desk.finish();
        assert_eq!(matches!(handled, Handled::Recorded), !work.records.is_empty());
        assert_eq!(work.records.is_empty(), work.delta.is_empty());
        self.run_again(service, &work);
        Ok(self.commit(service, work))
    }

    /// The same facts make the same records, byte for byte.
    fn run_again(&self, service: Service, work: &Work) {
        let facts: Vec<Arc<Record>> =
            work.records.iter().filter(|record| record.cause.is_none()).cloned().collect();
        let mut desk = self.desk(service);
        desk.rerun(&facts).unwrap();
        let again = desk.finish();
        assert_eq!(
            serde_json::to_string(&again.records).unwrap(),
            serde_json::to_string(&work.records).unwrap()
        );
        assert_eq!(again.delta, work.delta);
    }

    #[track_caller]
    pub(crate) fn log(&mut self, interaction: Interaction) -> Vec<Arc<Record>> {
        self.ask(Intent::LogInteraction(Box::new(interaction))).unwrap()
    }

    /// Lets days pass; what is due by then happens.
    pub(crate) fn wait(&mut self, days: u16) {
        self.now = self.now.plus_days(days);
        for service in Service::ALL {
            while let Some(due) = self.shelf(service).due(self.now) {
                let mut desk = self.desk(service);
                desk.fire(&due).unwrap();
                let work = desk.finish();
                self.commit(service, work);
                assert_ne!(self.shelf(service).due(self.now), Some(due), "it stays due for ever");
            }
        }
    }

    fn commit(&mut self, service: Service, work: Work) -> Vec<Arc<Record>> {
        self.shelves.get_mut(&service).unwrap().put(work.delta);
        self.log.extend(work.records.iter().cloned());
        self.commits.push(work.records.clone());
        for record in &work.records {
            if record.noun == Noun::Policy {
                let State::Policy(state) = self.shelf(service).state(Noun::Policy) else { unreachable!() };
                self.policy = Policy::of(&state).map(Arc::new);
            }
            for other in Service::ALL
                .into_iter()
                .filter(|other| *other != Service::of(&record.noun) && other.reads(record.noun.name()))
            {
                let mut desk = self.desk(other);
                if other.folds(&record.noun) {
                    desk.fold_foreign(&foreign(record)).unwrap();
                }
                desk.take_in(record).unwrap();
                let work = desk.finish();
                self.commit(other, work);
            }
        }
        work.records
    }
}

/// A record as another service folds it: its request was made elsewhere.
pub(crate) fn foreign(record: &Record) -> Record {
    Record { request: None, ..record.clone() }
}

/// The service that takes this.
fn asked_of(intent: &Intent) -> Service {
    match intent {
        Intent::Publish { .. } => Service::Policy,
        Intent::CaptureSuggestion(_) | Intent::Suggestion { .. } => Service::Feedback,
        Intent::Charge { .. } => Service::Refunds,
        Intent::Escalation { .. } => Service::Escalation,
        Intent::AddIdentity { .. }
        | Intent::Case { .. }
        | Intent::Customer { .. }
        | Intent::Import { .. }
        | Intent::LogInteraction(_)
        | Intent::RegisterCustomer { .. } => Service::Intake,
    }
}

pub(crate) fn publish(document: &str) -> Intent {
    Intent::Publish { document: document.to_owned(), reason: "a start".to_owned(), expected_version: None }
}

/// The record as it comes back from the log.
pub(crate) fn written_and_read(record: &Record) -> Record {
    let written = serde_json::to_string(record).unwrap();
    serde_json::from_str::<Unread<'_>>(&written).unwrap().read().unwrap()
}

/// What happened, as types on the wire, record by record.
pub(crate) fn told(records: &[Arc<Record>]) -> Vec<Vec<&'static str>> {
    let types = |record: &Arc<Record>| record.events.iter().map(|entry| entry.event.wire_type()).collect();
    records.iter().map(types).collect()
}
