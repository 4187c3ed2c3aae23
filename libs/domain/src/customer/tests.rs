//! Stories of the customer.

use super::*;
use crate::cast::{self, Story, account, customer_id, email, key, phone, sealed};
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
