//! The program itself, run as a process.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Where the program is: beside the tests. Built first if it is not there yet.
///
/// # Panics
///
/// When it can neither be found nor built.
pub fn program() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(find).clone()
}

fn find() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    // target/<profile>/deps/<test>
    let profile = test.ancestors().nth(2).expect("a test stands in a folder of its profile");
    let program = profile.join("seva");
    if !program.is_file() {
        let target = profile.parent().expect("a profile's folder stands in the target folder");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--package", "seva", "--manifest-path"]);
        build.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml")).arg("--target-dir").arg(target);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        let status = build.status().expect("cargo runs");
        assert!(status.success() && program.is_file(), "{} could not be built", program.display());
    }
    program
}

/// Runs the program to its end.
pub async fn seva(args: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(program());
    command.args(args).kill_on_drop(true);
    command.output().await.expect("the program runs")
}
