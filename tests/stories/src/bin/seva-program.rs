//! The program, built beside the tests that run it as a process.

use std::process::ExitCode;

fn main() -> ExitCode {
    seva::main()
}
