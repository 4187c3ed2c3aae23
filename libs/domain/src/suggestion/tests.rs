//! Stories of the suggestion.

use super::*;
use crate::cast::{self, Story, about_lateness, classified, department, key, policy, sealed, suggestion_id};
use crate::noun::{self, Noun};
use crate::values::{Hit, Sealed};

fn given(events: impl IntoIterator<Item = Event>) -> Story {
    cast::given(Noun::Suggestion(suggestion_id(1)), events)
}

fn idea(hit: Option<Hit>) -> Captured {
    let (text, classification) = (sealed("an idea"), classified(hit));
    Captured { text, classification, customer: None, case: None, interaction: None }
}

fn routed(to: &str, hit: Option<Hit>) -> Event {
    Event::Routed(Routed { department: department(to), policy: 1, hit })
}

fn in_delivery() -> [Event; 2] {
    [Event::Captured(idea(Some(about_lateness()))), routed("delivery", Some(about_lateness()))]
}

fn in_triage() -> [Event; 2] {
    [Event::Captured(idea(None)), routed("triage", None)]
}

fn in_delivery_and(then: Event) -> Vec<Event> {
    in_delivery().into_iter().chain([then]).collect()
}

fn why() -> Sealed {
    sealed("because")
}

fn acknowledged() -> Event {
    Event::Acknowledged(Acknowledged {})
}

fn adopted() -> Event {
    Event::Adopted(Adopted { plan: sealed("next spring") })
}

fn declined() -> Event {
    Event::Declined(Declined { reason: why() })
}

fn rerouted(from: &str, to: &str) -> Event {
    Event::Rerouted(Rerouted { from: department(from), to: department(to), reason: why() })
}

fn told(to: Audience) -> Event {
    Event::OutcomeReported(OutcomeReported { to, message: sealed("thank you") })
}

fn reroute(to: &str) -> Command {
    Command::Reroute { to: department(to), reason: why() }
}

fn adopt() -> Command {
    Command::Adopt { plan: sealed("next spring") }
}

fn decline() -> Command {
    Command::Decline { reason: why() }
}

fn tell(to: Audience) -> Command {
    Command::ReportOutcome { to, message: sealed("thank you") }
}

#[track_caller]
fn is_in(story: &Story, inbox: &str) {
    let noun::State::Suggestion(state) = story.state() else { panic!("not a suggestion") };
    assert_eq!(state.idea().unwrap().department, department(inbox));
}

#[test]
fn a_suggestion_whose_words_name_a_department_is_routed_there() {
    let idea = idea(Some(about_lateness()));
    given([])
        .when(Command::Capture(idea.clone()))
        .then([Event::Captured(idea)])
        .and_policy([routed("delivery", Some(about_lateness()))])
        .again()
        .then_nothing();
}

#[test]
fn a_suggestion_that_no_phrase_routes_goes_to_triage() {
    let idea = idea(None);
    let outcome = given([]).when(Command::Capture(idea.clone())).then([Event::Captured(idea)]);
    outcome.and_policy([routed("triage", None)]);
}

#[test]
fn a_hit_that_the_policy_in_force_does_not_have_goes_to_triage() {
    let unknown = Hit { row: "crumbs".to_owned(), ..about_lateness() };
    given([]).when(Command::Capture(idea(Some(unknown)))).and_policy([routed("triage", None)]);
}

#[test]
fn a_route_names_the_version_of_the_policy_that_chose_it() {
    let by_version_3 = Routed { department: department("triage"), policy: 3, hit: None };
    given([]).under(policy(3)).when(Command::Capture(idea(None))).and_policy([Event::Routed(by_version_3)]);
}

#[test]
fn a_suggestion_captured_before_it_is_routed_is_in_triage() {
    let [captured, _] = in_delivery();
    is_in(&given([captured]), "triage");
    is_in(&given(in_delivery()), "delivery");
}

#[test]
fn a_suggestion_keeps_the_key_that_its_text_is_sealed_under() {
    let story = given(in_delivery());
    let noun::State::Suggestion(state) = story.state() else { panic!("not a suggestion") };
    assert_eq!(state.idea().unwrap().key, key(1));
}

