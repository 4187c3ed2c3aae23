//! The keys of a keyring: what wraps in each epoch, and the hashing keys that outlive them.

use std::collections::BTreeMap;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::crypto::{self, FIRST_EPOCH, WrappingKey};

/// What the process's own hashing keys are for. They stay the same whatever epoch wraps: the log's ids rest on them.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Purpose {
    /// What the log knows a caller's import by.
    Imports,
    /// What a customer is looked up by.
    Lookups,
    /// What the log knows a caller's request by.
    Requests,
    /// What the log knows a conversation by.
    Threads,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Purpose; 4] = [Purpose::Imports, Purpose::Lookups, Purpose::Requests, Purpose::Threads];

    /// What it is called in a keyring.
    fn name(self) -> &'static str {
        match self {
            Purpose::Imports => "imports",
            Purpose::Lookups => "lookups",
            Purpose::Requests => "requests",
            Purpose::Threads => "threads",
        }
    }

    /// What its key follows from a master key that was never rotated by.
    fn derivation(self) -> &'static str {
        match self {
            Purpose::Imports => "process: import ids v1",
            Purpose::Lookups => "process: look-up tokens, epoch 1",
            Purpose::Requests => "process: request ids v1",
            Purpose::Threads => "process: thread ids v1",
        }
    }
}

/// The keys of a keyring.
#[derive(Clone)]
pub(crate) struct Ring {
    hashing: BTreeMap<Purpose, Zeroizing<[u8; 32]>>,
    /// By epoch; at least one.
    wrapping: BTreeMap<u32, Arc<WrappingKey>>,
}

/// What a keyring's file begins with.
const TITLE: &str = "seva keyring";

impl Ring {
    /// What follows from a secret that was never rotated.
    pub(crate) fn first(secret: &[u8; 32]) -> Ring {
        let derived = |purpose: &str| crypto::hmac(secret, &[b"seva master key", purpose.as_bytes()]);
        let hashing = Purpose::ALL.map(|purpose| (purpose, Zeroizing::new(derived(purpose.derivation()))));
        let wrapping = WrappingKey::new(FIRST_EPOCH, derived("wrap keys v1"));
        Ring { hashing: hashing.into(), wrapping: BTreeMap::from([(FIRST_EPOCH, Arc::new(wrapping))]) }
    }

    /// The key for one of the process's own purposes.
    pub(crate) fn hashing(&self, purpose: Purpose) -> [u8; 32] {
        self.hashing.get(&purpose).map(|key| **key).expect("a ring is made with every purpose")
    }

    /// What wraps in an epoch, if the ring holds it.
    pub(crate) fn epoch(&self, epoch: u32) -> Option<&Arc<WrappingKey>> {
        self.wrapping.get(&epoch)
    }

    /// What wraps in the newest epoch.
    pub(crate) fn newest(&self) -> &Arc<WrappingKey> {
        self.wrapping.last_key_value().map(|(_, key)| key).expect("a ring is made with an epoch")
    }

    /// Whether what was wrapped in an epoch is dead: the ring held it once and no longer does.
    pub(crate) fn is_over(&self, epoch: u32) -> bool {
        self.wrapping.first_key_value().is_some_and(|(first, _)| epoch < *first)
    }

    /// How many epochs it holds: more than one while a rotation is under way.
    pub(crate) fn epochs(&self) -> usize {
        self.wrapping.len()
    }

    /// The ring with one more epoch, whose key is new.
    pub(crate) fn with_next(&self) -> Ring {
        let epoch = self.newest().epoch() + 1;
        let mut ring = self.clone();
        ring.wrapping.insert(epoch, Arc::new(WrappingKey::new(epoch, crypto::random())));
        ring
    }

    /// The ring with its newest epoch alone.
    pub(crate) fn newest_alone(&self) -> Ring {
        let newest = Arc::clone(self.newest());
        Ring { hashing: self.hashing.clone(), wrapping: BTreeMap::from([(newest.epoch(), newest)]) }
    }

    /// The lines of its file.
    pub(crate) fn written(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(format!("{TITLE}\n"));
        for (purpose, key) in &self.hashing {
            text.push_str("hashing ");
            text.push_str(purpose.name());
            text.push(' ');
            push_hex(&mut text, key);
        }
        for (epoch, key) in &self.wrapping {
            text.push_str("epoch ");
            text.push_str(&epoch.to_string());
            text.push(' ');
            push_hex(&mut text, key.secret());
        }
        text
    }

    /// The ring written in lines, if it is one.
    fn parse(text: &str) -> Option<Ring> {
        let mut lines = text.trim().lines();
        if lines.next()? != TITLE {
            return None;
        }
        let (mut hashing, mut wrapping) = (BTreeMap::new(), BTreeMap::new());
        for line in lines {
            let mut words = line.split_ascii_whitespace();
            let (kind, name, digits) = (words.next()?, words.next()?, words.next()?);
            let key = unhex(digits)?;
            match (kind, words.next()) {
                ("hashing", None) => {
                    let purpose = Purpose::ALL.into_iter().find(|purpose| purpose.name() == name)?;
                    hashing.insert(purpose, key);
                }
                ("epoch", None) => {
                    let epoch = name.parse().ok()?;
                    wrapping.insert(epoch, Arc::new(WrappingKey::new(epoch, *key)));
                }
                _ => return None,
            }
        }
        let is_whole = hashing.len() == Purpose::ALL.len() && !wrapping.is_empty();
        is_whole.then_some(Ring { hashing, wrapping })
    }
}

/// The keys written in a text, if it is a master key or a keyring.
pub(crate) fn parse(text: &str) -> Option<Ring> {
    match unhex(text.trim()) {
        Some(secret) => Some(Ring::first(&secret)),
        None => Ring::parse(text),
    }
}

/// 64 digits and a line end.
pub(crate) fn push_hex(text: &mut String, key: &[u8; 32]) {
    for byte in key {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
        }
    }
    text.push('\n');
}

fn unhex(digits: &str) -> Option<Zeroizing<[u8; 32]>> {
    let digits = digits.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = Zeroizing::new([0; 32]);
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyring_that_lacks_something_is_none() {
        let whole = Ring::first(&[7; 32]).written();
        assert!(Ring::parse(&whole).is_some());
        let lines: Vec<&str> = whole.lines().collect();
        for n in 0..lines.len() {
            let without: Vec<&str> =
                lines.iter().enumerate().filter(|(m, _)| *m != n).map(|(_, l)| *l).collect();
            assert!(Ring::parse(&without.join("\n")).is_none(), "line {n}");
        }
        assert!(Ring::parse(&format!("{}and more", *whole)).is_none());
    }
}
