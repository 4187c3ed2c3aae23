//! Plans: what one request means for the nouns it touches. All of it happens, or nothing.

use crate::case::{self, Log};
use crate::customer::{self, Identity, IdentityKind, Known};
use crate::noun::{Command, Noun, Rejection, State};
use crate::rows::{Held, Lookup, View};
use crate::suggestion::{self, Captured};
use crate::values::{
    At, CaseId, Channel, ChargeId, Classification, CustomerId, Direction, ImportId, InteractionId, KeyId,
    Kind, RequestId, Sealed, SuggestionId, ThreadId,
};
use crate::{charge, escalation, import, policy};

/// What a caller asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Intent {
    AddIdentity { customer: CustomerId, identity: Identity, sealing: Sealing },
    CaptureSuggestion(Captured),
    Case { case: CaseId, command: case::Command, expected_rev: Option<u64>, sealing: Option<Sealing> },
    Charge { charge: ChargeId, command: charge::Command, expected_rev: Option<u64>, sealing: Option<Sealing> },
    Customer { customer: CustomerId, command: customer::Command },
    Escalation { case: CaseId, command: escalation::Command, expected_rev: Option<u64> },
    Import { import: ImportId, command: import::Command },
    LogInteraction(Box<Interaction>),
    Publish { document: String, reason: String, expected_version: Option<u64> },
    RegisterCustomer { identities: Vec<Identity>, name: Option<Sealed>, sealing: Sealing },
    Suggestion { suggestion: SuggestionId, command: suggestion::Command, expected_rev: Option<u64> },
}

impl Intent {
    /// Whether it can be told of the past. What pays money, or says what holds from now on, cannot.
    pub fn can_be_history(&self) -> bool {
        match self {
            Intent::AddIdentity { .. }
            | Intent::CaptureSuggestion(_)
            | Intent::Case { .. }
            | Intent::Escalation { .. }
            | Intent::LogInteraction(_)
            | Intent::RegisterCustomer { .. }
            | Intent::Suggestion { .. } => true,
            Intent::Charge { command, .. } => match command {
                charge::Command::Register(_)
                | charge::Command::RequestRefund { .. }
                | charge::Command::Decline { .. }
                | charge::Command::RecordRefund { .. } => true,
                charge::Command::Approve(_)
                | charge::Command::Pay { .. }
                | charge::Command::Fail { .. }
                | charge::Command::LoseSight { .. }
                | charge::Command::Lapse { .. } => false,
            },
            Intent::Customer { .. } | Intent::Import { .. } | Intent::Publish { .. } => false,
        }
    }
}

/// The key that a request's texts are sealed under, and whose it was taken to be; `None` is a fresh key, nobody's yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sealing {
    pub key: KeyId,
    pub owner: Option<CustomerId>,
}

/// An interaction to be logged.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Interaction {
    pub customer: Option<CustomerId>,
    pub identities: Vec<Identity>,
    pub name: Option<Sealed>,
    pub channel: Channel,
    pub direction: Direction,
    pub kind: Kind,
    pub thread: Option<ThreadId>,
    pub case: Option<CaseId>,
    pub text: Sealed,
    pub classification: Classification,
    pub sealing: Sealing,
}

/// What a request means: commands, each to one noun, in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Plan {
    /// The noun the caller asked about.
    pub subject: Noun,
    pub commands: Vec<(Noun, Command)>,
}

/// Why a request has no plan.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NoPlan {
    Rejected(Rejection),
    /// The text belongs to somebody, or something, whose texts are sealed under this key: seal it again.
    SealUnder {
        customer: Option<CustomerId>,
        key: KeyId,
    },
    /// The text was sealed for a customer who turned out not to be the one: it needs a fresh key.
    SealFresh,
    /// Another version of the policy is in force than the text was classified by.
    ClassifyAgain,
}

impl<R: Into<Rejection>> From<R> for NoPlan {
    fn from(rejection: R) -> NoPlan {
        NoPlan::Rejected(rejection.into())
    }
}

