#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a client meets that wants too much: seen by the public grpcio.

bounds_client.py ADDRESS FOLDER PROTO_DIR STEP, against an xqueued with the bounds of test_bounds.c for this step. Prints "fine" when everything was
as it should be.
"""
import os
import signal
import subprocess
import sys
import threading

import grpc

PATIENCE_S = 30
STREAMS_MAX = 2
CALLS_MAX = 3
HEADER_BYTES_MAX = 4096
MESSAGE_BYTES_MAX = 65536
STREAMS_PER_CONNECTION_MAX = 10
SUBMISSIONS = 40
BODY_BYTES = 30000


def own_channel(*options):
    """A connection that it shares with no other channel."""
    return grpc.insecure_channel(sys.argv[1], options=[("grpc.use_local_subchannel_pool", 1), *options])


def deaf_channel():
    """One that takes in almost nothing unless it is read."""
    return own_channel(("grpc.http2.lookahead_bytes", 64), ("grpc.http2.bdp_probe", 0))


def unary(channel, path, request, reply_type, token=None, extra=()):
    call = channel.unary_unary(path, request_serializer=type(request).SerializeToString, response_deserializer=reply_type.FromString)
    metadata = list(extra) + ([("authorization", f"Bearer {token}")] if token else [])
    return call.future(request, metadata=metadata, timeout=PATIENCE_S)


def login(channel, user):
    from xqueue.v1 import sessions_pb2 as sessions

    request = sessions.LoginRequest(user=user, password=user)
    return unary(channel, "/xqueue.v1.Sessions/Login", request, sessions.LoginResponse).result().token


def expect_full(call, reason):
    try:
        call.result()
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, error
        assert dict(error.trailing_metadata() or []).get("xqueue-reason", "") == reason, error
    else:
        raise AssertionError(f"{reason} was expected")


class Grader:
    """A Work stream that says Hello and then only what it is told; it reads only when asked."""

    def __init__(self, channel, token, name, credit=0):
        from xqueue.v1 import graders_pb2 as graders

        self.over = threading.Event()
        first = [graders.GraderMessage(hello=graders.Hello(grader=name, instance="1", queues=["calm"], slots=1000))]
        if credit:
            first.append(graders.GraderMessage(credit=graders.Credit(submissions=credit)))
        call = channel.stream_stream("/xqueue.v1.Graders/Work", request_serializer=graders.GraderMessage.SerializeToString,
                                     response_deserializer=graders.ServerMessage.FromString)
        self.call = call(self.says(first), metadata=[("authorization", f"Bearer {token}")])

    def says(self, messages):
        yield from messages
        self.over.wait()

    def is_welcome(self):
        return next(self.call).WhichOneof("kind") == "welcome"

    def ends(self):
        self.over.set()
        self.call.cancel()


def check_streams(channel):
    token = login(channel, "grader")
    graders = [Grader(channel, token, f"g{index}") for index in range(STREAMS_MAX)]
    assert all(grader.is_welcome() for grader in graders)
    with own_channel() as other:  # over all connections
        surplus = Grader(other, token, "surplus")
        try:
            next(surplus.call)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, error
            trailers = dict(error.trailing_metadata())
            assert trailers["xqueue-reason"] == "STREAMS_FULL" and int(trailers["xqueue-retry-after-ms"]) > 0, trailers
        else:
            raise AssertionError("one stream too many was opened")
        surplus.ends()
    others = Grader(channel, login(channel, "everybody"), "another user's")
    assert others.is_welcome()
    others.ends()
    for grader in graders:
        grader.ends()


def check_calls(channel):
    from xqueue.v1 import graders_pb2 as graders
    from xqueue.v1 import sessions_pb2 as sessions

    token = login(channel, "everybody")
    poll = graders.LeaseRequest(queue="small", grader="poller", wait_ms=20000)
    polls = [unary(channel, "/xqueue.v1.Graders/Lease", poll, graders.LeaseResponse, token) for _ in range(CALLS_MAX)]
    deadline = threading.Event()
    for _ in range(PATIENCE_S * 10):  # until all of them are there
        one_more = unary(channel, "/xqueue.v1.Sessions/WhoAmI", sessions.WhoAmIRequest(), sessions.WhoAmIResponse, token)
        if one_more.exception() is not None:
            break
        deadline.wait(0.1)
    expect_full(one_more, "CALLS_FULL")
    for call in polls:
        call.cancel()


def check_sizes(channel):
    from xqueue.v1 import submissions_pb2 as submissions

    token = login(channel, "lms")
    large = submissions.SubmitRequest(queue="calm", body=b"x" * MESSAGE_BYTES_MAX)
    expect_full(unary(channel, "/xqueue.v1.Submissions/Submit", large, submissions.SubmitResponse, token), "")
    fitting = submissions.SubmitRequest(queue="calm", body=b"x" * (MESSAGE_BYTES_MAX - 100))
    unary(channel, "/xqueue.v1.Submissions/Submit", fitting, submissions.SubmitResponse, token).result()
    # Too much metadata ends the calls of its connection: hence one of its own.
    with own_channel() as other:
        small = submissions.SubmitRequest(queue="calm", body=b"x")
        extra = [("x-filling", "y" * HEADER_BYTES_MAX)]
        call = unary(other, "/xqueue.v1.Submissions/Submit", small, submissions.SubmitResponse, token, extra)
        assert call.exception() is not None


def check_a_reader_that_does_not_read(channel):
    from xqueue.v1 import submissions_pb2 as submissions

    token = login(channel, "lms")
    with own_channel() as other:
        grader = Grader(other, login(channel, "grader"), "sleeper", credit=1000)
        assert grader.is_welcome()
        body = submissions.SubmitRequest(queue="calm", body=b"z" * BODY_BYTES)
        for _ in range(SUBMISSIONS):
            unary(channel, "/xqueue.v1.Submissions/Submit", body, submissions.SubmitResponse, token).result()
        expect_slow_reader(grader.call)
        grader.ends()


def check_a_connection(_):
    from xqueue.v1 import graders_pb2 as graders
    from xqueue.v1 import sessions_pb2 as sessions

    def who_am_i(channel):
        return unary(channel, "/xqueue.v1.Sessions/WhoAmI", sessions.WhoAmIRequest(), sessions.WhoAmIResponse, token)

    with own_channel() as full, own_channel() as other:
        token = login(full, "everybody")
        held = [Grader(full, token, f"g{index}") for index in range(STREAMS_PER_CONNECTION_MAX)]
        assert all(grader.is_welcome() for grader in held)
        waiting = who_am_i(full)
        for _ in range(100):  # the service has had time enough, as these show
            assert who_am_i(other).result().user == "everybody"
        assert not waiting.done(), "one call more than the connection may have was served"
        held[0].ends()
        assert waiting.result().user == "everybody"
        for grader in held[1:]:
            grader.ends()


def expect_slow_reader(stream):
    """What had left before the end is still there."""
    try:
        for _ in stream:
            pass
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, error
        assert dict(error.trailing_metadata())["xqueue-reason"] == "SLOW_READER", error
    else:
        raise AssertionError("the stream ended well")


may_read = threading.Event()  # SIGUSR1: the service has sent away who did not


def await_permission():
    assert may_read.wait(PATIENCE_S)
    may_read.clear()


def leased(channel, **said):
    """A submission that a grader holds, and its lease."""
    from xqueue.v1 import graders_pb2 as graders
    from xqueue.v1 import submissions_pb2 as submissions

    request = submissions.SubmitRequest(queue="calm", body=b"x", **said)
    submitted = unary(channel, "/xqueue.v1.Submissions/Submit", request, submissions.SubmitResponse, login(channel, "lms")).result()
    request = graders.LeaseRequest(queue="calm", grader="noisy")
    lease = unary(channel, "/xqueue.v1.Graders/Lease", request, graders.LeaseResponse, login(channel, "grader")).result()
    return submitted.submission_id, lease.grants[0].lease


def check_unread_watch(channel):
    """A client whose window is so small that one event with a grader's note does not fit."""
    from xqueue.v1 import graders_pb2 as graders
    from xqueue.v1 import submissions_pb2 as submissions

    student, token = login(channel, "lms"), login(channel, "grader")
    submission_id, lease = leased(channel)
    with deaf_channel() as deaf:
        call = deaf.unary_stream("/xqueue.v1.Submissions/Watch", request_serializer=submissions.WatchRequest.SerializeToString,
                                 response_deserializer=submissions.WatchEvent.FromString)
        watch = call(submissions.WatchRequest(submission_id=submission_id), metadata=[("authorization", f"Bearer {student}")])
        next(watch)
        for number in range(3):  # more than what is on its way and what the client's own library takes
            request = graders.ReportRequest(lease=lease, progress=submissions.Progress(note=f"{number} ".ljust(512, "x")))
            unary(channel, "/xqueue.v1.Graders/Report", request, graders.ReportResponse, token).result()
        await_permission()
        expect_slow_reader(watch)


