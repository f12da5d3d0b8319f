#!/usr/bin/python3
"""A gRPC server that is not ours, for the client's tests: Python's grpcio over mutual TLS.

usage: peer.py DIRECTORY

Makes certificates in DIRECTORY, listens on a free port of 127.0.0.1, prints it, and ends when standard input does.
Methods of /test take and give bare bytes; /needtoknow.v1.DeliveryService follows the script that /test/Scenario sets.
"""

import json
import subprocess
import sys
import threading
import time
from concurrent import futures
from pathlib import Path

import grpc

ROOT = Path(__file__).resolve().parents[3]


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def make_certificates(directory):
    """A CA with a server and a client; another CA that nobody trusts, with a client."""
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    for ca in ("ca", "other"):
        openssl("req", "-x509", *new_key, "-days", "2", "-subj", f"/CN={ca}",
                "-keyout", directory / f"{ca}.key", "-out", directory / f"{ca}.crt")
    for name, ca, names, usage in (("server", "ca", "DNS:localhost,IP:127.0.0.1", "serverAuth"),
                                   ("client", "ca", "URI:spiffe://test/booking/test", "clientAuth"),
                                   ("stranger", "other", "URI:spiffe://test/booking/test", "clientAuth")):
        (directory / f"{name}.ext").write_text(f"subjectAltName={names}\nextendedKeyUsage={usage}\n")
        openssl("req", *new_key, "-subj", f"/CN={name}",
                "-keyout", directory / f"{name}.key", "-out", directory / f"{name}.csr")
        openssl("x509", "-req", "-days", "2", "-in", directory / f"{name}.csr", "-CA", directory / f"{ca}.crt",
                "-CAkey", directory / f"{ca}.key", "-CAcreateserial", "-extfile", directory / f"{name}.ext",
                "-out", directory / f"{name}.crt")
    for key in directory.glob("*.key"):
        key.chmod(0o600)


def compile_protos(directory):
    out = directory / "python"
    out.mkdir()
    protos = [*(ROOT / "proto/needtoknow/v1").glob("*.proto"), *(ROOT / "proto/google/rpc").glob("*.proto")]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT}/proto", f"--python_out={out}",
                    *map(str, protos)], check=True)
    # Debian's python3-protobuf and friends may own `google`: ours is looked up beside it.
    import google
    google.__path__.append(str(out / "google"))
    sys.path.insert(0, str(out))


class Script:
    """What Receive sends, one list a stream, and what came back."""

    def __init__(self):
        self.streams = []
        self.log = []
        self.refuse = set()
        self.confirm_after = 0  # seconds that a confirmation takes
        self.ahead = 0  # seconds by which the server's clock is ahead
        self.lock = threading.Lock()

    def note(self, *words):
        with self.lock:
            self.log.append(" ".join(map(str, words)))


