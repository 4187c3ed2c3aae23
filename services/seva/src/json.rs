//! Messages as JSON: the same field names as in `proto/`, for every message of ours.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::Value;

/// The descriptors of everything in `proto/`; empty if they cannot be read, which a test rules out.
static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(seva_api::pb::DESCRIPTORS).unwrap_or_default());

/// How messages are written: names as in `proto/`, and no fields that are not set.
pub(crate) const OPTIONS: SerializeOptions = SerializeOptions::new().use_proto_field_name(true);

/// A message as JSON; `name` is its full name in `proto/`.
pub(crate) fn of<M: prost::Message>(name: &str, message: &M) -> anyhow::Result<Value> {
    let descriptor =
        POOL.get_message_by_name(name).ok_or_else(|| anyhow::anyhow!("there is no message `{name}`"))?;
    dynamic(&DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())?)
}

/// Messages of one type as a JSON list.
pub(crate) fn list<M: prost::Message>(name: &str, messages: &[M]) -> anyhow::Result<Value> {
    let values: anyhow::Result<Vec<Value>> = messages.iter().map(|message| of(name, message)).collect();
    Ok(Value::Array(values?))
}

/// A message whose type was learnt at run time, as JSON.
pub(crate) fn dynamic(message: &DynamicMessage) -> anyhow::Result<Value> {
    Ok(message.serialize_with_options(serde_json::value::Serializer, &OPTIONS)?)
}

#[cfg(test)]
mod tests {
    use seva_api::pb::common::v1::{Text, text};
    use seva_api::pb::feedback::v1::Suggestion;

    use super::*;

    #[test]
    fn a_message_is_written_with_the_names_in_proto() {
        let text = Some(Text { value: Some(text::Value::Clear("less plastic".to_owned())) });
        let suggestion =
            Suggestion { suggestion_id: "sug_1".to_owned(), text, rev: 2, ..Suggestion::default() };
        let json = of("seva.feedback.v1.Suggestion", &suggestion).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"suggestion_id": "sug_1", "text": {"clear": "less plastic"}, "rev": "2"})
        );
    }
}
