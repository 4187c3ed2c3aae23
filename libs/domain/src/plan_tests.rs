//! Who a caller is taken to be, which case an interaction joins, and what is handed back before it can be decided, told as stories.

use std::sync::Arc;

use crate::case::{self, ReopenedBecause};
use crate::cast::*;
use crate::customer;
use crate::noun::{Event, Noun, Rejection, State};
use crate::plan::{Intent, Interaction, NoPlan, Sealing};
use crate::record::Record;
use crate::rows::{Lookup, View};
use crate::service::Service;
use crate::suggestion::{self, Captured};
use crate::values::{CaseId, CustomerId, Direction, Kind, ThreadId};

const LOGGED: &[&str] = &["case.interaction_logged.v1"];
const OPENED: &[&str] = &["case.opened.v1", "case.interaction_logged.v1"];

fn log_intent(interaction: Interaction) -> Intent {
    Intent::LogInteraction(Box::new(interaction))
}

fn register(identities: impl IntoIterator<Item = customer::Identity>, n: u8) -> Intent {
    let identities = identities.into_iter().collect();
    Intent::RegisterCustomer { identities, name: Some(sealed("Asha")), sealing: fresh(n) }
}

/// Registers a customer under key n.
#[track_caller]
fn registered(
    house: &mut House,
    n: u8,
    identities: impl IntoIterator<Item = customer::Identity>,
) -> CustomerId {
    customer_of(&house.ask(register(identities, n)).unwrap())
}

/// The customer whose record, or whose case's record, it is.
#[track_caller]
fn customer_of(records: &[Arc<Record>]) -> CustomerId {
    let of = |record: &Arc<Record>| match (record.noun, &record.events[0].event) {
        (Noun::Customer(customer), _) => Some(customer),
        (_, Event::Case(case::Event::Opened(opened))) => Some(opened.customer),
        (_, Event::Case(case::Event::InteractionLogged(logged))) => Some(logged.customer),
        _ => None,
    };
    records.iter().find_map(of).unwrap()
}

#[track_caller]
fn case_of(records: &[Arc<Record>]) -> CaseId {
    let of = |record: &Arc<Record>| if let Noun::Case(case) = record.noun { Some(case) } else { None };
    records.iter().find_map(of).unwrap()
}

/// Logs it, sealed as the customer it turns out to be wants it.
#[track_caller]
fn logged(house: &mut House, interaction: Interaction) -> Vec<Arc<Record>> {
    let again = match house.ask(log_intent(interaction.clone())) {
        Ok(records) => return records,
        Err(NoPlan::SealUnder { customer, key }) => Sealing { key, owner: customer },
        Err(NoPlan::SealFresh) => fresh(99),
        Err(other) => panic!("{other:?}"),
    };
    house.log(Interaction { sealing: again, ..interaction })
}

#[track_caller]
fn refused(answer: Answer, reason: &str) {
    match answer {
        Err(NoPlan::Rejected(rejection)) => assert_eq!(rejection.reason(), reason),
        other => panic!("{other:?}"),
    }
}

fn known(house: &House, customer: CustomerId) -> customer::Known {
    match house.shelf(Service::Intake).state(Noun::Customer(customer)) {
        State::Customer(customer::State::Known(known)) => known,
        other => panic!("{other:?}"),
    }
}

fn case(house: &House, case: CaseId) -> case::State {
    match house.shelf(Service::Intake).state(Noun::Case(case)) {
        State::Case(state) => state,
        other => panic!("{other:?}"),
    }
}

fn from_asha(customer: CustomerId) -> Interaction {
    Interaction { customer: Some(customer), sealing: sealed_for(customer, 1), ..says("where is it") }
}

fn on_case(case: CaseId, command: case::Command) -> Intent {
    Intent::Case { case, command, expected_rev: None, sealing: None }
}

fn resolve() -> case::Command {
    case::Command::Resolve { resolution: sealed("sent again") }
}

// Who a caller is.

#[test]
fn somebody_unknown_becomes_a_customer_with_what_they_gave() {
    let mut house = House::new();
    let caller =
        Interaction { name: Some(sealed("Asha")), ..caller([email("asha@example.com"), account("a-1")]) };
    let records = house.log(caller);
    let registered: &[&str] =
        &["customer.registered.v1", "customer.identity_added.v1", "customer.identity_added.v1"];
    assert_eq!(told(&records), [registered, OPENED]);
    let known = known(&house, customer_of(&records));
    assert_eq!(known.keys, [key(1)]);
    assert_eq!(known.identities.len(), 2);
}

