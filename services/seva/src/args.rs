//! The command line: verbs and their options.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use seva_api::access::Purpose;
use seva_host::tls::Files;

use crate::house::CLEAN_AFTER;
use crate::ports::{Limits, Settings};

/// Customer service on an event log.
#[derive(Debug, Parser)]
#[command(name = "seva", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What every help text ends with.
const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 error, 2 usage, 3 not found, 4 conflict, 5 denied, 6 unavailable: try again, 7 partly done.

Examples:
  seva demo
  seva inbox product
  seva timeline email:meera.nair@example.com
  seva call intake/ListOpenCases '{\"page\": {\"page_size\": 5}}'";

/// What `seva` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Play a shop's week through the services, started with a log of their own.
    Demo(DemoArgs),
    /// Follow the published events, or list their types.
    Events(crate::events::EventsArgs),
    /// Bring in a file of past interactions.
    Import(crate::import::ImportArgs),
    /// Call any method of a running service, found by reflection.
    Call(CallArgs),
    /// Show what waits in a department's inbox.
    Inbox(InboxArgs),
    /// Rotate the master key that the keys of persons are wrapped with.
    Keys(crate::keys::KeysArgs),
    /// Write what nats-server is configured with: who may do what, with a seed for everybody.
    NatsConfig(NatsConfigArgs),
    /// Make the streams on a new NATS server, before services start.
    NatsSetup(NatsSetupArgs),
    /// Run a payment provider to try refunds with: it pays nobody, and misbehaves when told to.
    SandboxProvider(crate::sandbox::SandboxArgs),
    /// Run services.
    Serve(ServeArgs),
    /// Show how far each running service is.
    Status(StatusArgs),
    /// Show all that happened with one customer.
    Timeline(TimelineArgs),
    /// Make a token with a development key.
    Token(crate::token::TokenArgs),
    /// Check that the log is whole, and run its facts again.
    Verify(VerifyArgs),
}

/// Options of `seva serve`.
#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    /// Which services, `history` among them; none named: all.
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// The NATS server that holds the log.
    #[arg(long, value_name = "URL", env = "SEVA_NATS_URL", default_value = "nats://127.0.0.1:4222")]
    pub(crate) nats: String,
    /// The folder of the seeds that services connect with, each with its own; made by `seva nats-config`.
    #[arg(long, value_name = "DIR", env = "SEVA_NATS_CREDS", default_value = "seeds")]
    pub(crate) nats_creds: PathBuf,
    /// Its monitoring page, where durability is checked.
    #[arg(long, value_name = "URL", env = "SEVA_NATS_MONITOR_URL", default_value = "http://127.0.0.1:8222")]
    pub(crate) monitor: String,
    /// Where databases are kept; deleting it loses nothing.
    #[arg(long, value_name = "DIR", default_value = "data")]
    pub(crate) data: PathBuf,
    /// Where to listen, off loopback only under TLS; with several services, the first one's port, 0 for free ones.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// The server's certificate, as PEM; when the file changes the new one is taken, without a restart.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's private key, as PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// How many calls a service works on at once; one more is refused, never queued.
    #[arg(long, value_name = "N", default_value_t = Limits::CALLS_AT_ONCE)]
    pub(crate) calls_at_once: NonZeroUsize,
    /// How often one caller may call; twice as many at once, after a pause.
    #[arg(long, value_name = "N", default_value_t = Settings::CALLS_PER_SECOND)]
    pub(crate) calls_per_second: NonZeroU32,
    /// The port of the metrics page, on loopback; 0 for a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) metrics_port: u16,
    /// The master key, as 64 hexadecimal digits; without it, SEVA_MASTER_KEY holds the key itself. `history` needs none.
    #[arg(long, value_name = "FILE")]
    pub(crate) master_key_file: Option<PathBuf>,
    /// Whose tokens are believed, and what their claims mean here; `seva token` makes one for development.
    #[arg(long, value_name = "FILE", env = "SEVA_IDENTITY")]
    pub(crate) identity: Option<PathBuf>,
    /// What the log's server must promise before a write counts.
    #[arg(long, value_enum, default_value_t = Durability::Always)]
    pub(crate) durability: Durability,
    /// Who pays refunds, on loopback only; without one, what is approved waits.
    #[arg(long, value_name = "URL", env = "SEVA_PAYMENT_PROVIDER")]
    pub(crate) payment_provider: Option<String>,
    /// How long a database waits, once somebody was forgotten, for others to be, before its files are cleaned of all of them.
    #[arg(long, value_name = "SECONDS", default_value_t = CLEAN_AFTER.as_secs())]
    pub(crate) clean_after_seconds: u64,
    /// End when standard input does: for whoever starts this process as a part of another.
    #[arg(long)]
    pub(crate) with_parent: bool,
}

/// Options of `seva nats-config`.
#[derive(Args, Debug)]
pub(crate) struct NatsConfigArgs {
    /// Where to write nats-accounts.conf, which nats-server's configuration includes, and the folder `seeds`. Seeds that are there stay.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) out: PathBuf,
}

/// Options of `seva nats-setup`.
#[derive(Args, Debug)]
pub(crate) struct NatsSetupArgs {
    /// The NATS server.
    #[arg(long, value_name = "URL", env = "SEVA_NATS_URL", default_value = "nats://127.0.0.1:4222")]
    pub(crate) nats: String,
    /// The folder that holds the operator's seed.
    #[arg(long, value_name = "DIR", env = "SEVA_NATS_CREDS", default_value = "seeds")]
    pub(crate) nats_creds: PathBuf,
    /// How many servers of a cluster keep each message of a stream that is made now.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) replicas: usize,
}

