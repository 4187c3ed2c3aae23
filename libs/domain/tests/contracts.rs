//! What others rely on for ever: the shape of every event on the wire, and the reasons that callers see.
//!
//! `contracts/` holds one example file per event type and version. A file is never changed: another shape is another version, in a
//! file of its own, and today's reader understands them all.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use seva_domain::noun::{Event, Noun, Rejection};
use seva_domain::values::{
    Actor, At, CaseId, Channel, Classification, Currency, CustomerId, Department, Direction, Hit,
    InteractionId, KeyId, Kind, Language, Minor, PromiseId, PromiseKind, Reference, RefundId, Rung, Sealed,
    ThreadId, Token,
};
use seva_domain::{case, charge, customer, escalation, import, policy, suggestion};

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn contracts() -> PathBuf {
    home().join("contracts")
}

fn case_id() -> CaseId {
    CaseId::from_bytes([1; 16])
}

fn customer_id() -> CustomerId {
    CustomerId::from_bytes([2; 16])
}

fn promise_id() -> PromiseId {
    PromiseId::from_bytes([9; 16])
}

fn callback() -> PromiseKind {
    PromiseKind::parse("callback").unwrap()
}

fn at() -> At {
    At(1_767_225_600_000_000)
}

fn interaction_id() -> InteractionId {
    InteractionId::from_bytes([3; 16])
}

fn key() -> KeyId {
    KeyId::from_bytes([4; 16])
}

fn department(id: &str) -> Department {
    Department::parse(id).unwrap()
}

fn sealed(field: &str) -> Sealed {
    let context = format!("req_05050505050505050505050505050505/{field}");
    Sealed { key: key(), context, data: "c2VhbGVk".to_owned() }
}

fn hit() -> Hit {
    Hit { table: "en".to_owned(), row: "delivery".to_owned(), phrase: "arrived late".to_owned() }
}

fn classification() -> Classification {
    Classification { language: Language::parse("en-GB").unwrap(), policy: 1, hit: Some(hit()) }
}

/// One event of every type, with every field that it can have.
fn examples() -> Vec<Event> {
    let of_case = cases().into_iter().map(Event::Case);
    let of_charge = charges().into_iter().map(Event::Charge);
    let of_customer = customers().into_iter().map(Event::Customer);
    let of_escalation = escalations().into_iter().map(Event::Escalation);
    let of_suggestion = suggestions().into_iter().map(Event::Suggestion);
    let others = [
        Event::Import(import::Event::Started(import::Started {})),
        Event::Import(import::Event::Closed(import::Closed {
            recorded: 120,
            already_recorded: 30,
            refused: 2,
        })),
        Event::Policy(policy::Event::Published(policy::Published {
            version: 2,
            document: "title = \"Our policy\"\n".to_owned(),
            reason: "Answers take longer over the holidays.".to_owned(),
        })),
    ];
    let of_people = of_case.chain(of_charge).chain(of_customer).chain(of_escalation);
    of_people.chain(of_suggestion).chain(others).collect()
}