#[test]
fn somebody_who_gives_nothing_is_a_customer_of_their_own_each_time() {
    let mut house = House::new();
    let (first, second) = (house.log(says("hello")), house.log(says("hello")));
    assert_ne!(customer_of(&first), customer_of(&second));
    assert_ne!(case_of(&first), case_of(&second));
}

#[test]
fn an_account_tells_who_it_is_before_a_handle_and_a_handle_before_an_address() {
    let mut house = House::new();
    let asha = registered(&mut house, 1, [account("a-1")]);
    let bo = registered(&mut house, 2, [handle("net/bo")]);
    let cem = registered(&mut house, 3, [email("home@example.com")]);
    let by_account = logged(&mut house, caller([email("home@example.com"), account("a-1")]));
    assert_eq!(customer_of(&by_account), asha);
    let by_handle = logged(&mut house, caller([email("home@example.com"), handle("net/bo")]));
    assert_eq!(customer_of(&by_handle), bo);
    let by_new_handle = logged(&mut house, caller([phone("+44 9"), handle("net/dee")]));
    assert!(![asha, bo, cem].contains(&customer_of(&by_new_handle)));
}

#[test]
fn an_account_and_a_handle_of_two_customers_cannot_be_one_caller() {
    let mut house = House::new();
    let asha = registered(&mut house, 1, [account("a-1")]);
    registered(&mut house, 2, [handle("net/bo")]);
    let both = Interaction { sealing: sealed_for(asha, 1), ..caller([account("a-1"), handle("net/bo")]) };
    refused(house.ask(log_intent(both)), "IDENTITY_TAKEN");
}

#[test]
fn an_address_or_a_number_of_one_customer_tells_who_it_is_and_what_is_new_is_learnt() {
    let mut house = House::new();
    let asha = registered(&mut house, 1, [email("asha@example.com")]);
    let caller = caller([email("asha@example.com"), phone("+44 1")]);
    let records = logged(&mut house, Interaction { sealing: sealed_for(asha, 1), ..caller });
    assert_eq!(told(&records), [&["customer.identity_added.v1"], OPENED]);
    assert_eq!(customer_of(&records), asha);
    assert_eq!(known(&house, asha).identities.len(), 2);
}

/// Two customers who share an e-mail address.
fn household(house: &mut House) -> [CustomerId; 2] {
    let asha = registered(house, 1, [account("a-1"), email("home@example.com")]);
    let bo = registered(house, 2, [account("a-2"), email("home@example.com")]);
    let mut both = [asha, bo];
    both.sort_unstable();
    both
}

#[test]
fn a_caller_whom_several_match_is_a_person_not_yet_assigned_and_a_merge_is_proposed() {
    let mut house = House::new();
    let both = household(&mut house);
    let records = house.log(caller([email("home@example.com")]));
    let registered: &[&str] = &["customer.registered.v1", "customer.identity_added.v1"];
    assert_eq!(told(&records), [registered, &["customer.merge_proposed.v1"], OPENED]);
    let person = customer_of(&records);
    assert!(!both.contains(&person));
    assert!(known(&house, person).unassigned);
    let proposed = customer::MergeProposed { candidates: both.to_vec() };
    assert_eq!(records[1].events[0].event, Event::Customer(customer::Event::MergeProposed(proposed)));
}

#[test]
fn the_same_address_again_is_the_same_person_not_yet_assigned() {
    let mut house = House::new();
    household(&mut house);
    let first = house.log(caller([email("home@example.com")]));
    let again = logged(&mut house, caller([email("home@example.com")]));
    assert_eq!(told(&again), [LOGGED]);
    assert_eq!((customer_of(&again), case_of(&again)), (customer_of(&first), case_of(&first)));
}

#[test]
fn an_account_still_tells_the_members_of_a_household_apart() {
    let mut house = House::new();
    household(&mut house);
    house.log(caller([email("home@example.com")]));
    let by_account = logged(&mut house, caller([email("home@example.com"), account("a-2")]));
    assert_eq!(known(&house, customer_of(&by_account)).keys[0], key(2));
}

