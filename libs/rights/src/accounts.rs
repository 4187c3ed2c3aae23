//! The part of the server's configuration that says who is let in and what they may do.

use std::collections::BTreeMap;

use crate::{Identity, Rights};

/// What stands above everything.
const HEAD: &str = "\
# Who may do what on NATS: made by `seva nats-config` from the one table that there is. It holds no secret.
# A server that includes it lets in nobody without a seed. One setting a line: several on one line fail to parse.
";

/// Writes accounts, users and their rights in the server's language, for these identities and their public keys.
///
/// `others` are users beside the table, for whom everything is allowed: a test that does harm on purpose has one, nobody else.
pub fn accounts(keys: &BTreeMap<Identity, String>, others: &[String]) -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\n# Of the server itself: nobody of ours connects to it.\nsystem_account: SYS\n\naccounts {\n    SYS {\n    }\n");
    text.push_str("    APP {\n        jetstream: enabled\n        users: [\n");
    for (identity, key) in keys {
        user(&mut text, key, *identity);
    }
    for other in others {
        text.push_str(&format!("            {{\n                nkey: {other}\n            }}\n"));
    }
    text.push_str("        ]\n    }\n}\n");
    text
}

fn user(text: &mut String, key: &str, identity: Identity) {
    let Rights { publish, subscribe } = identity.rights();
    text.push_str(&format!(
        "            {{\n                # {}\n                nkey: {key}\n",
        identity.name()
    ));
    text.push_str("                permissions {\n");
    for (verb, subjects) in [("publish", publish), ("subscribe", subscribe)] {
        text.push_str(&format!("                    {verb} {{\n                        allow: [\n"));
        for subject in subjects {
            text.push_str(&format!("                            \"{subject}\"\n"));
        }
        text.push_str("                        ]\n                    }\n");
    }
    text.push_str("                }\n            }\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_one_user_and_the_system_account_none() {
        let keys = Identity::ALL.map(|identity| (identity, format!("U-{}", identity.name())));
        let text = accounts(&keys.into(), &[]);
        for identity in Identity::ALL {
            assert_eq!(text.matches(&format!("nkey: U-{}\n", identity.name())).count(), 1, "{text}");
        }
        assert_eq!(text.matches("nkey: ").count(), Identity::ALL.len());
        assert!(text.contains("    SYS {\n    }\n") && !text.contains("no_auth_user"), "{text}");
        let opened = text.matches(['{', '[']).count();
        assert_eq!(opened, text.matches(['}', ']']).count());
    }
}