fn cases() -> Vec<case::Event> {
    use case::Event::*;
    vec![
        Opened(case::Opened {
            customer: customer_id(),
            kind: Kind::Complaint,
            channel: Channel::InStore,
            thread: Some(ThreadId::from_bytes([6; 16])),
        }),
        Linked(case::Linked { to: case_id() }),
        InteractionLogged(case::InteractionLogged {
            interaction: interaction_id(),
            customer: customer_id(),
            channel: Channel::MobileApp,
            direction: Direction::Inbound,
            kind: Kind::Complaint,
            text: sealed("text"),
            classification: classification(),
        }),
        Reclassified(case::Reclassified {
            from: Kind::Complaint,
            to: Kind::Suggestion,
            reason: Some(sealed("reason")),
            customer: customer_id(),
            interaction: interaction_id(),
            text: sealed("text"),
            classification: classification(),
        }),
        Resolved(case::Resolved { resolution: sealed("resolution") }),
        ConfirmationAwaited(case::ConfirmationAwaited { until: At(1_767_225_600_000_000), silence_days: 14 }),
        ResolutionConfirmed(case::ResolutionConfirmed { by: case::ConfirmedBy::Silence }),
        ResolutionRejected(case::ResolutionRejected { reason: sealed("reason") }),
        Reopened(case::Reopened { because: case::ReopenedBecause::Staff(sealed("reason")) }),
        PromiseProposed(case::PromiseProposed {
            promise: promise_id(),
            kind: callback(),
            due: at(),
            text: sealed("text"),
        }),
        PromiseMade(case::PromiseMade { promise: promise_id(), due: at() }),
        PromiseRefused(case::PromiseRefused {
            promise: promise_id(),
            because: case::Infeasible::TooSoon { soonest: at() },
        }),
        PromiseKept(case::PromiseKept { promise: promise_id(), note: Some(sealed("note")) }),
        PromiseRenegotiated(case::PromiseRenegotiated {
            promise: promise_id(),
            from: at(),
            due: At(at().0 + 1),
            reason: sealed("reason"),
        }),
        PromiseBroken(case::PromiseBroken {
            promise: promise_id(),
            kind: callback(),
            due: at(),
            customer: customer_id(),
            about: Kind::Complaint,
        }),
    ]
}

fn charges() -> Vec<charge::Event> {
    use charge::Event::*;
    let ana = || Actor::parse("agent-ana").unwrap();
    let refund = RefundId::from_bytes([10; 16]);
    let reference = |text| Reference::parse(text).unwrap();
    let minor = |amount| Minor::new(amount).unwrap();
    let euro = || Currency::parse("EUR").unwrap();
    let lines = || {
        vec![
            charge::Line { kind: charge::LineKind::Principal, amount: minor(2_000), evidence: None },
            charge::Line {
                kind: charge::LineKind::Consequential,
                amount: minor(2_500),
                evidence: Some(sealed("lines/1/evidence")),
            },
        ]
    };
    vec![
        Registered(charge::Registered {
            reference: reference("ch_3Nf1"),
            order: Some(reference("order-1001")),
            customer: Some(customer_id()),
            case: Some(case_id()),
            method: charge::Method::DirectDebit,
            currency: euro(),
            captured: minor(12_000),
            key: key(),
        }),
        RefundRequested(charge::RefundRequested {
            refund,
            by: ana(),
            lines: lines(),
            reason: sealed("reason"),
        }),
        RefundDeclined(charge::RefundDeclined {
            refund,
            because: charge::DeclinedBecause::ConsequentialAbove {
                up_to: minor(10_000),
                would_be: minor(10_001),
            },
        }),
        ApprovalGiven(charge::ApprovalGiven { refund, by: ana() }),
        SecondApprovalRequired(charge::SecondApprovalRequired { refund, alone_up_to: minor(5_000) }),
        RefundApproved(charge::RefundApproved { refund, amount: minor(4_500), alone_up_to: minor(5_000) }),
        RefundInstructed(charge::RefundInstructed {
            refund,
            reference: reference("ch_3Nf1"),
            currency: euro(),
            amount: minor(4_500),
            attempt: 1,
            until: at(),
        }),
        AttemptLapsed(charge::AttemptLapsed { refund, attempt: 1 }),
        RefundUnknown(charge::RefundUnknown {
            refund,
            attempt: 1,
            because: charge::UnknownBecause::NoAnswer,
        }),
        RefundPaid(charge::RefundPaid { refund, payout: reference("re_77") }),
        RefundFailed(charge::RefundFailed { refund, code: reference("insufficient_funds") }),
        RefundRecorded(charge::RefundRecorded {
            refund,
            by: ana(),
            lines: lines(),
            payout: reference("C536379"),
        }),
    ]
}