#[test]
fn an_address_and_a_number_of_two_customers_propose_a_merge_too() {
    let mut house = House::new();
    let asha = registered(&mut house, 1, [email("asha@example.com")]);
    let bo = registered(&mut house, 2, [phone("+44 2")]);
    let records = house.log(caller([email("asha@example.com"), phone("+44 2")]));
    assert!(![asha, bo].contains(&customer_of(&records)));
    assert!(known(&house, customer_of(&records)).unassigned);
}

#[test]
fn a_customer_who_is_named_must_be_known() {
    let mut house = House::new();
    let nobody = Interaction { customer: Some(customer_id(9)), ..says("hello") };
    refused(house.ask(log_intent(nobody)), "NOT_FOUND");
}

#[test]
fn a_customer_who_is_named_learns_what_is_given_but_nobody_elses_account() {
    let mut house = House::new();
    let asha = registered(&mut house, 1, []);
    registered(&mut house, 2, [account("a-2")]);
    let with = |identity| Interaction { identities: vec![identity], ..from_asha(asha) };
    let records = house.log(with(phone("+44 1")));
    assert_eq!(told(&records), [&["customer.identity_added.v1"], OPENED]);
    refused(house.ask(log_intent(with(account("a-2")))), "IDENTITY_TAKEN");
}

#[test]
fn an_account_is_registered_for_one_customer_and_an_address_for_many() {
    let mut house = House::new();
    let asha = registered(&mut house, 1, [account("a-1"), email("home@example.com")]);
    refused(house.ask(register([account("a-1")], 2)), "IDENTITY_TAKEN");
    let bo = registered(&mut house, 3, [email("home@example.com")]);
    assert_ne!(asha, bo);
}

#[test]
fn an_identity_is_added_to_a_customer_once_and_the_second_time_brings_no_key() {
    let mut house = House::new();
    let asha = registered(&mut house, 1, []);
    let add = |identity, sealing| Intent::AddIdentity { customer: asha, identity, sealing };
    let records = house.ask(add(account("a-1"), fresh(2))).unwrap();
    assert_eq!(told(&records), [["customer.key_joined.v1"], ["customer.identity_added.v1"]]);
    assert_eq!(house.ask(add(account("a-1"), fresh(3))), Ok(Vec::new()));
    assert_eq!(known(&house, asha).keys, [key(1), key(2)]);
}

#[test]
fn an_account_of_another_customer_cannot_be_added_and_nothing_to_nobody() {
    let mut house = House::new();
    let asha = registered(&mut house, 1, []);
    registered(&mut house, 2, [handle("net/bo")]);
    let add = |customer| Intent::AddIdentity { customer, identity: handle("net/bo"), sealing: fresh(3) };
    refused(house.ask(add(asha)), "IDENTITY_TAKEN");
    refused(house.ask(add(customer_id(9))), "NOT_FOUND");
}

// Which case it joins.

#[test]
fn a_named_case_is_joined_and_its_customer_is_the_caller() {
    let mut house = House::new();
    let first = house.log(caller([account("a-1")]));
    let asha = customer_of(&first);
    house.wait(JOIN_DAYS + 50);
    let named = Interaction {
        case: Some(case_of(&first)),
        kind: Kind::Complaint,
        sealing: sealed_for(asha, 1),
        ..says("still nothing")
    };
    let records = house.log(named);
    assert_eq!(told(&records), [LOGGED]);
    assert_eq!((case_of(&records), customer_of(&records)), (case_of(&first), asha));
}

#[test]
fn a_named_case_must_be_there_and_of_the_caller() {
    let mut house = House::new();
    let first = house.log(caller([account("a-1")]));
    refused(house.ask(log_intent(Interaction { case: Some(case_id(9)), ..says("hello") })), "NOT_FOUND");
    let somebody_else = Interaction { case: Some(case_of(&first)), ..caller([account("a-2")]) };
    refused(house.ask(log_intent(somebody_else)), "CASE_OF_ANOTHER_CUSTOMER");
    // All or nothing: the other customer is not registered either.
    let by_account = Lookup::Identity(customer::IdentityKind::Account, account("a-2").token);
    assert_eq!(house.shelf(Service::Intake).find(&by_account), []);
}

