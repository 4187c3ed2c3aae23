//! What holds for every noun whatever it is told, and for the house whatever it is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::cast::*;
use crate::charge::{ApprovalGiven, Line, LineKind, RefundRecorded, RefundRequested, UnknownBecause};
use crate::customer::{
    self, Forgetting, ForgettingDeclinedBecause, ForgettingReason, HoldLiftedBecause, HoldReason, Identity,
};
use crate::escalation::{Raised, RaisedBy};
use crate::noun::{self, Command, Event, Noun, State};
use crate::plan::{Intent, Interaction, NoPlan, Sealing};
use crate::policy::Policy;
use crate::record::{Entry, Origin, Record};
use crate::rows::{self, Delta, Lookup, Value, View};
use crate::service::Service;
use crate::suggestion::{self, Audience, Captured};
use crate::values::{
    Actor, At, Channel, CustomerId, Department, Direction, Kind, PromiseId, PromiseKind, RecordId, RefundId,
    SuggestionId,
};
use crate::{case, charge, escalation, import, policy as policies};

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

fn kind() -> impl Strategy<Value = Kind> {
    select(vec![Kind::Complaint, Kind::Enquiry, Kind::Suggestion])
}

fn direction() -> impl Strategy<Value = Direction> {
    select(vec![Direction::Inbound, Direction::Outbound])
}

fn text() -> impl Strategy<Value = &'static str> {
    select(vec!["hello", "it is late", "be nicer"])
}

fn who() -> impl Strategy<Value = Identity> {
    let people = ["1", "2", "3"];
    let identities = people.map(|n| [account(n), handle(n), email(n), phone(n)]);
    select(identities.concat())
}

fn case_command() -> impl Strategy<Value = case::Command> {
    prop_oneof![
        4 => (1..3_u8, 1..3_u8, direction(), kind(), text()).prop_map(|(interaction, customer, direction, kind, text)| {
            case::Command::Log(case::Log {
                interaction: interaction_id(interaction),
                customer: customer_id(customer),
                channel: Channel::Email,
                direction,
                kind,
                thread: None,
                text: sealed(text),
                classification: classification(text),
            })
        }),
        1 => (1..4_u8).prop_map(|to| case::Command::Link { to: case_id(to) }),
        8 => case_step(),
    ]
}

/// What staff and the customer do with a case that is there, and what time does.
fn case_step() -> impl Strategy<Value = case::Command> {
    prop_oneof![
        kind().prop_map(|to| case::Command::Reclassify { to, reason: None }),
        Just(case::Command::Resolve { resolution: sealed("done") }),
        Just(case::Command::Confirm),
        Just(case::Command::ConfirmBySilence),
        Just(case::Command::Reject { reason: sealed("no") }),
        Just(case::Command::Reopen { reason: sealed("but") }),
        promise_step(),
    ]
}

/// What is promised, kept, put off and broken: sometimes what the company can, and at the right time.
fn promise_step() -> impl Strategy<Value = case::Command> {
    let kind = |is_known| PromiseKind::parse(if is_known { "callback" } else { "miracle" }).unwrap();
    let which = || (1..3_u8).prop_map(promise_id);
    prop_oneof![
        (which(), any::<bool>(), 0..40_u16).prop_map(move |(promise, is_known, due)| {
            case::Command::Promise { promise, kind: kind(is_known), due: day(due), text: sealed("soon") }
        }),
        which().prop_map(|promise| case::Command::KeepPromise { promise, note: None }),
        (which(), 0..40_u16).prop_map(|(promise, due)| {
            case::Command::RenegotiatePromise { promise, due: day(due), reason: sealed("later") }
        }),
        which().prop_map(|promise| case::Command::BreakPromise { promise }),
    ]
}

fn escalation_command() -> impl Strategy<Value = escalation::Command> {
    prop_oneof![
        2 => (any::<bool>(), kind(), proptest::option::of(select(vec!["lead", "head", "director"]))).prop_map(
            |(is_customer, kind, asked)| {
                let by = if is_customer { RaisedBy::Customer } else { RaisedBy::Staff };
                let (customer, rung) = (customer_id(1), asked.map(rung));
                escalation::Command::Raise(Raised { by, customer, kind, reason: None, rung })
            }
        ),
        4 => escalation_step(),
    ]
}

