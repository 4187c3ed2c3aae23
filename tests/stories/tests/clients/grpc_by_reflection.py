"""Logs an interaction with messages made from what reflection tells, and reads it back.

Usage: grpc_by_reflection.py HOST:PORT TOKEN
Prints one JSON object. Knows nothing of the service but its name.
"""

import json
import sys

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

SERVICE = "seva.intake.v1.IntakeService"


class Caller(grpc.UnaryUnaryClientInterceptor, grpc.StreamStreamClientInterceptor):
    """Says in every call who makes it, and what for."""

    def __init__(self, token):
        self.metadata = [("authorization", f"Bearer {token}"), ("seva-purpose", "service")]

    def intercept_unary_unary(self, continuation, details, request):
        return continuation(details._replace(metadata=self.metadata), request)

    def intercept_stream_stream(self, continuation, details, requests):
        return continuation(details._replace(metadata=self.metadata), requests)


def main(address, token):
    channel = grpc.intercept_channel(grpc.insecure_channel(address), Caller(token))
    database = ProtoReflectionDescriptorDatabase(channel)
    assert SERVICE in database.get_services(), database.get_services()
    service = DescriptorPool(database).FindServiceByName(SERVICE)

    def call(name, request):
        method = service.methods_by_name[name]
        takes, answers = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        invoke = channel.unary_unary(
            f"/{SERVICE}/{name}",
            request_serializer=takes.SerializeToString,
            response_deserializer=answers.FromString,
        )
        answer, done = invoke.with_call(ParseDict(request, takes()), timeout=20)
        replayed = ("seva-replayed", "true") in [(key, value) for key, value in done.initial_metadata()]
        return MessageToDict(answer, preserving_proto_field_name=True), replayed

    said = {
        "request_id": "py-1",
        "identities": [{"kind": "IDENTITY_KIND_EMAIL", "value": "asha@example.com"}],
        "channel": "CHANNEL_EMAIL",
        "direction": "DIRECTION_INBOUND",
        "text": "மகிழ்ச்சி: the parcel came.",
        "kind": "CASE_KIND_ENQUIRY",
    }
    logged, first_replayed = call("LogInteraction", said)
    again, second_replayed = call("LogInteraction", said)
    timeline, _ = call(
        "GetTimeline",
        {"customer_id": logged["customer_id"], "read": {"at_least_position": logged["position"]}},
    )
    refused = None
    try:
        call("LogInteraction", {**said, "text": "Something else."})
    except grpc.RpcError as error:
        refused = error.code().name
    print(
        json.dumps(
            {
                "case_id": logged["case_id"],
                "is_same": again == logged,
                "position": logged["position"],
                "refused": refused,
                "replayed": [first_replayed, second_replayed],
                "texts": [entry["interaction"]["text"]["clear"] for entry in timeline["entries"]],
            }
        )
    )


main(sys.argv[1], sys.argv[2])
