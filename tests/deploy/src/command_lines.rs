//! Every command line that a page or a file of `deploy/` shows is one that the program takes.

use crate::files::{services, text, variables};
use crate::words::{calls, words};
use crate::{compose, units};

/// Asserts that the program takes a command line.
#[track_caller]
fn accepted(place: &str, call: &[String]) {
    if let Err(error) = seva::check(call.iter().map(String::as_str)) {
        panic!("{place} says `{}`, which the program does not take: {error}", call.join(" "));
    }
}

#[test]
fn the_pages_show_command_lines_that_the_program_takes() {
    for (page, at_least) in [("README.md", 8), ("deploy/README.md", 8)] {
        let calls = calls(&text(page));
        assert!(calls.len() >= at_least, "{page}: only {calls:?} was found");
        for call in calls {
            accepted(page, &call);
        }
    }
}

#[test]
fn the_containers_run_command_lines_that_the_program_takes() {
    let calls = compose::calls();
    assert_eq!(
        calls.len(),
        1 + 2 * services().len(),
        "the streams; then one to serve and one to look how it is"
    );
    for call in calls {
        accepted("compose.yaml", &call);
    }
}

#[test]
fn the_unit_runs_a_command_line_that_the_program_takes_for_every_service() {
    let unit = units::unit("seva@.service");
    let line = unit.get("ExecStart").expect("what to run");
    for service in services() {
        let mut line = line.replace("%i", service).replace("${CREDENTIALS_DIRECTORY}", "/run/credentials");
        for (name, value) in variables() {
            line = line.replace(&format!("${{{name}}}"), &value);
        }
        assert!(!line.contains(['$', '%']), "{line}: something is not known");
        accepted("seva@.service", &words(&line));
    }
}