/// What a plan is made for, beside the intent.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    pub request: RequestId,
    /// The time the rules will reckon with.
    pub at: At,
    pub policy: Option<&'a policy::Policy>,
}

/// Plans what a caller's intent means for the nouns of a shard.
pub fn plan(intent: &Intent, view: &dyn View, setting: &Setting<'_>) -> Result<Plan, NoPlan> {
    match intent {
        Intent::RegisterCustomer { identities, name, sealing } => {
            let customer = CustomerId::derive(&[setting.request.bytes()]);
            if sealing.owner.is_some() {
                return Err(NoPlan::SealFresh);
            }
            refuse_taken(identities, customer, view)?;
            let register = customer::Command::Register {
                key: sealing.key,
                name: name.clone(),
                identities: identities.clone(),
            };
            Ok(one(Noun::Customer(customer), Command::Customer(register)))
        }
        Intent::AddIdentity { customer, identity, sealing } => {
            let known = known(view, *customer)?;
            refuse_taken(std::slice::from_ref(identity), *customer, view)?;
            let mut commands = join_key(*customer, &known, sealing)?;
            let add = customer::Command::AddIdentities { identities: vec![identity.clone()] };
            // An identity known already brings nothing, not even the key it was sealed under.
            if known.identities.contains(&(identity.kind, identity.token)) {
                commands.clear();
            }
            commands.push((Noun::Customer(*customer), Command::Customer(add)));
            Ok(Plan { subject: Noun::Customer(*customer), commands })
        }
        Intent::LogInteraction(interaction) => log(interaction, view, setting),
        Intent::Case { case, command, expected_rev, sealing } => {
            let noun = Noun::Case(*case);
            let held = view.held(&noun).ok_or(Rejection::NotFound(noun))?;
            expect(noun, held.rev, *expected_rev)?;
            let mut plan = one(noun, Command::Case(command.clone()));
            if let (Some(sealing), State::Case(state)) = (sealing, &held.state)
                && let Some(matter) = state.matter()
                // A command that changes nothing, or is refused, brings no key either.
                && case::decide(state, command, setting.at).is_ok_and(|facts| !facts.is_empty())
            {
                let known = known(view, matter.customer)?;
                plan.commands.extend(join_key(matter.customer, &known, sealing)?);
            }
            Ok(plan)
        }
        Intent::Charge { charge, command, expected_rev, sealing } => {
            let noun = Noun::Charge(*charge);
            let held = view.held(&noun);
            if let (Some(State::Charge(state)), Some(sealing)) = (held.as_deref().map(|h| &h.state), sealing)
                && let Some(charge) = state.charge()
                && charge.registered.key != sealing.key
            {
                let (customer, key) = (charge.registered.customer, charge.registered.key);
                return Err(NoPlan::SealUnder { customer, key });
            }
            if !matches!(command, charge::Command::Register(_)) && held.is_none() {
                return Err(Rejection::NotFound(noun).into());
            }
            expect(noun, held.map_or(0, |held| held.rev), *expected_rev)?;
            Ok(one(noun, Command::Charge(command.clone())))
        }
        Intent::Customer { customer, command } => {
            let noun = Noun::Customer(*customer);
            view.held(&noun).ok_or(Rejection::NotFound(noun))?;
            Ok(one(noun, Command::Customer(command.clone())))
        }
        Intent::Escalation { case, command, expected_rev } => {
            let noun = Noun::Escalation(*case);
            let held = view.held(&noun);
            match command {
                escalation::Command::Raise(raised) => known_rung(raised, setting)?,
                _ if held.is_none() => return Err(Rejection::NotFound(noun).into()),
                _ => {}
            }
            expect(noun, held.map_or(0, |held| held.rev), *expected_rev)?;
            Ok(one(noun, Command::Escalation(command.clone())))
        }
        Intent::Import { import, command } => {
            Ok(one(Noun::Import(*import), Command::Import(command.clone())))
        }
        Intent::CaptureSuggestion(captured) => {
            classified_by(&captured.classification, setting)?;
            let suggestion = Noun::Suggestion(SuggestionId::derive(&[setting.request.bytes()]));
            Ok(one(suggestion, Command::Suggestion(suggestion::Command::Capture(captured.clone()))))
        }
        Intent::Suggestion { suggestion, command, expected_rev } => {
            let noun = Noun::Suggestion(*suggestion);
            let held = view.held(&noun).ok_or(Rejection::NotFound(noun))?;
            expect(noun, held.rev, *expected_rev)?;
            if let suggestion::Command::Reroute { to, .. } = command
                && !setting.policy.is_some_and(|policy| policy.document.has_department(to))
            {
                return Err(suggestion::Rejection::UnknownDepartment { department: to.clone() }.into());
            }
            Ok(one(noun, Command::Suggestion(command.clone())))
        }
        Intent::Publish { document, reason, expected_version } => {
            let version = setting.policy.map_or(0, |policy| policy.version);
            expect(Noun::Policy, version, *expected_version)?;
            let publish = policy::Command::Publish { document: document.clone(), reason: reason.clone() };
            Ok(one(Noun::Policy, Command::Policy(publish)))
        }
    }
}

