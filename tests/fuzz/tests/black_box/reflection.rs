//! What a server says about itself.

use std::collections::BTreeMap;

use prost::Message as _;
use prost_reflect::{DescriptorPool, MethodDescriptor};
use prost_types::FileDescriptorProto;
use tonic::transport::Channel;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

/// A method, and the server that answers to it.
#[derive(Clone, Debug)]
pub(crate) struct Method {
    pub(crate) of: MethodDescriptor,
    pub(crate) server: Channel,
}

/// Every method of a server.
pub(crate) async fn methods(server: Channel) -> Vec<Method> {
    let mut client = ServerReflectionClient::new(server.clone());
    let MessageResponse::ListServicesResponse(list) =
        ask(&mut client, MessageRequest::ListServices(String::new())).await
    else {
        panic!("no list of services");
    };
    let mut files = BTreeMap::new();
    let mut questions: Vec<MessageRequest> =
        list.service.iter().map(|one| MessageRequest::FileContainingSymbol(one.name.clone())).collect();
    while let Some(question) = questions.pop() {
        if let MessageRequest::FileByFilename(name) = &question
            && files.contains_key(name)
        {
            continue;
        }
        let MessageResponse::FileDescriptorResponse(found) = ask(&mut client, question).await else {
            panic!("a file that is not told of");
        };
        for bytes in found.file_descriptor_proto {
            let file = FileDescriptorProto::decode(bytes.as_slice()).unwrap();
            questions.extend(file.dependency.iter().cloned().map(MessageRequest::FileByFilename));
            files.insert(file.name().to_owned(), file);
        }
    }
    let mut pool = DescriptorPool::new();
    pool.add_file_descriptor_protos(files.into_values()).unwrap();
    let services = list.service.iter().map(|one| pool.get_service_by_name(&one.name).unwrap());
    let methods = services.flat_map(|service| service.methods().collect::<Vec<_>>());
    methods.map(|of| Method { of, server: server.clone() }).collect()
}

async fn ask(client: &mut ServerReflectionClient<Channel>, question: MessageRequest) -> MessageResponse {
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let request = seva_tokens::as_actor("agent:ana", tokio_stream::once(request));
    let answers = client.server_reflection_info(request).await.unwrap();
    answers.into_inner().message().await.unwrap().unwrap().message_response.unwrap()
}
