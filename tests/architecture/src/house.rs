//! The repository as files: where it is, what is in it, and its sources without tests and comments.

use std::fs;
use std::path::{Path, PathBuf};

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A file of the house.
pub(crate) struct Source {
    /// From the top of the repository, with `/` between the parts.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// All files below a folder whose names end so, in order of their paths.
pub(crate) fn files(folder: &str, ending: &str) -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    gather(&root.join(folder), ending, &mut found);
    found.sort();
    let read = |path: PathBuf| {
        let parts: Vec<&str> =
            path.strip_prefix(&root).unwrap().iter().map(|part| part.to_str().unwrap()).collect();
        Source { path: parts.join("/"), text: fs::read_to_string(&path).unwrap() }
    };
    found.into_iter().map(read).collect()
}

fn gather(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, ending, found);
        } else if path.to_str().is_some_and(|path| path.ends_with(ending)) {
            found.push(path);
        }
    }
}

/// Files that hold nothing but tests, and are not named after them.
const TESTS_ONLY: &[&str] = &["libs/domain/src/cast.rs", "libs/domain/src/properties.rs"];

impl Source {
    /// Whether all of it is there for tests.
    pub(crate) fn is_test(&self) -> bool {
        let named = self.path.ends_with("tests.rs")
            || self.path.contains("/tests/")
            || self.path.starts_with("tests/");
        named || TESTS_ONLY.contains(&self.path.as_str())
    }

    /// The lines that are built into the program, with their numbers: no comments, and nothing from the tests at the file's end on.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let is_tests = |pair: &[&str]| pair[0].trim() == "#[cfg(test)]" && pair[1].trim_end().ends_with('{');
        let end = lines.windows(2).position(is_tests).unwrap_or(lines.len());
        let code = lines.into_iter().take(end).enumerate();
        code.map(|(index, line)| (index + 1, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Where the code says this, and it is not the end of a longer name: `path:line`.
    pub(crate) fn places(&self, wanted: &str) -> Vec<String> {
        let says = |line: &str| line.match_indices(wanted).any(|(at, _)| is_whole(line, at, wanted));
        let places = self.code().filter(|(_, line)| says(line));
        places.map(|(number, _)| format!("{}:{number}", self.path)).collect()
    }
}

/// Whether neither end of what was found goes on as a name.
fn is_whole(line: &str, at: usize, wanted: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let before = line[..at].chars().next_back().is_some_and(is_name);
    let after = line[at + wanted.len()..].chars().next().is_some_and(is_name);
    let (begins, ends) = (wanted.starts_with(is_name), wanted.ends_with(is_name));
    !(begins && before || ends && after)
}

#[test]
fn code_is_what_is_neither_comment_nor_test() {
    let text = "//! f64\nfn a() {} // f64\n/// f64\nlet b: f64;\n#[cfg(test)]\nmod tests {\n    f64\n}\n";
    let source = Source { path: "a.rs".to_owned(), text: text.to_owned() };
    // A remark behind code counts: it is easier to say it otherwise than to read Rust here.
    assert_eq!(source.places("f64"), ["a.rs:2", "a.rs:4"]);
}

#[test]
fn a_name_within_a_name_is_another_name() {
    let places =
        |text: &str, wanted| Source { path: "a.rs".to_owned(), text: text.to_owned() }.places(wanted).len();
    assert_eq!(places("ReadModelStatus::default()", "Status::"), 0);
    assert_eq!(places("tonic::Status::internal()", "Status::"), 1);
    assert_eq!(places("asynchronous", "async"), 0);
    assert_eq!(places("pub async fn", "async"), 1);
}
