//! Consumers under the few names that a reader may use: there is no right to names in general.

use async_nats::jetstream::consumer::{Consumer, pull};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::stream::{ConsumerCreateStrictErrorKind, Stream};

/// The server's other code for "there is one of this name, made otherwise".
const NAME_IN_USE: u64 = 10013;

/// What tells this consumer from another of its name: with the same settings the server would hand out the one that is there.
const MARK: &str = "seva-reader";

/// Why there is no consumer.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Others read under every one of the names, as far as can be told.
    #[error("all {0} names of consumers are in use: that many may read at once under one identity")]
    AllInUse(usize),
    /// The server gave no answer, or refused.
    #[error("no consumer can be made")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
}

fn refused(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ClaimError {
    ClaimError::Refused(error.into())
}

/// Makes a consumer under the first of these names that nobody reads under.
///
/// The server forgets a consumer some time after its reader has gone. If there is none left but such ones, one of them is taken over; should
/// its reader be alive and only slow, it finds its consumer gone and makes another.
pub async fn claim<I>(
    stream: &Stream<I>,
    client: &async_nats::Client,
    names: &[String],
    config: &pull::Config,
) -> Result<Consumer<pull::Config>, ClaimError> {
    let mark = client.new_inbox();
    let named = |name: &String| {
        let mut config = pull::Config { name: Some(name.clone()), ..config.clone() };
        config.metadata.insert(MARK.to_owned(), mark.clone());
        config
    };
    for name in names {
        if let Some(made) = make(stream, named(name)).await? {
            return Ok(made);
        }
    }
    for name in names {
        let is_idle = match stream.consumer_info(name).await {
            Ok(info) => info.num_waiting == 0,
            Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => true,
            // In a cluster its server may be down: another name may do.
            Err(error) => {
                tracing::debug!(name, %error, "whether anybody reads from a consumer cannot be told");
                false
            }
        };
        if is_idle {
            // It may be gone by now, or another's: whether the name is free is found out below.
            if let Err(error) = stream.delete_consumer(name).await {
                tracing::debug!(name, %error, "a consumer that nobody reads from could not be deleted");
            }
            if let Some(made) = make(stream, named(name)).await? {
                return Ok(made);
            }
        }
    }
    Err(ClaimError::AllInUse(names.len()))
}

/// Makes a consumer, unless there is another of its name.
async fn make<I>(
    stream: &Stream<I>,
    config: pull::Config,
) -> Result<Option<Consumer<pull::Config>>, ClaimError> {
    match stream.create_consumer_strict(config).await {
        Ok(made) => Ok(Some(made)),
        Err(error) => match error.kind() {
            ConsumerCreateStrictErrorKind::AlreadyExists => Ok(None),
            ConsumerCreateStrictErrorKind::JetStream(why) if why.error_code().0 == NAME_IN_USE => Ok(None),
            _ => Err(refused(error)),
        },
    }
}