fn one(subject: Noun, command: Command) -> Plan {
    Plan { subject, commands: vec![(subject, command)] }
}

fn expect(noun: Noun, current: u64, expected: Option<u64>) -> Result<(), Rejection> {
    match expected {
        Some(expected) if expected != current => Err(Rejection::Stale { noun, expected, current }),
        Some(_) | None => Ok(()),
    }
}

/// A rung asked for must be one of the ladder in force.
fn known_rung(raised: &escalation::Raised, setting: &Setting<'_>) -> Result<(), escalation::Rejection> {
    let Some(rung) = &raised.rung else { return Ok(()) };
    let ladder = setting.policy.and_then(|policy| policy.document.escalation.ladder(raised.kind));
    match ladder.and_then(|ladder| ladder.index(rung.as_str())) {
        Some(_) => Ok(()),
        None => Err(escalation::Rejection::UnknownRung { rung: rung.clone() }),
    }
}

fn classified_by(classification: &Classification, setting: &Setting<'_>) -> Result<(), NoPlan> {
    let in_force = setting.policy.map_or(0, |policy| policy.version);
    if classification.policy == in_force { Ok(()) } else { Err(NoPlan::ClassifyAgain) }
}

fn known(view: &dyn View, customer: CustomerId) -> Result<Known, Rejection> {
    let noun = Noun::Customer(customer);
    match view.held(&noun).as_deref().map(|held| &held.state) {
        Some(State::Customer(customer::State::Known(known))) => Ok(known.clone()),
        Some(State::Customer(state)) if state.is_forgotten() => Err(customer::Rejection::Forgotten.into()),
        _ => Err(Rejection::NotFound(noun)),
    }
}

fn is_forgotten(view: &dyn View, customer: CustomerId) -> bool {
    match view.held(&Noun::Customer(customer)).as_deref().map(|held| &held.state) {
        Some(State::Customer(state)) => state.is_forgotten(),
        _ => false,
    }
}

/// Refuses an account or handle that another customer has.
fn refuse_taken(
    identities: &[Identity],
    customer: CustomerId,
    view: &dyn View,
) -> Result<(), customer::Rejection> {
    for identity in identities.iter().filter(|identity| identity.kind.is_unique()) {
        let owners = view.find(&Lookup::Identity(identity.kind, identity.token));
        if owners.iter().any(|owner| *owner != Noun::Customer(customer)) {
            return Err(customer::Rejection::IdentityTaken { kind: identity.kind });
        }
    }
    Ok(())
}