#[test]
fn a_contact_soon_after_the_last_joins_the_case_and_a_later_one_opens_another() {
    let mut house = House::new();
    let asha = registered(&mut house, 1, []);
    let first = house.log(from_asha(asha));
    house.wait(JOIN_DAYS);
    let soon = house.log(from_asha(asha));
    assert_eq!((told(&soon), case_of(&soon)), (vec![LOGGED.to_vec()], case_of(&first)));
    // It is the last contact that counts, not the first.
    house.wait(JOIN_DAYS);
    assert_eq!(case_of(&house.log(from_asha(asha))), case_of(&first));
    house.wait(JOIN_DAYS + 1);
    let late = house.log(from_asha(asha));
    assert_eq!(told(&late), [OPENED]);
    assert_ne!(case_of(&late), case_of(&first));
}

#[test]
fn a_contact_of_another_kind_opens_a_case_of_its_own() {
    let mut house = House::new();
    let asha = registered(&mut house, 1, []);
    let enquiry = house.log(from_asha(asha));
    let complaint = house.log(Interaction { kind: Kind::Complaint, ..from_asha(asha) });
    assert_eq!(told(&complaint), [OPENED]);
    assert_eq!(case_of(&house.log(from_asha(asha))), case_of(&enquiry));
}

#[test]
fn a_case_whose_kind_was_corrected_is_joined_as_what_it_is() {
    let mut house = House::new();
    let asha = registered(&mut house, 1, []);
    let first = house.log(from_asha(asha));
    let reclassify = case::Command::Reclassify { to: Kind::Complaint, reason: None };
    house.ask(on_case(case_of(&first), reclassify)).unwrap();
    assert_ne!(case_of(&house.log(from_asha(asha))), case_of(&first));
    let complaint = house.log(Interaction { kind: Kind::Complaint, ..from_asha(asha) });
    assert_eq!(case_of(&complaint), case_of(&first));
}

#[test]
fn a_resolved_case_is_joined_and_open_again_a_closed_one_is_not_joined() {
    let mut house = House::new();
    let asha = registered(&mut house, 1, []);
    let first = case_of(&house.log(from_asha(asha)));
    house.ask(on_case(first, resolve())).unwrap();
    let again = house.log(from_asha(asha));
    assert_eq!(told(&again), [["case.interaction_logged.v1", "case.reopened.v1"]]);
    assert_eq!(case_of(&again), first);
    house.ask(on_case(first, resolve())).unwrap();
    house.ask(on_case(first, case::Command::Confirm)).unwrap();
    assert_ne!(case_of(&house.log(from_asha(asha))), first);
}

#[test]
fn of_several_cases_the_one_touched_last_is_joined() {
    let mut house = House::new();
    let asha = registered(&mut house, 1, []);
    let older = case_of(&house.log(from_asha(asha)));
    house.wait(JOIN_DAYS + 1);
    let newer = case_of(&house.log(from_asha(asha)));
    assert_eq!(case_of(&house.log(from_asha(asha))), newer);
    house.wait(1);
    house.log(Interaction { case: Some(older), ..from_asha(asha) });
    assert_eq!(case_of(&house.log(from_asha(asha))), older);
}

#[test]
fn a_conversation_is_one_case_however_long_it_rests_and_whatever_the_kind() {
    let mut house = House::new();
    let asha = registered(&mut house, 1, []);
    let in_thread = || Interaction { thread: Some(thread(1)), ..from_asha(asha) };
    let first = house.log(in_thread());
    house.wait(JOIN_DAYS + 50);
    let later = house.log(Interaction { kind: Kind::Complaint, ..in_thread() });
    assert_eq!((told(&later), case_of(&later)), (vec![LOGGED.to_vec()], case_of(&first)));
}

#[test]
fn a_closed_case_of_a_conversation_is_reopened_when_the_customer_writes_in_it_again() {
    let mut house = House::new();
    let asha = registered(&mut house, 1, []);
    let in_thread = || Interaction { thread: Some(thread(1)), ..from_asha(asha) };
    let first = case_of(&house.log(in_thread()));
    house.ask(on_case(first, resolve())).unwrap();
    house.wait(SILENCE_DAYS);
    assert!(matches!(case(&house, first), case::State::Closed(_)));
    let again = house.log(in_thread());
    assert_eq!(told(&again), [["case.interaction_logged.v1", "case.reopened.v1"]]);
    let reopened = case::Reopened { because: ReopenedBecause::CustomerWroteAgain };
    assert_eq!(again[0].events[1].event, Event::Case(case::Event::Reopened(reopened)));
    assert!(matches!(case(&house, first), case::State::Open(_)));
}

