#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: give_up.py reflection PORT PROTO_DIR STANDARD_PROTO_DIR

A client in Python, on the public grpcio, that waits for nothing long: what it gives up, by a deadline or by canceling, is given up by
the server, too. What the contract is it learns by reflection. Prints "fine".
"""
import itertools
import queue
import sys

import grpc

import contract as contracts
from caller import Caller, Work, expect_code

SHORT_S = 0.2
WAIT_MS = 60000  # of polls, far longer than this test
LEASE_ROUNDS = 5
NEVER = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS}


def give_up_by_deadline(caller, service, method, **fields):
    expect_code(grpc.StatusCode.DEADLINE_EXCEEDED, caller.start(service, method, patience_s=SHORT_S, **fields).result)


def give_up_by_cancel(caller, service, method, **fields):
    poll = caller.start(service, method, **fields)
    caller.call("Sessions", "WhoAmI")  # behind it on the same connection: the poll is with the server
    assert not poll.done()
    poll.cancel()


GIVE_UP = (give_up_by_deadline, give_up_by_cancel)


def check_polls(everybody):
    """A poll that was given up gets nothing: who comes next does, at the first attempt. All goes over one connection, in this order."""
    for give_up, _ in itertools.product(GIVE_UP, range(LEASE_ROUNDS)):
        give_up(everybody, "Graders", "Lease", queue="calm", grader="gone", wait_ms=WAIT_MS)
        give_up(everybody, "Deliveries", "Lease", courier="gone", instance="1", wait_ms=WAIT_MS)
        everybody.call("Submissions", "Submit", queue="calm", callback_url="http://127.0.0.1:9/", body=b"x")
        (grant,) = everybody.call("Graders", "Lease", queue="calm", grader="here").grants
        assert grant.attempt == 1, grant
        everybody.call("Graders", "Complete", lease=grant.lease, result=b"y")
        (delivery,) = everybody.call("Deliveries", "Lease", courier="here", instance="1").deliveries
        assert delivery.attempt == 1, delivery
        everybody.call("Deliveries", "Acknowledge", submission_id=delivery.submission_id, delivery_key=delivery.delivery_key)


def check_work(everybody):
    """A stream of leases that is given up is over for the server; what it held is kept, and can be resumed."""
    held = []
    submitted = everybody.call("Submissions", "Submit", queue="calm", body=b"x").submission_id
    for patience_s in (1, contracts.PATIENCE_S):
        work = Work(everybody.contract, everybody.channel, everybody.metadata, patience_s)
        assert list(work.greet("impatient", 1, held).kept) == held
        if not held:
            work.say(credit={"submissions": 1})
            held = [work.hear("grant").lease]
            work.say(accept={"lease": held[0]})
        if patience_s > 1:
            work.stream.cancel()
        expected = grpc.StatusCode.CANCELLED if patience_s > 1 else grpc.StatusCode.DEADLINE_EXCEEDED
        assert work.end() == expected, work.stream.code()
        assert not everybody.call("Admin", "ListGraders").graders
    view = everybody.call("Submissions", "Get", submission_id=submitted)
    assert view.state == everybody.contract.number("xqueue.v1.SubmissionState", "SUBMISSION_STATE_LEASED"), view


def outcome(call):
    """The status that a call of any kind ends with, by itself or by its deadline."""
    try:
        call.exception()
    except grpc.FutureCancelledError:
        pass
    return call.code()


def check_every_method(contract, channel, standard):
    """With an empty request: with no time at all, with little and an open end, and canceled. Nobody has to wait for any of them."""
    caller = Caller(contract, channel, "everybody")
    for service in contracts.Reflection(channel, standard, contracts.REFLECTION).services():
        for method in contract.pool.FindServiceByName(service).methods_by_name:
            for patience_s, cancels in ((0.001, False), (SHORT_S, False), (contracts.PATIENCE_S, True)):
                code = outcome(begin(caller, service, method, patience_s, cancels))
                assert code is not None and code not in NEVER, (service, method, code)
                if f"{service}/{method}" == "xqueue.v1.Sessions/Logout":
                    caller = Caller(contract, channel, "everybody")


def begin(caller, service, method, patience_s, cancels):
    call, request = caller.contract.call(caller.channel, service, method)
    options = {"metadata": caller.metadata, "timeout": patience_s}
    if isinstance(call, (grpc.StreamStreamMultiCallable, grpc.StreamUnaryMultiCallable)):
        requests = queue.Queue()
        requests.put(request())
        argument = iter(requests.get, None)  # never ends by itself
    else:
        argument = request()
    started = call.future(argument, **options) if hasattr(call, "future") else call(argument, **options)
    if cancels:
        started.cancel()
    return started


def main():
    _, port, _, standard_dir = sys.argv[1:]
    standard = contracts.standard_protocols(standard_dir)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        contracts.is_ready(channel)
        contract = contracts.Reflection(channel, standard, contracts.REFLECTION).contract()
        everybody = Caller(contract, channel, "everybody")
        check_polls(everybody)
        check_work(everybody)
        check_every_method(contract, channel, standard)
    print("fine", flush=True)


main()
