#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who is let in over TLS, seen by the public grpcio and Python's own ssl module.

tls_client.py PORT FOLDER PROTO_DIR STEP: FOLDER has what make_certificates.sh made; STEP says how the service takes certificates. Prints "fine" when everything was as it should be.
"""
import os
import socket
import ssl
import subprocess
import sys

import grpc

PATIENCE_S = 20


def read(folder, name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


def channel_of(port, folder, authority="ca", client=None):
    pair = [read(folder, client + ".key"), read(folder, client + ".pem")] if client else [None, None]
    credentials = grpc.ssl_channel_credentials(read(folder, authority + ".pem"), *pair)
    return grpc.secure_channel(f"localhost:{port}", credentials)


def who_am_i(channel, token=None, timeout=PATIENCE_S):
    from xqueue.v1 import sessions_pb2 as sessions

    call = channel.unary_unary("/xqueue.v1.Sessions/WhoAmI", response_deserializer=sessions.WhoAmIResponse.FromString)
    metadata = [("authorization", token)] if token else []
    return call(b"", metadata=metadata, timeout=timeout).user


def expect_error(code, reason, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except grpc.RpcError as error:
        assert error.code() == code, error
        assert dict(error.trailing_metadata() or []).get("xqueue-reason", "") == reason, error
    else:
        raise AssertionError(f"{code} was expected")


def login(channel, user):
    from xqueue.v1 import sessions_pb2 as sessions

    call = channel.unary_unary("/xqueue.v1.Sessions/Login", request_serializer=sessions.LoginRequest.SerializeToString,
                               response_deserializer=sessions.LoginResponse.FromString)
    return call(sessions.LoginRequest(user=user, password=user), timeout=PATIENCE_S).token


def check_who_is_let_in(port, folder):
    unauthenticated = grpc.StatusCode.UNAUTHENTICATED
    with channel_of(port, folder) as channel:
        expect_error(unauthenticated, "CREDENTIALS_MISSING", who_am_i, channel)
        assert who_am_i(channel, "Bearer " + login(channel, "lms")) == "lms"
    with channel_of(port, folder, client="grader") as channel:
        assert who_am_i(channel) == "grader"
        assert who_am_i(channel, "Bearer " + login(channel, "lms")) == "lms"  # a token says more
        expect_error(unauthenticated, "SESSION_OVER", who_am_i, channel, "Bearer nonsense")
        expect_error(unauthenticated, "CREDENTIALS_MISSING", who_am_i, channel, "Basic nonsense")
    with channel_of(port, folder, client="stranger") as channel:
        expect_error(unauthenticated, "CERTIFICATE_UNKNOWN", who_am_i, channel)
        assert who_am_i(channel, "Bearer " + login(channel, "lms")) == "lms"


def check_who_is_not(port, folder):
    unavailable = grpc.StatusCode.UNAVAILABLE
    for client in ("expired", "foreign"):
        with channel_of(port, folder, client=client) as channel:
            expect_error(unavailable, "", who_am_i, channel, timeout=PATIENCE_S)
    with channel_of(port, folder, authority="otherca") as channel:
        expect_error(unavailable, "", who_am_i, channel, timeout=PATIENCE_S)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        expect_error(unavailable, "", who_am_i, channel, timeout=PATIENCE_S)


def check_a_stream_over_mutual_tls(port, folder):
    from xqueue.v1 import graders_pb2 as graders

    with channel_of(port, folder, client="grader") as channel:
        call = channel.stream_stream("/xqueue.v1.Graders/Work", request_serializer=graders.GraderMessage.SerializeToString,
                                     response_deserializer=graders.ServerMessage.FromString)
        hello = graders.Hello(grader="tls", instance="1", queues=["calm"], slots=1)
        replies = call(iter([graders.GraderMessage(hello=hello)]), timeout=PATIENCE_S)
        assert next(replies).WhichOneof("kind") == "welcome"


def handshake(port, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as plain:
        with context.wrap_socket(plain) as secured:
            return secured.version()


def check_versions(port):
    assert handshake(port, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    assert handshake(port, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    try:
        handshake(port, ssl.TLSVersion.TLSv1_1)
    except (ssl.SSLError, ConnectionError):
        pass
    else:
        raise AssertionError("TLS 1.1 was taken")


def check_optional(port, folder):
    check_who_is_let_in(port, folder)
    check_who_is_not(port, folder)
    check_a_stream_over_mutual_tls(port, folder)
    check_versions(port)


def check_required(port, folder):
    """Users are named by their DNS name."""
    unavailable = grpc.StatusCode.UNAVAILABLE
    for client in (None, "expired", "foreign"):
        with channel_of(port, folder, client=client) as channel:
            expect_error(unavailable, "", who_am_i, channel)
    with channel_of(port, folder, client="grader") as channel:
        assert who_am_i(channel) == "grader.example.org"
        assert who_am_i(channel, "Bearer " + login(channel, "lms")) == "lms"
    with channel_of(port, folder, client="stranger") as channel:
        expect_error(grpc.StatusCode.UNAUTHENTICATED, "CERTIFICATE_UNKNOWN", who_am_i, channel)


def check_uri(port, folder):
    with channel_of(port, folder, client="grader") as channel:
        assert who_am_i(channel) == "xqueue:grader"
    with channel_of(port, folder, client="admin") as channel:  # has no URI
        expect_error(grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_MISSING", who_am_i, channel)


STEPS = {"optional": check_optional, "required": check_required, "uri": check_uri}


def main():
    port, folder, proto_dir, step = int(sys.argv[1]), *sys.argv[2:]
    names = ["admin", "common", "deliveries", "files", "graders", "server", "sessions", "submissions"]
    modules = os.path.join(folder, "modules")
    os.mkdir(modules)
    protos = [f"xqueue/v1/{name}.proto" for name in names]
    subprocess.run(["protoc", f"-I{proto_dir}", f"--python_out={modules}", *protos], check=True)
    sys.path.insert(0, modules)
    STEPS[step](port, folder)
    print("fine", flush=True)


main()
