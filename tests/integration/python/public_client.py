#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A client that knows nothing of this tree but proto/: the public grpcio with modules that protoc made just now.

public_client.py ADDRESS PROTO_DIR STANDARD_PROTO_DIR WORK_DIR. Prints "fine" when everything was as the contract says.
"""
import queue
import subprocess
import sys

import grpc

PATIENCE_S = 20


def make_modules(proto_dir, standard_dir, work_dir):
    names = ["admin", "common", "deliveries", "files", "graders", "server", "sessions", "submissions"]
    protos = [f"xqueue/v1/{name}.proto" for name in names] + ["grpc/health/v1/health.proto"]
    subprocess.run(["protoc", f"-I{proto_dir}", f"-I{standard_dir}", f"--python_out={work_dir}", *protos], check=True)
    sys.path.insert(0, work_dir)


def unary(channel, path, request, reply_type, token=None):
    call = channel.unary_unary(path, request_serializer=type(request).SerializeToString, response_deserializer=reply_type.FromString)
    metadata = [("authorization", f"Bearer {token}")] if token else []
    return call(request, metadata=metadata, timeout=PATIENCE_S)


def login(channel, user):
    from xqueue.v1 import sessions_pb2 as sessions

    request = sessions.LoginRequest(user=user, password=user)
    return unary(channel, "/xqueue.v1.Sessions/Login", request, sessions.LoginResponse).token


def expect_error(code, reason, function, *arguments):
    try:
        function(*arguments)
    except grpc.RpcError as error:
        assert error.code() == code, error
        assert dict(error.trailing_metadata()).get("xqueue-reason", "") == reason, error
    else:
        raise AssertionError(f"{code} was expected")


def check_health(channel):
    # Debian has no package of the health module for this; its package name would hide grpc's, so the bytes are read by hand.
    call = channel.unary_unary("/grpc.health.v1.Health/Check")
    assert call(b"", timeout=PATIENCE_S) == b"\x08\x01"  # status: SERVING
    info_call = channel.unary_unary("/xqueue.v1.Server/GetServerInfo")
    from xqueue.v1 import server_pb2 as server

    info = server.GetServerInfoResponse.FromString(info_call(b"", timeout=PATIENCE_S))
    assert info.version and "work" in info.features, info


def submit(channel, token, body):
    from xqueue.v1 import submissions_pb2 as submissions

    request = submissions.SubmitRequest(queue="calm", header=b"{}", body=body, labels={"language": "python"})
    return unary(channel, "/xqueue.v1.Submissions/Submit", request, submissions.SubmitResponse, token).submission_id


def grade(channel, token, submission_id, body):
    """A Work stream: greets, is granted the submission, completes it, drains."""
    from xqueue.v1 import graders_pb2 as graders

    outbox = queue.Queue()
    work = channel.stream_stream(
        "/xqueue.v1.Graders/Work",
        request_serializer=graders.GraderMessage.SerializeToString,
        response_deserializer=graders.ServerMessage.FromString,
    )
    stream = work(iter(outbox.get, None), metadata=[("authorization", f"Bearer {token}")], timeout=PATIENCE_S)
    outbox.put(graders.GraderMessage(hello=graders.Hello(grader="python", instance="1", sdk="public", queues=["calm"], slots=1, labels={"language": "python"})))
    outbox.put(graders.GraderMessage(credit=graders.Credit(submissions=1)))
    heard = []
    for message in stream:
        kind = message.WhichOneof("kind")
        heard.append(kind)
        if kind == "grant":
            assert message.grant.submission.id == submission_id
            assert message.grant.submission.body == body
            assert dict(message.grant.submission.labels) == {"language": "python"}
            outbox.put(graders.GraderMessage(accept=graders.Accept(lease=message.grant.lease)))
            outbox.put(graders.GraderMessage(complete=graders.CompleteRequest(lease=message.grant.lease, result=b"from python")))
        elif kind == "ack":
            assert message.ack.outcome == graders.ACK_OUTCOME_OK, message
            outbox.put(graders.GraderMessage(drain=graders.Drain()))
    assert heard == ["welcome", "grant", "ack"], heard
    assert stream.code() == grpc.StatusCode.OK, stream.code()
    outbox.put(None)


def check_result(channel, token, submission_id):
    from xqueue.v1 import common_pb2 as common
    from xqueue.v1 import submissions_pb2 as submissions

    request = submissions.GetRequest(submission_id=submission_id, with_result=True)
    answer = unary(channel, "/xqueue.v1.Submissions/Get", request, submissions.GetResponse, token)
    assert answer.state == common.SUBMISSION_STATE_GRADED, answer
    assert answer.result.body == b"from python", answer
    request.submission_id = 999999
    expect_error(
        grpc.StatusCode.NOT_FOUND,
        "SUBMISSION_NOT_FOUND",
        unary, channel, "/xqueue.v1.Submissions/Get", request, submissions.GetResponse, token,
    )


def check_compression(address, token):
    """Compressed messages are refused: they could unpack to anything."""
    with grpc.insecure_channel(address, compression=grpc.Compression.Gzip) as channel:
        expect_error(grpc.StatusCode.UNIMPLEMENTED, "", submit, channel, token, b"a" * 10000)


def main():
    address, proto_dir, standard_dir, work_dir = sys.argv[1:]
    make_modules(proto_dir, standard_dir, work_dir)
    body = bytes(range(256))
    with grpc.insecure_channel(address) as channel:
        grpc.channel_ready_future(channel).result(timeout=PATIENCE_S)
        check_health(channel)
        student, grader = login(channel, "lms"), login(channel, "grader")
        expect_error(grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_MISSING", submit, channel, None, body)
        expect_error(grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING", submit, channel, grader, body)
        submission_id = submit(channel, student, body)
        grade(channel, grader, submission_id, body)
        check_result(channel, student, submission_id)
    check_compression(address, student)
    print("fine")


if __name__ == "__main__":
    main()