/// What the log's server must promise.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Durability {
    /// Every write is on disk before it is acknowledged.
    Always,
    /// Writes of the last moments may be lost in a power failure.
    Relaxed,
}

/// Options of `seva demo`.
#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// End after the summary instead of staying up until Ctrl-C.
    #[arg(long)]
    pub(crate) exit: bool,
    /// Keep everything here; a second run on it records nothing twice [default: a fresh folder].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Print the summary as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// Run each service as a process of its own.
    #[arg(long)]
    pub(crate) separate: bool,
}

/// Which running Seva is asked, and by whom.
#[derive(Args, Clone, Debug)]
pub(crate) struct Target {
    /// The data folder of a running Seva [default: the last demo's].
    #[arg(long, value_name = "DIR")]
    pub(crate) at: Option<PathBuf>,
    /// Whose servers are trusted under TLS: an authority's certificate, as PEM [default: what the data folder names].
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// The file of the token that says who asks.
    #[arg(long, value_name = "FILE", env = "SEVA_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Who asks, of those for whom the demo keeps tokens [default: one who may].
    #[arg(long, value_name = "NAME")]
    pub(crate) actor: Option<String>,
    /// What personal data is needed for: service, complaint, refund, suggestion, quality or legal.
    #[arg(long, value_name = "CODE", default_value = "service", value_parser = purpose)]
    pub(crate) purpose: Purpose,
}

fn purpose(code: &str) -> Result<Purpose, String> {
    let known = Purpose::ALL.into_iter().find(|purpose| purpose.code() == code);
    known.ok_or_else(|| format!("is no purpose: take {}", Purpose::ALL.map(Purpose::code).join(", ")))
}

/// What NATS itself is asked with.
#[derive(Args, Clone, Debug)]
pub(crate) struct Creds {
    /// The folder of the seeds to connect to NATS with [default: the one that the running Seva was started with].
    #[arg(long, value_name = "DIR", env = "SEVA_NATS_CREDS")]
    pub(crate) nats_creds: Option<PathBuf>,
}

/// Options of `seva call`.
#[derive(Args, Debug)]
pub(crate) struct CallArgs {
    /// For example intake/LogInteraction, IntakeService/LogInteraction or seva.intake.v1.IntakeService/LogInteraction.
    #[arg(value_name = "SERVICE/METHOD")]
    pub(crate) method: String,
    /// The request as JSON; `-` reads standard input.
    #[arg(value_name = "JSON", default_value = "{}")]
    pub(crate) request: String,
    /// Ask this address instead of one from a data folder.
    #[arg(long, value_name = "URL", conflicts_with = "at")]
    pub(crate) endpoint: Option<String>,
    /// Metadata to send with the request; may be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) metadata: Vec<String>,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Options of `seva inbox`.
#[derive(Args, Debug)]
pub(crate) struct InboxArgs {
    /// For example product, or triage.
    pub(crate) department: String,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Options of `seva status`.
#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// Which services; none named: all that run.
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// End with exit code 6 unless every one of them takes commands.
    #[arg(long)]
    pub(crate) ready: bool,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Options of `seva verify`.
#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) creds: Creds,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Options of `seva timeline`.
#[derive(Args, Debug)]
pub(crate) struct TimelineArgs {
    /// A customer's id, or an identity: email:a@example.com, phone:NUMBER, handle:NETWORK/NAME, account:ID.
    pub(crate) customer: String,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) target: Target,
}

impl ServeArgs {
    /// What the services' ports are opened with.
    pub(crate) fn ports(&self) -> Settings {
        let files = self.tls_cert.clone().zip(self.tls_key.clone());
        let tls = files.map(|(certificate, key)| Files { certificate, key });
        let limits = Limits { calls_at_once: self.calls_at_once, ..Limits::default() };
        Settings { tls, calls_per_second: self.calls_per_second, limits }
    }
}

/// Reads an address to listen on.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "an address is written like 127.0.0.1:50051".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    fn served(line: &[&str]) -> Result<ServeArgs, String> {
        let line = ["seva", "serve"].iter().chain(line);
        let cli = Cli::try_parse_from(line).map_err(|error| error.to_string())?;
        let Verb::Serve(args) = cli.verb else { panic!("serves") };
        args.ports().check(args.listen).map_err(|error| error.to_string())?;
        Ok(args)
    }

    #[test]
    fn services_listen_off_loopback_only_under_tls() {
        assert!(served(&["--listen", "127.0.0.1:50051"]).is_ok());
        assert!(served(&["--listen", "[::1]:0"]).is_ok());
        assert!(served(&["--listen", "50051"]).is_err());
        assert!(served(&["--listen", "0.0.0.0:50051"]).unwrap_err().contains("--tls-cert"));
        let under_tls = ["--listen", "0.0.0.0:50051", "--tls-cert", "a", "--tls-key", "b"];
        assert!(served(&under_tls).is_ok());
        assert!(served(&["--tls-cert", "a"]).is_err(), "a certificate without a key");
    }

    #[test]
    fn a_call_without_json_sends_an_empty_object() {
        let cli = Cli::try_parse_from(["seva", "call", "intake/GetStatus"]).unwrap();
        let Verb::Call(call) = cli.verb else { panic!("not a call") };
        assert_eq!(
            (call.request.as_str(), call.target.actor, call.target.purpose),
            ("{}", None, Purpose::Service)
        );
    }

    #[test]
    fn an_endpoint_and_a_data_folder_exclude_each_other() {
        let line = ["seva", "call", "intake/GetStatus", "--at", "x", "--endpoint", "http://127.0.0.1:1"];
        assert!(Cli::try_parse_from(line).is_err());
    }
}