fn escalations() -> Vec<escalation::Event> {
    use escalation::Event::*;
    let rung = |id| Rung::parse(id).unwrap();
    vec![
        Raised(escalation::Raised {
            by: escalation::RaisedBy::BrokenPromise(promise_id()),
            customer: customer_id(),
            kind: Kind::Complaint,
            reason: Some(sealed("reason")),
            rung: Some(rung("director")),
        }),
        Placed(escalation::Placed {
            ladder: "complaints".to_owned(),
            rung: rung("team_lead"),
            department: department("service"),
            answer_by: at(),
            answer_within_minutes: 240,
        }),
        Accepted(escalation::Accepted {}),
        Declined(escalation::Declined { reason: sealed("reason") }),
        Unanswered(escalation::Unanswered { rung: rung("team_lead"), answer_by: at() }),
        Climbed(escalation::Climbed {
            from: rung("team_lead"),
            to: rung("head_of_service"),
            department: department("service"),
            answer_by: at(),
            answer_within_minutes: 1_440,
        }),
        Exhausted(escalation::Exhausted { rung: rung("director") }),
        Resolved(escalation::Resolved { resolution: sealed("resolution") }),
        Ended(escalation::Ended { because: escalation::EndedBecause::CaseClosed }),
    ]
}

fn customers() -> Vec<customer::Event> {
    use customer::Event::*;
    let actor = |id: &str| Actor::parse(id).unwrap();
    let token = Token::from_bytes([7; 16]);
    let identity = customer::Identity {
        kind: customer::IdentityKind::Email,
        token,
        value: sealed("identities/0/value"),
    };
    vec![
        Registered(customer::Registered { key: key(), name: Some(sealed("name")) }),
        IdentityAdded(customer::IdentityAdded { identity }),
        KeyJoined(customer::KeyJoined { key: key() }),
        MergeProposed(customer::MergeProposed {
            candidates: vec![customer_id(), CustomerId::from_bytes([8; 16])],
        }),
        ForgettingRequested(customer::ForgettingRequested {
            by: actor("agent-7"),
            reason: customer::ForgettingReason::PersonAsked,
        }),
        ForgettingDeclined(customer::ForgettingDeclined {
            by: actor("privacy-2"),
            because: customer::ForgettingDeclinedBecause::IdentityNotProven,
        }),
        ForgettingConfirmed(customer::ForgettingConfirmed { by: actor("privacy-2"), keys: vec![key()] }),
        Forgotten(customer::Forgotten { keys_destroyed: 1 }),
        HoldPlaced(customer::HoldPlaced { by: actor("legal-1"), reason: customer::HoldReason::Litigation }),
        HoldLifted(customer::HoldLifted {
            by: actor("legal-1"),
            reason: customer::HoldReason::Litigation,
            because: customer::HoldLiftedBecause::MatterOver,
        }),
    ]
}

fn suggestions() -> Vec<suggestion::Event> {
    use suggestion::Event::*;
    vec![
        Captured(suggestion::Captured {
            text: sealed("text"),
            classification: classification(),
            customer: Some(customer_id()),
            case: Some(case_id()),
            interaction: Some(interaction_id()),
        }),
        Routed(suggestion::Routed { department: department("delivery"), policy: 1, hit: Some(hit()) }),
        Acknowledged(suggestion::Acknowledged {}),
        Rerouted(suggestion::Rerouted {
            from: department("delivery"),
            to: Department::triage(),
            reason: sealed("reason"),
        }),
        Adopted(suggestion::Adopted { plan: sealed("plan") }),
        Declined(suggestion::Declined { reason: sealed("reason") }),
        OutcomeReported(suggestion::OutcomeReported {
            to: suggestion::Audience::Representative,
            message: sealed("message"),
        }),
    ]
}

