//! Server reflection: lets clients that were built without `proto/` call what is served here.

use tonic_reflection::server::v1::{ServerReflection, ServerReflectionServer};
use tonic_reflection::server::{Builder, Error};

use crate::pb::DESCRIPTORS;

/// Tells of the services named, and of health and reflection themselves.
pub fn service(services: &[&str]) -> Result<ServerReflectionServer<impl ServerReflection>, Error> {
    let builder = Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name("grpc.health.v1.Health")
        .with_service_name("grpc.reflection.v1.ServerReflection");
    services
        .iter()
        .fold(builder, |builder, name| builder.with_service_name(*name))
        .build_v1()
}
