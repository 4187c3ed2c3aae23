//! `seva keys rotate`: a new epoch of the master key, every key of a person wrapped anew in it, and the old epoch gone.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use seva_host::endpoints::{self, Endpoints};
use seva_rights::{Identity, Seeds};

use crate::args::Creds;
use crate::{failure, output};

/// Options of `seva keys`.
#[derive(Args, Debug)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    verb: KeysVerb,
}

#[derive(Debug, Subcommand)]
enum KeysVerb {
    /// Make a new epoch of the master key, wrap every key anew in it, and remove the old epoch from the master key's file. Services go on
    /// meanwhile, if they have the key from that file. A backup of keys made before opens nothing after: make a new one.
    Rotate(RotateArgs),
}

/// Options of `seva keys rotate`.
#[derive(Args, Debug)]
struct RotateArgs {
    /// The master key's file [default: the one that the running Seva was started with].
    #[arg(long, value_name = "FILE")]
    master_key_file: Option<PathBuf>,
    /// The NATS server that holds the keys [default: the running Seva's].
    #[arg(long, value_name = "URL")]
    nats: Option<String>,
    #[command(flatten)]
    creds: Creds,
    /// The data folder of a running Seva [default: the last demo's].
    #[arg(long, value_name = "DIR")]
    at: Option<PathBuf>,
}

/// Carries out what is to be done with the keys.
pub(crate) async fn run(args: KeysArgs) -> anyhow::Result<ExitCode> {
    let KeysVerb::Rotate(args) = args.verb;
    let (nats, file, creds) = match (args.nats, args.master_key_file, args.creds.nats_creds) {
        (Some(nats), Some(file), Some(creds)) => (nats, file, creds),
        (nats, file, creds) => {
            let folder = args.at.map_or_else(endpoints::last, Ok)?;
            let Endpoints { nats: running, master_key_file, nats_creds, .. } = Endpoints::read(&folder)?;
            (nats.unwrap_or(running), file.unwrap_or(master_key_file), creds.unwrap_or(nats_creds))
        }
    };
    if file.as_os_str().is_empty() {
        return Err(failure::usage(
            "the running Seva has its master key from a variable: put it into a file, start Seva with that file, and name it",
        ));
    }
    let seeds = Seeds::in_folder(creds);
    let connect = async |identity: Identity| {
        let connected = seeds.connect_as(identity)?.connect(&nats).await;
        let client = connected.with_context(|| format!("no connection to {nats} as {}", identity.name()))?;
        anyhow::Ok(async_nats::jetstream::new(client))
    };
    let (operator, keeper) = (connect(Identity::Operator).await?, connect(Identity::Keeper).await?);
    let rotated = seva_vault::rotate(&operator, keeper, &file).await.with_context(|| {
        format!("the master key in {} is not rotated to the end: do it again to go on", file.display())
    })?;
    output::print(&format!(
        "The master key in {} is in epoch {} now: {} keys were wrapped anew, and the epochs before are gone.\n\
         Backups of this file and of the stream of keys from before open nothing any more: make new ones.",
        file.display(),
        rotated.epoch,
        rotated.rewrapped
    ));
    if rotated.damaged > 0 {
        output::say(&format!(
            "{} keys are damaged in the store and could not be wrapped anew",
            rotated.damaged
        ));
    }
    Ok(ExitCode::SUCCESS)
}