/// One of every rejection.
fn rejections() -> Vec<Rejection> {
    let of_case = [
        case::Rejection::Absent,
        case::Rejection::OfAnotherCustomer,
        case::Rejection::Closed,
        case::Rejection::AlreadyResolved,
        case::Rejection::NotResolved,
        case::Rejection::UnknownPromise,
        case::Rejection::PromiseDuePast,
        case::Rejection::PromiseBroken,
        case::Rejection::PromiseKept,
        case::Rejection::PromiseNotGiven,
        case::Rejection::TooManyPromises,
    ];
    let of_charge = [
        charge::Rejection::Absent,
        charge::Rejection::Differs,
        charge::Rejection::OtherCurrency { captured: Currency::parse("EUR").unwrap() },
        charge::Rejection::ExceedsCaptured { refundable: Minor::ZERO },
        charge::Rejection::RefundOpen { open: RefundId::from_bytes([10; 16]) },
        charge::Rejection::UnknownRefund,
        charge::Rejection::RefundDecided,
        charge::Rejection::RefundSettled,
        charge::Rejection::NotInstructed,
        charge::Rejection::TooManyRefunds,
    ];
    let of_escalation = [
        escalation::Rejection::Absent,
        escalation::Rejection::AlreadyEscalated,
        escalation::Rejection::AlreadyAccepted,
        escalation::Rejection::NotAccepted,
        escalation::Rejection::Over,
        escalation::Rejection::UnknownRung { rung: Rung::parse("astrologer").unwrap() },
    ];
    let of_customer = [
        customer::Rejection::NotRegistered,
        customer::Rejection::AlreadyRegistered,
        customer::Rejection::IdentityTaken { kind: customer::IdentityKind::Account },
        customer::Rejection::TooManyIdentities,
        customer::Rejection::Forgotten,
        customer::Rejection::Held,
        customer::Rejection::NotAsked,
        customer::Rejection::SecondPersonNeeded,
        customer::Rejection::NotConfirmed,
    ];
    let of_suggestion = [
        suggestion::Rejection::Absent,
        suggestion::Rejection::AlreadyDecided,
        suggestion::Rejection::NotDecided,
        suggestion::Rejection::InTriage,
        suggestion::Rejection::UnknownDepartment { department: department("astrology") },
        suggestion::Rejection::OtherDepartment,
    ];
    let noun = Noun::Case(case_id());
    let others = [
        Rejection::Policy(policy::Rejection::Invalid { findings: Vec::new() }),
        Rejection::NotFound(noun),
        Rejection::Stale { noun, expected: 1, current: 2 },
        Rejection::TooMuch("more than 64 records"),
    ];
    let of_case = of_case.into_iter().map(Rejection::Case);
    let of_customer = of_customer.into_iter().map(Rejection::Customer);
    let of_suggestion = of_suggestion.into_iter().map(Rejection::Suggestion);
    let of_charge = of_charge.into_iter().map(Rejection::Charge);
    let of_escalation = of_escalation.into_iter().map(Rejection::Escalation);
    let of_people = of_case.chain(of_charge).chain(of_customer).chain(of_escalation);
    of_people.chain(of_suggestion).chain(others).collect()
}

/// An event's data as it is written, on lines of its own for people.
fn written(event: &Event) -> String {
    let data = serde_json::to_string_pretty(event).unwrap();
    format!("{data}\n")
}

/// Every example file: its event type and what it holds.
fn files() -> BTreeMap<String, String> {
    let entries = fs::read_dir(contracts()).unwrap().map(|entry| entry.unwrap().path());
    let examples = entries.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let read = |path: PathBuf| {
        let event_type = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (event_type, fs::read_to_string(&path).unwrap())
    };
    examples.map(read).collect()
}

/// The texts that the domain's sources hold between quotes on lines that contain `marker`, in the files of this name.
fn quoted(file_name: &str, marker: &str) -> BTreeSet<String> {
    let source = home().join("src");
    let nouns = fs::read_dir(&source).unwrap().map(|entry| entry.unwrap().path().join(file_name));
    let files = nouns.chain([source.join(file_name)]).filter(|path| path.is_file());
    let mut found = BTreeSet::new();
    for path in files {
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines().filter(|line| line.contains(marker));
        found.extend(lines.filter_map(|line| line.split('"').nth(1)).map(str::to_owned));
    }
    found
}

