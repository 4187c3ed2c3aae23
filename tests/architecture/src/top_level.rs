//! What stands at the top of the repository, and what every file and crate of ours begins with.

use std::fs;

use crate::house::{files, root};

#[test]
fn the_top_of_the_repository_is_what_the_readme_says_and_nothing_else() {
    let names = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    // Tool files are dotfiles, and what cargo builds is not kept.
    let mut names: Vec<String> = names.filter(|name| !name.starts_with('.') && name != "target").collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["Cargo.lock", "Cargo.toml", "README.md", "deploy", "libs", "proto", "services", "tests"]
    );
}

#[test]
fn every_source_file_opens_with_a_sentence_that_says_what_lives_there() {
    let sources = ["libs", "services", "tests"].into_iter().flat_map(|folder| files(folder, ".rs"));
    let silent = sources.filter(|source| !source.text.starts_with("//! ")).map(|source| source.path);
    assert_eq!(silent.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn every_crate_is_held_to_the_workspaces_lints() {
    let manifests = ["libs", "services", "tests"].into_iter().flat_map(|folder| files(folder, "Cargo.toml"));
    let loose = manifests.filter(|manifest| !manifest.text.contains("[lints]\nworkspace = true\n"));
    assert_eq!(loose.map(|manifest| manifest.path).collect::<Vec<_>>(), Vec::<String>::new());
}
