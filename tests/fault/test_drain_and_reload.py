"""SIGTERM fails no call; SIGHUP takes new certificates and closes no connection."""

import os
import shutil
import signal
import socket
import ssl
import time

import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.sandbox import alive
from needtoknow_testing.waiting import until
from needtoknow_testing.wire import connect_tls


def test_a_drain_fails_no_call(world):
    sandbox, recipient = world.sandbox, world.recipient()
    people = [world.person() for _ in range(20)]
    clients = [sandbox.new_client("booking") for _ in range(4)]
    for client in clients:
        client.health.Check(protos.health.HealthCheckRequest(), timeout=10)
    pid, processes = sandbox.pid, sandbox.processes()
    with recipient.receive() as stream:
        first = world.share(people[0], recipient)
        stream.acknowledge(stream.delivery(first.disclosure_id))
        calls = [clients[number % 4].sharing.Share.future(world.share_request(people[number % 20], recipient), timeout=30)
                 for number in range(320)]
        calls[0].result(30)
        os.kill(pid, signal.SIGTERM)
        answers = [call.result(30) for call in calls]
        error = stream.wait_end(20)
        assert error is not None and error.code().name == "UNAVAILABLE", "an endless stream's client comes back"
    until(lambda: not any(alive(each) for each in processes), 20, "the daemon's end")
    for client in clients:
        client.close()
    by_index = dict(ledger.entries(sandbox))
    for answer in answers:
        assert by_index[answer.receipt.ledger_index].disclosure_id == answer.disclosure.disclosure_id
    assert sandbox.exit_status() in (0, None), "an orderly end"
    sandbox.start()
    shared = {answer.disclosure.disclosure_id for answer in answers}
    delivered = {delivery.disclosure_id for delivery in stream.deliveries()}
    while got := recipient.drain():
        delivered |= {delivery.disclosure_id for delivery in got}
        recipient.acknowledge(*got)
    assert shared <= delivered


def test_a_drain_ends_soon(world):
    """A stream without end does not hold it up: its client is told at once, and comes back to the next process."""
    sandbox, recipient = world.sandbox, world.recipient()
    processes = sandbox.processes()
    with recipient.receive() as stream:
        shared = world.share(world.person(), recipient)
        stream.acknowledge(stream.delivery(shared.disclosure_id))
        start = time.monotonic()
        os.kill(sandbox.pid, signal.SIGTERM)
        assert stream.wait_end(20).code().name == "UNAVAILABLE"
        assert time.monotonic() - start < 1
        until(lambda: not any(alive(each) for each in processes), 20, "the daemon's end")
        assert time.monotonic() - start < 5
    sandbox.start()


def test_a_second_daemon_takes_over_while_the_first_drains(world):
    """A restart as a service manager does it: callers that retry notice nothing."""
    sandbox, recipient = world.sandbox, world.recipient()
    person = world.person()
    client = sandbox.new_client("booking")
    old = sandbox.processes()
    for number in range(60):
        client.sharing.Share(world.share_request(person, recipient), timeout=30, wait_for_ready=True)
        if number == 20:
            os.kill(sandbox.pid, signal.SIGTERM)
            until(lambda: not any(alive(each) for each in old), 20, "the first's end")
            sandbox.start()
    client.close()
    found = world.booking.sharing.ListDisclosures(
        protos.sharing.ListDisclosuresRequest(recipient_id=recipient.recipient_id), timeout=10).disclosures
    assert len(found) == 60


def serial_of_server(sandbox):
    """The serial number of the certificate that a new connection is shown."""
    from cryptography import x509
    tls = connect_tls(sandbox, *sandbox.key_pair("booking"))
    certificate = x509.load_der_x509_certificate(tls.getpeercert(True))
    tls.close()
    return certificate.serial_number


@pytest.fixture
def server_files(world):
    """The server's certificate and key, put back afterwards."""
    certs = world.sandbox.certs
    files = [certs / "server.crt", certs / "server.key"]
    saved = [path.read_bytes() for path in files]
    yield files
    for path, content in zip(files, saved):
        path.write_bytes(content)
    os.kill(world.sandbox.pid, signal.SIGHUP)
    world.sandbox.wait_serving()


def replace(world, files):
    """A new certificate of the same CA for the same names."""
    from cryptography import x509
    certificate, key = world.authority.issue(dns=("localhost",), client=False)
    shutil.copyfile(certificate, files[0])
    shutil.copyfile(key, files[1])
    return x509.load_pem_x509_certificate(certificate.read_bytes()).serial_number


def test_a_reload_shows_the_new_certificate_and_drops_no_connection(world, server_files):
    sandbox, recipient = world.sandbox, world.recipient()
    processes = sandbox.processes()
    with recipient.receive() as stream:
        shared = world.share(world.person(), recipient)
        stream.acknowledge(stream.delivery(shared.disclosure_id))
        serial = replace(world, server_files)
        assert serial_of_server(sandbox) != serial
        os.kill(sandbox.pid, signal.SIGHUP)
        until(lambda: serial_of_server(sandbox) == serial, 10, "the new certificate")
        after = world.share(world.person(), recipient)
        stream.acknowledge(stream.delivery(after.disclosure_id))
        assert not stream.ended
    assert sandbox.processes() == processes


@pytest.mark.parametrize("what", ["not a certificate", "another's key", "nothing"])
def test_a_bad_certificate_changes_nothing(world, server_files, what):
    sandbox = world.sandbox
    before, processes = serial_of_server(sandbox), sandbox.processes()
    logged = len(sandbox.log())
    if what == "not a certificate":
        server_files[0].write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    elif what == "another's key":
        shutil.copyfile(world.authority.issue(dns=("localhost",), client=False)[1], server_files[1])
    else:
        server_files[0].write_text("")
    os.kill(sandbox.pid, signal.SIGHUP)
    until(lambda: "server." in sandbox.log()[logged:], 10, "a line that names the file")
    assert serial_of_server(sandbox) == before
    assert sandbox.processes() == processes
    assert world.share(world.person(), world.recipient()).disclosure_id


def test_a_worker_that_dies_is_replaced(world):
    """Where a supervisor keeps workers: one that is killed comes back, and what was shared is delivered."""
    sandbox, recipient = world.sandbox, world.recipient()
    workers = sandbox.workers()
    if workers == [sandbox.pid]:
        pytest.skip("one process serves here; its service manager starts it again")
    shared = world.share(world.person(), recipient)
    os.kill(workers[0], signal.SIGKILL)
    until(lambda: sandbox.workers() and workers[0] not in sandbox.workers(), 20, "another worker")
    sandbox.wait_serving()
    with recipient.receive() as stream:
        stream.acknowledge(stream.delivery(shared.disclosure_id))


def test_connections_that_never_speak_do_not_stop_the_others(world):
    host, port = world.sandbox.address.rsplit(":", 1)
    silent = [socket.create_connection((host, int(port))) for _ in range(200)]
    try:
        assert world.share(world.person(), world.recipient()).disclosure_id
        assert isinstance(serial_of_server(world.sandbox), int)
    except ssl.SSLError as error:
        raise AssertionError(error) from None
    finally:
        for each in silent:
            each.close()