#[test]
fn a_contact_without_a_conversation_joins_no_case_of_one_nor_the_other_way_round() {
    let mut house = House::new();
    let asha = registered(&mut house, 1, []);
    let in_thread = |n| Interaction { thread: Some(thread(n)), ..from_asha(asha) };
    let of_thread = case_of(&house.log(in_thread(1)));
    let without = case_of(&house.log(from_asha(asha)));
    let of_another = case_of(&house.log(in_thread(2)));
    assert_ne!(of_thread, without);
    assert!(![of_thread, without].contains(&of_another));
}

fn linked(records: &[Arc<Record>]) -> Vec<(CaseId, CaseId)> {
    let link = |record: &Arc<Record>| match (record.noun, &record.events[0].event) {
        (Noun::Case(from), Event::Case(case::Event::Linked(linked))) => Some((from, linked.to)),
        _ => None,
    };
    records.iter().filter_map(link).collect()
}

#[test]
fn two_customers_in_one_conversation_have_a_case_each_linked_both_ways() {
    let mut house = House::new();
    let in_thread =
        |who: &str, thread: ThreadId| Interaction { thread: Some(thread), ..caller([account(who)]) };
    let ashas = case_of(&house.log(in_thread("a-1", thread(1))));
    let records = house.log(in_thread("a-2", thread(1)));
    let bos = case_of(&records);
    assert_eq!(linked(&records), [(bos, ashas), (ashas, bos)]);
    // From then on each goes on in their own case, and nothing is linked twice.
    for (who, case) in [("a-1", ashas), ("a-2", bos)] {
        let again = logged(&mut house, in_thread(who, thread(1)));
        assert_eq!((told(&again), case_of(&again)), (vec![LOGGED.to_vec()], case));
    }
}

#[test]
fn a_third_customer_of_a_conversation_is_linked_to_its_first_case() {
    let mut house = House::new();
    let in_thread = |who: &str| Interaction { thread: Some(thread(1)), ..caller([account(who)]) };
    let first = case_of(&house.log(in_thread("a-1")));
    house.wait(1);
    house.log(in_thread("a-2"));
    house.wait(1);
    let third = house.log(in_thread("a-3"));
    assert_eq!(linked(&third), [(case_of(&third), first), (first, case_of(&third))]);
}

// What is handed back.

#[test]
fn a_text_sealed_for_nobody_brings_its_key_to_the_customer_it_turns_out_to_be_of() {
    let mut house = House::new();
    let asha = registered(&mut house, 1, [email("asha@example.com")]);
    let records = house.log(Interaction { sealing: fresh(2), ..caller([email("asha@example.com")]) });
    assert_eq!(told(&records), [&["customer.key_joined.v1"], OPENED]);
    assert_eq!(known(&house, asha).keys, [key(1), key(2)]);
}

#[test]
fn a_text_sealed_for_another_customer_is_to_be_sealed_again_under_the_right_ones_key() {
    let mut house = House::new();
    let asha = registered(&mut house, 1, [account("a-1")]);
    let bo = registered(&mut house, 2, [account("a-2")]);
    let for_bo = Interaction { sealing: sealed_for(bo, 2), ..caller([account("a-1")]) };
    assert_eq!(house.ask(log_intent(for_bo)), Err(NoPlan::SealUnder { customer: Some(asha), key: key(1) }));
}

#[test]
fn a_text_sealed_for_a_customer_needs_a_fresh_key_if_the_caller_is_somebody_new() {
    let mut house = House::new();
    let asha = registered(&mut house, 1, [account("a-1")]);
    let somebody = Interaction { sealing: sealed_for(asha, 1), ..caller([account("a-2")]) };
    assert_eq!(house.ask(log_intent(somebody)), Err(NoPlan::SealFresh));
    let Intent::RegisterCustomer { identities, name, .. } = register([], 0) else { unreachable!() };
    let registration = Intent::RegisterCustomer { identities, name, sealing: sealed_for(asha, 1) };
    assert_eq!(house.ask(registration), Err(NoPlan::SealFresh));
}

