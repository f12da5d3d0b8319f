"""A rolling restart (SIGUSR2): another program, the same sockets, and no call fails."""

import os
import shutil
import signal
import socket
import threading
import time

import grpc
import pytest

from needtoknow_testing import ledger, policy, protos
from needtoknow_testing.client import Client
from needtoknow_testing.sandbox import alive, children_of
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World

RETRY = """{ "methodConfig": [{ "name": [{}], "retryPolicy": { "maxAttempts": 5, "initialBackoff": "0.2s",
    "maxBackoff": "1s", "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"] } }] }"""
WITH_RETRY = (("grpc.service_config", RETRY), ("grpc.enable_retries", 1))


@pytest.fixture(scope="module", params=[1, 3], ids=["one worker", "three workers"])
def rolling(request):
    world = World.up(policy.testing_policy(acknowledge_within="2s"), workers=request.param)
    world.amount = request.param
    yield world
    world.down()


@pytest.fixture
def world(rolling):
    assert rolling.sandbox.health() is not None
    rolling.sandbox.wait_serving()
    yield rolling
    rolling.sandbox.wait_serving()


def roll_quietly(world, timeout=60):
    """One rolling restart, from the signal to the end of the last of the old workers."""
    sandbox = world.sandbox
    old = sandbox.workers()
    sandbox_log = len(sandbox.log())
    os.kill(sandbox.pid, signal.SIGUSR2)
    until(lambda: not any(alive(pid) for pid in old), timeout, f"the old workers' end; {sandbox.log()[sandbox_log:]}")
    assert alive(sandbox.pid), "it is the same process"
    assert sum("daemon started, process" in line for line in sandbox.log()[sandbox_log:].splitlines()) >= world.amount


def roll(world):
    roll_quietly(world)
    world.sandbox.wait_serving()


class Callers:
    """Each calls again as soon as it is answered; `failed` holds what an ordinary client would have had to show its user."""

    def __init__(self, world, options, amount=6):
        self.world, self.amount = world, amount
        self.clients = [Client(world.sandbox.address, world.sandbox.ca, *world.sandbox.key_pair("booking"), options)
                        for _ in range(amount)]
        self.recipient = world.recipient()
        self.people = [world.person() for _ in range(amount)]
        self.answers, self.failed, self.longest = [], [], 0.0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(number,), daemon=True) for number in range(amount)]

    def _call(self, number):
        while not self._stop.is_set():
            request = self.world.share_request(self.people[number], self.recipient)
            begun = time.monotonic()
            try:
                self.answers.append(self.clients[number].sharing.Share(request, timeout=10))
            except grpc.RpcError as error:
                self.failed.append((f"after {time.monotonic() - begun:.3f} s", error))
            self.longest = max(self.longest, time.monotonic() - begun)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        for client in self.clients:
            client.close()

    def some(self, amount):
        enough = len(self.answers) + amount
        until(lambda: self.failed or len(self.answers) >= enough, 30, f"{amount} more answers")


class App:
    """A recipient's app: opens its stream again whenever it ends with UNAVAILABLE, acknowledges what comes."""

    def __init__(self, world, recipient):
        self.recipient, self.ends, self.failed = recipient, 0, None
        self.got = set()
        self._stop = threading.Event()
        self._streams = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        try:
            while not self._stop.is_set():
                with self.recipient.receive() as stream:
                    self._read(stream)
        except Exception as error:  # kept for the test
            self.failed = error

    def _read(self, stream):
        while not self._stop.is_set():
            new = [delivery for delivery in stream.deliveries() if delivery.delivery_id not in self.got]
            if new:
                try:
                    stream.acknowledge(*new)
                    self.got |= {delivery.delivery_id for delivery in new}
                except grpc.RpcError as error:
                    assert error.code().name == "UNAVAILABLE", error  # it comes again
            if stream.ended:
                assert stream.error is not None and stream.error.code().name == "UNAVAILABLE", stream.error
                self.ends += 1
                return
            time.sleep(0.02)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(30)
        assert self.failed is None, self.failed


def test_a_rolling_restart_under_load_fails_no_call(world):
    """Three in a row; calls one after the other on connections that the restart ends, and streams that are opened again."""
    with Callers(world, WITH_RETRY) as callers, App(world, callers.recipient) as app:
        for _ in range(3):
            callers.some(30)
            ends = app.ends
            roll(world)
            until(lambda: app.ends > ends, 10, "the stream's end, by the old worker")
        callers.some(30)
        assert not callers.failed, callers.failed
    entries = dict(ledger.entries(world.sandbox))
    for answer in callers.answers:
        assert entries[answer.receipt.ledger_index].disclosure_id == answer.disclosure.disclosure_id
    while rest := callers.recipient.drain():
        callers.recipient.acknowledge(*rest)
    left = world.sandbox.query("SELECT count(*) FROM needtoknow.due WHERE recipient_id = %s", callers.recipient.recipient_id)
    assert left == [(0,)], "everything has come"
    print(f"{len(callers.answers)} calls, the longest {callers.longest:.2f} s")


def test_not_even_without_a_retry(world):
    """The old worker serves what was sent before its GOAWAY was seen; new connections find somebody who serves."""
    with Callers(world, (("grpc.enable_retries", 0),)) as callers:
        for _ in range(2):
            callers.some(20)
            roll(world)
        callers.some(20)
    assert not callers.failed, callers.failed


