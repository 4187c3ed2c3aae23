//! The program: runs the services, and the verbs of whoever operates them.
//!
//! `house` puts services together, for whoever starts them in a process of their own; `token` signs tokens that such a house believes, and `nats`
//! makes the streams that it needs.

mod args;
mod call;
mod connect;
mod demo;
mod events;
mod failure;
pub mod health;
mod history;
pub mod house;
mod identity;
mod import;
mod inbox;
mod json;
mod keys;
pub mod metrics;
pub mod nats;
mod output;
pub mod ports;
mod reflect;
mod sandbox;
mod serve;
mod show;
mod status;
mod timeline;
pub mod token;
mod verify;

use std::process::ExitCode;

use clap::Parser as _;
use seva_host::telemetry;

use self::args::{Cli, Verb};

/// Commands and rows are many small values: this allocator takes about a quarter less time over them than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Carries out what the command line says. Answers the exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.verb) {
        Ok(code) => code,
        Err(error) => {
            output::say(&format!("error: {}", failure::explain(&error)));
            failure::exit_of(&error).into()
        }
    }
}

/// Says what is wrong with a command line, the program's name first; carries out nothing.
pub fn check<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    match Cli::try_parse_from(words) {
        // Help was asked for, and would have been printed.
        Err(error) if !error.use_stderr() => Ok(()),
        Err(error) => Err(error.to_string()),
        Ok(Cli { verb: Verb::Serve(args) }) => {
            let checked = serve::parts(&args.services).and_then(|_| args.ports().check(args.listen));
            checked.map_err(|error| error.to_string())
        }
        Ok(_) => Ok(()),
    }
}

/// Sets up logging and carries out the verb.
fn run(verb: Verb) -> anyhow::Result<ExitCode> {
    // Verbs that people watch talk to them themselves: they log only when asked to.
    if matches!(verb, Verb::SandboxProvider(_) | Verb::Serve(_))
        || std::env::var_os(telemetry::LEVEL).is_some()
    {
        telemetry::init(telemetry::Format::Auto)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(dispatch(verb))
}

async fn dispatch(verb: Verb) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Call(args) => call::run(args).await,
        Verb::Demo(args) => demo::run(args).await,
        Verb::Events(args) => events::run(args).await,
        Verb::Import(args) => import::run(args).await,
        Verb::Inbox(args) => inbox::run(args).await,
        Verb::Keys(args) => keys::run(args).await,
        Verb::NatsConfig(args) => nats::config(&args),
        Verb::NatsSetup(args) => nats::setup(args).await,
        Verb::SandboxProvider(args) => sandbox::run(args).await,
        Verb::Serve(args) => serve::run(args).await,
        Verb::Status(args) => status::run(args).await,
        Verb::Timeline(args) => timeline::run(args).await,
        Verb::Token(args) => token::run(args),
        Verb::Verify(args) => verify::run(args).await,
    }
}
