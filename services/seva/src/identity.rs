//! How a customer is named on the command line: an id, or an identity such as `email:a@example.com`.

use seva_api::pb::intake::v1::{Identity, IdentityKind};

use crate::failure;

/// The ways to name an identity, for messages.
const FORMS: &str = "`account:ID`, `email:ADDRESS`, `handle:NETWORK/NAME` or `phone:NUMBER`";

/// Reads an identity written as `kind:value`.
pub(crate) fn parse(text: &str) -> anyhow::Result<Identity> {
    let (kind, value) =
        text.split_once(':').ok_or_else(|| failure::usage(format!("an identity is {FORMS}")))?;
    let kind = match kind {
        "account" => IdentityKind::Account,
        "email" => IdentityKind::Email,
        "handle" => IdentityKind::Handle,
        "phone" => IdentityKind::Phone,
        other => return Err(failure::usage(format!("`{other}` is no kind of identity: use {FORMS}"))),
    };
    if value.trim().is_empty() {
        return Err(failure::usage(format!("the identity has no value: use {FORMS}")));
    }
    Ok(Identity { kind: kind.into(), value: value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_a_kind_and_a_value() {
        let identity = parse("handle:twitter/meera").unwrap();
        assert_eq!((identity.kind(), identity.value.as_str()), (IdentityKind::Handle, "twitter/meera"));
        assert_eq!(parse("account:a:b").unwrap().value, "a:b");
    }

    #[test]
    fn anything_else_is_a_usage_error() {
        for text in ["meera", "fax:1", "email:", "email: "] {
            assert_eq!(failure::exit_of(&parse(text).unwrap_err()), failure::Exit::Usage, "{text}");
        }
    }
}
