"""The transport without the business: src/io's server with an echo behind it, and clients that we did not write."""

import concurrent.futures
import json
import os
import signal
import subprocess
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives import serialization

from needtoknow_testing.certificates import DAY, Authority
from needtoknow_testing.paths import SYSTEM, build
from needtoknow_testing.waiting import until

HERE = Path(__file__).parent
BOOKING = "spiffe://maison-claire.example/booking/desk"
PHONE = "spiffe://maison-claire.example/recipient/sparkle/phone"


class Server:
    """The echo server, and channels to it."""

    def __init__(self, binary, directory):
        self.authority = Authority.foreign(directory)
        self.ca = directory / "ca.crt"
        self.ca.write_bytes(self.authority.certificate.public_bytes(serialization.Encoding.PEM))
        self.certificate, self.key = self.authority.issue(dns=("localhost",), client=False)
        self.key.chmod(0o600)
        self.process = subprocess.Popen([binary, self.certificate, self.key, self.ca], stdout=subprocess.PIPE)
        self.address = f"localhost:{int(self.process.stdout.readline())}"
        self.booking = self.authority.issue(BOOKING)

    def channel(self, pair=None, options=()):
        certificate, key = pair or self.booking
        credentials = grpc.ssl_channel_credentials(self.ca.read_bytes(), key.read_bytes(), certificate.read_bytes())
        return grpc.secure_channel(self.address, credentials, options=[("grpc.use_local_subchannel_pool", 1), *options])

    def stop(self):
        """Its exit status. Sanitizers make it other than 0."""
        self.process.terminate()
        return self.process.wait(20)


@pytest.fixture(scope="module")
def binary():
    given = os.environ.get("NEEDTOKNOW_BUILD")
    return (Path(given) if given else build("debug")) / "bin" / "transport_echo_server"


@pytest.fixture
def server(binary, tmp_path):
    server = Server(binary, tmp_path)
    yield server
    assert server.stop() == 0


@pytest.fixture
def channel(server):
    with server.channel() as channel:
        yield channel


def once(channel, message=b"bonjour", **options):
    return channel.unary_unary("/transport.Echo/Once")(message, timeout=10, **options)


def refusal(call):
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return raised.value


def test_echoes_messages_of_every_size(channel):
    for size in (0, 1, 100, 16379, 16384, 65535, 65536, 1 << 20):
        message = os.urandom(size)
        assert once(channel, message) == message


def test_says_who_calls(server, channel):
    assert channel.unary_unary("/transport.Echo/WhoAmI")(b"") == BOOKING.encode()
    phone = server.authority.issue(PHONE)
    with server.channel(phone) as other:
        assert other.unary_unary("/transport.Echo/WhoAmI")(b"") == PHONE.encode()


def test_serves_many_callers_at_once(server):
    def caller(number):
        with server.channel() as channel:
            echo = channel.unary_unary("/transport.Echo/Once")
            messages = [b"%d/%d" % (number, i) for i in range(100)]
            return [call.result(20) for call in [echo.future(message) for message in messages]] == messages

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(caller, range(16)))


@pytest.mark.parametrize("count, size", [(0, 1), (10000, 10), (2000, 1000), (20, 500000)])
def test_streams_as_fast_as_the_client_reads(channel, count, size):
    answers = list(channel.unary_stream("/transport.Echo/Many")(b"%d %d" % (count, size), timeout=60))
    assert len(answers) == count
    assert all(answer == bytes(i & 0xff for i in range(size)) for answer in answers[:3])
    assert {len(answer) for answer in answers} <= {size}


def test_a_long_answer_does_not_hold_up_a_short_one(channel):
    answers = channel.unary_stream("/transport.Echo/Many")(b"100000 1000", timeout=60)
    next(answers)
    assert once(channel) == b"bonjour"
    answers.cancel()


def test_talks_both_ways(channel):
    messages = [os.urandom(size) for size in (3, 0, 70000, 5)]
    assert list(channel.stream_stream("/transport.Echo/Chat")(iter(messages), timeout=10)) == messages
    assert list(channel.stream_stream("/transport.Echo/Chat")(iter([]), timeout=10)) == []


