#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Uploads, submits and fetches files with the public grpcio.

files_client.py ADDRESS PROTO_DIR STANDARD_PROTO_DIR WORK_DIR STEP PID. PID: of the service. STEP: "all"; "keep" uploads a file and names it in a submission,
"find" finds that one again; "hang" leaves an upload half done until it is killed; "full" finds no room for a file. Prints "fine" at the end.
The service must have file_bytes_max: 50000000, file_streams_max: 4, file_unnamed_ms: 1000.
"""
import hashlib
import os
import sys
import time

import grpc

from public_client import PATIENCE_S, expect_error, login, make_modules, unary

CHUNK = 262144
LARGE = 40_000_000  # bytes: much more than the service may take of memory for it


def uploads(files, chunks, **said):
    yield files.UploadRequest(open=files.OpenUpload(filename="main.py", **said))
    for chunk in chunks:
        yield files.UploadRequest(chunk=chunk)


def chunks_of(data):
    return (data[at : at + CHUNK] for at in range(0, len(data), CHUNK))


class Client:
    def __init__(self, channel):
        from xqueue.v1 import files_pb2, submissions_pb2

        self.channel, self.files, self.submissions = channel, files_pb2, submissions_pb2
        self.token = login(channel, "lms")
        self.grader = login(channel, "grader")

    def upload_messages(self, messages, token=None):
        call = self.channel.stream_unary(
            "/xqueue.v1.Files/Upload",
            request_serializer=self.files.UploadRequest.SerializeToString,
            response_deserializer=self.files.UploadResponse.FromString,
        )
        return call(messages, metadata=[("authorization", f"Bearer {token or self.token}")], timeout=PATIENCE_S)

    def upload(self, data, **said):
        return self.upload_messages(uploads(self.files, chunks_of(data), **said))

    def fetch_stream(self, file_id, offset=0, length=0, token=None):
        call = self.channel.unary_stream(
            "/xqueue.v1.Files/Fetch",
            request_serializer=self.files.FetchRequest.SerializeToString,
            response_deserializer=self.files.FetchResponse.FromString,
        )
        request = self.files.FetchRequest(file_id=file_id, offset=offset, length=length)
        return call(request, metadata=[("authorization", f"Bearer {token or self.grader}")], timeout=PATIENCE_S)

    def fetch(self, *arguments, **options):
        messages = list(self.fetch_stream(*arguments, **options))
        assert all(len(message.chunk) <= CHUNK for message in messages)
        return messages[0], b"".join(message.chunk for message in messages)

    def submit(self, file_id, **said):
        from xqueue.v1 import common_pb2 as common

        request = self.submissions.SubmitRequest(queue="calm", files=[common.File(name="main.py", file_id=file_id, **said)])
        return unary(self.channel, "/xqueue.v1.Submissions/Submit", request, self.submissions.SubmitResponse, self.token)

    def submission(self, submission_id):
        request = self.submissions.GetRequest(submission_id=submission_id, with_submission=True)
        return unary(self.channel, "/xqueue.v1.Submissions/Get", request, self.submissions.GetResponse, self.token).submission


def check_round_trip(client):
    data = bytes(range(256)) * 4000
    digest = hashlib.sha256(data).digest()
    kept = client.upload(data, size_bytes=len(data), sha256=digest)
    assert (kept.file_id, kept.size_bytes, kept.sha256) == (digest.hex(), len(data), digest), kept
    assert client.upload(data) == kept, "the same content has the same name"

    first, fetched = client.fetch(kept.file_id)
    assert fetched == data and first.size_bytes == len(data) and first.sha256 == digest
    assert client.fetch(kept.file_id, offset=1000, length=300000)[1] == data[1000:301000]
    assert client.fetch(kept.file_id, offset=len(data) - 5)[1] == data[-5:]
    assert client.fetch(kept.file_id, offset=5, length=2**63)[1] == data[5:]
    first, fetched = client.fetch(kept.file_id, offset=len(data))
    assert fetched == b"" and first.size_bytes == len(data)

    view = client.submission(client.submit(kept.file_id).submission_id)
    assert [(f.file_id, f.size_bytes, f.sha256) for f in view.files] == [(kept.file_id, len(data), digest)], view
    assert client.upload(b"").size_bytes == 0


def check_refusals(client):
    code = grpc.StatusCode
    messages, files = client.upload_messages, client.files
    said = client.upload(b"hello").file_id
    absent = "0" * 64
    cases = [
        (code.INVALID_ARGUMENT, "DIGEST_MISMATCH", client.upload, b"other", {"sha256": hashlib.sha256(b"x").digest()}),
        (code.INVALID_ARGUMENT, "SIZE_MISMATCH", client.upload, b"other", {"size_bytes": 6}),
        (code.RESOURCE_EXHAUSTED, "FILE_TOO_LARGE", client.upload, b"other", {"size_bytes": 50_000_001}),
        (code.RESOURCE_EXHAUSTED, "FILE_TOO_LARGE", client.upload, bytes(50_000_001), {}),
        (code.INVALID_ARGUMENT, "UPLOAD_INVALID", client.upload, b"other", {"sha256": b"short"}),
        (code.INVALID_ARGUMENT, "UPLOAD_INVALID", messages, iter([]), {}),
        (code.INVALID_ARGUMENT, "UPLOAD_INVALID", messages, iter([files.UploadRequest(chunk=b"x")]), {}),
        (code.INVALID_ARGUMENT, "UPLOAD_INVALID", messages, iter([files.UploadRequest()]), {}),
        (code.INVALID_ARGUMENT, "UPLOAD_INVALID", messages, uploads(files, [b""]), {}),
        (code.INVALID_ARGUMENT, "UPLOAD_INVALID", messages, uploads(files, [bytes(CHUNK + 1)]), {}),
        (code.PERMISSION_DENIED, "ROLE_MISSING", messages, iter([]), {"token": client.grader}),
        (code.NOT_FOUND, "FILE_NOT_FOUND", client.fetch, absent, {}),
        (code.NOT_FOUND, "FILE_NOT_FOUND", client.fetch, "../xqueue.db", {}),
        (code.INVALID_ARGUMENT, "OFFSET", client.fetch, said, {"offset": 6}),
        (code.NOT_FOUND, "FILE_NOT_FOUND", client.submit, absent, {}),
        (code.INVALID_ARGUMENT, "FILE_MISMATCH", client.submit, said, {"size_bytes": 4}),
    ]
    for status, reason, function, argument, options in cases:
        expect_error(status, reason, lambda: function(argument, **options))


def memory_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1])


def check_large(client, pid):
    before = memory_kib(pid)
    data = os.urandom(1_000_000) * (LARGE // 1_000_000)
    kept = client.upload(data)
    stream = client.fetch_stream(kept.file_id)
    first = next(stream)
    time.sleep(0.2)  # a slow reader, whom the service does not read ahead for
    digest = hashlib.sha256(first.chunk)
    for message in stream:
        digest.update(message.chunk)
    assert digest.digest() == kept.sha256 == hashlib.sha256(data).digest()
    grown = memory_kib(pid) - before
    print(f"memory of the service grew by {grown} KiB for {LARGE} bytes")
    assert grown * 1024 < LARGE / 2, grown


def check_too_many(client):
    def endless():
        yield client.files.UploadRequest(open=client.files.OpenUpload())
        time.sleep(PATIENCE_S)

    call = client.channel.stream_unary(
        "/xqueue.v1.Files/Upload",
        request_serializer=client.files.UploadRequest.SerializeToString,
        response_deserializer=client.files.UploadResponse.FromString,
    )
    metadata = [("authorization", f"Bearer {client.token}")]
    held = [call.future(endless(), metadata=metadata) for _ in range(4)]
    for one in held:  # they have arrived
        list(one.initial_metadata())
    expect_error(grpc.StatusCode.RESOURCE_EXHAUSTED, "FILES_BUSY", client.upload, b"one more")
    for one in held:
        one.cancel()
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            client.upload(b"one more")
            return
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and time.monotonic() < deadline, error


def check_unnamed(client):
    """Nobody names it: it goes. What a submission names stays."""
    named, unnamed = client.upload(b"named").file_id, client.upload(b"unnamed").file_id
    client.submit(named)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            client.fetch(unnamed)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND, error
            break
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert client.fetch(named)[1] == b"named"


def hang(client):
    def half():
        yield client.files.UploadRequest(open=client.files.OpenUpload())
        for _ in range(10):
            yield client.files.UploadRequest(chunk=b"x" * CHUNK)
        print("hanging", flush=True)
        time.sleep(1000)

    client.upload_messages(half())


def main():
    address, proto_dir, standard_dir, work_dir, step, pid = sys.argv[1:]
    make_modules(proto_dir, standard_dir, work_dir)
    with grpc.insecure_channel(address) as channel:
        grpc.channel_ready_future(channel).result(timeout=PATIENCE_S)
        client = Client(channel)
        if step == "keep":
            client.submit(client.upload(b"kept over a death").file_id)
        elif step == "find":
            assert client.fetch(hashlib.sha256(b"kept over a death").hexdigest())[1] == b"kept over a death"
        elif step == "hang":
            hang(client)
        elif step == "full":
            expect_error(grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL", client.upload, bytes(20_000_000))
            assert client.fetch(client.upload(b"small").file_id)[1] == b"small"
        else:
            check_round_trip(client)
            check_refusals(client)
            check_large(client, pid)
            check_too_many(client)
            check_unnamed(client)
    print("fine")


main()
