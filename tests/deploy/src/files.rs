//! The files of `deploy/`, and what all of them must keep to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use seva_domain::service::Service;

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A file's text, named from the top of the repository.
pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What `seva serve` can be told to run, in order of their names.
pub(crate) fn services() -> Vec<&'static str> {
    let mut names: Vec<&str> = Service::ALL.into_iter().map(Service::name).chain(["history"]).collect();
    names.sort_unstable();
    names
}

/// `NAME=value` of each line of `seva.env`.
pub(crate) fn variables() -> BTreeMap<String, String> {
    let text = text("deploy/systemd/seva.env");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once('=').unwrap()).map(|(name, value)| (name.into(), value.into())).collect()
}

/// All files below a folder, as paths from the top of the repository.
fn all(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(all(&path)),
            false => found.push(path),
        }
    }
    found
}

#[test]
fn no_file_holds_a_secret() {
    // Keys made as the README says lie there on a machine that runs it, and are never kept.
    let kept = |path: &String| path != "deploy/master.key" && !path.starts_with("deploy/seeds/");
    let files = all("deploy").into_iter().filter(kept);
    let is_master = |word: &str| word.len() >= 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_seed = |word: &str| word.len() == 58 && word.starts_with("SU");
    let is_key = |word: &str| is_master(word) || is_seed(word);
    for path in files {
        let text = text(&path);
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        assert_eq!(words.filter(|word| is_key(word)).count(), 0, "{path} holds what looks like a key");
    }
    for ignored in ["/deploy/master.key", "/deploy/seeds/"] {
        assert!(text(".gitignore").lines().any(|line| line == ignored), "{ignored}");
    }
}

#[test]
fn the_image_is_built_by_the_compiler_that_the_workspace_asks_for() {
    let manifest = text("Cargo.toml");
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap();
    let wanted = format!("FROM rust:{}-", version.trim_matches('"'));
    assert!(text("deploy/Dockerfile").lines().any(|line| line.starts_with(&wanted)), "{wanted}");
}
