//! What must hold of the week for it to play, once and again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use seva_domain::classify::{Phrases, classify};
use seva_domain::policy::{Document, STARTER};
use seva_domain::values::Language;

use super::*;

fn week() -> Week {
    Week::load().unwrap()
}

fn said(week: &Week) -> impl Iterator<Item = &Saying> {
    week.steps.iter().filter_map(|step| match &step.what {
        What::Say(saying) => Some(saying),
        _ => None,
    })
}

#[test]
fn customers_say_at_least_sixty_different_things_in_five_languages() {
    let week = week();
    let texts: BTreeSet<&str> = said(&week).map(|saying| saying.text.as_str()).collect();
    assert!(texts.len() >= 60, "{} texts", texts.len());
    let mut languages: BTreeMap<&str, usize> = BTreeMap::new();
    for saying in said(&week) {
        *languages.entry(&saying.lang).or_default() += 1;
    }
    assert_eq!(languages.keys().copied().collect::<Vec<_>>(), ["bn", "en", "hi", "ta", "tr"]);
    assert!(languages.values().all(|count| *count >= 8), "{languages:?}");
}

#[test]
fn no_text_is_used_twice() {
    let week = week();
    let mut seen = BTreeSet::new();
    for step in week.steps.iter().filter(|step| !step.what.text().is_empty()) {
        assert!(seen.insert(step.what.text()), "`{}` repeats a text", step.id);
    }
}

#[test]
fn every_text_is_in_the_language_it_says() {
    let week = week();
    for saying in said(&week) {
        let detected = seva_domain::classify::detect(&saying.text);
        assert_eq!(detected.primary(), saying.lang, "{}", saying.text);
    }
}

#[test]
fn ids_are_unique_and_steps_refer_to_earlier_ones() {
    let week = week();
    let mut kinds: HashMap<&str, &What> = HashMap::new();
    for step in &week.steps {
        let (case, suggestion) = references(&step.what);
        if let Some(case) = case {
            assert!(matches!(kinds.get(case), Some(What::Say(_))), "`{}` names `{case}`", step.id);
        }
        if let Some(suggestion) = suggestion {
            let fits = match kinds.get(suggestion) {
                Some(What::Say(saying)) => saying.kind == CaseKind::Suggestion,
                Some(What::Capture { .. }) => true,
                _ => false,
            };
            assert!(fits, "`{}` names `{suggestion}`", step.id);
        }
        assert!(kinds.insert(&step.id, &step.what).is_none(), "`{}` is there twice", step.id);
    }
}

fn references(what: &What) -> (Option<&str>, Option<&str>) {
    match what {
        What::Say(saying) => (saying.case.as_deref(), None),
        What::Reply { to: case, .. }
        | What::Resolve { case, .. }
        | What::Confirm { case }
        | What::Reject { case, .. }
        | What::Reopen { case, .. }
        | What::Reclassify { case, .. } => (Some(case), None),
        What::Acknowledge { suggestion }
        | What::Reroute { suggestion, .. }
        | What::Adopt { suggestion, .. }
        | What::Decline { suggestion, .. }
        | What::Outcome { suggestion, .. } => (None, Some(suggestion)),
        What::Register { .. } | What::Identity { .. } | What::Capture { .. } => (None, None),
    }
}

#[test]
fn customers_first_come_with_all_they_are_known_by() {
    let week = week();
    let mut known = BTreeSet::new();
    for step in &week.steps {
        match &step.what {
            What::Register { who } => assert!(known.insert(who.as_str())),
            What::Say(Saying { who: Some(who), via, .. }) => {
                week.person(who).unwrap();
                assert!(
                    via.is_none() || known.contains(who.as_str()),
                    "`{}` comes with one identity first",
                    step.id
                );
                known.insert(who);
            }
            _ => {}
        }
    }
    assert!(week.customers.len() >= 20);
    assert_eq!(known.len(), week.customers.len(), "everybody comes");
    assert!(known.contains(week.story.as_str()));
}