#[test]
fn a_case_commands_text_is_sealed_for_the_cases_customer() {
    let mut house = House::new();
    let records = house.log(says("where is it"));
    let (asha, case) = (customer_of(&records), case_of(&records));
    let resolve =
        |sealing| Intent::Case { case, command: resolve(), expected_rev: None, sealing: Some(sealing) };
    let for_bo = sealed_for(customer_id(9), 9);
    assert_eq!(house.ask(resolve(for_bo)), Err(NoPlan::SealUnder { customer: Some(asha), key: key(1) }));
    let resolved = house.ask(resolve(fresh(2))).unwrap();
    let events: &[&str] = &["case.resolved.v1", "case.confirmation_awaited.v1"];
    assert_eq!(told(&resolved), [events, &["customer.key_joined.v1"]]);
    assert_eq!(known(&house, asha).keys, [key(1), key(2)]);
}

#[test]
fn a_case_command_that_changes_nothing_brings_no_key() {
    let mut house = House::new();
    let case = case_of(&house.log(says("where is it")));
    let reopen = case::Command::Reopen { reason: sealed("why not") };
    let intent = Intent::Case { case, command: reopen, expected_rev: None, sealing: Some(fresh(2)) };
    assert_eq!(house.ask(intent), Ok(Vec::new()));
}

#[test]
fn what_was_classified_by_another_version_is_to_be_classified_again() {
    let mut house = House::new();
    house.ask(publish(&DOCUMENT.replace("The cast's policy", "The second policy"))).unwrap();
    assert_eq!(house.ask(log_intent(says("hello"))), Err(NoPlan::ClassifyAgain));
    assert_eq!(house.ask(Intent::CaptureSuggestion(idea())), Err(NoPlan::ClassifyAgain));
    let mut classification = classification("hello");
    classification.policy = 2;
    house.log(Interaction { classification, ..says("hello") });
}

fn idea() -> Captured {
    let classification = classified(Some(about_lateness()));
    Captured { text: sealed("an idea"), classification, customer: None, case: None, interaction: None }
}

// Which rev is expected, and what must be there.

#[test]
fn a_case_that_moved_on_is_not_what_the_caller_saw() {
    let mut house = House::new();
    let case = case_of(&house.log(says("where is it")));
    let at_rev =
        |expected| Intent::Case { case, command: resolve(), expected_rev: Some(expected), sealing: None };
    let stale = Rejection::Stale { noun: Noun::Case(case), expected: 2, current: 1 };
    assert_eq!(house.ask(at_rev(2)), Err(NoPlan::Rejected(stale)));
    house.ask(at_rev(1)).unwrap();
    refused(house.ask(at_rev(1)), "STALE_REV");
}

#[test]
fn a_case_or_a_suggestion_that_is_told_something_must_be_there() {
    let mut house = House::new();
    refused(house.ask(on_case(case_id(9), case::Command::Confirm)), "NOT_FOUND");
    let (suggestion, command) = (suggestion_id(9), suggestion::Command::Acknowledge);
    refused(house.ask(Intent::Suggestion { suggestion, command, expected_rev: None }), "NOT_FOUND");
}

#[test]
fn a_suggestion_goes_only_to_a_department_of_the_policy_in_force() {
    let mut house = House::new();
    let captured = house.ask(Intent::CaptureSuggestion(idea())).unwrap();
    let Noun::Suggestion(suggestion) = captured[0].noun else { panic!("{captured:?}") };
    let reroute = |to: &str, expected_rev| {
        let command = suggestion::Command::Reroute { to: department(to), reason: sealed("theirs") };
        Intent::Suggestion { suggestion, command, expected_rev }
    };
    refused(house.ask(reroute("astrology", None)), "UNKNOWN_DEPARTMENT");
    refused(house.ask(reroute("product", Some(7))), "STALE_REV");
    house.ask(reroute("product", Some(1))).unwrap();
    house.ask(reroute("triage", None)).unwrap();
}

#[test]
fn a_policy_is_published_over_the_version_its_author_saw() {
    let mut house = House::without_policy();
    let over = |document: &str, expected| Intent::Publish {
        document: document.to_owned(),
        reason: "a start".to_owned(),
        expected_version: Some(expected),
    };
    refused(house.ask(over(DOCUMENT, 1)), "STALE_REV");
    house.ask(over(DOCUMENT, 0)).unwrap();
    let next = DOCUMENT.replace("= 10", "= 11");
    refused(house.ask(over(&next, 0)), "STALE_REV");
    house.ask(over(&next, 1)).unwrap();
    assert_eq!(house.policy.unwrap().version, 2);
}