/// What a rung, the case and time do with an escalation that is there.
fn escalation_step() -> impl Strategy<Value = escalation::Command> {
    prop_oneof![
        Just(escalation::Command::Accept),
        Just(escalation::Command::Decline { reason: sealed("no") }),
        Just(escalation::Command::Resolve { resolution: sealed("done") }),
        Just(escalation::Command::GoUnanswered),
        Just(escalation::Command::End),
    ]
}

fn charge_command() -> impl Strategy<Value = charge::Command> {
    let registered = |euros: u64| charge::Registered {
        reference: reference("ch_1"),
        order: None,
        customer: None,
        case: None,
        method: charge::Method::Card,
        currency: currency("EUR"),
        captured: minor(euros * 100),
        key: key(1),
    };
    prop_oneof![
        1 => select(vec![50_u64, 120]).prop_map(move |euros| charge::Command::Register(registered(euros))),
        8 => charge_step(),
    ]
}

fn lines() -> impl Strategy<Value = Vec<Line>> {
    let kinds = vec![LineKind::Principal, LineKind::Principal, LineKind::Consequential, LineKind::Goodwill];
    let line = (select(kinds), 1..7_000_u64);
    vec(line.prop_map(|(kind, cents)| Line { kind, amount: minor(cents), evidence: None }), 1..3)
}

/// What people, the payment provider and time do with a charge that is there.
fn charge_step() -> impl Strategy<Value = charge::Command> {
    let which = || (1..4_u8).prop_map(refund_id);
    let who = || select(vec!["ana", "bo"]).prop_map(actor);
    let euros = || currency("EUR");
    let because = vec![UnknownBecause::NoAnswer, UnknownBecause::Pending];
    prop_oneof![
        4 => (which(), who(), lines()).prop_map(move |(refund, by, lines)| {
            let requested = RefundRequested { refund, by, lines, reason: sealed("twice") };
            charge::Command::RequestRefund { currency: euros(), requested }
        }),
        4 => (which(), who()).prop_map(|(refund, by)| charge::Command::Approve(ApprovalGiven { refund, by })),
        1 => (which(), who()).prop_map(|(refund, by)| {
            charge::Command::Decline { refund, by, reason: sealed("no") }
        }),
        3 => which().prop_map(|refund| charge::Command::Pay { refund, payout: reference("po") }),
        1 => which().prop_map(|refund| charge::Command::Fail { refund, code: reference("no_funds") }),
        1 => (which(), 1..3_u16, select(because)).prop_map(|(refund, attempt, because)| {
            charge::Command::LoseSight { refund, attempt, because }
        }),
        1 => which().prop_map(|refund| charge::Command::Lapse { refund }),
        1 => (which(), who(), lines()).prop_map(move |(refund, by, lines)| {
            let recorded = RefundRecorded { refund, by, lines, payout: reference("note") };
            charge::Command::RecordRefund { currency: euros(), recorded }
        }),
    ]
}

fn customer_command() -> impl Strategy<Value = customer::Command> {
    prop_oneof![
        (1..4_u8, vec(who(), 0..4)).prop_map(|(n, identities)| {
            customer::Command::Register { key: key(n), name: None, identities }
        }),
        vec(who(), 0..4).prop_map(|identities| customer::Command::AddIdentities { identities }),
        (1..4_u8).prop_map(|n| customer::Command::JoinKey { key: key(n) }),
        vec((1..40_u8).prop_map(customer_id), 0..30)
            .prop_map(|candidates| customer::Command::ProposeMerge { candidates }),
        forgetting_step(),
    ]
}

