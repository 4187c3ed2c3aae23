//! Structured logs on standard error: JSON for machines, compact lines for a person at a terminal.

use std::io::IsTerminal;
use std::panic::PanicHookInfo;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::util::TryInitError;

/// The environment variable that says how much is logged: a level, or tracing directives.
pub const LEVEL: &str = "SEVA_LOG_LEVEL";

/// Libraries whose fine-grained logs quote messages, and so may quote customers.
const QUOTING: [&str; 6] = ["async_nats", "h2", "hyper", "sled", "tonic", "tower"];

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// Compact on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// One line for a person.
    Compact,
    /// One JSON object a line.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The variable's value is neither a level nor directives.
    #[error("{LEVEL}={value} is not understood; use error, warn, info, debug or trace")]
    Level {
        /// The value found.
        value: String,
        /// What the parser said.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// Somebody else has set up logging in this process.
    #[error("logging is already set up in this process; call init once, first thing in main")]
    Twice(#[source] TryInitErrorBox),
}

type TryInitErrorBox = Box<dyn std::error::Error + Send + Sync>;

/// Sets up logging to standard error, once per process, and logs panics by their place only.
///
/// A panic's text may quote a customer, so it is left out unless it is a literal.
pub fn init(format: Format) -> Result<(), Error> {
    let value = std::env::var(LEVEL).unwrap_or_default();
    let filter = filter(&value)?;
    let json = match format {
        Format::Auto => !std::io::stderr().is_terminal(),
        Format::Compact => false,
        Format::Json => true,
    };
    let builder = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    let done = if json {
        tracing_subscriber::util::SubscriberInitExt::try_init(builder.json().flatten_event(true).finish())
    } else {
        let ansi = std::io::stderr().is_terminal();
        tracing_subscriber::util::SubscriberInitExt::try_init(builder.compact().with_ansi(ansi).finish())
    };
    done.map_err(|source: TryInitError| Error::Twice(source.into()))?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Reads the variable's value. A bare level holds for our own code; libraries that quote messages
/// stay at `info` unless a directive names them.
fn filter(value: &str) -> Result<EnvFilter, Error> {
    let value = if value.trim().is_empty() { "info" } else { value.trim() };
    let directives = match value.parse::<LevelFilter>() {
        Ok(level) if level > LevelFilter::INFO => {
            let quiet = QUOTING.map(|library| format!(",{library}=info")).concat();
            format!("{value}{quiet}")
        }
        _ => value.to_owned(),
    };
    EnvFilter::builder().parse(directives).map_err(|source| Error::Level { value: value.to_owned(), source })
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let text =
        panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("text withheld: it may quote data");
    tracing::error!(place, text, "a task panicked");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_defaults_to_info() {
        assert_eq!(filter("").unwrap().to_string(), "info");
        assert_eq!(filter(" warn ").unwrap().to_string(), "warn");
    }

    #[test]
    fn a_fine_level_keeps_quoting_libraries_quiet() {
        let text = filter("debug").unwrap().to_string();
        assert!(text.contains("debug") && text.contains("h2=info"), "{text}");
        assert_eq!(filter("h2=trace").unwrap().to_string(), "h2=trace");
    }

    #[test]
    fn nonsense_is_refused_with_the_levels_there_are() {
        let error = filter("seva=loud").unwrap_err().to_string();
        assert!(error.contains("use error, warn"), "{error}");
    }
}