#[test]
fn what_goes_out_to_a_customer_joins_as_what_comes_in_does() {
    let mut house = House::new();
    let asha = registered(&mut house, 1, []);
    let case = case_of(&house.log(from_asha(asha)));
    let answer = house.log(Interaction { direction: Direction::Outbound, ..from_asha(asha) });
    assert_eq!((told(&answer), case_of(&answer)), (vec![LOGGED.to_vec()], case));
}

// Somebody forgotten.

/// Forgets a customer: ana asks, bo confirms, the keys are gone.
fn forget(house: &mut House, customer: CustomerId) {
    use customer::{Command, Forgetting, ForgettingReason};
    let reason = ForgettingReason::PersonAsked;
    for command in [
        Command::Forgetting(Forgetting::Ask { by: actor("ana"), reason }),
        Command::Forgetting(Forgetting::Confirm { by: actor("bo") }),
        Command::RecordForgotten,
    ] {
        house.ask(Intent::Customer { customer, command }).unwrap();
    }
}

#[test]
fn whoever_comes_again_after_they_were_forgotten_is_somebody_new() {
    let mut house = House::new();
    let known_by = || [account("a-1"), handle("x/asha"), email("asha@example.com"), phone("+44 1")];
    let asha = registered(&mut house, 1, known_by());
    forget(&mut house, asha);
    for (n, identity) in (2..).zip(known_by()) {
        let lookup = Lookup::Identity(identity.kind, identity.token);
        assert_eq!(house.shelf(Service::Intake).find(&lookup), []);
        let again = customer_of(&house.log(Interaction { sealing: fresh(n), ..caller([identity]) }));
        assert_ne!(again, asha);
    }
}

#[test]
fn nothing_that_brings_words_is_written_for_somebody_forgotten() {
    let mut house = House::new();
    let records = house.log(caller([account("a-1")]));
    let (asha, case) = (customer_of(&records), case_of(&records));
    forget(&mut house, asha);
    let late = || Interaction { sealing: fresh(2), ..says("and another thing") };
    refused(house.ask(log_intent(Interaction { customer: Some(asha), ..late() })), "CUSTOMER_FORGOTTEN");
    refused(house.ask(log_intent(Interaction { case: Some(case), ..late() })), "CUSTOMER_FORGOTTEN");
    let add = Intent::AddIdentity { customer: asha, identity: account("a-2"), sealing: fresh(2) };
    refused(house.ask(add), "CUSTOMER_FORGOTTEN");
    let step = Intent::Case { case, command: resolve(), expected_rev: None, sealing: Some(fresh(2)) };
    refused(house.ask(step), "CUSTOMER_FORGOTTEN");
}

#[test]
fn what_was_promised_to_somebody_forgotten_still_breaks_and_is_escalated() {
    let mut house = House::new();
    let records = house.log(Interaction { kind: Kind::Complaint, ..caller([account("a-1")]) });
    let (asha, id) = (customer_of(&records), case_of(&records));
    let kind = crate::values::PromiseKind::parse("callback").unwrap();
    let promise =
        case::Command::Promise { promise: promise_id(1), kind, due: day(2), text: sealed("we call") };
    house.ask(on_case(id, promise)).unwrap();
    forget(&mut house, asha);
    house.wait(3);
    let raised = house.shelf(Service::Escalation).state(Noun::Escalation(id));
    let State::Escalation(raised) = raised else { panic!("{raised:?}") };
    assert!(raised.climb().is_some());
}

#[test]
fn a_conversation_does_not_tell_who_somebody_forgotten_was() {
    let mut house = House::new();
    let in_thread =
        |n| Interaction { thread: Some(thread(1)), sealing: fresh(n), ..caller([account("a-1")]) };
    let asha = customer_of(&house.log(in_thread(1)));
    forget(&mut house, asha);
    let records = house.log(in_thread(2));
    assert_ne!(customer_of(&records), asha);
    assert!(told(&records).concat().iter().all(|event_type| *event_type != "case.linked.v1"));
}

#[test]
fn somebody_who_is_not_there_cannot_be_forgotten() {
    let mut house = House::new();
    let command = customer::Command::RecordForgotten;
    refused(house.ask(Intent::Customer { customer: customer_id(9), command }), "NOT_FOUND");
}
