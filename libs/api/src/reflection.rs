//! Server reflection: lets clients that were built without `proto/` call what is served here.

use tonic_reflection::server::{Builder, Error, v1, v1alpha};

use crate::pb::DESCRIPTORS;

/// Tells of the services named, and of health and reflection themselves.
pub fn service(services: &[&str]) -> Result<v1::ServerReflectionServer<impl v1::ServerReflection>, Error> {
    told(services, "grpc.reflection.v1.ServerReflection").build_v1()
}

/// [`service`] under the name it had before version 1: Python's grpcio asks for no other.
pub fn service_v1alpha(
    services: &[&str],
) -> Result<v1alpha::ServerReflectionServer<impl v1alpha::ServerReflection>, Error> {
    told(services, "grpc.reflection.v1alpha.ServerReflection").build_v1alpha()
}

fn told<'a>(services: &[&str], itself: &str) -> Builder<'a> {
    let builder = Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name("grpc.health.v1.Health")
        .with_service_name(itself);
    services.iter().fold(builder, |builder, name| builder.with_service_name(*name))
}
