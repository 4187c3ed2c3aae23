//! Following the log: every message in order, none missing, each shard's chain unbroken. What is wrong stops the follower, loudly.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use seva_domain::service::Service;
use seva_domain::values::At;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::commit::{Commit, Digest, ReadCommit, UnreadableCommit};
use crate::log::{Log, LogError, Stored};

/// How many bytes of messages a process may hold that were followed and not yet used by all.
pub const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How many messages may wait for one user of a follower.
pub const WAITING_MAX: usize = 65_536;

/// How many bytes of commits of its own a process keeps, to know them again when they come back.
const OWN_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The last commit of each shard, up to some sequence of the log.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Chains {
    /// The sequence of the log that this is about.
    pub sequence: u64,
    /// By service: sequence and digest of its last commit.
    pub shards: BTreeMap<String, (u64, Digest)>,
}

impl Chains {
    /// The last commit of a service's shard: 0 and no digest before the first.
    pub fn tip(&self, service: Service) -> (u64, Digest) {
        self.shards.get(service.name()).copied().unwrap_or((0, Digest::NONE))
    }
}

/// Why a follower stopped.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Broken {
    #[error("message {found} follows message {last} of the log: what stood between is missing")]
    Gap { last: u64, found: u64 },
    #[error(
        "the commit at {sequence} does not continue the {service} shard's chain: the log was changed, or part of it is missing"
    )]
    Chain { service: &'static str, sequence: u64 },
    #[error("the commit at {sequence} cannot be read: {source}")]
    Unreadable { sequence: u64, source: UnreadableCommit },
    #[error(
        "what this process holds up to {sequence} is not what the log holds there: the database belongs to another log"
    )]
    OtherLog { sequence: u64 },
    #[error(transparent)]
    Log(#[from] LogError),
}

/// A message of the log that was checked and read.
#[derive(Debug)]
pub struct Followed {
    pub sequence: u64,
    pub service: Service,
    pub digest: Digest,
    /// When the log stored it, by the log's own clock.
    pub stamp: At,
    pub commit: ReadCommit,
    /// The chains before it and after it.
    pub before: Arc<Chains>,
    pub after: Arc<Chains>,
    _held: Option<OwnedSemaphorePermit>,
}

/// The commits that a process made itself, so that none of its services need read them again when they come back. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Own {
    // A lock between writers and followers; never held across an await.
    kept: Arc<Mutex<OwnKept>>,
}

#[derive(Debug, Default)]
struct OwnKept {
    commits: HashMap<Digest, (Arc<Commit>, usize)>,
    /// Oldest first.
    order: VecDeque<Digest>,
    bytes: usize,
}

impl Own {
    /// Remembers a commit made here, of so many bytes, until newer ones need the room.
    pub fn remember(&self, digest: Digest, commit: Arc<Commit>, bytes: usize) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.commits.insert(digest, (commit, bytes)).is_none() {
            kept.order.push_back(digest);
            kept.bytes += bytes;
        }
        while kept.bytes > OWN_BYTES_MAX
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.forget(&oldest);
        }
    }

    /// Forgets a commit that will never come back.
    pub fn forget(&self, digest: Digest) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.order.retain(|other| *other != digest);
        kept.forget(&digest);
    }

    fn get(&self, digest: Digest) -> Option<Arc<Commit>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.commits.get(&digest).map(|(commit, _)| Arc::clone(commit))
    }
}

impl OwnKept {
    fn forget(&mut self, digest: &Digest) {
        if let Some((_, bytes)) = self.commits.remove(digest) {
            self.bytes -= bytes;
        }
    }
}

/// Checks messages one after the other: pure, so that it can be tried on anything.
#[derive(Debug)]
pub struct Checker {
    chains: Arc<Chains>,
    wants: fn(&str) -> bool,
    own: Own,
}

impl Checker {
    /// Goes on after these chains, reading the records of the nouns wanted.
    pub fn new(chains: Chains, wants: fn(&str) -> bool, own: Own) -> Checker {
        Checker { chains: Arc::new(chains), wants, own }
    }

