#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A foreign client that does what ours never would. rpc_peer.py ADDRESS ACT; prints the status code and the details."""
import os
import sys
import threading

import grpc

# Without probing the window stays small, and a peer that does not read stops its server soon.
OPTIONS = [("grpc.enable_http_proxy", 0), ("grpc.http2.bdp_probe", 0)]
ECHO = b"\x0a\x05hello"  # HealthCheckRequest(service="hello")
TOKEN = ("authorization", "Bearer token")


def call(channel, payload=ECHO, metadata=(TOKEN,), compression=None):
    unary = channel.unary_unary("/test.Echo/Unary")
    reply, finished = unary.with_call(payload, timeout=20, metadata=metadata, compression=compression)
    assert reply == payload, reply
    return finished.code()


def stream_unread(channel):
    """Opens a stream, reads nothing before its standard input is closed, then everything."""
    may_go_on = threading.Event()

    def requests():
        yield b"\x0a\x01x"
        may_go_on.wait()

    replies = channel.stream_stream("/test.Echo/Bidi")(requests(), metadata=(TOKEN,))
    sys.stdin.read()
    may_go_on.set()
    for _ in replies:
        pass
    return replies.code()


ACTS = {
    "stream-unread": stream_unread,
    "plain": lambda channel: call(channel),
    "no-token": lambda channel: call(channel, metadata=()),
    "lower-case-scheme": lambda channel: call(channel, metadata=(("authorization", "bearer token"),)),
    "other-scheme": lambda channel: call(channel, metadata=(("authorization", "Basic dXNlcjp4"),)),
    "empty-token": lambda channel: call(channel, metadata=(("authorization", "Bearer "),)),
    "two-words": lambda channel: call(channel, metadata=(("authorization", "Bearer one two"),)),
    "two-tokens": lambda channel: call(channel, metadata=(TOKEN, ("authorization", "Bearer other"))),
    "long-token": lambda channel: call(channel, metadata=(("authorization", "Bearer " + "x" * 513),)),
    "longest-token": lambda channel: call(channel, metadata=(("authorization", "Bearer " + "x" * 512),)),
    "gzip": lambda channel: call(channel, payload=b"\x0a\xff\xff\x03" + b"a" * 65535, compression=grpc.Compression.Gzip),
}


def main():
    address, act = sys.argv[1:]
    with grpc.insecure_channel(address, options=OPTIONS) as channel:
        try:
            print(ACTS[act](channel).name, "")
        except grpc.RpcError as error:
            print(error.code().name, error.details())


if __name__ == "__main__":
    main()
    # grpcio's threads now and then keep the interpreter from ending; nothing is left to be done.
    sys.stdout.flush()
    os._exit(0)
