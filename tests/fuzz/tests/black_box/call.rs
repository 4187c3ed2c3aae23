//! One call: its message, its bytes, its metadata, all by chance.

use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message as _;
use prost_reflect::DynamicMessage;
use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use seva_fuzz::{Known, Maker};
use seva_support::{RawCodec, edited};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{MetadataKey, MetadataMap, MetadataValue};
use tonic::{Request, Status};

use crate::judge::Judge;
use crate::reflection::Method;

/// How long a call may take that asks for an answer within two seconds at most, before it counts as hanging.
const HANGS_AFTER: Duration = Duration::from_secs(30);

/// How long a word of the metadata may be: together they fit what a port takes.
const HEADER_BYTES_MAX: usize = 2 * 1024;

/// Whoever makes one call.
pub(crate) struct Caller<'a> {
    pub(crate) seed: u64,
    pub(crate) maker: Maker<'a>,
    pub(crate) known: &'a Known,
}

impl Caller<'_> {
    /// Calls one of these methods, and hands what came of it to the judge.
    pub(crate) async fn call(mut self, methods: &[Method], judge: &Judge) {
        let Some(method) = methods.choose(self.maker.rng()) else { return };
        let mut path = format!("/{}/{}", method.of.parent_service().full_name(), method.of.name());
        if self.maker.rng().random_bool(0.01) {
            path.push('x');
        }
        let messages = self.messages(method);
        let mut request = Request::new(tokio_stream::iter(messages));
        self.metadata(request.metadata_mut());
        let mut client = tonic::client::Grpc::new(method.server.clone())
            .max_encoding_message_size(usize::MAX)
            .max_decoding_message_size(usize::MAX);
        let what = format!("{path}, seed {:#x}", self.seed);
        let began = Instant::now();
        let calling = async {
            client.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
            let path: PathAndQuery = path.parse().map_err(|_| Status::unknown("no path"))?;
            let mut answers = client.streaming(request, path, RawCodec).await?.into_inner();
            let mut last = Bytes::new();
            // Some streams last until their deadline.
            while let Some(answer) = answers.message().await? {
                last = answer;
            }
            Ok(last)
        };
        let answered = tokio::time::timeout(HANGS_AFTER, calling).await;
        match &answered {
            Err(_) => judge.hangs(&what),
            Ok(answer) => judge.hears(&method.of, &what, answer, began.elapsed()),
        }
        if let Ok(Ok(answer)) = answered
            && let Ok(answer) = DynamicMessage::decode(method.of.output(), answer)
        {
            self.known.hear(&answer);
        }
    }

    /// One message, or for a stream several; some of them damaged.
    fn messages(&mut self, method: &Method) -> Vec<Bytes> {
        let streams = method.of.is_client_streaming();
        let many = if streams { self.maker.rng().random_range(0..6) } else { 1 };
        let many = if self.maker.rng().random_bool(0.01) { 2 - many.min(2) } else { many };
        let mut messages = Vec::new();
        for _ in 0..many {
            let mut bytes = self.maker.message(&method.of.input()).encode_to_vec();
            if self.maker.rng().random_bool(0.1) {
                let edits: Vec<_> =
                    (0..self.maker.rng().random_range(1..8)).map(|_| self.maker.rng().random()).collect();
                bytes = edited(&bytes, &edits);
            }
            messages.push(bytes.into());
        }
        messages
    }

    fn metadata(&mut self, metadata: &mut MetadataMap) {
        let timeouts = ["1S", "500m", "2S", "300m", "1n", "0S"];
        let timeout = timeouts.choose(self.maker.rng()).copied().unwrap_or("1S");
        metadata.insert("grpc-timeout", MetadataValue::from_static(timeout));
        // Mostly somebody who may do everything; sometimes nobody, two at once, or a token that is none.
        if self.maker.rng().random_bool(0.9) {
            let callers = ["agent:ana", "agent:ben", "lead:cem", "manager:dia"];
            let caller = callers.choose(self.maker.rng()).copied().unwrap_or_default();
            *metadata = seva_tokens::as_actor(caller, ()).into_parts().0;
            metadata.insert("grpc-timeout", MetadataValue::from_static(timeout));
        }
        if self.maker.rng().random_bool(0.05) {
            let token = format!("Bearer {}", self.maker.word("token"));
            if token.len() <= HEADER_BYTES_MAX
                && let Ok(value) = token.parse()
            {
                metadata.append("authorization", value);
            }
        }
        let purposes = ["service", "refund", "Service", ""];
        let purpose = purposes.choose(self.maker.rng()).copied().unwrap_or_default();
        metadata.insert("seva-purpose", MetadataValue::from_static(purpose));
        for (name, chance) in
            [("seva-import", 0.05), ("seva-occurred-at", 0.05), ("traceparent", 0.1), ("x-any", 0.05)]
        {
            if !self.maker.rng().random_bool(chance) {
                continue;
            }
            let word = match name {
                "seva-import" => self.maker.word("import_key"),
                "seva-occurred-at" => "2019-05-04T10:00:00Z".to_owned(),
                _ => self.maker.word(name),
            };
            // What cannot stand in a header cannot be sent, and headers that are too long end the connection, for every call on it.
            if word.len() <= HEADER_BYTES_MAX
                && let (Ok(name), Ok(value)) = (MetadataKey::from_bytes(name.as_bytes()), word.parse())
            {
                metadata.append(name, value);
            }
        }
    }
}