/// What people say about forgetting a customer, and what the house does about it.
fn forgetting_step() -> impl Strategy<Value = customer::Command> {
    let who = || select(vec!["ana", "bo"]).prop_map(actor);
    let hold = || select(vec![HoldReason::Bookkeeping, HoldReason::Litigation]);
    let said = prop_oneof![
        3 => who().prop_map(|by| Forgetting::Ask { by, reason: ForgettingReason::PersonAsked }),
        3 => who().prop_map(|by| Forgetting::Confirm { by }),
        1 => who().prop_map(|by| Forgetting::Decline { by, because: ForgettingDeclinedBecause::Withdrawn }),
        1 => (who(), hold()).prop_map(|(by, reason)| Forgetting::Hold { by, reason }),
        2 => (who(), hold()).prop_map(|(by, reason)| {
            Forgetting::Lift { by, reason, because: HoldLiftedBecause::MatterOver }
        }),
    ];
    prop_oneof![
        4 => said.prop_map(customer::Command::Forgetting),
        1 => Just(customer::Command::RecordForgotten),
    ]
}

fn import_command() -> impl Strategy<Value = import::Command> {
    let close = |(recorded, already_recorded, refused)| import::Command::Close {
        recorded,
        already_recorded,
        refused,
    };
    prop_oneof![Just(import::Command::Start), (0..2_u64, 0..2_u64, 0..2_u64).prop_map(close)]
}

fn document() -> impl Strategy<Value = String> {
    (5..9_u16, any::<bool>()).prop_map(|(days, is_sound)| {
        let document =
            DOCUMENT.replace("confirm_silence_days = 7", &format!("confirm_silence_days = {days}"));
        if is_sound { document } else { document.replace("\"lateness\"", "\"no id\"") }
    })
}

fn policy_command() -> impl Strategy<Value = policies::Command> {
    document().prop_map(|document| policies::Command::Publish { document, reason: "a start".to_owned() })
}

fn suggestion_command() -> impl Strategy<Value = suggestion::Command> {
    let captured = |text| Captured {
        text: sealed(text),
        classification: classification(text),
        customer: None,
        case: None,
        interaction: None,
    };
    prop_oneof![text().prop_map(move |text| suggestion::Command::Capture(captured(text))), suggestion_step(),]
}

/// What a department does with a suggestion.
fn suggestion_step() -> impl Strategy<Value = suggestion::Command> {
    let message = || sealed("thank you");
    prop_oneof![
        2 => Just(suggestion::Command::Acknowledge),
        4 => select(vec!["delivery", "product", "triage", "astrology"]).prop_map(|to| {
            suggestion::Command::Reroute { to: department(to), reason: sealed("theirs") }
        }),
        1 => Just(suggestion::Command::Adopt { plan: sealed("next spring") }),
        1 => Just(suggestion::Command::Decline { reason: sealed("no") }),
        2 => select(vec![Audience::Customer, Audience::Representative]).prop_map(move |to| {
            suggestion::Command::ReportOutcome { to, message: message() }
        }),
    ]
}

/// A noun, with what it is told and how many days pass before each.
fn life() -> impl Strategy<Value = (Noun, Vec<(u16, Command)>)> {
    fn told<C: Into<Command>>(
        command: impl Strategy<Value = C>,
    ) -> impl Strategy<Value = Vec<(u16, Command)>> {
        vec((0..9_u16, command.prop_map(Into::into)), 0..30)
    }
    prop_oneof![
        told(case_command()).prop_map(|told| (Noun::Case(case_id(1)), told)),
        told(charge_command()).prop_map(|told| (Noun::Charge(charge_id(1)), told)),
        told(customer_command()).prop_map(|told| (Noun::Customer(customer_id(1)), told)),
        told(escalation_command()).prop_map(|told| (Noun::Escalation(case_id(1)), told)),
        told(import_command()).prop_map(|told| (Noun::Import(import_id(1)), told)),
        told(policy_command()).prop_map(|told| (Noun::Policy, told)),
        told(suggestion_command()).prop_map(|told| (Noun::Suggestion(suggestion_id(1)), told)),
    ]
}

