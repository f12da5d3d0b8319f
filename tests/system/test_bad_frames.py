"""What is wrong below the messages: frames, headers, paths, verbs, TLS. The daemon answers, and lives."""

import socket
import ssl

import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.wire import WireClient, connect_tls, frame

SHARE = "/needtoknow.v1.SharingService/Share"
GET = "/needtoknow.v1.SharingService/GetDisclosure"
UNIMPLEMENTED, INTERNAL, RESOURCE_EXHAUSTED, NOT_FOUND = 12, 13, 8, 5


@pytest.fixture
def wire(world):
    size = ledger.size(world.sandbox)
    with WireClient(world.sandbox, *world.sandbox.key_pair("booking")) as client:
        yield client
    assert ledger.size(world.sandbox) == size, "nothing was written"
    assert world.sandbox.health() == protos.health.HealthCheckResponse.SERVING


@pytest.fixture
def message():
    return protos.sharing.GetDisclosureRequest(disclosure_id="00000000-0000-4000-8000-000000000000").SerializeToString()


def test_this_client_is_understood(wire, message):
    answer = wire.call(GET, message)
    assert (answer.http_status, answer.status) == ("200", NOT_FOUND), str(answer)
    assert answer.headers["content-type"].startswith("application/grpc")


@pytest.mark.parametrize("name,data,status", [
    ("compressed", frame(b"abc", flag=1), UNIMPLEMENTED),
    ("flag 2", frame(b"abc", flag=2), INTERNAL),
    ("truncated", frame(b"abc", length=100), INTERNAL),
    ("truncated prefix", b"\0\0\0", INTERNAL),
    ("a megabyte and a byte", frame(b"x" * 1_048_577), RESOURCE_EXHAUSTED),
    ("four gigabytes said", frame(b"x", length=2**32 - 1), RESOURCE_EXHAUSTED),
    ("two messages", frame(b"") + frame(b""), INTERNAL),
    ("no message", b"", INTERNAL),
], ids=lambda value: value if isinstance(value, str) else "")
def test_wrong_frames(wire, name, data, status):
    answer = wire.read_all(wire.request(GET, data=data))
    allowed = {status} | ({UNIMPLEMENTED} if name in ("two messages", "no message") else set())
    assert answer.status in allowed, f"{name}: {answer}"


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/json", "application/grpc-web", "application/grpcx"])
def test_a_wrong_content_type_is_415(wire, message, content_type):
    answer = wire.call(GET, message, content_type=content_type)
    assert answer.http_status == "415", str(answer)


@pytest.mark.parametrize("content_type", ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"])
def test_content_types_that_are_grpc(wire, message, content_type):
    assert wire.call(GET, message, content_type=content_type).status == NOT_FOUND


@pytest.mark.parametrize("path", [
    "/", "/needtoknow.v1.SharingService", "/needtoknow.v1.SharingService/", "/needtoknow.v1.SharingService/share",
    "/needtoknow.v1.SharingService/Share/", "/needtoknow.v1.SharingService/Share?x=1", "//Share", "/x/" + "y" * 2000,
    "/needtoknow.v2.SharingService/Share", "/../etc/passwd",
], ids=lambda path: path[:40])
def test_a_wrong_path_is_unimplemented(wire, message, path):
    answer = wire.call(path, message)
    assert answer.status == UNIMPLEMENTED, str(answer)


@pytest.mark.parametrize("verb", ["GET", "PUT", "DELETE", "OPTIONS", "post"])
def test_a_wrong_verb_is_no_call(wire, message, verb):
    answer = wire.call(GET, message, p_method=verb)
    assert answer.status != 0 and not answer.messages, str(answer)
    assert answer.ended or answer.reset is not None or wire.closed, f"answered at all: {answer}"


def test_headers_beyond_the_limit_are_refused(world, wire, message):
    answer = wire.call(GET, message, x_padding="x" * 9000)
    assert answer.status != 0 and not answer.messages, str(answer)


@pytest.mark.parametrize("timeout", ["", "1", "S", "123456789S", "-1S", "1x", "1 S"])
def test_a_malformed_timeout_breaks_nothing(wire, message, timeout):
    answer = wire.call(GET, message, grpc_timeout=timeout)
    assert answer.status != 0 and (answer.ended or answer.reset is not None or wire.closed), str(answer)


def test_a_client_that_leaves_in_the_middle_disturbs_nobody(world):
    for size in (1, 5, 9, 17, 30):
        tls = connect_tls(world.sandbox, *world.sandbox.key_pair("booking"))
        tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04"[:size])
        tls.close()
    assert world.sandbox.health() == protos.health.HealthCheckResponse.SERVING


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00" * 1000, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100])
def test_what_is_not_http_2_ends_its_connection_alone(world, data):
    tls = connect_tls(world.sandbox, *world.sandbox.key_pair("booking"))
    tls.sendall(data)
    try:
        while tls.recv(4096):
            pass
    except (ssl.SSLError, ConnectionError):
        pass
    tls.close()
    assert world.sandbox.health() == protos.health.HealthCheckResponse.SERVING


def test_plain_http_gets_nothing(world):
    host, port = world.sandbox.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as plain:
        plain.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            answer = plain.recv(4096)
        except ConnectionError:
            answer = b""
    assert not answer.startswith(b"HTTP"), answer


def test_tls_1_2_is_refused(world):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connect_tls(world.sandbox, *world.sandbox.key_pair("booking"), maximum=ssl.TLSVersion.TLSv1_2)


@pytest.mark.parametrize("alpn", [(), ("http/1.1",), ("h3",)])
def test_no_h2_no_conversation(world, alpn):
    try:
        tls = connect_tls(world.sandbox, *world.sandbox.key_pair("booking"), alpn=alpn)
        tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        answer = tls.recv(100)
        tls.close()
    except (ssl.SSLError, ConnectionError):
        answer = b""
    # A GOAWAY may say why; no SETTINGS of a session that goes on.
    assert not answer or answer[3] == 7, answer