/// A fresh key joins the customer's; a key of somebody else must not.
fn join_key(customer: CustomerId, known: &Known, sealing: &Sealing) -> Result<Vec<(Noun, Command)>, NoPlan> {
    match sealing.owner {
        Some(owner) if owner == customer => Ok(Vec::new()),
        Some(_) => {
            let key = known.keys.first().copied().unwrap_or(sealing.key);
            Err(NoPlan::SealUnder { customer: Some(customer), key })
        }
        None => {
            let join = customer::Command::JoinKey { key: sealing.key };
            Ok(vec![(Noun::Customer(customer), Command::Customer(join))])
        }
    }
}

/// Who a caller is, as far as what they are known by tells.
enum Who {
    One(CustomerId),
    Nobody,
    /// Several share it, and nothing decides.
    AnyOf(Vec<CustomerId>),
}

fn customers(view: &dyn View, identity: &Identity) -> Vec<CustomerId> {
    let nouns = view.find(&Lookup::Identity(identity.kind, identity.token));
    nouns.into_iter().filter_map(|noun| if let Noun::Customer(id) = noun { Some(id) } else { None }).collect()
}

/// An account decides, then a handle; else e-mail and phone, with exactly one match, or with one person who is not yet told from the others.
fn who(identities: &[Identity], view: &dyn View) -> Who {
    for kind in [IdentityKind::Account, IdentityKind::Handle] {
        let owner =
            identities.iter().filter(|i| i.kind == kind).find_map(|i| customers(view, i).first().copied());
        if let Some(owner) = owner {
            return Who::One(owner);
        }
    }
    let shared = identities.iter().filter(|i| !i.kind.is_unique());
    let mut matches: Vec<CustomerId> = shared.flat_map(|i| customers(view, i)).collect();
    matches.sort_unstable();
    matches.dedup();
    match matches.as_slice() {
        [] => Who::Nobody,
        [one] => Who::One(*one),
        several => {
            let unassigned = |id: &&CustomerId| known(view, **id).is_ok_and(|known| known.unassigned);
            match several.iter().find(unassigned) {
                Some(person) => Who::One(*person),
                None => Who::AnyOf(matches),
            }
        }
    }
}

fn log(interaction: &Interaction, view: &dyn View, setting: &Setting<'_>) -> Result<Plan, NoPlan> {
    classified_by(&interaction.classification, setting)?;
    let who = match interaction.customer {
        Some(customer) => Who::One(customer),
        None => match case_customer(interaction, view)? {
            Some(customer) if interaction.identities.is_empty() => Who::One(customer),
            Some(_) | None => who(&interaction.identities, view),
        },
    };
    let is_new = !matches!(who, Who::One(_));
    let (customer, mut commands) = customer_commands(interaction, who, view, setting)?;
    let thread_cases = thread_cases(interaction, view);
    let mine = thread_cases.iter().find(|(_, matter)| matter.customer == customer).map(|(id, _)| *id);
    let joined = match (interaction.case, interaction.thread) {
        (Some(case), _) => Some(case),
        (None, Some(_)) => mine,
        // Somebody new has no case to join.
        (None, None) if is_new => None,
        (None, None) => joinable(interaction, customer, view, setting),
    };
    let case = joined.unwrap_or_else(|| CaseId::derive(&[setting.request.bytes()]));
    let log = case::Command::Log(Log {
        interaction: InteractionId::derive(&[setting.request.bytes()]),
        customer,
        channel: interaction.channel,
        direction: interaction.direction,
        kind: interaction.kind,
        thread: interaction.thread,
        text: interaction.text.clone(),
        classification: interaction.classification.clone(),
    });
    commands.push((Noun::Case(case), Command::Case(log)));
    let first_of_thread =
        thread_cases.iter().min_by_key(|(id, matter)| (matter.opened_at, *id)).map(|(id, _)| *id);
    if let (None, Some(first)) = (joined, first_of_thread) {
        commands.push((Noun::Case(case), Command::Case(case::Command::Link { to: first })));
        commands.push((Noun::Case(first), Command::Case(case::Command::Link { to: case })));
    }
    Ok(Plan { subject: Noun::Case(case), commands })
}

