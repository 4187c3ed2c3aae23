//! `seva events`: what is published, as it comes and as a catalogue.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use async_nats::Client;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::{Message, stream::Stream};
use clap::{Args, Subcommand};
use futures::StreamExt as _;
use seva_eventlog::consumer::claim;
use seva_history::catalogue;
use seva_history::cloud_event::{Received, SUBJECTS};
use seva_history::stream::STREAM;
use seva_host::shutdown::Shutdown;
use seva_rights::Identity;

use crate::args::{Creds, Target};
use crate::connect;
use crate::{failure, output};

/// How long the server keeps a consumer that nobody reads from.
const CONSUMER_KEPT: Duration = Duration::from_secs(30);

/// Options of `seva events`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EventsArgs {
    #[command(subcommand)]
    what: What,
}

const EXAMPLES: &str = "\
Examples:
  seva events tail
  seva events tail --filter 'suggestion.>' --from-start --limit 20
  seva events tail --filter '*.routed' --json | jq .data.department
  seva events catalogue > events.md";

/// What `seva events` can do.
#[derive(Debug, Subcommand)]
enum What {
    /// Print published events as they come, one a line, until Ctrl-C.
    #[command(after_help = EXAMPLES)]
    Tail(TailArgs),
    /// Print every type of event that is published, with its meaning and an example, as Markdown.
    Catalogue,
}

/// Options of `seva events tail`.
#[derive(Args, Debug)]
struct TailArgs {
    /// Only these: a noun and an event, where `*` is any one and `>` all that follow.
    #[arg(long, value_name = "FILTER", default_value = ">", value_parser = filter)]
    filter: String,
    /// Begin with the first event that there is instead of the next one.
    #[arg(long)]
    from_start: bool,
    /// End after so many.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Print each as one JSON object, in the format of CloudEvents.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    creds: Creds,
    #[command(flatten)]
    target: Target,
}

/// Carries out what the command line says.
pub(crate) async fn run(args: EventsArgs) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Tail(args) => tail(args).await,
        What::Catalogue => {
            output::print(&catalogue::markdown()?);
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Prints events until told to stop, until as many as wanted are printed, or until nobody reads any more.
async fn tail(args: TailArgs) -> anyhow::Result<ExitCode> {
    let shutdown = Shutdown::listen()?;
    let stop = shutdown.token();
    let mut events = tokio::select! {
        events = Events::open(&args) => events?,
        () = stop.cancelled() => return Ok(ExitCode::SUCCESS),
    };
    let mut left = args.limit.unwrap_or(u64::MAX);
    while left > 0 {
        let message = tokio::select! {
            message = events.next() => message,
            () = stop.cancelled() => break,
        };
        let message = message.context("the events cannot be read on")?;
        let headers = message.headers.clone().unwrap_or_default();
        let event = Received::read(&headers, &message.payload)
            .with_context(|| format!("a message of {} cannot be read", message.subject))?;
        let line = if args.json { event.to_json().to_string() } else { output::one_line(&event.to_string()) };
        if !output::print_line(&line) {
            break;
        }
        left -= 1;
    }
    Ok(ExitCode::SUCCESS)
}

/// The events as they come. A consumer that the server has lost is made anew after the last event that came.
struct Events {
    client: Client,
    stream: Stream<()>,
    config: pull::Config,
    messages: pull::Stream,
}

impl Events {
    async fn open(args: &TailArgs) -> anyhow::Result<Events> {
        let client = connect::nats(&args.target, &args.creds, Identity::Analyst).await?;
        let stream = async_nats::jetstream::new(client.clone()).get_stream_no_info(STREAM).await?;
        let mut config = pull::Config {
            filter_subject: format!("{SUBJECTS}.{}", args.filter),
            deliver_policy: if args.from_start { DeliverPolicy::All } else { DeliverPolicy::New },
            ack_policy: AckPolicy::None,
            inactive_threshold: CONSUMER_KEPT,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let messages = messages(&client, &stream, &mut config).await.map_err(|error| {
            failure::unavailable(format!("{STREAM} cannot be read: does `seva serve history` run? {error:#}"))
        })?;
        Ok(Events { client, stream, config, messages })
    }

    async fn next(&mut self) -> anyhow::Result<Message> {
        loop {
            if let Some(Ok(message)) = self.messages.next().await {
                let start_sequence = message.info().map_err(anyhow::Error::from_boxed)?.stream_sequence + 1;
                self.config.deliver_policy = DeliverPolicy::ByStartSequence { start_sequence };
                return Ok(message);
            }
            tracing::debug!("the consumer is gone, making another");
            self.messages = messages(&self.client, &self.stream, &mut self.config).await?;
        }
    }
}

/// Makes a consumer and reads from it. From then on the configuration says where it began: another goes on from there.
async fn messages(
    client: &Client,
    stream: &Stream<()>,
    config: &mut pull::Config,
) -> anyhow::Result<pull::Stream> {
    let consumer = claim(stream, client, &Identity::Analyst.consumers(), config).await?;
    if config.deliver_policy == DeliverPolicy::New {
        let start_sequence = consumer.cached_info().delivered.stream_sequence + 1;
        config.deliver_policy = DeliverPolicy::ByStartSequence { start_sequence };
    }
    Ok(consumer.messages().await?)
}

/// Takes what may follow `seva.events.` in a filter of NATS.
fn filter(text: &str) -> Result<String, String> {
    let filter = text.strip_prefix(SUBJECTS).and_then(|rest| rest.strip_prefix('.')).unwrap_or(text);
    let is_name = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    let is_one = |part: &str| part == "*" || is_name(part);
    let is_filter = match filter.split_once('.') {
        Some((noun, event)) => is_one(noun) && (event == ">" || is_one(event)),
        None => filter == ">",
    };
    let wrong = || "a filter is written like suggestion.>, *.routed or case.opened".to_owned();
    is_filter.then(|| filter.to_owned()).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_nouns_and_events() {
        for (given, taken) in [
            (">", ">"),
            ("suggestion.>", "suggestion.>"),
            ("seva.events.suggestion.>", "suggestion.>"),
            ("*.routed", "*.routed"),
            ("case.interaction_logged", "case.interaction_logged"),
        ] {
            assert_eq!(filter(given).as_deref(), Ok(taken));
        }
        for wrong in ["", "case", "a..b", ">.a", "case.*.v1", "Case.>", "a b", "case.open*"] {
            assert!(filter(wrong).is_err(), "{wrong}");
        }
    }
}
