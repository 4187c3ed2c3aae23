//! Stories of the policy's versions.

use super::*;
use crate::cast::{self, DOCUMENT, Story};
use crate::noun::Noun;

fn given(events: impl IntoIterator<Item = Event>) -> Story {
    cast::given(Noun::Policy, events)
}

fn published(version: u64, document: &str) -> Event {
    Event::Published(Published { version, document: document.to_owned(), reason: "a start".to_owned() })
}

fn publish(document: &str) -> Command {
    Command::Publish { document: document.to_owned(), reason: "a start".to_owned() }
}

#[test]
fn the_first_document_becomes_version_1() {
    given([]).when(publish(STARTER)).then([published(1, STARTER)]).again().then_nothing();
}

#[test]
fn another_document_becomes_the_next_version() {
    given([published(1, STARTER)]).when(publish(DOCUMENT)).then([published(2, DOCUMENT)]);
}

#[test]
fn an_earlier_document_may_come_back_as_a_version_of_its_own() {
    given([published(1, STARTER), published(2, DOCUMENT)])
        .when(publish(STARTER))
        .then([published(3, STARTER)]);
}

#[test]
fn the_document_in_force_published_again_changes_nothing_whatever_the_reason() {
    let again = Command::Publish { document: STARTER.to_owned(), reason: "once more".to_owned() };
    given([published(1, STARTER)]).when(again).then_nothing();
}

#[test]
fn a_document_with_something_wrong_in_it_is_refused() {
    let wrong = DOCUMENT.replace("department = \"delivery\"", "department = \"deliveries\"");
    given([]).when(publish(&wrong)).refused("POLICY_INVALID");
    given([published(1, STARTER)]).when(publish("not even TOML")).refused("POLICY_INVALID");
}

#[test]
fn a_refusal_says_how_much_is_wrong_and_where_it_begins() {
    let findings = vec![
        Finding { path: "title".to_owned(), message: "is empty".to_owned() },
        Finding { path: "case.rule".to_owned(), message: "is empty".to_owned() },
    ];
    let said = Rejection::Invalid { findings }.to_string();
    assert_eq!(said, "the document cannot be the policy: 2 finding(s), the first at title: is empty");
}

#[test]
fn the_version_in_force_can_be_asked_and_before_the_first_there_is_none() {
    let in_force = evolve(State::Absent, &published(4, DOCUMENT));
    assert_eq!(Policy::of(&in_force), Some(cast::policy(4)));
    assert_eq!((in_force.version(), State::Absent.version()), (4, 0));
    assert_eq!(Policy::of(&State::Absent), None);
}
