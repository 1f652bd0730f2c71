# SPDX-License-Identifier: Apache-2.0
"""Users of the service, in the words of a Contract."""
import queue

import grpc

from contract import PATIENCE_S


class Caller:
    """A user who calls unary methods."""

    def __init__(self, contract, channel, user):
        self.contract, self.channel, self.metadata = contract, channel, []
        token = self.call("Sessions", "Login", user=user, password=user).token
        self.metadata = [("authorization", f"Bearer {token}")]

    def start(self, service, method, patience_s=PATIENCE_S, **fields):
        """A call under way: its result() waits, its cancel() gives it up."""
        call, request = self.contract.call(self.channel, f"xqueue.v1.{service}", method)
        return call.future(request(**fields), metadata=self.metadata, timeout=patience_s)

    def call(self, service, method, **fields):
        return self.start(service, method, **fields).result()


class Work:
    """A stream of leases."""

    def __init__(self, contract, channel, metadata, patience_s=PATIENCE_S):
        call, self.message = contract.call(channel, "xqueue.v1.Graders", "Work")
        self.outbox = queue.Queue()
        self.stream = call(iter(self.outbox.get, None), metadata=metadata, timeout=patience_s, wait_for_ready=True)

    def say(self, **kind):
        self.outbox.put(self.message(**kind))

    def next(self):
        """The next message that is not there anyhow; None at the end."""
        message = next(self.stream, None)
        while message and message.WhichOneof("kind") in ("ping", "lease_status"):
            message = next(self.stream, None)
        return message

    def hear(self, kind):
        message = self.next()
        assert message and message.WhichOneof("kind") == kind, message
        return getattr(message, kind)

    def greet(self, grader, slots, held):
        self.say(hello={"grader": grader, "instance": "1", "sdk": "grpcio", "queues": ["calm"], "slots": slots, "held": held})
        return self.hear("welcome")

    def end(self):
        """Waits for the end, which others bring about: nothing else comes before it. Its status."""
        try:
            rest = self.next()
            assert rest is None, rest
        except (grpc.RpcError, grpc.FutureCancelledError):
            pass
        self.outbox.put(None)
        return self.stream.code()


def expect_code(expected, function, *arguments, **fields):
    """The error with which function must fail."""
    try:
        function(*arguments, **fields)
    except grpc.RpcError as error:
        assert error.code() == expected, error
        return error
    raise AssertionError(f"{expected} was expected")


def check_details(contract, error, method, reason):
    """What every public library knows how to read says the same as the trailers that are ours."""
    trailers = dict(error.trailing_metadata())
    status = contract.message("google.rpc.Status").FromString(trailers["grpc-status-details-bin"])
    assert (status.code, status.message) == (error.code().value[0], error.details()), status
    details = {}
    for detail in status.details:
        message = contract.message(detail.type_url.removeprefix("type.googleapis.com/"))
        details[message.DESCRIPTOR.name] = message.FromString(detail.value)
    info = details.pop("ErrorInfo")
    assert (info.reason, info.domain, dict(info.metadata)) == (reason, "xqueue.v1", {"method": method}), info
    assert info.reason == trailers["xqueue-reason"]
    retry_ms = int(trailers.get("xqueue-retry-after-ms", 0))
    if retry_ms > 0:
        assert details.pop("RetryInfo").retry_delay.ToMilliseconds() == retry_ms, status
    assert not details, status
    return retry_ms
