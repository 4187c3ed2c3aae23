//! Reads and writes messages; what cannot be read is the caller's mistake, said with the field.
//!
//! Every generated client and server uses this codec. tonic's own calls a request that does not decode an INTERNAL error.

use std::marker::PhantomData;

use bytes::Buf as _;
use prost::{DecodeError, Message};
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};

use crate::REQUEST_BYTES_MAX;
use crate::status::{Error, Violation};

/// Which way a message goes. Generated for every message.
pub trait Wire {
    /// Whether it is what an RPC takes.
    const IS_REQUEST: bool;
}

/// Protobuf by prost, with limits and errors that tell a caller what to mend.
#[derive(Clone, Debug)]
pub struct ProstCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for ProstCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for ProstCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Wire + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = tonic_prost::ProstEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        tonic_prost::ProstEncoder::new(BufferSettings::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder(PhantomData)
    }
}

/// The reading half of [`ProstCodec`].
#[derive(Clone, Debug)]
pub struct ProstDecoder<U>(PhantomData<U>);

impl<U: Message + Default + Wire> Decoder for ProstDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        Ok(Some(read(buffer)?))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

fn read<U: Message + Default + Wire>(buffer: &mut DecodeBuf<'_>) -> Result<U, Error> {
    if U::IS_REQUEST && buffer.remaining() > REQUEST_BYTES_MAX {
        return Err(Error::MessageTooLarge { limit_bytes: REQUEST_BYTES_MAX });
    }
    U::decode(buffer).map_err(
        |error| {
            if U::IS_REQUEST { malformed(&error) } else { Error::Internal(error.into()) }
        },
    )
}

/// Names the field that did not decode. prost tells it only in the text of its error:
/// `failed to decode Protobuf message: Inner.field: Outer.field: what is wrong`, and nothing of the message's content.
fn malformed(error: &DecodeError) -> Error {
    let text = error.to_string();
    let mut rest = text.strip_prefix("failed to decode Protobuf message: ").unwrap_or(&text);
    let mut path = Vec::new();
    while let Some((place, after)) = rest.split_once(": ") {
        let Some((message, field)) = place.split_once('.') else {
            break;
        };
        if message.contains(' ') || field.contains(' ') {
            break;
        }
        path.push(field);
        rest = after;
    }
    path.reverse();
    Error::Malformed(vec![Violation::new(path.join("."), format!("cannot be decoded: {rest}"))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::intake::v1::{LogInteractionRequest, RegisterCustomerRequest};

    fn error_of<U: Message + Default + std::fmt::Debug>(bytes: &[u8]) -> (String, String) {
        match malformed(&U::decode(bytes).unwrap_err()) {
            Error::Malformed(violations) => (violations[0].field.clone(), violations[0].description.clone()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn invalid_utf8_names_the_field() {
        let (field, description) = error_of::<LogInteractionRequest>(&[0x42, 2, 0xff, 0xfe]);
        assert_eq!(field, "text");
        assert!(description.contains("UTF-8"), "{description}");
    }

    #[test]
    fn a_nested_field_is_named_by_its_path() {
        let (field, _) = error_of::<RegisterCustomerRequest>(&[0x12, 4, 0x12, 2, 0xff, 0xfe]);
        assert_eq!(field, "identities.value");
    }

    #[test]
    fn what_is_no_message_at_all_has_no_field() {
        let (field, description) = error_of::<LogInteractionRequest>(&[0xff; 12]);
        assert_eq!(field, "");
        assert!(description.starts_with("cannot be decoded: "), "{description}");
    }
}