#[test]
fn whatever_became_of_a_suggestion_it_is_captured_once() {
    for history in [in_delivery_and(acknowledged()), in_delivery_and(adopted()), in_delivery_and(declined())]
    {
        given(history).when(Command::Capture(idea(None))).then_nothing();
    }
}

#[test]
fn the_department_acknowledges_it_once() {
    given(in_delivery()).when(Command::Acknowledge).then([acknowledged()]).again().then_nothing();
    given(in_triage()).when(Command::Acknowledge).then([acknowledged()]);
}

#[test]
fn a_suggestion_that_belongs_elsewhere_is_moved_there_and_waits_anew() {
    let outcome = given(in_delivery_and(acknowledged())).when(reroute("product"));
    let story = outcome.then([rerouted("delivery", "product")]).again().then_nothing().and_then();
    is_in(&story, "product");
    story.when(Command::Acknowledge).then([acknowledged()]);
}

#[test]
fn a_suggestion_may_go_back_to_triage() {
    let outcome = given(in_delivery()).when(reroute("triage")).then([rerouted("delivery", "triage")]);
    is_in(&outcome.and_then(), "triage");
}

#[test]
fn moving_it_where_it_is_changes_nothing_not_even_the_acknowledgement() {
    given(in_delivery_and(acknowledged()))
        .when(reroute("delivery"))
        .then_nothing()
        .and_then()
        .when(Command::Acknowledge)
        .then_nothing();
}

#[test]
fn a_department_adopts_a_suggestion_acknowledged_or_not() {
    given(in_delivery()).when(adopt()).then([adopted()]).again().refused("ALREADY_DECIDED");
    given(in_delivery_and(acknowledged())).when(adopt()).then([adopted()]);
}

#[test]
fn triage_adopts_nothing() {
    given(in_triage()).when(adopt()).refused("IN_TRIAGE");
    given(in_delivery_and(rerouted("delivery", "triage"))).when(adopt()).refused("IN_TRIAGE");
    given(in_triage()).when(reroute("product")).and_then().when(adopt()).then([adopted()]);
}

#[test]
fn a_suggestion_may_be_declined_even_in_triage() {
    given(in_delivery()).when(decline()).then([declined()]).again().refused("ALREADY_DECIDED");
    given(in_triage()).when(decline()).then([declined()]);
}

#[test]
fn what_is_decided_stays_decided() {
    for decision in [adopted(), declined()] {
        let decided = || given(in_delivery_and(decision.clone()));
        decided().when(Command::Acknowledge).refused("ALREADY_DECIDED");
        decided().when(reroute("product")).refused("ALREADY_DECIDED");
        decided().when(reroute("delivery")).refused("ALREADY_DECIDED");
        decided().when(adopt()).refused("ALREADY_DECIDED");
        decided().when(decline()).refused("ALREADY_DECIDED");
    }
}

#[test]
fn each_audience_is_told_the_outcome_once() {
    for decision in [adopted(), declined()] {
        let story = given(in_delivery_and(decision));
        let customer =
            story.when(tell(Audience::Customer)).then([told(Audience::Customer)]).again().then_nothing();
        let both =
            customer.and_then().when(tell(Audience::Representative)).then([told(Audience::Representative)]);
        both.again().then_nothing().and_then().when(tell(Audience::Customer)).then_nothing();
    }
}

#[test]
fn there_is_no_outcome_to_tell_before_the_decision() {
    given(in_delivery()).when(tell(Audience::Customer)).refused("NOT_DECIDED");
    given(in_delivery_and(acknowledged())).when(tell(Audience::Customer)).refused("NOT_DECIDED");
}

#[test]
fn nothing_but_its_capture_happens_to_a_suggestion_that_does_not_exist() {
    for command in [Command::Acknowledge, reroute("product"), adopt(), decline(), tell(Audience::Customer)] {
        given([]).when(command).refused("NOT_FOUND");
    }
}
