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

/// Runs the program to its end.
pub async fn seva(args: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(program());
    command.args(args).kill_on_drop(true);
    command.output().await.expect("the program runs")
}
