#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: limits.py files PORT PROTO_DIR STANDARD_PROTO_DIR

A client in Python, on the public grpcio, that goes beyond the limits of the methods that need no credentials: sizes of messages and of
metadata, calls on one connection, watchers. It is refused, and the others do not notice. Prints "fine".
"""
import sys

import grpc

import contract as contracts
from caller import check_details, expect_code

MESSAGE_BYTES_MAX = 4 * 1024 * 1024
METADATA_BYTES_MAX = 16 * 1024
CALLS_PER_CONNECTION_MAX = 1000
SHORT_S = 0.5
HEALTH = "grpc.health.v1.Health"
SERVING = 1


def connect(port):
    """A connection of its own."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
    channel = grpc.insecure_channel(f"127.0.0.1:{port}", options)
    contracts.is_ready(channel)
    return channel


def check_sizes(standard, port):
    """Who sends too much is refused; a connection on which too much metadata comes is lost to its owner, not to others."""
    with connect(port) as channel, connect(port) as other:
        check, request = standard.call(channel, HEALTH, "Check")
        watch, _ = standard.call(channel, HEALTH, "Watch")
        large = request(service="x" * MESSAGE_BYTES_MAX)
        expect_code(grpc.StatusCode.RESOURCE_EXHAUSTED, check, large, timeout=contracts.PATIENCE_S)
        expect_code(grpc.StatusCode.RESOURCE_EXHAUSTED, next, watch(large, timeout=contracts.PATIENCE_S))
        for name in (contracts.REFLECTION, contracts.REFLECTION_OLD):
            reflect, question = standard.call(channel, name, "ServerReflectionInfo")
            questions = iter([question(file_by_filename="x" * MESSAGE_BYTES_MAX)])
            expect_code(grpc.StatusCode.RESOURCE_EXHAUSTED, next, reflect(questions, timeout=contracts.PATIENCE_S))
        assert check(request(), timeout=contracts.PATIENCE_S).status == SERVING
        metadata = [(f"x-{i}", "y" * 1000) for i in range(METADATA_BYTES_MAX // 1000 + 1)]
        expect_code(grpc.StatusCode.RESOURCE_EXHAUSTED, check, request(), metadata=metadata, timeout=contracts.PATIENCE_S)
        check, _ = standard.call(other, HEALTH, "Check")
        assert check(request(), timeout=contracts.PATIENCE_S).status == SERVING


def check_calls(standard, errors, port):
    """On one connection so many calls are let in, the next one waits; so many watchers there are, and no more on another one."""
    with connect(port) as channel, connect(port) as other:
        watch, request = standard.call(channel, HEALTH, "Watch")
        check, _ = standard.call(channel, HEALTH, "Check")
        watchers = [watch(request()) for _ in range(CALLS_PER_CONNECTION_MAX)]
        for watcher in watchers:
            assert next(watcher).status == SERVING
        expect_code(grpc.StatusCode.DEADLINE_EXCEEDED, check, request(), timeout=SHORT_S)
        check_other, _ = standard.call(other, HEALTH, "Check")
        assert check_other(request(), timeout=contracts.PATIENCE_S).status == SERVING
        watch_other, _ = standard.call(other, HEALTH, "Watch")
        error = expect_code(grpc.StatusCode.RESOURCE_EXHAUSTED, next, watch_other(request(), timeout=contracts.PATIENCE_S))
        check_details(errors, error, f"{HEALTH}/Watch", "TOO_MANY_WATCHERS")
        watchers[0].cancel()
        assert check(request(), timeout=contracts.PATIENCE_S).status == SERVING
        for watcher in watchers:
            watcher.cancel()


def main():
    _, port, proto_dir, standard_dir = sys.argv[1:]
    standard = contracts.standard_protocols(standard_dir)
    errors = contracts.from_files([proto_dir], ["google/rpc/status.proto", "google/rpc/error_details.proto"])
    check_sizes(standard, port)
    check_calls(standard, errors, port)
    print("fine", flush=True)


main()
