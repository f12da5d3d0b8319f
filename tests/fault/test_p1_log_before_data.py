"""
P1 Log before data. The daemon is killed at each step of a delivery's train, PostgreSQL is stopped at random moments; then what
the client received is held against the ledger (the checker that ends every test: each delivery that came has its DELIVERED
entry, whose commitment covers its values), and nothing that was answered OK is missing.
"""

import os
import random
import signal
import threading
import time

import grpc
import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.receiver import acknowledge
from needtoknow_testing.sandbox import alive, process_stat
from needtoknow_testing.waiting import until

STEPS = ["train.begin", "train.locked", "train.decided", "train.written", "train.commit_sent", "train.committed",
         "delivery.queued", "delivery.sent"]


class Traffic:
    """A booking system that shares, and an app that receives and acknowledges; both go on whatever happens to the server."""

    def __init__(self, world, recipient, pause=0.002):
        self.world, self.recipient, self.pause = world, recipient, pause
        self.people = [world.person() for _ in range(20)]
        self.shared = {}
        self.acknowledged = set()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._share, self._receive)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()

    def _share(self):
        client = self.world.sandbox.new_client("booking")
        for number in range(1_000_000):
            if self._stop.wait(self.pause):
                break
            try:
                request = self.world.share_request(self.people[number % len(self.people)], self.recipient)
                answer = client.sharing.Share(request, timeout=5)
                self.shared[answer.disclosure.disclosure_id] = answer.receipt
            except grpc.RpcError as error:
                assert error.code().name in ("UNAVAILABLE", "DEADLINE_EXCEEDED"), error
        client.close()

    def _receive(self):
        while not self._stop.is_set():
            with self.recipient.receive() as stream:
                seen = 0
                while not self._stop.is_set() and not stream.ended:
                    fresh = stream.deliveries()[seen:]
                    if not fresh:
                        time.sleep(0.005)
                        continue
                    seen += len(fresh)
                    try:
                        acknowledge(self.recipient.client, *fresh)
                        self.acknowledged.update(delivery.disclosure_id for delivery in fresh)
                    except grpc.RpcError:
                        pass  # it comes again
            time.sleep(0.02)


def nothing_is_lost(world, traffic):
    """Each Share that was answered OK is in the ledger at its receipt, and is delivered in the end."""
    by_index = dict(ledger.entries(world.sandbox))
    for disclosure_id, receipt in traffic.shared.items():
        entry = by_index[receipt.ledger_index]
        assert (ledger.kind_name(entry), entry.disclosure_id) == ("SHARED", disclosure_id), "an OK was lost"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        got = traffic.recipient.drain()
        if got:
            traffic.recipient.acknowledge(*got)
        delivered = {entry.disclosure_id for _, entry in ledger.of_kind(ledger.entries(world.sandbox), "DELIVERED")}
        if not got and set(traffic.shared) <= delivered:
            break
    assert set(traffic.shared) <= delivered, "what was shared is delivered, however often it was interrupted"
    # What was acknowledged and answered OK is not sent again.
    found = ledger.entries(world.sandbox)
    acknowledged = {entry.disclosure_id: index for index, entry in reversed(ledger.of_kind(found, "ACKNOWLEDGED"))}
    assert traffic.acknowledged <= set(acknowledged), "an acknowledgement that was answered OK was lost"
    for index, entry in ledger.of_kind(found, "DELIVERED"):
        if entry.disclosure_id in acknowledged and ledger.reason_name(entry) == "REPEATED":
            assert index < acknowledged[entry.disclosure_id], "sent again after its acknowledgement"


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("step", STEPS)
def test_p1_killed_at_each_step_of_a_delivery(world, step, count):
    sandbox, recipient = world.sandbox, world.recipient()
    waiting = [world.share(world.person(), recipient) for _ in range(10)]
    sandbox.kill()
    sandbox.spawn({"NEEDTOKNOW_STOP_AT": f"{step}:{count}"})
    first = sandbox.pid
    until(lambda: sandbox.health() is not None or not alive(first), 20, "the start")
    workers = sandbox.workers() if alive(first) else []
    with Traffic(world, recipient) as traffic:
        until(lambda: not any(alive(pid) for pid in workers), 20, f"the death at {step}")
        sandbox.restart()
    nothing_is_lost(world, traffic)
    delivered = {entry.disclosure_id for _, entry in ledger.of_kind(ledger.entries(sandbox), "DELIVERED")}
    assert {disclosure.disclosure_id for disclosure in waiting} <= delivered


