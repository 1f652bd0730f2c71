#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An LMS that takes its results itself, over Deliveries.Stream: the public grpcio with modules that protoc made just now.

results_taker.py ADDRESS PROTO_DIR WORK_DIR CHANNEL INSTANCE FILE LAG. Appends "ID RESULT" to FILE for each delivery, and acknowledges
it LAG deliveries later. Comes again when the stream breaks, naming what it has not acknowledged yet. SIGTERM: acknowledges
the rest, half-closes, and prints "ended OK".
"""
import queue
import signal
import subprocess
import sys
import time

import grpc

PATIENCE_S = 20


class Taker:
    def __init__(self, address, channel_name, instance, path, lag):
        self.lag = lag  # received and not acknowledged, at most
        options = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200)]
        self.channel = grpc.insecure_channel(address, options)
        self.channel_name = channel_name
        self.instance = instance
        self.file = open(path, "a", encoding="utf-8", buffering=1)
        self.outbox = None
        self.unanswered = {}  # submission id -> delivery key, oldest first
        self.ending = False
        self.token = self.login()

    def login(self):
        from xqueue.v1 import sessions_pb2 as sessions

        call = self.channel.unary_unary(
            "/xqueue.v1.Sessions/Login",
            request_serializer=sessions.LoginRequest.SerializeToString,
            response_deserializer=sessions.LoginResponse.FromString,
        )
        request = sessions.LoginRequest(user="courier", password="courier")
        return call(request, timeout=PATIENCE_S, wait_for_ready=True).token

    def say(self, **answer):
        self.outbox.put(deliveries.DeliveryAnswer(**answer))

    def acknowledge_down_to(self, left):
        while len(self.unanswered) > left:
            submission_id = next(iter(self.unanswered))
            key = self.unanswered.pop(submission_id)
            self.say(acknowledge=deliveries.AcknowledgeDeliveryRequest(submission_id=submission_id, delivery_key=key))

    def take(self, delivery):
        if delivery.ping_number:
            self.say(pong=delivery.ping_number)
            return
        assert delivery.outcome == deliveries.OUTCOME_RESULT, delivery
        self.file.write(f"{delivery.submission_id} {delivery.result.decode()}\n")
        self.unanswered.pop(delivery.submission_id, None)
        self.unanswered[delivery.submission_id] = delivery.delivery_key
        self.acknowledge_down_to(self.lag)

    def end(self, *_):
        self.ending = True
        self.acknowledge_down_to(0)
        self.outbox.put(None)

    def run_stream(self):
        """One stream to its end."""
        held = [deliveries.DeliveryRef(submission_id=i, delivery_key=k) for i, k in self.unanswered.items()]
        self.outbox = queue.Queue()
        self.say(
            open=deliveries.OpenDeliveries(
                courier="lms", instance=self.instance, results_channel=self.channel_name, credit=20, held=held
            )
        )
        stream = self.channel.stream_stream(
            "/xqueue.v1.Deliveries/Stream",
            request_serializer=deliveries.DeliveryAnswer.SerializeToString,
            response_deserializer=deliveries.Delivery.FromString,
        )
        for delivery in stream(iter(self.outbox.get, None), metadata=[("authorization", f"Bearer {self.token}")], wait_for_ready=True):
            self.take(delivery)

    def run(self):
        while not self.ending:
            try:
                self.run_stream()
            except grpc.RpcError as error:
                # CANCELLED: the call came when the service was stopping already.
                assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED, grpc.StatusCode.CANCELLED), error
                print(f"broken: {error.code()}", file=sys.stderr)
                self.outbox.put(None)  # the thread that sends for the stream ends
                time.sleep(0.02)


address, proto_dir, work_dir, channel_name, instance, path, lag = sys.argv[1:]
protos = [f"xqueue/v1/{name}.proto" for name in ("deliveries", "sessions")]
subprocess.run(["protoc", f"-I{proto_dir}", f"--python_out={work_dir}", *protos], check=True)
sys.path.insert(0, work_dir)
from xqueue.v1 import deliveries_pb2 as deliveries  # noqa: E402

taker = Taker(address, channel_name, instance, path, int(lag))
signal.signal(signal.SIGTERM, taker.end)
print("taking", file=sys.stderr)
taker.run()
print("ended OK", file=sys.stderr)