/// Whether a command means something new each time. What makes it happen once is its request.
fn is_new_each_time(command: &Command) -> bool {
    match command {
        // Something said twice was said twice.
        Command::Case(case::Command::Log(_)) => true,
        // A plan links a case when it opens it, and no second time.
        Command::Case(case::Command::Link { .. }) => true,
        // Each sending that brought something says what it brought.
        Command::Import(import::Command::Close { recorded, .. }) => *recorded > 0,
        Command::Case(_)
        | Command::Charge(_)
        | Command::Customer(_)
        | Command::Escalation(_)
        | Command::Policy(_)
        | Command::Suggestion(_) => false,
        Command::Import(import::Command::Start) => false,
    }
}

/// Decides, rules and folds as the desk does; `None` where the command leaves nothing.
fn record(
    state: &State,
    told: &Command,
    noun: Noun,
    rev: u64,
    policy: &Policy,
    at: crate::values::At,
) -> Option<Record> {
    let facts = noun::decide(state, told, at).unwrap_or_default();
    let mut state = state.clone();
    let mut events = Vec::new();
    for fact in facts {
        state = state.evolve(&fact, at);
        let rules = noun::rule(&state, &fact, policy, at);
        state = rules.iter().fold(state, |state, rule| state.evolve(rule, at));
        events.push(Entry { origin: Origin::Fact, event: fact });
        events.extend(rules.into_iter().map(|event| Entry { origin: Origin::Rule, event }));
    }
    let record = Record {
        id: RecordId::derive(&[&rev.to_be_bytes()]),
        noun,
        rev,
        events,
        request: None,
        actor: actor("ana"),
        policy: policy.version,
        occurred_at: at,
        effective_at: at,
        recorded_at: at,
        cause: None,
        step: None,
        depth: 0,
        import: None,
    };
    (!record.events.is_empty()).then_some(record)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_noun_told_the_same_again_does_nothing_more_and_is_the_same_when_replayed((noun, told) in life()) {
        let policy = policy(1);
        let (mut at, mut state, mut records) = (day(0), State::absent(&noun), Vec::new());
        for (days, command) in &told {
            at = at.plus_days(*days);
            let Some(record) = record(&state, command, noun, records.len() as u64 + 1, &policy, at) else { continue };
            state = record.events.iter().fold(state, |state, entry| state.evolve(&entry.event, at));
            let again = noun::decide(&state, command, at);
            prop_assert!(is_new_each_time(command) || again.is_err() || again == Ok(Vec::new()), "{command:?}");
            records.push(record);
        }
        let mut shelf = Shelf::default();
        for record in &records {
            let read = written_and_read(record);
            prop_assert_eq!(&read, record);
            let mut delta = Delta::new();
            let before = shelf.held(&noun);
            rows::fold(&mut delta, before.as_deref(), &read, 1, 0).unwrap();
            shelf.put(delta);
        }
        prop_assert_eq!(shelf.state(noun), state.clone());
        let stored = serde_json::to_string(&state).unwrap();
        prop_assert_eq!(serde_json::from_str::<State>(&stored).unwrap(), state);
    }
}