def test_p1_killed_at_random_moments(world):
    """No step is named: SIGKILL to the whole of it while it is busy."""
    sandbox, recipient = world.sandbox, world.recipient()
    moments = random.Random(os.environ.get("NEEDTOKNOW_SEED", "2"))
    with Traffic(world, recipient, pause=0.0005) as traffic:
        for _ in range(8):
            before = len(traffic.acknowledged)
            until(lambda: len(traffic.acknowledged) > before, 30, "a delivery")
            time.sleep(moments.uniform(0, 0.2))  # a moment that nothing chose
            sandbox.restart()
    nothing_is_lost(world, traffic)


def test_p1_postgresql_stopped_at_random_moments(world):
    sandbox, recipient = world.sandbox, world.recipient()
    processes = sandbox.processes()
    moments = random.Random(os.environ.get("NEEDTOKNOW_SEED", "1"))
    with Traffic(world, recipient, pause=0.0005) as traffic:
        for _ in range(5):
            before = len(traffic.acknowledged)
            until(lambda: len(traffic.acknowledged) > before + 5, 30, "deliveries")
            time.sleep(moments.uniform(0, 0.3))  # a moment that nothing chose
            sandbox.stop_postgres("immediate")
            time.sleep(moments.uniform(0, 0.3))
            sandbox.start_postgres()
            sandbox.wait_serving()
        before = len(traffic.acknowledged)
        until(lambda: len(traffic.acknowledged) > before + 5, 30, "deliveries after the last stop")
    assert sandbox.processes() == processes, "the daemon lives through it"
    nothing_is_lost(world, traffic)


@pytest.mark.parametrize("step", ["train.decided", "train.written", "train.commit_sent"])
def test_p1_a_commit_whose_outcome_is_unknown(world, step):
    """The daemon stands still while PostgreSQL goes away under its train, before or after the COMMIT was sent."""
    sandbox, recipient = world.sandbox, world.recipient()
    shared = [world.share(world.person(), recipient) for _ in range(5)]
    sandbox.kill()
    sandbox.spawn({"NEEDTOKNOW_STOP_AT": f"{step}:1:stop"})
    sandbox.wait_serving()
    with recipient.receive() as stream:
        stopped = until(lambda: [pid for pid in sandbox.processes() if (process_stat(pid) or "?")[0] == "T"], 20, f"the stop at {step}")
        sandbox.stop_postgres("immediate")
        sandbox.start_postgres()
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        sandbox.wait_serving()
        if not stream.ended:
            for disclosure in shared:
                stream.acknowledge(stream.delivery(disclosure.disclosure_id, timeout=20))
    recipient.acknowledge(*recipient.drain())
    delivered = {entry.disclosure_id for _, entry in ledger.of_kind(ledger.entries(sandbox), "DELIVERED")}
    assert {disclosure.disclosure_id for disclosure in shared} <= delivered


def test_p1_a_connection_cut_in_the_middle_of_a_train(world):
    """PostgreSQL stays; only the daemon's own sessions are ended, again and again."""
    sandbox, recipient = world.sandbox, world.recipient()
    with Traffic(world, recipient, pause=0.0005) as traffic:
        for _ in range(10):
            before = len(traffic.acknowledged)
            until(lambda: len(traffic.acknowledged) > before, 30, "a delivery")
            sandbox.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'needtoknow%%'")
    sandbox.wait_serving()
    nothing_is_lost(world, traffic)
    states = protos.sharing.ListDisclosuresRequest(recipient_id=recipient.recipient_id, page_size=1)
    assert world.booking.sharing.ListDisclosures(states, timeout=10).disclosures