class Peer(grpc.GenericRpcHandler):
    def __init__(self, directory):
        self.directory = directory
        self.script = Script()
        self.stopping = threading.Event()
        self.calls = 0
        self.server = None
        self.port = 0

    def start(self):
        files = [(self.directory / name).read_bytes() for name in ("server.key", "server.crt", "ca.crt")]
        credentials = grpc.ssl_server_credentials([(files[0], files[1])], files[2], require_client_auth=True)
        self.server = grpc.server(futures.ThreadPoolExecutor(64), handlers=[self], options=[
            ("grpc.so_reuseport", 1), ("grpc.max_receive_message_length", -1), ("grpc.max_concurrent_streams", 20)])
        self.port = self.server.add_secure_port(f"127.0.0.1:{self.port}", credentials)
        self.server.start()

    def service(self, details):
        service, _, method = details.method[1:].partition("/")
        if service == "test":
            kind = grpc.unary_stream_rpc_method_handler if method == "Count" else grpc.unary_unary_rpc_method_handler
            return kind(getattr(self, "test_" + method.lower())) if hasattr(self, "test_" + method.lower()) else None
        if service == "needtoknow.v1.DeliveryService":
            from needtoknow.v1 import delivery_pb2
            kind = grpc.unary_stream_rpc_method_handler if method == "Receive" else grpc.unary_unary_rpc_method_handler
            return kind(getattr(self, "delivery_" + method.lower()),
                        request_deserializer=getattr(delivery_pb2, method + "Request").FromString,
                        response_serializer=lambda message: message.SerializeToString())
        return None

    # The bare methods.
    def test_echo(self, request, context):
        self.calls += 1
        return request

    def test_calls(self, request, context):
        return str(self.calls).encode()

    def test_slow(self, request, context):
        """Answers after so many milliseconds; tells the deadline that it was given."""
        until = time.monotonic() + int(request) / 1000
        remaining = context.time_remaining()
        while context.is_active() and time.monotonic() < until:
            time.sleep(0.005)
        return f"{remaining if remaining is not None else -1:.3f}".encode()

    def test_large(self, request, context):
        return b"x" * int(request)

    def test_count(self, request, context):
        for number in range(int(request)):
            yield str(number).encode()
        if int(request) == 0:
            while context.is_active():
                time.sleep(0.005)

    def test_fail(self, request, context):
        """The request: a code's number, a space, a message."""
        code, _, message = request.decode().partition(" ")
        from google.rpc import error_details_pb2, status_pb2
        info = error_details_pb2.ErrorInfo(reason="CONSENT_MISSING", domain="needtoknow")
        info.metadata.add(key="ledger_index", value="17")
        details = status_pb2.Status(code=int(code), message=message)
        details.details.add(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=info.SerializeToString())
        context.set_trailing_metadata((("grpc-status-details-bin", details.SerializeToString()),))
        context.abort(next(value for value in grpc.StatusCode if value.value[0] == int(code)), message)

    def test_restart(self, request, context):
        """A graceful end (GOAWAY; what runs may finish), and a new server on the same port."""
        old = self.server

        def run():
            self.start()
            old.stop(grace=10)
        threading.Timer(0.05, run).start()
        return b""

    # DeliveryService.
    def test_scenario(self, request, context):
        self.script = Script()
        scenario = json.loads(request)
        self.script.streams = scenario["streams"]
        self.script.refuse = set(scenario.get("refuse", []))
        self.script.confirm_after = scenario.get("confirm_after", 0)
        self.script.ahead = scenario.get("ahead", 0)
        return b""

    def test_log(self, request, context):
        with self.script.lock:
            return "\n".join(self.script.log).encode()

    def message(self, step):
        from needtoknow.v1 import delivery_pb2
        response = delivery_pb2.ReceiveResponse()
        response.server_time.FromNanoseconds(time.time_ns() + self.script.ahead * 10**9)
        if "delivery" in step:
            delivery = response.delivery
            delivery.delivery_id, delivery.disclosure_id = step["delivery"], step["disclosure"]
            delivery.booking_id, delivery.service = "B1", "home-cleaning"
            delivery.release = step.get("release", "visit")
            delivery.cause = delivery_pb2.DeliveryCause.Value("DELIVERY_CAUSE_" + step.get("cause", "NEW"))
            delivery.fields.add(name="client.given_name", value=step.get("value", "Alice"))
            delivery.fields.add(name="client.door_code", value="4711", sensitive=True)
            if "expires_in" in step:
                delivery.expires_at.FromNanoseconds(time.time_ns() + int((self.script.ahead + step["expires_in"]) * 1e9))
            for name in ("ends_at", "expires_at"):
                if name in step:
                    getattr(delivery, name).FromSeconds(step[name])
        elif "withdrawal" in step:
            response.withdrawal.disclosure_id, response.withdrawal.booking_id = step["withdrawal"], "B1"
            response.withdrawal.cause = delivery_pb2.WITHDRAWAL_CAUSE_REVOKED
        elif "restriction" in step:
            response.restriction.disclosure_id = step["restriction"]
        return response

    def delivery_receive(self, request, context):
        script = self.script
        script.note("receive", request.max_unacknowledged, request.until_empty)
        steps = script.streams.pop(0) if script.streams else []
        for step in steps:
            if "fail" in step:
                context.abort(next(value for value in grpc.StatusCode if value.value[0] == step["fail"]), "as scripted")
            elif "end" in step:
                return
            elif "sleep" in step:
                time.sleep(step["sleep"])
            elif "await" in step:
                until = time.monotonic() + 5
                while step["await"] not in script.log and time.monotonic() < until:
                    time.sleep(0.005)
            else:
                yield self.message(step)
        while context.is_active():
            time.sleep(0.005)

    def delivery_acknowledge(self, request, context):
        from needtoknow.v1 import delivery_pb2
        script = self.script
        for word in list(script.refuse):
            if word in request.delivery_ids:
                script.refuse.discard(word)
                context.abort(grpc.StatusCode.UNAVAILABLE, "as scripted")
        for delivery_id in request.delivery_ids:
            script.note("acknowledged", delivery_id)
        return delivery_pb2.AcknowledgeResponse(acknowledged=len(request.delivery_ids))

    def delivery_confirmdeletion(self, request, context):
        from needtoknow.v1 import delivery_pb2
        for item in request.items:
            if "never" in item.disclosure_id:
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, "was not withdrawn")
        time.sleep(self.script.confirm_after)
        for item in request.items:
            outcome = delivery_pb2.DeletionOutcome.Name(item.outcome).removeprefix("DELETION_OUTCOME_")
            self.script.note("confirmed", item.disclosure_id, outcome, item.ground)
        return delivery_pb2.ConfirmDeletionResponse(confirmed=len(request.items))


def main():
    directory = Path(sys.argv[1])
    make_certificates(directory)
    compile_protos(directory)
    peer = Peer(directory)
    peer.start()
    print(peer.port, flush=True)
    sys.stdin.read()
    peer.server.stop(grace=0).wait()


main()
