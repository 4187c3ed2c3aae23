//! The identities: one a service, and those beside them.

use seva_domain::service::Service;

/// How many of its processes and rebuilds may follow a stream at once, each through a consumer of its own.
const CONSUMERS: u8 = 8;

/// Who connects to NATS.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Identity {
    /// Subscribes to the published events, and knows nothing else.
    Analyst,
    /// Reads the log and publishes events from it.
    History,
    /// Destroys keys of persons, and alone may.
    Keeper,
    /// Makes the streams, and reads everything: setup, verification, backup.
    Operator,
    /// Writes its own shard of the log and follows all of them; makes keys and reads them.
    Service(Service),
}

impl Identity {
    /// All of them, in order of their names.
    pub const ALL: [Identity; 9] = [
        Identity::Analyst,
        Identity::Service(Service::Escalation),
        Identity::Service(Service::Feedback),
        Identity::History,
        Identity::Service(Service::Intake),
        Identity::Keeper,
        Identity::Operator,
        Identity::Service(Service::Policy),
        Identity::Service(Service::Refunds),
    ];

    /// What it is called in files, subjects and the server's log.
    pub fn name(self) -> &'static str {
        match self {
            Identity::Analyst => "analyst",
            Identity::History => "history",
            Identity::Keeper => "keeper",
            Identity::Operator => "operator",
            Identity::Service(service) => service.name(),
        }
    }

    /// What the subjects of answers to it begin with: nobody else may listen there.
    pub fn inbox(self) -> String {
        format!("_INBOX_{}", self.name())
    }

    /// The names that its consumers go by. There is no pattern for a part of a name: each is granted by itself.
    pub fn consumers(self) -> Vec<String> {
        (0..CONSUMERS).map(|n| format!("{}-{n}", self.name())).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn everybody_is_among_all_under_a_name_of_their_own() {
        let names: Vec<_> = Identity::ALL.map(Identity::name).into();
        assert!(names.is_sorted());
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), Identity::ALL.len());
        for service in Service::ALL {
            assert!(Identity::ALL.contains(&Identity::Service(service)));
        }
    }

    #[test]
    fn no_name_is_a_part_of_another_ones_subjects() {
        let consumers: BTreeSet<_> = Identity::ALL.into_iter().flat_map(Identity::consumers).collect();
        assert_eq!(consumers.len(), Identity::ALL.len() * usize::from(CONSUMERS));
        for name in consumers {
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{name}");
        }
    }
}