def check_unread_results(channel):
    from xqueue.v1 import deliveries_pb2 as deliveries
    from xqueue.v1 import graders_pb2 as graders

    token = login(channel, "grader")
    for _ in range(3):
        _, lease = leased(channel, results_channel="deaf")
        request = graders.CompleteRequest(lease=lease, result=b"r" * 1000000)
        unary(channel, "/xqueue.v1.Graders/Complete", request, graders.CompleteResponse, token).result()
    with deaf_channel() as deaf:
        over = threading.Event()

        def says():
            yield deliveries.DeliveryAnswer(
                open=deliveries.OpenDeliveries(courier="deaf", instance="1", results_channel="deaf", credit=10)
            )
            over.wait()

        call = deaf.stream_stream("/xqueue.v1.Deliveries/Stream", request_serializer=deliveries.DeliveryAnswer.SerializeToString,
                                  response_deserializer=deliveries.Delivery.FromString)
        stream = call(says(), metadata=[("authorization", f"Bearer {login(channel, 'courier')}")])
        await_permission()
        expect_slow_reader(stream)
        over.set()


def check_users(address):
    with grpc.insecure_channel(address) as channel:
        check_streams(channel)
        check_calls(channel)
        check_sizes(channel)
        check_a_reader_that_does_not_read(channel)


def check_readers(address):
    with grpc.insecure_channel(address) as channel:
        check_unread_watch(channel)
        check_unread_results(channel)


STEPS = {"users": check_users, "connections": check_a_connection, "readers": check_readers}


def main():
    address, folder, proto_dir, step = sys.argv[1:5]
    names = ["admin", "common", "deliveries", "files", "graders", "server", "sessions", "submissions"]
    modules = os.path.join(folder, "modules")
    os.mkdir(modules)
    protos = [f"xqueue/v1/{name}.proto" for name in names]
    subprocess.run(["protoc", f"-I{proto_dir}", f"--python_out={modules}", *protos], check=True)
    sys.path.insert(0, modules)
    signal.signal(signal.SIGUSR1, lambda *_: may_read.set())
    STEPS[step](address)
    print("fine", flush=True)


main()