def test_a_deadline_passes(channel):
    error = refusal(lambda: channel.unary_unary("/transport.Echo/Never")(b"", timeout=0.2))
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_cancelled_call_leaves_the_connection(channel):
    for _ in range(20):
        call = channel.unary_unary("/transport.Echo/Never").future(b"")
        call.cancel()
    assert once(channel) == b"bonjour"


def test_a_refusal_comes_with_text_and_details(channel):
    error = refusal(lambda: channel.unary_unary("/transport.Echo/Refuse")(b""))
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert error.details() == "100 % refusé\n"
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    for text in (b"type.googleapis.com/google.rpc.ErrorInfo", b"NOT_DUE", b"needtoknow", b"due_at",
                 b"2026-11-23T12:00:00Z"):
        assert text in details


@pytest.mark.parametrize("call, code", [
    (lambda channel: channel.unary_unary("/transport.Echo/Nothing")(b""), "UNIMPLEMENTED"),
    (lambda channel: channel.unary_unary("/nothing")(b""), "UNIMPLEMENTED"),
    (lambda channel: once(channel, bytes((1 << 20) + 1)), "RESOURCE_EXHAUSTED"),
    (lambda channel: once(channel, bytes(1000), compression=grpc.Compression.Gzip), "UNIMPLEMENTED"),
    (lambda channel: once(channel, metadata=[("padding", "x" * 9000)]), "RESOURCE_EXHAUSTED"),
], ids=["method", "path", "size", "compression", "metadata"])
def test_what_is_wrong_is_refused_and_the_connection_stays(channel, call, code):
    assert refusal(lambda: call(channel)).code().name == code
    assert once(channel) == b"bonjour"


def test_a_caller_without_identity_is_told_what_is_missing(server):
    with server.channel(server.authority.issue(dns=("desk.maison-claire.example",))) as channel:
        error = refusal(lambda: once(channel))
    assert error.code() == grpc.StatusCode.UNAUTHENTICATED
    assert "spiffe://maison-claire.example/<role>/<name>" in error.details()
    assert b"NO_IDENTITY" in dict(error.trailing_metadata())["grpc-status-details-bin"]


def test_strangers_and_the_late_are_not_let_in(server, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for pair in (Authority.foreign(elsewhere).issue(BOOKING),
                 server.authority.issue(BOOKING, not_before=-2 * DAY, not_after=-DAY),
                 server.authority.issue(BOOKING, client=False)):
        with server.channel(pair) as channel:
            assert refusal(lambda: once(channel)).code() == grpc.StatusCode.UNAVAILABLE


def test_a_drain_ends_streams_and_lets_calls_finish(server, channel):
    endless = channel.unary_stream("/transport.Echo/Endless")(b"here", timeout=20)
    assert next(endless) == b"here"
    answers = channel.unary_stream("/transport.Echo/Many")(b"3000 1000", timeout=20)
    next(answers)
    server.process.send_signal(signal.SIGTERM)
    error = refusal(lambda: next(endless))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert len(list(answers)) == 2999
    assert until(lambda: server.process.poll() is not None)


def test_a_reload_serves_the_new_certificate(server):
    with server.channel() as old:
        assert once(old) == b"bonjour"
        renewed, key = server.authority.issue(dns=("renewed.example",), client=False)
        server.certificate.write_bytes(renewed.read_bytes())
        server.key.write_bytes(key.read_bytes())
        server.process.send_signal(signal.SIGHUP)

        def renewed_is_served():
            with server.channel(options=[("grpc.ssl_target_name_override", "renewed.example")]) as channel:
                try:
                    return once(channel) == b"bonjour"
                except grpc.RpcError:
                    return False
        until(renewed_is_served)
        assert once(old) == b"bonjour"


def test_javascript_understands_all_of_it(server):
    certificate, key = map(str, server.booking)
    party = {"ca": str(server.ca), "certificate": certificate, "key": key, "address": server.address}
    done = subprocess.run(["node", HERE / "echo_client.js"], cwd=SYSTEM / "js", input=json.dumps(party), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "once": "bonjour", "large": 1 << 20, "many": [500, 500000], "chat": ["a", "b", "c"],
        "refused": [9, "100 % refusé\n", 1], "unknown": 12, "late": 4}
