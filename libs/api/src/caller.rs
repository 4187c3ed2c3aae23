//! Who calls: until identities are verified, whoever the request's metadata names.

use seva_domain::values::Actor;
use tonic::metadata::MetadataMap;

use crate::status::{Error, Violation};

/// The metadata key that names the caller.
pub const ACTOR_KEY: &str = "seva-actor";

/// The caller that the metadata names; nobody named is [`Actor::anonymous`].
pub fn actor(metadata: &MetadataMap) -> Result<Actor, Error> {
    let mut values = metadata.get_all(ACTOR_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(Actor::anonymous());
    };
    let malformed = |why: &str| Error::Malformed(vec![Violation::new(format!("metadata.{ACTOR_KEY}"), why)]);
    if values.next().is_some() {
        return Err(malformed("is given more than once"));
    }
    let actor = value.to_str().ok().and_then(Actor::parse);
    actor.ok_or_else(|| malformed("should be 1 to 64 characters of a-z, 0-9, `-`, `_`, `.`, `:`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&'static str]) -> Result<Actor, Error> {
        let mut metadata = MetadataMap::new();
        for value in values {
            metadata.append(ACTOR_KEY, value.parse().unwrap());
        }
        actor(&metadata)
    }

    #[test]
    fn the_caller_is_who_the_metadata_names() {
        assert_eq!(of(&[]).unwrap(), Actor::anonymous());
        assert_eq!(of(&["agent:ana"]).unwrap().as_str(), "agent:ana");
        for wrong in [&["Ana"][..], &["a b"], &[""], &["ana", "ben"]] {
            let Err(Error::Malformed(violations)) = of(wrong) else { panic!("{wrong:?}") };
            assert_eq!(violations[0].field, "metadata.seva-actor");
        }
    }
}
