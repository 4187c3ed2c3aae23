//! `seva`.

use std::process::ExitCode;

fn main() -> ExitCode {
    seva::main()
}