def test_new_connections_are_served_all_the_time(world):
    """No moment at which nobody accepts, and none at which who accepts does not serve."""
    shared = world.share(world.person(), world.recipient())
    question = protos.sharing.GetDisclosureRequest(disclosure_id=shared.disclosure_id)
    stop, answered, failed = threading.Event(), [], []

    def probe():
        while not stop.is_set():
            client = world.sandbox.new_client("booking")
            try:
                answered.append(client.sharing.GetDisclosure(question, timeout=10))
            except grpc.RpcError as error:
                failed.append(error)
            finally:
                client.close()

    threads = [threading.Thread(target=probe, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    roll(world)
    stop.set()
    for thread in threads:
        thread.join(20)
    assert len(answered) > 3 and not failed, failed


def test_monitoring_sees_no_gap(world):
    """/readyz, on the socket that is handed over as well."""
    stop, seen = threading.Event(), []

    def watch():
        while not stop.is_set():
            try:
                seen.append("needtoknow_workers " in world.sandbox.metrics() and world.sandbox.metrics("/readyz") and "ready")
            except OSError as error:
                seen.append(error)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    roll(world)
    stop.set()
    thread.join(20)
    refused = [each for each in seen if each != "ready"]
    # One request at the most was being answered at the moment of the change.
    assert len(seen) > 3 and len(refused) <= 1, seen


@pytest.mark.parametrize("what", ["a broken configuration", "a program that does not start", "no program"])
def test_what_would_not_start_changes_nothing(world, what):
    sandbox = world.sandbox
    before, begin = sandbox.processes(), len(sandbox.log())
    kept = [(path, path.read_bytes()) for path in (sandbox.config, sandbox.directory / "bin" / "needtoknowd")]
    program = kept[1][0]
    try:
        if what == "a broken configuration":
            sandbox.config.write_text(sandbox.config.read_text().replace("certificate: ", "certificat: "))
        else:
            program.unlink()
        if what == "a program that does not start":
            program.write_text("#!/bin/sh\nexit 1\n")
            program.chmod(0o755)
        os.kill(sandbox.pid, signal.SIGUSR2)
        until(lambda: "everything stays as it is" in sandbox.log()[begin:], 30, "a line that says so")
    finally:
        for path, content in kept:
            if not path.exists() or path.read_bytes() != content:
                path.unlink(missing_ok=True)
                path.write_bytes(content)
        program.chmod(0o755)
    assert sandbox.processes() == before
    assert world.share(world.person(), world.recipient()).disclosure_id
    roll(world)


def test_new_workers_that_never_serve_leave_the_old_ones_serving(world):
    """Their role has one connection, which is enough for `check` and for no worker; the next SIGUSR2, with what is right, ends it."""
    sandbox = world.sandbox
    old, begin = sandbox.workers(), len(sandbox.log())
    config = sandbox.config.read_text()
    refused = config.replace("user=needtoknow_state", "user=needtoknow_sotto")
    sandbox.query("CREATE ROLE needtoknow_sotto LOGIN CONNECTION LIMIT 1 IN ROLE needtoknow_state")
    try:
        sandbox.config.write_text(refused)
        os.kill(sandbox.pid, signal.SIGUSR2)
        until(lambda: "too many connections" in sandbox.log()[begin:], 30, "new workers that cannot serve")
        assert world.share(world.person(), world.recipient()).disclosure_id
        assert all(alive(pid) for pid in old)
        assert "ready" not in sandbox.log()[begin:] and sandbox.metrics("/readyz") == "serving\n"
    finally:
        sandbox.config.write_text(config)
    roll(world)
    until(lambda: not sandbox.query("SELECT 1 FROM pg_stat_activity WHERE usename = 'needtoknow_sotto'"), 10, "their end")
    sandbox.query("DROP ROLE needtoknow_sotto")


def test_monitoring_that_cannot_listen_ends_nobody(world):
    """Its port, new in the configuration, is somebody else's: that is said, and the service goes on."""
    sandbox, begin = world.sandbox, len(world.sandbox.log())
    config = sandbox.config.read_text()
    line = next(line for line in config.splitlines() if line.startswith("metrics_listen:"))
    try:
        with socket.socket() as taken:
            sandbox.config.write_text(config.replace(line + "\n", ""))
            roll_quietly(world)
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            sandbox.config.write_text(config.replace(line, f"metrics_listen: 127.0.0.1:{taken.getsockname()[1]}"))
            roll_quietly(world)
        assert "metrics_listen: 127.0.0.1" in sandbox.log()[begin:]
        assert world.share(world.person(), world.recipient()).disclosure_id
    finally:
        sandbox.config.write_text(config)
    roll(world)


def test_a_stop_during_a_rolling_restart_ends_all(world):
    sandbox = world.sandbox
    old = sandbox.processes()
    begin = len(sandbox.log())
    os.kill(sandbox.pid, signal.SIGUSR2)
    until(lambda: "starts" in sandbox.log()[begin:], 30, "the handover")
    everybody = set(old) | set(sandbox.processes())
    os.kill(sandbox.pid, signal.SIGTERM)
    until(lambda: not any(alive(pid) for pid in everybody | set(children_of(sandbox.pid))), 30, "everybody's end")
    sandbox.start()


def test_the_program_that_lies_there_now_is_what_runs(world):
    """An upgrade: the file is replaced, as a package does, and each process that serves afterwards is of the new one."""
    sandbox = world.sandbox
    program = sandbox.directory / "bin" / "needtoknowd"
    fresh = program.with_suffix(".new")
    shutil.copy2(program, fresh)
    before = program.stat().st_ino
    fresh.rename(program)
    assert program.stat().st_ino != before
    roll(world)
    for pid in sandbox.processes():
        assert os.stat(f"/proc/{pid}/exe").st_ino == program.stat().st_ino
