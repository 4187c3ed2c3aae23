//! Reading `nats-server --version`, and the oldest version Seva's guarantees rest on.

use std::fmt;

/// A released or preliminary version of nats-server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Version {
    numbers: [u32; 3],
    preliminary: bool,
}

/// The oldest version that syncs as promised; it is also the one that is fetched.
pub(super) const FLOOR: Version = Version { numbers: [2, 15, 1], preliminary: false };

impl Version {
    /// Reads what `nats-server --version` prints, as `nats-server: v2.15.1`.
    pub(super) fn parse(printed: &str) -> Option<Self> {
        let text = printed.trim().strip_prefix("nats-server:")?.trim().trim_start_matches('v');
        let (release, preliminary) = match text.split_once(['-', '+']) {
            Some((release, _)) => (release, text.contains('-')),
            None => (text, false),
        };
        let mut parts = release.split('.').map(|part| part.parse().ok());
        let numbers = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then_some(Self { numbers, preliminary })
    }

    /// Says whether this version has everything Seva relies on.
    pub(super) fn is_enough(self) -> bool {
        self.numbers > FLOOR.numbers || (self.numbers == FLOOR.numbers && !self.preliminary)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}{}", if self.preliminary { " (preliminary)" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_from_the_floor_on_are_enough() {
        for (printed, enough) in [
            ("nats-server: v2.15.1\n", true),
            ("nats-server: v2.15.2", true),
            ("nats-server: v2.16.0-RC.1", true),
            ("nats-server: v10.0.0", true),
            ("nats-server: v2.15.1-RC.3", false),
            ("nats-server: v2.15.0", false),
            ("nats-server: v2.9.10", false),
        ] {
            assert_eq!(Version::parse(printed).map(Version::is_enough), Some(enough), "{printed}");
        }
    }

    #[test]
    fn anything_else_is_no_version() {
        for printed in [
            "",
            "nats-server",
            "nats-server: v2.15",
            "nats-server: v2.x.1",
            "nats-server: v1.2.3.4",
            "2.15.1",
        ] {
            assert_eq!(Version::parse(printed), None, "{printed}");
        }
    }
}
