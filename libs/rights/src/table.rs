//! The table: what each identity may publish and subscribe to. Whatever does not stand here is refused by the server.
//!
//! What was found on nats-server 2.15.1 and is kept to here, each tried live by the tests:
//! - The consumer's name is never a wildcard. With one, its holder pulls from consumers of others and uses up their deliveries.
//! - Who may not see a whole stream creates consumers under a subject that ends in the filter. Without it any filter is taken.
//! - Nobody subscribes to anything but answers to itself. The server delivers what a push consumer reads to any subject on which somebody
//!   listens under exactly that subject, into other streams too, and asks nobody whether they may publish there.

use seva_domain::service::Service;

use crate::Identity;

/// The streams: the log, the keys of persons, what was opened and denied, the published events.
const LOG: &str = "SEVA_LOG";
const KEYS: &str = "SEVA_KEYS";
const AUDIT: &str = "SEVA_AUDIT";
const EVENTS: &str = "SEVA_EVENTS";

/// The subjects of keys, and of what only the right master key opens.
const KEY_SUBJECTS: &str = "seva.key.*";
const KEY_CHECK: &str = "seva.keycheck";

/// The subjects of published events.
const EVENT_SUBJECTS: &str = "seva.events.>";

/// What an identity may do: subjects, as the server's configuration has them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rights {
    /// What it may publish to, requests among them.
    pub publish: Vec<String>,
    /// What it may subscribe to.
    pub subscribe: Vec<String>,
}

impl Identity {
    /// What it may do.
    pub fn rights(self) -> Rights {
        let publish = match self {
            Identity::Analyst => analyst(self),
            Identity::History => history(self),
            Identity::Keeper => keeper(),
            Identity::Operator => operator(self),
            Identity::Service(service) => owner(self, service),
        };
        Rights { publish, subscribe: vec![format!("{}.>", self.inbox())] }
    }
}

/// A service: its own shard, the whole log, its audit records, and keys, which it makes and reads and cannot delete.
fn owner(identity: Identity, service: Service) -> Vec<String> {
    let mut rights = vec![format!("seva.log.{}.>", service.name())];
    rights.extend(reads(LOG));
    rights.extend(follows(LOG, identity));
    rights.extend(audits(service.name()));
    rights.extend([KEY_SUBJECTS.to_owned(), KEY_CHECK.to_owned()]);
    rights.extend(reads(KEYS));
    rights.push(format!("$JS.API.DIRECT.GET.{KEYS}.{KEY_SUBJECTS}"));
    rights
}

/// History: the whole log, and the end of what it published.
fn history(identity: Identity) -> Vec<String> {
    let mut rights = vec![EVENT_SUBJECTS.to_owned()];
    rights.extend(reads(LOG));
    rights.extend(follows(LOG, identity));
    rights.extend(reads(EVENTS));
    rights.extend(audits(identity.name()));
    rights
}

/// The keeper: looks for a key's message, deletes it and marks its subject, or writes the key wrapped anew.
fn keeper() -> Vec<String> {
    let mut rights = vec![KEY_SUBJECTS.to_owned(), KEY_CHECK.to_owned()];
    rights.extend(reads(KEYS));
    rights.push(format!("$JS.API.STREAM.MSG.DELETE.{KEYS}"));
    rights
}

/// The operator: makes and changes streams, reads all of them, copies them and puts copies back. It deletes nothing by itself; a limit that it
/// sets on a stream would.
fn operator(identity: Identity) -> Vec<String> {
    let mut rights: Vec<String> =
        ["$JS.API.INFO", "$JS.API.STREAM.LIST", "$JS.API.STREAM.NAMES"].map(ToOwned::to_owned).into();
    for stream in [LOG, KEYS, AUDIT, EVENTS] {
        for verb in ["STREAM.CREATE", "STREAM.UPDATE", "STREAM.SNAPSHOT", "STREAM.RESTORE"] {
            rights.push(format!("$JS.API.{verb}.{stream}"));
        }
        rights.extend(reads(stream));
        rights.extend(follows(stream, identity));
        rights.push(format!("$JS.API.DIRECT.GET.{stream}"));
        rights.push(format!("$JS.API.DIRECT.GET.{stream}.>"));
        rights.push(format!("$JS.API.CONSUMER.LIST.{stream}"));
        rights.push(format!("$JS.API.CONSUMER.NAMES.{stream}"));
        rights.push(format!("$JS.SNAPSHOT.ACK.{stream}.>"));
        rights.push(format!("$JS.SNAPSHOT.RESTORE.{stream}.>"));
    }
    rights
}