fn is_reason(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

#[test]
fn there_is_an_example_of_every_event_type_that_is_written() {
    let examples: BTreeSet<String> = examples().iter().map(|event| event.wire_type().to_owned()).collect();
    assert_eq!(examples, quoted("events.rs", "(_) => \""));
}

/// A type that has no file yet gets one, and the test fails once, so that somebody looks at it.
#[test]
fn todays_writer_produces_exactly_the_newest_example_of_every_type() {
    let files = files();
    let mut made = Vec::new();
    for event in examples() {
        let event_type = event.wire_type();
        match files.get(event_type) {
            Some(file) => assert_eq!(
                &written(&event),
                file,
                "{event_type} is written otherwise than contracts/{event_type}.json says: what was written stays; \
                 give the new shape a new version and an upcast from this one"
            ),
            None => {
                fs::write(contracts().join(format!("{event_type}.json")), written(&event)).unwrap();
                made.push(event_type);
            }
        }
    }
    assert_eq!(made, Vec::<&str>::new(), "these are new contracts: look at their files and add them");
}

#[test]
fn todays_reader_understands_every_example_ever_written() {
    for (event_type, data) in files() {
        let event = Event::read(&event_type, &data);
        assert!(event.is_ok(), "contracts/{event_type}.json: {event:?}");
    }
}

#[test]
fn what_was_read_is_written_again_as_it_was() {
    for event in examples() {
        let data = serde_json::to_string(&event).unwrap();
        assert_eq!(Event::read(event.wire_type(), &data), Ok(event));
    }
}

#[test]
fn every_type_that_is_read_has_its_example_and_every_example_its_reader() {
    let read: BTreeSet<String> = quoted("events.rs", "\" => ");
    let files: BTreeSet<String> = files().into_keys().collect();
    assert_eq!(read, files);
}

#[test]
fn a_type_of_a_newer_build_is_not_guessed_at() {
    for event_type in ["case.opened.v99", "case.painted.v1", "parrot.fed.v1", ""] {
        let error = Event::read(event_type, "{}").unwrap_err().to_string();
        assert!(error.contains("a newer build is needed"), "{error}");
    }
}

#[test]
fn what_cannot_be_read_is_not_quoted() {
    let secret = r#"{"resolution": "Asha lives in Pune"}"#;
    let error = Event::read("case.resolved.v1", secret).unwrap_err().to_string();
    assert!(error.contains("case.resolved.v1") && !error.contains("Pune"), "{error}");
}

#[test]
fn the_reasons_that_callers_see_are_the_ones_agreed() {
    let reasons: BTreeSet<String> =
        rejections().iter().map(|rejection| rejection.reason().to_owned()).collect();
    let mut in_source = quoted("decide.rs", "Rejection::");
    in_source.extend(quoted("noun.rs", "Rejection::"));
    in_source.retain(|text| is_reason(text));
    assert_eq!(reasons, in_source, "an example of every rejection is needed");
    let agreed = fs::read_to_string(contracts().join("reasons.txt")).unwrap();
    let listed: Vec<&str> = agreed.lines().collect();
    assert_eq!(reasons.iter().map(String::as_str).collect::<Vec<_>>(), listed, "contracts/reasons.txt");
}

#[test]
fn a_rejection_is_a_sentence_that_begins_in_lower_case() {
    for rejection in rejections() {
        let said = rejection.to_string();
        assert!(said.starts_with(|first: char| first.is_lowercase()), "{said}");
        assert!(!said.ends_with('.'), "{said}");
    }
}

/// What git says in the contracts' folder; `None` where there is no git, no repository or no commit.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(contracts()).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// Says it past the test runner, which keeps to itself what a passing test prints: a check skipped must not look like one passed.
fn skipped() {
    let said = "SKIPPED: there is no git history here to compare the contracts with";
    writeln!(std::io::stderr(), "{said}").unwrap();
}

#[test]
fn a_contract_once_committed_is_neither_changed_nor_removed() {
    let Some(changes) = git(&["diff", "--name-status", "--no-renames", "HEAD", "--", "."]) else {
        return skipped();
    };
    let broken = changes.lines().filter(|line| line.ends_with(".json") && !line.starts_with('A'));
    assert_eq!(broken.collect::<Vec<_>>(), Vec::<&str>::new(), "add a new version beside it instead");
}

#[test]
fn a_reason_once_committed_is_not_taken_back() {
    let Some(_) = git(&["rev-parse", "--verify", "HEAD"]) else { return skipped() };
    let committed = git(&["show", "HEAD:./reasons.txt"]).unwrap_or_default();
    let today: BTreeSet<&str> = rejections().iter().map(Rejection::reason).collect();
    let gone: Vec<&str> = committed.lines().filter(|reason| !today.contains(reason)).collect();
    assert_eq!(gone, Vec::<&str>::new());
}
