//! Stories of the import.

use super::*;
use crate::cast::{self, Story, import_id};
use crate::noun::Noun;

fn given(events: impl IntoIterator<Item = Event>) -> Story {
    cast::given(Noun::Import(import_id(1)), events)
}

fn started() -> Event {
    Event::Started(Started {})
}

fn closed(recorded: u64, already_recorded: u64, refused: u64) -> Event {
    Event::Closed(Closed { recorded, already_recorded, refused })
}

fn close(recorded: u64, already_recorded: u64, refused: u64) -> Command {
    Command::Close { recorded, already_recorded, refused }
}

#[test]
fn an_import_is_started_once() {
    given([]).when(Command::Start).then([started()]).again().then_nothing();
    given([started(), closed(2, 0, 0)]).when(Command::Start).then_nothing();
}

#[test]
fn a_running_import_is_closed_with_what_it_brought_even_if_that_is_nothing() {
    given([started()]).when(close(2, 1, 3)).then([closed(2, 1, 3)]);
    given([started()]).when(close(0, 0, 0)).then([closed(0, 0, 0)]).again().then_nothing();
}

#[test]
fn a_sending_that_brings_nothing_new_leaves_a_closed_import_as_it_is() {
    given([started(), closed(2, 0, 1)]).when(close(0, 2, 1)).then_nothing();
}

#[test]
fn a_sending_that_brings_more_closes_the_import_with_what_it_brought() {
    given([started(), closed(2, 0, 1)]).when(close(1, 2, 0)).then([closed(1, 2, 0)]);
}

#[test]
fn an_import_that_never_started_cannot_be_closed() {
    given([]).when(close(2, 0, 0)).then_nothing();
}
