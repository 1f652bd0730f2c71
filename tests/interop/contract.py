# SPDX-License-Identifier: Apache-2.0
"""The contract at run time, without generated code: message classes and methods, from proto files or from the server itself."""
import subprocess

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PATIENCE_S = 30
ERRORS = ("google.rpc.Status", "google.rpc.ErrorInfo")  # what tools ask for when an error has details
REFLECTION = "grpc.reflection.v1.ServerReflection"
REFLECTION_OLD = "grpc.reflection.v1alpha.ServerReflection"


class Contract:
    """Messages by full name, methods by service and name; calls go to one channel."""

    def __init__(self, files):
        self.files = {file.name: file for file in files}
        pool = descriptor_pool.DescriptorPool()
        added = set()

        def add(name):
            if name not in added:
                added.add(name)
                for needed in self.files[name].dependency:
                    add(needed)
                pool.Add(self.files[name])

        for name in self.files:
            add(name)
        self.pool = pool
        self.factory = message_factory.MessageFactory(pool)

    def message(self, name):
        return self.factory.GetPrototype(self.pool.FindMessageTypeByName(name))

    def number(self, enum, value):
        return self.pool.FindEnumTypeByName(enum).values_by_name[value].number

    def call(self, channel, service, method):
        """What the channel makes of the method, a function of a request, or of requests; and the class of the requests."""
        found = self.pool.FindServiceByName(service).FindMethodByName(method)
        proto = descriptor_pb2.MethodDescriptorProto()
        found.CopyToProto(proto)
        kinds = {
            (False, False): channel.unary_unary,
            (False, True): channel.unary_stream,
            (True, False): channel.stream_unary,
            (True, True): channel.stream_stream,
        }
        make = kinds[proto.client_streaming, proto.server_streaming]
        request = self.factory.GetPrototype(found.input_type)
        reply = self.factory.GetPrototype(found.output_type)
        return make(f"/{service}/{method}", request_serializer=request.SerializeToString, response_deserializer=reply.FromString), request


def from_files(folders, names):
    """As protoc reads them now."""
    command = ["protoc", *[f"-I{folder}" for folder in folders], "--include_imports", "--descriptor_set_out=/dev/stdout", *names]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return Contract(descriptor_pb2.FileDescriptorSet.FromString(output).file)


class Reflection:
    """One stream of server reflection, request by request."""

    def __init__(self, channel, standard, service):
        self.call, self.request = standard.call(channel, service, "ServerReflectionInfo")

    def ask(self, *requests):
        """The answers to these, in their order, on one stream that ends well."""
        stream = self.call(iter([self.request(host="xqueue", **request) for request in requests]), timeout=PATIENCE_S)
        answers = list(stream)
        assert len(answers) == len(requests), answers
        assert all(answer.valid_host == "xqueue" for answer in answers), answers
        return answers

    def services(self):
        return [service.name for service in self.ask({"list_services": ""})[0].list_services_response.service]

    def contract(self):
        """Everything that the listed services and their errors are made of, and nothing that came from elsewhere."""
        answers = self.ask(*({"file_containing_symbol": name} for name in [*self.services(), *ERRORS]))
        files = {}
        for answer in answers:
            for serialized in answer.file_descriptor_response.file_descriptor_proto:
                file = descriptor_pb2.FileDescriptorProto.FromString(serialized)
                files[file.name] = file
        return Contract(files.values())


def standard_protocols(folder):
    """Of public tools these are part: health, and reflection itself."""
    return from_files(
        [folder],
        ["grpc/health/v1/health.proto", "grpc/reflection/v1/reflection.proto", "grpc/reflection/v1alpha/reflection.proto"],
    )


def is_ready(channel):
    grpc.channel_ready_future(channel).result(timeout=PATIENCE_S)