#[test]
fn identities_are_from_ranges_reserved_for_fiction() {
    let week = week();
    let added = week.steps.iter().filter_map(|step| match &step.what {
        What::Identity { identity, .. } => Some(identity),
        _ => None,
    });
    for identity in week.customers.iter().flat_map(|person| &person.identities).chain(added) {
        let value = identity.value.as_str();
        let invented = match identity.kind() {
            IdentityKind::Email => {
                ["@example.com", "@example.net", "@example.org"].iter().any(|end| value.ends_with(end))
            }
            IdentityKind::Phone => ["+1 202 555 01", "+44 7700 900", "+44 20 7946 0"]
                .iter()
                .any(|start| value.starts_with(start)),
            IdentityKind::Handle => value.ends_with("example"),
            IdentityKind::Account => value.starts_with("A-2"),
            IdentityKind::Unspecified => false,
        };
        assert!(invented, "{value}");
    }
}

#[test]
fn time_goes_forward_and_the_week_ends_before_the_start() {
    let week = week();
    let moments: Vec<Moment> = week.steps.iter().filter_map(|step| step.what.at()).collect();
    assert!(moments.is_sorted());
    let start: Timestamp = "2026-03-09T00:20:00Z".parse().unwrap();
    assert_eq!(Moment::parse("1 08:41").unwrap().before(start).unwrap().to_string(), "2026-03-02T08:41:00Z");
    assert!(Moment::parse("7 23:59").unwrap().before(start).unwrap() < start);
    assert_eq!(Moment::parse("8 00:00"), None);
}

#[test]
fn no_field_of_a_step_is_misspelled() {
    let raw: toml::Table = toml::from_str(include_str!("week.toml")).unwrap();
    let known = [
        "at",
        "audience",
        "blind",
        "by",
        "case",
        "channel",
        "department",
        "do",
        "id",
        "identity",
        "kind",
        "lang",
        "suggestion",
        "text",
        "thread",
        "to",
        "via",
        "who",
    ];
    for step in raw["steps"].as_array().unwrap() {
        for field in step.as_table().unwrap().keys() {
            assert!(known.contains(&field.as_str()), "`{field}` in {step}");
        }
    }
}

/// The starter policy must leave room for the week's decisions: what triage holds cannot be adopted.
#[test]
fn the_starter_policy_routes_what_departments_decide_on() {
    let week = week();
    let document = Document::parse(STARTER).unwrap();
    let phrases = Phrases::compile(&document, 1);
    let route = |text: &str, lang: &str| {
        let hit = classify(text, Language::parse(lang).as_ref(), &phrases).hit;
        hit.and_then(|hit| document.department(&hit))
            .map_or("triage".to_owned(), |found| found.as_str().to_owned())
    };
    let mut inboxes: HashMap<&str, String> = HashMap::new();
    let mut departments = BTreeSet::new();
    for step in &week.steps {
        match &step.what {
            What::Say(saying) if saying.kind == CaseKind::Suggestion => {
                inboxes.insert(&step.id, route(&saying.text, &saying.lang));
                departments.insert(route(&saying.text, &saying.lang));
            }
            What::Capture { lang, text, .. } => {
                inboxes.insert(&step.id, route(text, lang));
            }
            What::Reroute { suggestion, department, .. } => {
                assert_ne!(&inboxes[suggestion.as_str()], department, "`{}` changes nothing", step.id);
                inboxes.insert(suggestion, department.clone());
            }
            What::Adopt { suggestion, .. } => {
                assert_ne!(inboxes[suggestion.as_str()], "triage", "`{}`", step.id)
            }
            _ => {}
        }
    }
    for expected in ["billing", "delivery", "marketing", "packaging", "product", "service", "triage"] {
        assert!(departments.contains(expected), "nothing reaches {expected}: {inboxes:?}");
    }
}
