#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A grader that talks and does not read before it gets SIGUSR1: prints "fine" when it learns then why it was sent away.

slow_reader.py ADDRESS PROTO_DIR STANDARD_PROTO_DIR WORK_DIR
"""
import signal
import sys
import threading

import grpc
from public_client import PATIENCE_S, login, make_modules

LEASES = 2000  # unknown ones in each heartbeat: as many messages come back
may_read = threading.Event()


def words():
    from xqueue.v1 import graders_pb2 as graders

    hello = graders.Hello(grader="deaf", instance="1", queues=["calm"], slots=1)
    yield graders.GraderMessage(hello=hello)
    leases = [
        graders.LeaseProgress(lease=graders.LeaseRef(submission_id=1000000 + i, lease_key="x" * 32)) for i in range(LEASES)
    ]
    message = graders.GraderMessage(heartbeat=graders.Heartbeat(leases=leases))
    while not may_read.is_set():
        yield message


def main():
    address, proto_dir, standard_dir, work_dir = sys.argv[1:]
    signal.signal(signal.SIGUSR1, lambda *_: may_read.set())
    make_modules(proto_dir, standard_dir, work_dir)
    from xqueue.v1 import graders_pb2 as graders

    channel = grpc.insecure_channel(address)
    metadata = [("authorization", f"Bearer {login(channel, 'grader')}")]
    work = channel.stream_stream(
        "/xqueue.v1.Graders/Work",
        request_serializer=graders.GraderMessage.SerializeToString,
        response_deserializer=graders.ServerMessage.FromString,
    )
    call = work(words(), metadata=metadata, timeout=6 * PATIENCE_S)
    may_read.wait()
    try:
        for _ in call:
            pass
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, error
        assert dict(error.trailing_metadata()).get("xqueue-reason") == "SLOW_READER", error
        print("fine", flush=True)


if __name__ == "__main__":
    main()