/// Whose the named case is.
fn case_customer(interaction: &Interaction, view: &dyn View) -> Result<Option<CustomerId>, Rejection> {
    let Some(case) = interaction.case else { return Ok(None) };
    let noun = Noun::Case(case);
    match view.held(&noun).as_deref().map(|held| &held.state) {
        Some(State::Case(state)) => Ok(state.matter().map(|matter| matter.customer)),
        _ => Err(Rejection::NotFound(noun)),
    }
}

fn customer_commands(
    interaction: &Interaction,
    who: Who,
    view: &dyn View,
    setting: &Setting<'_>,
) -> Result<(CustomerId, Vec<(Noun, Command)>), NoPlan> {
    if let Who::One(customer) = who {
        let known = known(view, customer)?;
        let is_new = |i: &&Identity| !known.identities.contains(&(i.kind, i.token));
        let identities: Vec<Identity> = interaction.identities.iter().filter(is_new).cloned().collect();
        refuse_taken(&identities, customer, view)?;
        let mut commands = join_key(customer, &known, &interaction.sealing)?;
        if !identities.is_empty() {
            let add = customer::Command::AddIdentities { identities };
            commands.push((Noun::Customer(customer), Command::Customer(add)));
        }
        return Ok((customer, commands));
    }
    let customer = CustomerId::derive(&[setting.request.bytes()]);
    if interaction.sealing.owner.is_some() {
        return Err(NoPlan::SealFresh);
    }
    refuse_taken(&interaction.identities, customer, view)?;
    let register = customer::Command::Register {
        key: interaction.sealing.key,
        name: interaction.name.clone(),
        identities: interaction.identities.clone(),
    };
    let mut commands = vec![(Noun::Customer(customer), Command::Customer(register))];
    if let Who::AnyOf(candidates) = who {
        let propose = customer::Command::ProposeMerge { candidates };
        commands.push((Noun::Customer(customer), Command::Customer(propose)));
    }
    Ok((customer, commands))
}

/// The cases of the interaction's conversation. A case of somebody forgotten is none: it must not tell who they were.
fn thread_cases(interaction: &Interaction, view: &dyn View) -> Vec<(CaseId, case::Matter)> {
    let Some(thread) = interaction.thread else { return Vec::new() };
    let cases = view.find(&Lookup::Thread(thread));
    let cases = cases.iter().filter_map(|noun| matter(noun, view));
    cases.filter(|(_, matter)| !is_forgotten(view, matter.customer)).collect()
}

fn matter(noun: &Noun, view: &dyn View) -> Option<(CaseId, case::Matter)> {
    let Noun::Case(id) = noun else { return None };
    match &view.held(noun)?.state {
        State::Case(state) => state.matter().map(|matter| (*id, matter.clone())),
        State::Charge(_)
        | State::Customer(_)
        | State::Escalation(_)
        | State::Import(_)
        | State::Policy(_)
        | State::Suggestion(_) => None,
    }
}

/// Whether silence has ended a case by then, also where its due time waits for the rest of an import.
fn is_over(case: &Held, at: At) -> bool {
    case.state.due().iter().any(|(due, name)| *due <= at && *name == case::CONFIRM_BY_SILENCE)
}

/// The customer's newest unfinished case of this kind, begun without a thread, if its last interaction is recent enough.
fn joinable(
    interaction: &Interaction,
    customer: CustomerId,
    view: &dyn View,
    setting: &Setting<'_>,
) -> Option<CaseId> {
    let days = setting.policy?.document.case.join_within_days;
    let joins = |noun: &Noun| {
        let Noun::Case(id) = noun else { return None };
        let held = view.held(noun)?;
        let State::Case(state) = &held.state else { return None };
        let matter = state.matter()?;
        let is_recent = setting.at <= matter.last_interaction_at.plus_days(days);
        let joins = matter.kind == interaction.kind && is_recent && !is_over(&held, setting.at);
        joins.then_some((matter.last_interaction_at, *id))
    };
    view.find(&Lookup::Joinable(customer)).iter().filter_map(joins).max().map(|(_, id)| id)
}
