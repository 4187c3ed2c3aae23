//! The program itself, run as a process.

use std::path::PathBuf;
use std::process::Output;

/// Where the program is: beside the tests, built with them.
///
/// # Panics
///
/// When it is not there.
pub fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    // target/<profile>/deps/<test>
    let profile = test.ancestors().nth(2).expect("a test stands in a folder of its profile");
    let program = profile.join("seva-program");
    assert!(program.is_file(), "{} is not there", program.display());
    program
}

/// The program, told whose tokens to believe and which one to send.
///
/// # Panics
///
/// When the token cannot be written beside it.
pub fn command() -> tokio::process::Command {
    let program = program();
    let folder = program.parent().expect("a program stands in a folder");
    // Whole or not at all: tests that run beside this one write the same.
    let token = folder.join("seva-stories.token");
    seva_host::files::write_whole(&token, &seva_tokens::token("somebody")).expect("a token can be written");
    let mut command = tokio::process::Command::new(program);
    command.env("SEVA_IDENTITY", seva_tokens::identity_file()).env("SEVA_TOKEN_FILE", token);
    command
}

/// Runs the program to its end.
pub async fn seva(args: &[&str]) -> Output {
    let mut command = command();
    command.args(args).kill_on_drop(true);
    command.output().await.expect("the program runs")
}
