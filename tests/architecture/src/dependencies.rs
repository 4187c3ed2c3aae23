//! Who depends on whom, as `dependencies.txt` has it, and the rules it must obey.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::house::files;

/// A crate of ours: the folder it stands in, and the crates of ours it depends on.
struct Crate {
    /// For example `libs/domain`.
    folder: String,
    /// What it is built with.
    needs: BTreeSet<String>,
    /// What only its tests are built with.
    tests_need: BTreeSet<String>,
    /// What it is built with that is not ours.
    others: BTreeSet<String>,
}

/// All crates of ours by name.
fn crates() -> BTreeMap<String, Crate> {
    let manifests = ["libs", "services", "tests"].into_iter().flat_map(|folder| files(folder, "/Cargo.toml"));
    let read = |manifest: crate::house::Source| {
        let toml: toml::Table = manifest.text.parse().unwrap();
        let names = |section: &str| -> BTreeSet<String> {
            let table = toml.get(section).and_then(toml::Value::as_table);
            table.into_iter().flat_map(toml::Table::keys).cloned().collect()
        };
        let is_ours = |name: &String| name == "seva" || name.starts_with("seva-");
        let built_with = &names("dependencies") | &names("build-dependencies");
        let (needs, others) = built_with.into_iter().partition(is_ours);
        let tests_need = names("dev-dependencies").into_iter().filter(is_ours).collect();
        let folder = manifest.path.trim_end_matches("/Cargo.toml").to_owned();
        let name = toml["package"]["name"].as_str().unwrap().to_owned();
        (name, Crate { folder, needs, tests_need, others })
    };
    manifests.map(read).collect()
}

/// The part of the house that a crate belongs to: `libs`, `services` or `tests`.
fn part(krate: &Crate) -> &str {
    krate.folder.split('/').next().unwrap()
}

#[test]
fn who_depends_on_whom_is_as_agreed() {
    let crates = crates();
    let mut found = String::new();
    for (name, krate) in &crates {
        let line = |names: &BTreeSet<String>| names.iter().map(|name| format!(" {name}")).collect::<String>();
        writeln!(found, "{name} ->{}", line(&krate.needs)).unwrap();
        if !krate.tests_need.is_empty() {
            writeln!(found, "{name}, its tests ->{}", line(&krate.tests_need)).unwrap();
        }
    }
    let agreed = include_str!("../dependencies.txt");
    assert!(
        found == agreed,
        "dependencies.txt says otherwise; if the new edge is meant, it should be:\n{found}"
    );
}

#[test]
fn the_libraries_depend_on_each_other_in_one_direction() {
    let crates = crates();
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("seva-api", ["seva-domain", "seva-eventlog", "seva-readmodel", "seva-vault"].as_slice()),
        ("seva-domain", &[]),
        ("seva-eventlog", &["seva-domain"]),
        ("seva-host", &[]),
        ("seva-readmodel", &["seva-domain", "seva-eventlog"]),
        ("seva-rights", &["seva-domain"]),
        ("seva-vault", &["seva-domain"]),
    ]);
    let libraries = crates.iter().filter(|(_, krate)| part(krate) == "libs");
    assert!(
        libraries.clone().map(|(name, _)| name.as_str()).eq(allowed.keys().copied()),
        "a library has no rule"
    );
    for (name, krate) in libraries {
        let others = krate.needs.iter().filter(|needed| !allowed[name.as_str()].contains(&needed.as_str()));
        assert_eq!(others.collect::<Vec<_>>(), Vec::<&String>::new(), "{name}");
    }
}

#[test]
fn services_meet_through_events_and_never_know_each_other() {
    let crates = crates();
    let program = "seva";
    for (name, krate) in crates.iter().filter(|(name, krate)| part(krate) == "services" && *name != program) {
        let strangers = krate.needs.iter().filter(|needed| part(&crates[*needed]) != "libs");
        assert_eq!(strangers.collect::<Vec<_>>(), Vec::<&String>::new(), "{name}");
    }
    let strangers = crates[program].needs.iter().filter(|needed| part(&crates[*needed]) == "tests");
    assert_eq!(strangers.collect::<Vec<_>>(), Vec::<&String>::new(), "{program}");
}

#[test]
fn the_domain_is_built_with_small_pure_crates_only() {
    let allowed =
        ["iso_currency", "serde", "serde_json", "sha2", "thiserror", "toml", "unicode-normalization", "uuid"];
    let domain = &crates()["seva-domain"];
    assert!(domain.others.iter().map(String::as_str).eq(allowed), "{:?}", domain.others);
}