/// Something the house is asked; numbers choose among the nouns there are.
#[derive(Clone, Debug)]
enum Ask {
    Add(usize, Identity),
    Case(usize, case::Command),
    Capture(&'static str),
    Charge(u8, charge::Command),
    Escalation(usize, escalation::Command),
    Forgetting(usize, customer::Command),
    Log {
        named: Option<usize>,
        by: Vec<Identity>,
        direction: Direction,
        kind: Kind,
        thread: Option<u8>,
        case: Option<usize>,
        text: &'static str,
    },
    Publish(String),
    Register(Vec<Identity>),
    Suggestion(usize, suggestion::Command),
    Wait(u16),
}

fn ask() -> impl Strategy<Value = Ask> {
    use proptest::option::weighted;
    let which = || 0..8_usize;
    let said = (weighted(0.1, which()), vec(who(), 0..3), direction(), kind());
    let where_to = (weighted(0.3, 1..3_u8), weighted(0.2, which()), text());
    prop_oneof![
        1 => (which(), who()).prop_map(|(n, identity)| Ask::Add(n, identity)),
        4 => (which(), case_step()).prop_map(|(n, command)| Ask::Case(n, command)),
        1 => text().prop_map(Ask::Capture),
        4 => (1..3_u8, charge_command()).prop_map(|(n, command)| Ask::Charge(n, command)),
        3 => (which(), escalation_command()).prop_map(|(n, command)| Ask::Escalation(n, command)),
        3 => (which(), forgetting_step()).prop_map(|(n, command)| Ask::Forgetting(n, command)),
        8 => (said, where_to).prop_map(|((named, by, direction, kind), (thread, case, text))| {
            Ask::Log { named, by, direction, kind, thread, case, text }
        }),
        1 => document().prop_map(Ask::Publish),
        1 => vec(who(), 0..3).prop_map(Ask::Register),
        4 => (which(), suggestion_step()).prop_map(|(n, command)| Ask::Suggestion(n, command)),
        2 => (0..9_u16).prop_map(Ask::Wait),
    ]
}

/// The n-th noun of a shelf that is of this kind, going round.
fn nth<T>(house: &House, service: Service, n: usize, pick: impl Fn(&Noun) -> Option<T>) -> Option<T> {
    let mut found: Vec<T> = house.shelf(service).nouns().filter_map(|(noun, _)| pick(noun)).collect();
    (!found.is_empty()).then(|| found.swap_remove(n % found.len()))
}

fn nth_customer(house: &House, n: usize) -> CustomerId {
    let customer = |noun: &Noun| if let Noun::Customer(id) = noun { Some(*id) } else { None };
    nth(house, Service::Intake, n, customer).unwrap_or(customer_id(1))
}

fn nth_case(house: &House, n: usize) -> crate::values::CaseId {
    let case = |noun: &Noun| if let Noun::Case(id) = noun { Some(*id) } else { None };
    nth(house, Service::Intake, n, case).unwrap_or(case_id(1))
}

fn nth_suggestion(house: &House, n: usize) -> SuggestionId {
    let suggestion = |noun: &Noun| if let Noun::Suggestion(id) = noun { Some(*id) } else { None };
    nth(house, Service::Feedback, n, suggestion).unwrap_or(suggestion_id(1))
}

fn intent(house: &House, ask: Ask, sealing: Sealing) -> Intent {
    let classified = |text: &str| {
        let mut classification = classification(text);
        classification.policy = house.policy.as_ref().map_or(0, |policy| policy.version);
        classification
    };
    match ask {
        Ask::Add(n, identity) => Intent::AddIdentity { customer: nth_customer(house, n), identity, sealing },
        Ask::Case(n, command) => {
            Intent::Case { case: nth_case(house, n), command, expected_rev: None, sealing: Some(sealing) }
        }
        Ask::Capture(text) => {
            let (text, classification) = (sealed(text), classified(text));
            Intent::CaptureSuggestion(Captured {
                text,
                classification,
                customer: None,
                case: None,
                interaction: None,
            })
        }
        Ask::Charge(n, command) => {
            Intent::Charge { charge: charge_id(n), command, expected_rev: None, sealing: None }
        }
        Ask::Escalation(n, command) => {
            Intent::Escalation { case: nth_case(house, n), command, expected_rev: None }
        }
        Ask::Forgetting(n, command) => Intent::Customer { customer: nth_customer(house, n), command },
        Ask::Log { named, by, direction, kind, thread: conversation, case, text } => {
            Intent::LogInteraction(Box::new(Interaction {
                customer: named.map(|n| nth_customer(house, n)),
                identities: by,
                name: None,
                channel: Channel::Email,
                direction,
                kind,
                thread: conversation.map(thread),
                case: case.map(|n| nth_case(house, n)),
                text: sealed(text),
                classification: classified(text),
                sealing,
            }))
        }
        Ask::Publish(document) => publish(&document),
        Ask::Register(identities) => Intent::RegisterCustomer { identities, name: None, sealing },
        Ask::Suggestion(n, command) => {
            Intent::Suggestion { suggestion: nth_suggestion(house, n), command, expected_rev: None }
        }
        Ask::Wait(_) => unreachable!("time passes without being asked"),
    }
}

/// Asks, and seals again as long as it is handed back: at most twice.
fn answer(house: &mut House, ask: &Ask) {
    let mut sealing = fresh((house.commits.len() % 200) as u8);
    for _ in 0..3 {
        let before = house.shelves.clone();
        let intent = intent(house, ask.clone(), sealing);
        let Err(refused) = house.ask(intent) else { return };
        assert_eq!(house.shelves, before, "a rejection left something");
        sealing = match refused {
            NoPlan::SealUnder { customer, key } => Sealing { key, owner: customer },
            NoPlan::SealFresh => fresh(201),
            NoPlan::Rejected(_) => return,
            NoPlan::ClassifyAgain => panic!("the house knows its own policy"),
        };
    }
    panic!("handed back for ever: {ask:?}");
}

/// Folds the log anew, as it was written.
fn replayed(house: &House) -> BTreeMap<Service, Shelf> {
    let mut shelves: BTreeMap<Service, Shelf> =
        Service::ALL.into_iter().map(|service| (service, Shelf::default())).collect();
    for commit in &house.commits {
        for (service, shelf) in &mut shelves {
            let mut delta = Delta::new();
            for (index, record) in (0..).zip(commit) {
                let mut read = written_and_read(record);
                if Service::of(&record.noun) != *service {
                    read = foreign(&read);
                }
                if Service::of(&record.noun) == *service || service.folds(&record.noun) {
                    let before = match delta.get(&rows::Key::Noun(record.noun)) {
                        Some(Some(Value::Noun(held))) => Some(Arc::clone(held)),
                        _ => shelf.held(&record.noun),
                    };
                    rows::fold(&mut delta, before.as_deref(), &read, 0, index).unwrap();
                }
            }
            shelf.put(delta);
        }
    }
    shelves
}

/// Every inbox, folded from nothing but what was published. At each event a suggestion is in exactly one.
fn inboxes(log: &[Arc<Record>]) -> BTreeMap<SuggestionId, Department> {
    let mut inboxes: BTreeMap<Department, BTreeSet<SuggestionId>> = BTreeMap::new();
    let events = log.iter().flat_map(|record| record.events.iter().map(|entry| (record.noun, &entry.event)));
    for (noun, event) in events {
        let (Noun::Suggestion(id), Event::Suggestion(event)) = (noun, event) else { continue };
        let moved = match event {
            suggestion::Event::Captured(_) => Some((None, Department::triage())),
            suggestion::Event::Routed(routed) => {
                Some((Some(Department::triage()), routed.department.clone()))
            }
            suggestion::Event::Rerouted(rerouted) => Some((Some(rerouted.from.clone()), rerouted.to.clone())),
            suggestion::Event::Acknowledged(_)
            | suggestion::Event::Adopted(_)
            | suggestion::Event::Declined(_)
            | suggestion::Event::OutcomeReported(_) => None,
        };
        if let Some((from, to)) = moved {
            let left = from.is_none_or(|from| inboxes.entry(from).or_default().remove(&id));
            assert!(left, "{id} left an inbox that it was not in");
            inboxes.entry(to).or_default().insert(id);
        }
        assert_eq!(inboxes.values().filter(|inbox| inbox.contains(&id)).count(), 1, "{id}");
    }
    inboxes.into_iter().flat_map(|(inbox, ids)| ids.into_iter().map(move |id| (id, inbox.clone()))).collect()
}

/// Every suggestion that came in, by the event that made it one.
fn suggestions_that_came_in(log: &[Arc<Record>]) -> BTreeSet<SuggestionId> {
    let named = |entry: &Entry| match &entry.event {
        Event::Case(case::Event::InteractionLogged(logged))
            if logged.kind == Kind::Suggestion && logged.direction == Direction::Inbound =>
        {
            Some(logged.interaction)
        }
        Event::Case(case::Event::Reclassified(reclassified)) if reclassified.to == Kind::Suggestion => {
            Some(reclassified.interaction)
        }
        _ => None,
    };
    let interactions = log.iter().flat_map(|record| record.events.iter().filter_map(named));
    interactions.map(|interaction| SuggestionId::derive(&[interaction.bytes()])).collect()
}

/// Who has which account or handle.
fn owners(house: &House) -> BTreeMap<(customer::IdentityKind, crate::values::Token), Vec<Noun>> {
    let mut owners: BTreeMap<_, Vec<Noun>> = BTreeMap::new();
    for (noun, held) in house.shelf(Service::Intake).nouns() {
        if let State::Customer(customer::State::Known(known)) = &held.state {
            for identity in known.identities.iter().filter(|(kind, _)| kind.is_unique()) {
                owners.entry(*identity).or_default().push(*noun);
            }
        }
    }
    owners
}

/// Money, from nothing but what was published: what was paid never passes what was captured, each refund is paid at most once, whoever
/// requested more than the limit had somebody else approve it, and nothing is paid that was not instructed first.
fn money_is_safe(log: &[Arc<Record>]) {
    use charge::Event as Charged;
    let mut captured: BTreeMap<Noun, u64> = BTreeMap::new();
    let mut paid: BTreeMap<(Noun, RefundId), u64> = BTreeMap::new();
    let mut asked: BTreeMap<(Noun, RefundId), (Actor, u64)> = BTreeMap::new();
    let mut approved_by: BTreeMap<(Noun, RefundId), BTreeSet<Actor>> = BTreeMap::new();
    let mut instructed: BTreeSet<(Noun, RefundId)> = BTreeSet::new();
    let sum = |lines: &[Line]| lines.iter().map(|line| line.amount.get()).sum::<u64>();
    let events = log.iter().flat_map(|record| record.events.iter().map(|entry| (record.noun, &entry.event)));
    for (noun, event) in events {
        let Event::Charge(event) = event else { continue };
        match event {
            Charged::Registered(registered) => {
                assert_eq!(captured.insert(noun, registered.captured.get()), None);
            }
            Charged::RefundRequested(requested) => {
                let (by, amount) = (requested.by.clone(), sum(&requested.lines));
                assert!(asked.insert((noun, requested.refund), (by, amount)).is_none());
            }
            Charged::ApprovalGiven(given) => {
                approved_by.entry((noun, given.refund)).or_default().insert(given.by.clone());
            }
            Charged::RefundApproved(approved) => {
                let refund = (noun, approved.refund);
                let (by, amount) = &asked[&refund];
                let others = approved_by[&refund].iter().any(|approver| approver != by);
                assert!(others || *amount <= 5_000, "{amount} was given alone");
            }
            Charged::RefundInstructed(instruction) => {
                instructed.insert((noun, instruction.refund));
            }
            Charged::RefundPaid(settled) => {
                let refund = (noun, settled.refund);
                assert!(instructed.contains(&refund), "paid without having been instructed");
                assert_eq!(paid.insert(refund, asked[&refund].1), None, "paid twice");
            }
            Charged::RefundRecorded(recorded) => {
                assert_eq!(paid.insert((noun, recorded.refund), sum(&recorded.lines)), None);
            }
            Charged::RefundDeclined(_)
            | Charged::SecondApprovalRequired(_)
            | Charged::AttemptLapsed(_)
            | Charged::RefundUnknown(_)
            | Charged::RefundFailed(_) => {}
        }
    }
    for (charge, captured) in captured {
        let back: u64 = paid.iter().filter(|((noun, _), _)| *noun == charge).map(|(_, paid)| paid).sum();
        assert!(back <= captured, "{back} given back of {captured}");
    }
}

/// Every promise that stood has at most one end, and none is broken before its time.
fn promises_end_once(log: &[Arc<Record>]) {
    use case::Event as Happened;
    let mut due: BTreeMap<(Noun, PromiseId), At> = BTreeMap::new();
    let mut ended: BTreeSet<(Noun, PromiseId)> = BTreeSet::new();
    for record in log {
        for entry in &record.events {
            let Event::Case(event) = &entry.event else { continue };
            let id = |promise: &PromiseId| (record.noun, *promise);
            match event {
                Happened::PromiseMade(made) => {
                    due.insert(id(&made.promise), made.due);
                }
                Happened::PromiseRenegotiated(put_off) => {
                    due.insert(id(&put_off.promise), put_off.due);
                }
                Happened::PromiseKept(kept) => {
                    assert!(due.contains_key(&id(&kept.promise)) && ended.insert(id(&kept.promise)));
                }
                Happened::PromiseBroken(broken) => {
                    assert!(
                        due[&id(&broken.promise)] <= record.effective_at && ended.insert(id(&broken.promise))
                    );
                }
                _ => {}
            }
        }
    }
}

/// Nobody is forgotten whom one person alone wanted forgotten, or who was held; nothing but that they are forgotten is said of them after.
fn forgetting_takes_two(log: &[Arc<Record>]) {
    use customer::Event as Happened;
    let mut asked: BTreeMap<Noun, Actor> = BTreeMap::new();
    let mut held: BTreeMap<Noun, usize> = BTreeMap::new();
    let (mut confirmed, mut over) = (BTreeSet::<Noun>::new(), BTreeSet::<Noun>::new());
    for record in log {
        for entry in &record.events {
            let Event::Customer(event) = &entry.event else { continue };
            let is_the_end = matches!(event, Happened::Forgotten(_));
            assert_eq!(confirmed.contains(&record.noun), is_the_end, "{event:?}");
            assert!(!over.contains(&record.noun), "{event:?}");
            match event {
                Happened::ForgettingRequested(requested) => {
                    asked.insert(record.noun, requested.by.clone());
                }
                Happened::ForgettingDeclined(_) => assert!(asked.remove(&record.noun).is_some()),
                Happened::ForgettingConfirmed(given) => {
                    assert_ne!(asked[&record.noun], given.by);
                    assert_eq!(held.get(&record.noun).copied().unwrap_or_default(), 0);
                    confirmed.insert(record.noun);
                }
                Happened::HoldPlaced(_) => *held.entry(record.noun).or_default() += 1,
                Happened::HoldLifted(_) => *held.entry(record.noun).or_default() -= 1,
                Happened::Forgotten(_) => assert!(confirmed.remove(&record.noun) && over.insert(record.noun)),
                Happened::Registered(_)
                | Happened::IdentityAdded(_)
                | Happened::KeyJoined(_)
                | Happened::MergeProposed(_) => {}
            }
        }
    }
}

/// What somebody forgotten was known by finds nobody, and their cases get nothing that anybody said after.
fn the_forgotten_are_not_found(house: &House) {
    let intake = house.shelf(Service::Intake);
    for identity in ["1", "2", "3"].map(|n| [account(n), handle(n), email(n), phone(n)]).concat() {
        for noun in intake.find(&Lookup::Identity(identity.kind, identity.token)) {
            let State::Customer(state) = intake.state(noun) else { panic!("{noun} is no customer") };
            assert!(state.known().is_some(), "{noun} was forgotten and is found");
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_the_house_is_asked_its_history_tells_what_it_is(asks in vec(ask(), 0..40)) {
        let mut house = House::new();
        for ask in &asks {
            match ask {
                Ask::Wait(days) => house.wait(*days),
                ask => answer(&mut house, ask),
            }
        }
        prop_assert_eq!(&replayed(&house), &house.shelves);

        let inboxes = inboxes(&house.log);
        for (noun, held) in house.shelf(Service::Feedback).nouns() {
            if let (Noun::Suggestion(id), State::Suggestion(state)) = (noun, &held.state) {
                prop_assert_eq!(state.idea().map(|idea| &idea.department), inboxes.get(id));
            }
        }
        for suggestion in suggestions_that_came_in(&house.log) {
            prop_assert!(inboxes.contains_key(&suggestion), "{suggestion} is in no inbox");
        }
        for (identity, owners) in owners(&house) {
            prop_assert_eq!(owners.len(), 1, "{:?}", identity);
        }
        money_is_safe(&house.log);
        promises_end_once(&house.log);
        forgetting_takes_two(&house.log);
        the_forgotten_are_not_found(&house);
        let ids: BTreeSet<RecordId> = house.log.iter().map(|record| record.id).collect();
        prop_assert_eq!(ids.len(), house.log.len());
    }
}