/// An analyst: consumers of published events, under a filter that the subject of their creation names.
fn analyst(identity: Identity) -> Vec<String> {
    let mut rights = vec![format!("$JS.API.STREAM.INFO.{EVENTS}")];
    for name in identity.consumers() {
        rights.push(format!("$JS.API.CONSUMER.CREATE.{EVENTS}.{name}.{EVENT_SUBJECTS}"));
        rights.extend(uses(EVENTS, &name));
        rights.push(format!("$JS.ACK.{EVENTS}.{name}.>"));
    }
    rights
}

/// Saying what was opened and denied, and nothing in the name of others; what is said is the operator's to read.
fn audits(name: &str) -> [String; 2] {
    [format!("seva.audit.{name}"), format!("$JS.API.STREAM.INFO.{AUDIT}")]
}

/// Looking at a stream, and at single messages of it.
fn reads(stream: &str) -> [String; 2] {
    ["STREAM.INFO", "STREAM.MSG.GET"].map(|verb| format!("$JS.API.{verb}.{stream}"))
}

/// Following a whole stream, by consumers without acknowledgements.
fn follows(stream: &str, identity: Identity) -> Vec<String> {
    let mut rights = Vec::new();
    for name in identity.consumers() {
        rights.push(format!("$JS.API.CONSUMER.CREATE.{stream}.{name}"));
        rights.extend(uses(stream, &name));
    }
    rights
}

/// Using a consumer of one's own name, and giving it up.
fn uses(stream: &str, name: &str) -> [String; 3] {
    ["CONSUMER.INFO", "CONSUMER.MSG.NEXT", "CONSUMER.DELETE"]
        .map(|verb| format!("$JS.API.{verb}.{stream}.{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everybody's rights, a line each, of consumers' names the first only.
    fn listed() -> String {
        let mut text = String::new();
        for identity in Identity::ALL {
            let others: Vec<String> = identity.consumers().into_iter().skip(1).collect();
            let names_other =
                |right: &str| right.split('.').any(|token| others.iter().any(|name| name == token));
            let Rights { publish, subscribe } = identity.rights();
            text.push_str(&format!("{}\n", identity.name()));
            subscribe.iter().for_each(|right| text.push_str(&format!("  subscribe {right}\n")));
            let publish = publish.iter().filter(|right| !names_other(right));
            publish.for_each(|right| text.push_str(&format!("  publish {right}\n")));
        }
        text
    }

    #[test]
    fn everybodys_rights_are_as_agreed() {
        let (agreed, found) = (include_str!("../rights.txt"), listed());
        assert!(found == agreed, "rights.txt says otherwise; if the change is meant, it should be:\n{found}");
    }

    #[test]
    fn the_keeper_alone_deletes_messages_and_only_keys() {
        let all = Identity::ALL.into_iter().flat_map(|identity| identity.rights().publish);
        let deleting: Vec<String> = all.filter(|right| right.contains("MSG.DELETE")).collect();
        assert_eq!(deleting, ["$JS.API.STREAM.MSG.DELETE.SEVA_KEYS"]);
        assert!(Identity::Keeper.rights().publish.contains(&deleting[0]));
    }

    #[test]
    fn nobody_has_a_wildcard_for_a_stream_or_a_consumer_or_listens_elsewhere_than_at_home() {
        for identity in Identity::ALL {
            let Rights { publish, subscribe } = identity.rights();
            assert_eq!(subscribe, [format!("_INBOX_{}.>", identity.name())]);
            for right in publish {
                let api = right.strip_prefix("$JS.").unwrap_or_default();
                let name_at = if api.starts_with("API.CONSUMER.MSG.") { 5 } else { 4 };
                let is_of_consumer = api.contains("CONSUMER.") || api.starts_with("ACK.");
                let tokens: Vec<&str> = api.split('.').collect();
                let fixed = if is_of_consumer { tokens.len().min(name_at) } else { tokens.len().min(3) };
                assert!(!tokens[..fixed].contains(&"*"), "{right}");
                assert!(!tokens[..fixed].contains(&">") || api.starts_with("ACK."), "{right}");
            }
        }
    }

    #[test]
    fn nobody_deletes_or_purges_a_stream() {
        for right in Identity::ALL.into_iter().flat_map(|identity| identity.rights().publish) {
            let is_harmful =
                ["STREAM.DELETE", "STREAM.PURGE", "$SYS"].iter().any(|harm| right.contains(harm));
            assert!(!is_harmful && right != ">" && right != "$JS.>", "{right}");
        }
    }
}
