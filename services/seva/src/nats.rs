//! NATS before services start: who may do what there, and the streams.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::ExitCode;

use anyhow::Context as _;
use seva_api::access::{AUDIT_STREAM, Audit};
use seva_eventlog::jetstream::{self, JetStreamLog};
use seva_history::stream::{self, Published};
use seva_host::files;
use seva_rights::{Identity, Seeds};
use seva_vault::Vault;

use crate::args::{NatsConfigArgs, NatsSetupArgs};
use crate::output;

/// The file that nats-server's configuration includes.
const ACCOUNTS: &str = "nats-accounts.conf";

/// The folder of the seeds, beside it.
const SEEDS: &str = "seeds";

/// Writes the accounts, with a seed for everybody who has none.
pub(crate) fn config(args: &NatsConfigArgs) -> anyhow::Result<ExitCode> {
    let seeds = Seeds::make(args.out.join(SEEDS))?;
    let path = args.out.join(ACCOUNTS);
    files::write_whole(&path, &seeds.accounts(&[])?)?;
    // The server reads it as another user.
    std::fs::set_permissions(&path, Permissions::from_mode(0o644))?;
    output::print(&format!(
        "{} says who may do what: nats-server's configuration includes it. It holds no secret.\n\
         {} holds a secret seed for each of {}.",
        path.display(),
        seeds.folder().display(),
        Identity::ALL.map(Identity::name).join(", "),
    ));
    Ok(ExitCode::SUCCESS)
}

/// Makes the streams that are not there yet.
pub(crate) async fn setup(args: NatsSetupArgs) -> anyhow::Result<ExitCode> {
    set_up(&args.nats, &Seeds::in_folder(args.nats_creds), args.replicas).await?;
    let streams = [jetstream::STREAM, "SEVA_KEYS", AUDIT_STREAM, stream::STREAM];
    output::print(&format!("The streams {} are there.", streams.join(", ")));
    Ok(ExitCode::SUCCESS)
}

/// Makes the streams that are not there yet, as the operator, with so many replicas; checks those that are.
pub async fn set_up(url: &str, seeds: &Seeds, replicas: usize) -> anyhow::Result<()> {
    let connected = seeds.connect_as(Identity::Operator)?.connect(url).await;
    let client = connected.with_context(|| format!("no connection to {url} as the operator"))?;
    JetStreamLog::set_up(client.clone(), replicas).await?;
    let context = async_nats::jetstream::new(client.clone());
    Vault::set_up(&context, replicas).await?;
    Audit::set_up(&context, replicas).await?;
    Published::set_up(client, replicas).await?;
    Ok(())
}
