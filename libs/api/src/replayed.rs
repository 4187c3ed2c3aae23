//! What a write is compared by, and how its answer says that it was recorded before.

use prost::Message;
use tonic::{Response, Status};

use crate::edge::Written;

/// The metadata that says that an earlier sending of the same request was recorded.
pub const REPLAYED: &str = "seva-replayed";

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
    if written.is_replayed {
        response.metadata_mut().insert(REPLAYED, tonic::metadata::MetadataValue::from_static("true"));
    }
    Ok(response)
}
