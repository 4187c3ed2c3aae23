//! Stories of the customer.

use super::*;
use crate::cast::{self, Story, account, actor, customer_id, email, key, phone, sealed};
use crate::noun::Noun;

fn given(events: impl IntoIterator<Item = Event>) -> Story {
    cast::given(Noun::Customer(customer_id(1)), events)
}

fn registered() -> Event {
    Event::Registered(Registered { key: key(1), name: Some(sealed("Asha")) })
}

fn added(identity: Identity) -> Event {
    Event::IdentityAdded(IdentityAdded { identity })
}

fn key_joined(n: u8) -> Event {
    Event::KeyJoined(KeyJoined { key: key(n) })
}

fn merge_proposed(candidates: impl IntoIterator<Item = u8>) -> Event {
    let candidates = candidates.into_iter().map(customer_id).collect();
    Event::MergeProposed(MergeProposed { candidates })
}

fn register(identities: impl IntoIterator<Item = Identity>) -> Command {
    let identities = identities.into_iter().collect();
    Command::Register { key: key(1), name: Some(sealed("Asha")), identities }
}

fn add(identities: impl IntoIterator<Item = Identity>) -> Command {
    Command::AddIdentities { identities: identities.into_iter().collect() }
}

fn join_key(n: u8) -> Command {
    Command::JoinKey { key: key(n) }
}

fn propose_merge(candidates: impl IntoIterator<Item = u8>) -> Command {
    Command::ProposeMerge { candidates: candidates.into_iter().map(customer_id).collect() }
}

fn emails(count: usize) -> Vec<Identity> {
    (0..count).map(|n| email(&format!("{n}@example.com"))).collect()
}

#[test]
fn a_customer_is_registered_with_what_is_known() {
    given([])
        .when(register([account("a-1"), email("asha@example.com")]))
        .then([registered(), added(account("a-1")), added(email("asha@example.com"))])
        .again()
        .refused("ALREADY_REGISTERED");
    given([]).when(register([])).then([registered()]);
}

#[test]
fn what_is_given_twice_is_known_once() {
    given([]).when(register([phone("+44 1"), email("asha@example.com"), phone("+44 1")])).then([
        registered(),
        added(phone("+44 1")),
        added(email("asha@example.com")),
    ]);
}

#[test]
fn the_same_value_of_another_kind_is_another_identity() {
    given([registered(), added(account("asha"))])
        .when(add([cast::handle("asha")]))
        .then([added(cast::handle("asha"))]);
}

#[test]
fn an_identity_is_added_once() {
    given([registered()]).when(add([account("a-1")])).then([added(account("a-1"))]).again().then_nothing();
    given([registered(), added(account("a-1"))])
        .when(add([account("a-1"), phone("+44 1")]))
        .then([added(phone("+44 1"))]);
}

#[test]
fn a_customer_has_at_most_so_many_identities() {
    let full = || given([]).when(register(emails(IDENTITIES_MAX))).and_then();
    given([]).when(register(emails(IDENTITIES_MAX + 1))).refused("TOO_MANY_IDENTITIES");
    full().when(add([account("a-1")])).refused("TOO_MANY_IDENTITIES");
    full().when(add(emails(3))).then_nothing();
}

#[test]
fn a_key_joins_once() {
    given([registered()]).when(join_key(2)).then([key_joined(2)]).again().then_nothing();
    given([registered()]).when(join_key(1)).then_nothing();
}

#[test]
fn a_merge_is_proposed_once_whoever_else_matches_later() {
    given([registered()]).when(propose_merge([2, 3])).then([merge_proposed([2, 3])]).again().then_nothing();
    given([registered(), merge_proposed([2, 3])]).when(propose_merge([2, 3, 4])).then_nothing();
}

#[test]
fn a_proposal_names_the_first_candidates_only() {
    let most = CANDIDATES_MAX as u8;
    given([registered()]).when(propose_merge(2..2 + most + 5)).then([merge_proposed(2..2 + most)]);
}

#[test]
fn nothing_happens_to_a_customer_who_is_not_registered() {
    given([]).when(add([account("a-1")])).refused("NOT_REGISTERED");
    given([]).when(join_key(1)).refused("NOT_REGISTERED");
    given([]).when(propose_merge([2])).refused("NOT_REGISTERED");
}

#[test]
fn an_account_or_a_handle_belongs_to_one_customer_an_address_or_a_number_may_be_shared() {
    use IdentityKind::{Account, Email, Handle, Phone};
    assert_eq!([Account, Email, Handle, Phone].map(IdentityKind::is_unique), [true, false, true, false]);
}

#[test]
fn a_refusal_names_the_kind_of_what_belongs_to_another_and_not_its_value() {
    let said = Rejection::IdentityTaken { kind: IdentityKind::Email }.to_string();
    assert_eq!(said, "this e-mail address belongs to another customer");
}

fn said(said: Forgetting) -> Command {
    Command::Forgetting(said)
}

fn ask(by: &str) -> Command {
    said(Forgetting::Ask { by: actor(by), reason: ForgettingReason::PersonAsked })
}

fn confirm(by: &str) -> Command {
    said(Forgetting::Confirm { by: actor(by) })
}

fn decline(by: &str) -> Command {
    said(Forgetting::Decline { by: actor(by), because: ForgettingDeclinedBecause::IdentityNotProven })
}

fn hold(reason: HoldReason) -> Command {
    said(Forgetting::Hold { by: actor("lea"), reason })
}

fn lift(reason: HoldReason) -> Command {
    said(Forgetting::Lift { by: actor("lea"), reason, because: HoldLiftedBecause::MatterOver })
}

