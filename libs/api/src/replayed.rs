//! What a write is compared by, and how its answer says that it was recorded before.

use prost::Message;
use tonic::{Response, Status};

use crate::edge::Written;

/// The metadata that says that an earlier sending of the same request was recorded.
pub const REPLAYED: &str = "seva-replayed";

/// The metadata that says that it was so already: the request left no record.
pub const UNCHANGED: &str = "seva-unchanged";

/// What a method answers.
pub type Answered<T> = Result<Response<T>, Status>;

/// What two sendings of a request are compared by: the method, and the request as the caller sent it.
pub fn body(method: &str, request: &impl Message) -> Vec<u8> {
    let mut body = Vec::with_capacity(method.len() + 1 + request.encoded_len());
    body.extend_from_slice(method.as_bytes());
    body.push(0);
    body.extend_from_slice(&request.encode_to_vec());
    body
}

/// The answer to a write.
pub fn answered<T>(written: &Written, message: T) -> Answered<T> {
    let mut response = Response::new(message);
    let says = tonic::metadata::MetadataValue::from_static("true");
    if written.is_replayed {
        response.metadata_mut().insert(REPLAYED, says);
    } else if written.records.is_empty() {
        response.metadata_mut().insert(UNCHANGED, says);
    }
    Ok(response)
}