    /// Checks and reads the next message.
    pub fn check(&mut self, stored: &Stored) -> Result<Followed, Broken> {
        let last = self.chains.sequence;
        if stored.sequence != last + 1 {
            return Err(Broken::Gap { last, found: stored.sequence });
        }
        let digest = Digest::of(&stored.bytes);
        let commit = match self.own.get(digest) {
            Some(own) => ReadCommit::of(&own, self.wants),
            None => ReadCommit::decode(&stored.bytes, self.wants)
                .map_err(|source| Broken::Unreadable { sequence: stored.sequence, source })?,
        };
        let (_, tip) = self.chains.tip(stored.service);
        if commit.prev != tip {
            return Err(Broken::Chain { service: stored.service.name(), sequence: stored.sequence });
        }
        let before = Arc::clone(&self.chains);
        let mut after = before.as_ref().clone();
        after.sequence = stored.sequence;
        after.shards.insert(stored.service.name().to_owned(), (stored.sequence, digest));
        self.chains = Arc::new(after);
        Ok(Followed {
            sequence: stored.sequence,
            service: stored.service,
            digest,
            stamp: stored.stamp,
            commit,
            before,
            after: Arc::clone(&self.chains),
            _held: None,
        })
    }
}

/// How far a follower is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FollowProgress {
    /// Sequence of the last message handed on.
    pub sequence: u64,
    /// When the log stored it.
    pub stamp: At,
    /// Why it stopped, if it did.
    pub broken: Option<Broken>,
}

/// Checks that the log holds, where these chains end, what they say.
pub async fn verify(log: &Log, chains: &Chains) -> Result<(), Broken> {
    for (sequence, digest) in chains.shards.values() {
        match log.read(*sequence).await? {
            Some(stored) if Digest::of(&stored.bytes) == *digest => {}
            Some(_) | None => return Err(Broken::OtherLog { sequence: *sequence }),
        }
    }
    if chains.sequence > log.end().await? {
        return Err(Broken::OtherLog { sequence: chains.sequence });
    }
    Ok(())
}

/// Told of every message before any user has it.
// A function of the caller's, because what is kept beside a database is the edge's to know.
pub type Heed = Arc<dyn Fn(&Followed) + Send + Sync>;

/// Follows the log after these chains and hands every message to all users, until the last of them is gone or something is wrong.
pub async fn run(
    log: Log,
    mut checker: Checker,
    heed: Option<Heed>,
    mut users: Vec<mpsc::Sender<Arc<Followed>>>,
    progress: watch::Sender<FollowProgress>,
) {
    let held = Arc::new(Semaphore::new(HELD_BYTES_MAX / 1024));
    loop {
        let from = checker.chains.sequence + 1;
        let mut messages = match log.follow(from).await {
            Ok(messages) => messages,
            Err(LogError::Unavailable(error)) => {
                tracing::warn!(error, "cannot follow the log, trying again");
                tokio::time::sleep(Duration::from_millis(250)).await;
                continue;
            }
            Err(error @ LogError::Corrupt(_)) => return stop(&progress, Broken::Log(error)),
        };
        while let Some(stored) = messages.next().await {
            let stored = match stored {
                Ok(stored) => stored,
                Err(LogError::Unavailable(_)) => break,
                Err(error @ LogError::Corrupt(_)) => return stop(&progress, Broken::Log(error)),
            };
            let mut followed = match checker.check(&stored) {
                Ok(followed) => followed,
                Err(broken) => return stop(&progress, broken),
            };
            let kib = u32::try_from(stored.bytes.len() / 1024 + 1).unwrap_or(u32::MAX);
            // The semaphore is never closed.
            followed._held = Arc::clone(&held).acquire_many_owned(kib).await.ok();
            if let Some(heed) = &heed {
                heed(&followed);
            }
            let (sequence, stamp) = (followed.sequence, followed.stamp);
            let followed = Arc::new(followed);
            let mut gone = Vec::new();
            for (n, user) in users.iter().enumerate() {
                if user.send(Arc::clone(&followed)).await.is_err() {
                    gone.push(n);
                }
            }
            // One that ended, with its reason, does not end the others.
            gone.into_iter().rev().for_each(|n| drop(users.remove(n)));
            if users.is_empty() {
                return;
            }
            progress.send_replace(FollowProgress { sequence, stamp, broken: None });
        }
    }
}

fn stop(progress: &watch::Sender<FollowProgress>, broken: Broken) {
    tracing::error!(%broken, "following the log has stopped");
    progress.send_modify(|progress| progress.broken = Some(broken));
}