fn asked(by: &str) -> Event {
    Event::ForgettingRequested(ForgettingRequested { by: actor(by), reason: ForgettingReason::PersonAsked })
}

fn declined(by: &str) -> Event {
    let because = ForgettingDeclinedBecause::IdentityNotProven;
    Event::ForgettingDeclined(ForgettingDeclined { by: actor(by), because })
}

fn confirmed(by: &str, keys: impl IntoIterator<Item = u8>) -> Event {
    let keys = keys.into_iter().map(key).collect();
    Event::ForgettingConfirmed(ForgettingConfirmed { by: actor(by), keys })
}

fn held(reason: HoldReason) -> Event {
    Event::HoldPlaced(HoldPlaced { by: actor("lea"), reason })
}

fn lifted(reason: HoldReason) -> Event {
    Event::HoldLifted(HoldLifted { by: actor("lea"), reason, because: HoldLiftedBecause::MatterOver })
}

fn forgotten(keys_destroyed: u32) -> Event {
    Event::Forgotten(Forgotten { keys_destroyed })
}

#[test]
fn a_customer_is_forgotten_when_a_second_person_confirms_it() {
    given([registered(), key_joined(2)])
        .when(ask("ana"))
        .then([asked("ana")])
        .and_then()
        .when(confirm("bo"))
        .then([confirmed("bo", [1, 2])])
        .and_then()
        .when(Command::RecordForgotten)
        .then([forgotten(2)])
        .again()
        .then_nothing();
}

#[test]
fn who_asked_cannot_confirm_whoever_else_asked_after_them() {
    given([registered(), asked("ana")]).when(confirm("ana")).refused("SECOND_PERSON_NEEDED");
    given([registered(), asked("ana")])
        .when(ask("bo"))
        .then_nothing()
        .and_then()
        .when(confirm("ana"))
        .refused("SECOND_PERSON_NEEDED");
}

#[test]
fn who_acts_for_whoever_asked_cannot_confirm_it_nor_the_other_way_round() {
    let for_ana = || actor("bo").acting_for(&actor("ana"));
    given([registered(), asked("ana")])
        .when(said(Forgetting::Confirm { by: for_ana() }))
        .refused("SECOND_PERSON_NEEDED");
    let reason = ForgettingReason::PersonAsked;
    let asked_for_ana = Event::ForgettingRequested(ForgettingRequested { by: for_ana(), reason });
    given([registered(), asked_for_ana]).when(confirm("bo")).refused("SECOND_PERSON_NEEDED");
}

#[test]
fn what_nobody_asked_for_is_neither_confirmed_nor_declined() {
    given([registered()]).when(confirm("bo")).refused("FORGETTING_NOT_ASKED");
    given([registered()]).when(decline("bo")).refused("FORGETTING_NOT_ASKED");
    given([registered(), asked("ana")]).when(Command::RecordForgotten).refused("FORGETTING_NOT_CONFIRMED");
}

#[test]
fn what_is_declined_is_off_the_table_until_it_is_asked_for_again() {
    given([registered(), asked("ana")])
        .when(decline("bo"))
        .then([declined("bo")])
        .and_then()
        .when(confirm("cy"))
        .refused("FORGETTING_NOT_ASKED");
    given([registered(), asked("ana"), declined("bo")]).when(ask("bo")).then([asked("bo")]);
}

#[test]
fn nobody_is_forgotten_while_a_hold_stands() {
    use HoldReason::{Bookkeeping, Litigation};
    given([registered(), held(Litigation)]).when(ask("ana")).refused("LEGAL_HOLD");
    let asked_and_held = || given([registered(), asked("ana"), held(Litigation), held(Bookkeeping)]);
    asked_and_held().when(confirm("bo")).refused("LEGAL_HOLD");
    asked_and_held()
        .when(lift(Litigation))
        .then([lifted(Litigation)])
        .and_then()
        .when(confirm("bo"))
        .refused("LEGAL_HOLD");
    given([registered(), asked("ana"), held(Litigation), lifted(Litigation)])
        .when(confirm("bo"))
        .then([confirmed("bo", [1])]);
}

#[test]
fn a_hold_stands_once_and_is_lifted_once() {
    let reason = HoldReason::Litigation;
    given([registered()]).when(hold(reason)).then([held(reason)]).again().then_nothing();
    given([registered(), held(reason)]).when(lift(reason)).then([lifted(reason)]).again().then_nothing();
}

#[test]
fn nothing_is_written_for_somebody_forgotten_and_that_they_be_forgotten_is_so() {
    let going = vec![registered(), asked("ana"), confirmed("bo", [1])];
    let gone = [going.clone(), vec![forgotten(1)]].concat();
    for history in [going, gone] {
        let late = [
            register([account("a-1")]),
            add([account("a-1")]),
            join_key(3),
            propose_merge([2]),
            decline("cy"),
            hold(HoldReason::Litigation),
            lift(HoldReason::Litigation),
        ];
        for command in late {
            given(history.clone()).when(command).refused("CUSTOMER_FORGOTTEN");
        }
        given(history.clone()).when(ask("ana")).then_nothing();
        given(history).when(confirm("bo")).then_nothing();
    }
}

#[test]
fn nothing_is_kept_of_what_somebody_forgotten_was_known_by() {
    let state = |events: Vec<Event>| given(events).when(ask("cy")).then_nothing().and_then().state().clone();
    let going = vec![registered(), added(email("asha@example.com")), asked("ana"), confirmed("bo", [1])];
    let expected = State::BeingForgotten { keys: vec![key(1)] };
    assert_eq!(state(going.clone()), crate::noun::State::Customer(expected));
    let gone = [going, vec![forgotten(1)]].concat();
    assert_eq!(state(gone), crate::noun::State::Customer(State::Forgotten));
}
