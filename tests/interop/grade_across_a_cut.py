#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: grade_across_a_cut.py files|reflection PORT PROTO_DIR STANDARD_PROTO_DIR

A grader in Python, on the public grpcio, that knows the contract from the proto files or from the server's reflection alone: logs in,
submits, streams leases, loses its connection in the middle, comes back with what it holds, completes. Prints "fine".
"""
import sys

import grpc

import contract as contracts
from caller import Caller, Work, check_details, expect_code
from unreliable_link import UnreliableLink

SUBMISSIONS = 3


def hold_leases(work, ids):
    """Takes all of them and renews the first; they are named in the order of their grants."""
    work.say(credit={"submissions": len(ids)})
    leases = []
    for _ in ids:
        grant = work.hear("grant")
        leases.append(grant.lease)
        assert grant.attempt == 1 and grant.submission.body == b"body %d" % ids.index(grant.submission.id), grant
        work.say(accept={"lease": grant.lease})
    work.say(heartbeat={"leases": [{"lease": leases[0], "progress": {"percent": 50, "note": "half"}}]})
    work.say(ping={"number": 7})
    assert work.hear("pong").number == 7  # so all of that has been heard
    assert sorted(lease.submission_id for lease in leases) == sorted(ids), leases
    return leases


def complete(work, contract, lease):
    ok = contract.number("xqueue.v1.AckOutcome", "ACK_OUTCOME_OK")
    work.say(complete={"lease": lease, "result": b"result of %d" % lease.submission_id})
    ack = work.hear("ack")
    assert ack.outcome == ok and ack.lease == lease, ack


def grade_across_a_cut(contract, port):
    graded = contract.number("xqueue.v1.SubmissionState", "SUBMISSION_STATE_GRADED")
    stale = contract.number("xqueue.v1.LostReason", "LOST_REASON_STALE")
    link = UnreliableLink("127.0.0.1", port)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as direct, grpc.insecure_channel(f"127.0.0.1:{link.port}") as shaky:
        lms, grader = Caller(contract, direct, "lms"), Caller(contract, shaky, "grader")
        ids = [lms.call("Submissions", "Submit", queue="calm", header=b"h", body=b"body %d" % i).submission_id for i in range(SUBMISSIONS)]

        work = Work(contract, shaky, grader.metadata)
        welcome = work.greet("python", SUBMISSIONS, [])
        assert not welcome.kept and not welcome.lost and welcome.ping_period_ms > 0, welcome
        leases = hold_leases(work, ids)
        complete(work, contract, leases[0])
        link.cut()
        assert work.end() == grpc.StatusCode.UNAVAILABLE, work.stream.code()

        work = Work(contract, shaky, grader.metadata)
        forged = {"submission_id": ids[0], "lease_key": "x" * 32}
        welcome = work.greet("python", SUBMISSIONS, [*leases[1:], forged])
        assert list(welcome.kept) == leases[1:], welcome
        assert [(lost.lease.lease_key, lost.reason) for lost in welcome.lost] == [("x" * 32, stale)], welcome
        for lease in leases[1:]:
            complete(work, contract, lease)
        work.say(drain={})
        assert work.end() == grpc.StatusCode.OK, work.stream.code()

        for submission_id in ids:
            view = lms.call("Submissions", "Get", submission_id=submission_id, with_result=True)
            assert view.state == graded and view.attempt == 1 and view.result.body == b"result of %d" % submission_id, view
        check_errors(contract, lms)


def fill(lms, queue):
    while True:
        lms.call("Submissions", "Submit", queue=queue, body=b"x")


def check_errors(contract, lms):
    error = expect_code(grpc.StatusCode.NOT_FOUND, lms.call, "Submissions", "Get", submission_id=2**40)
    assert check_details(contract, error, "xqueue.v1.Submissions/Get", "SUBMISSION_NOT_FOUND") == 0
    error = expect_code(grpc.StatusCode.RESOURCE_EXHAUSTED, fill, lms, "small")
    assert check_details(contract, error, "xqueue.v1.Submissions/Submit", "QUEUE_FULL") > 0


def check_reflection(reflection, contract):
    """Each kind of question, and the answers to wrong ones."""
    not_found = grpc.StatusCode.NOT_FOUND.value[0]
    file, symbol, extensions, extension, nothing, wrong = reflection.ask(
        {"file_by_filename": "xqueue/v1/graders.proto"},
        {"file_containing_symbol": "xqueue.v1.Hello.held"},
        {"all_extension_numbers_of_type": "xqueue.v1.Hello"},
        {"file_containing_extension": {"containing_type": "xqueue.v1.Hello", "extension_number": 1}},
        {"file_containing_symbol": "xqueue.v1.Nothing"},
        {"file_by_filename": "/etc/passwd"},
    )
    graders = contract.files["xqueue/v1/graders.proto"].SerializeToString()
    assert graders in file.file_descriptor_response.file_descriptor_proto, file
    assert list(symbol.file_descriptor_response.file_descriptor_proto) == [graders], symbol  # the imports came before
    assert extensions.all_extension_numbers_response.base_type_name == "xqueue.v1.Hello", extensions
    for answer in (extension, nothing, wrong):
        assert answer.error_response.error_code == not_found and answer.error_response.error_message, answer


def main():
    source, port, proto_dir, standard_dir = sys.argv[1:]
    names = ["admin", "common", "deliveries", "files", "graders", "server", "sessions", "submissions"]
    errors = ["google/rpc/status.proto", "google/rpc/error_details.proto"]
    files = contracts.from_files([proto_dir, standard_dir], [*(f"xqueue/v1/{name}.proto" for name in names), *errors])
    if source == "files":
        grade_across_a_cut(files, int(port))
    else:
        standard = contracts.standard_protocols(standard_dir)
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            contracts.is_ready(channel)
            known = [contracts.Reflection(channel, standard, name).contract() for name in (contracts.REFLECTION, contracts.REFLECTION_OLD)]
            check_reflection(contracts.Reflection(channel, standard, contracts.REFLECTION), known[0])
        assert known[0].files == known[1].files
        for name, file in files.files.items():
            if name in known[0].files:
                assert known[0].files[name] == file, name
        grade_across_a_cut(known[0], int(port))
    print("fine")


main()
