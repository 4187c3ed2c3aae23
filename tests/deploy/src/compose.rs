//! The containers: one for each service, on the ports that the units use too, all on one loopback.

use seva_host::shutdown::DRAIN;
use yaml_rust2::{Yaml, YamlLoader};

use crate::files::{services, text, variables};

/// The whole file.
fn compose() -> Yaml {
    YamlLoader::load_from_str(&text("deploy/compose.yaml")).unwrap().remove(0)
}

/// A setting of a container: its own, or that of what it is merged with.
fn setting<'a>(container: &'a Yaml, name: &str) -> &'a Yaml {
    match &container[name] {
        Yaml::BadValue => &container["<<"][name],
        own => own,
    }
}

fn strings(list: &Yaml) -> Vec<String> {
    list.as_vec().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// The command lines of the program: what each service's container runs, and how its health is asked.
pub(crate) fn calls() -> Vec<Vec<String>> {
    let compose = compose();
    let mut calls = vec![
        ["seva".to_owned()].into_iter().chain(strings(&compose["services"]["setup"]["command"])).collect(),
    ];
    for service in services() {
        let container = &compose["services"][service];
        assert!(!container.is_badvalue(), "there is no container for {service}");
        let mut serve = vec!["seva".to_owned()];
        serve.extend(strings(&container["command"]));
        let health = strings(&container["healthcheck"]["test"]);
        assert_eq!(health[0], "CMD");
        calls.extend([serve, health[1..].to_vec()]);
    }
    calls
}

#[test]
fn every_service_has_a_container_and_each_asks_for_its_own_health() {
    let compose = compose();
    let names = compose["services"].as_hash().unwrap().keys().map(|name| name.as_str().unwrap());
    let found: Vec<&str> = names.filter(|name| !["host", "nats", "setup"].contains(name)).collect();
    assert_eq!(found, services());
    for (pair, service) in calls()[1..].chunks(2).zip(found) {
        assert_eq!(pair[0][1..3], ["serve", service]);
        assert_eq!(pair[1][1..4], ["status", service, "--ready"]);
    }
}

#[test]
fn containers_and_units_answer_on_the_same_ports() {
    let variables = variables();
    for (call, service) in calls()[1..].iter().step_by(2).zip(services()) {
        let after = |option: &str| call[call.iter().position(|word| word == option).unwrap() + 1].clone();
        assert_eq!(after("--listen"), format!("127.0.0.1:{}", variables[&format!("PORT_{service}")]));
        assert_eq!(after("--metrics-port"), variables[&format!("METRICS_PORT_{service}")]);
    }
}

#[test]
fn all_share_one_loopback_and_the_time_to_drain() {
    let compose = compose();
    let containers = compose["services"].as_hash().unwrap();
    for (name, container) in containers.iter().filter(|(name, _)| name.as_str() != Some("host")) {
        assert_eq!(setting(container, "network_mode").as_str(), Some("service:host"), "{name:?}");
        let period = setting(container, "stop_grace_period").as_str().unwrap();
        let seconds: u64 = period.strip_suffix('s').unwrap().parse().unwrap();
        assert!(seconds > DRAIN.as_secs(), "{name:?}");
    }
}

#[test]
fn what_a_container_names_is_declared() {
    let compose = compose();
    let declared = |kind: &str, name: &str| !compose[kind][name].is_badvalue();
    for (_, container) in compose["services"].as_hash().unwrap() {
        for kind in ["secrets", "volumes"] {
            let Some(used) = setting(container, kind).as_vec() else { continue };
            for used in used {
                let name = used.as_str().unwrap().split(':').next().unwrap();
                assert!(name.starts_with("./") || declared(kind, name), "{kind}: {name}");
            }
        }
        // Values that are secret, or that hide what a command line does not show.
        assert!(setting(container, "environment").is_badvalue());
    }
    assert!(compose["secrets"]["master_key"]["file"].as_str().is_some());
}

#[test]
fn every_container_has_its_own_seed_and_no_other_ones() {
    let compose = compose();
    for service in services() {
        let mut seeds = strings(setting(&compose["services"][service], "secrets"));
        seeds.retain(|secret| secret.ends_with(".nk"));
        let mut wanted = vec![format!("{service}.nk")];
        // Intake forgets persons.
        wanted.extend((service == "intake").then(|| "keeper.nk".to_owned()));
        assert_eq!(seeds, wanted);
    }
    assert_eq!(strings(&compose["services"]["setup"]["secrets"]), ["operator.nk"]);
    for (name, secret) in compose["secrets"].as_hash().unwrap() {
        let (name, file) = (name.as_str().unwrap(), secret["file"].as_str().unwrap());
        assert!(!name.ends_with(".nk") || file == format!("./seeds/{name}"), "{file}");
    }
}
