//! The audit stream as a reader has it.

use serde_json::Value;
use seva_api::access::AUDIT_STREAM;
use seva_rights::Identity;

use crate::House;

/// Everything that stands in the audit stream.
#[derive(Clone, Debug)]
pub struct Audited {
    pub records: Vec<Value>,
    /// All messages as they are, a line each, behind their subjects.
    pub text: String,
}

impl Audited {
    /// How many calls the records of a person with this outcome tell of.
    pub fn calls(&self, who: &str, outcome: &str) -> u64 {
        let records = self.records.iter().filter(|r| r["who"] == who && r["outcome"] == outcome);
        records.filter_map(|record| record["calls"].as_u64()).sum()
    }
}

/// Reads the audit stream of a house from end to end.
pub async fn audited(house: &House) -> Audited {
    let client = house.nats().connect(Identity::Operator).await;
    let stream =
        async_nats::jetstream::new(client).get_stream(AUDIT_STREAM).await.expect("the audit stream is there");
    let mut audited = Audited { records: Vec::new(), text: String::new() };
    for sequence in 1..=stream.cached_info().state.last_sequence {
        let message = stream.get_raw_message(sequence).await.expect("no message of it is gone");
        let payload = String::from_utf8_lossy(&message.payload);
        audited.text.push_str(&format!("{} {payload}\n", message.subject));
        let message: Value = serde_json::from_slice(&message.payload).expect("a message is JSON");
        audited.records.extend(message["records"].as_array().expect("it holds records").iter().cloned());
    }
    audited
}
