"""A worker's steady state allocates nothing that grows: its memory stays where it was while shares and deliveries go by."""

import itertools
import os
import threading
from pathlib import Path

import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.receiver import acknowledge
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World

# Buffers reach their size in the first 10,000 or so: those of the trains, and of the tiles that a second's entries fill.
# 120,000 and 300,000 with NEEDTOKNOW_MEMORY_SCALE=10; the default leaves the run short.
SCALE = float(os.environ.get("NEEDTOKNOW_MEMORY_SCALE", "1"))
WARM, END = int(12_000 * SCALE), int(30_000 * SCALE)
IN_FLIGHT = 200
PAGE = 4096


@pytest.fixture(scope="module")
def release_world():
    world = World.up(preset="release", clients=400)
    yield world
    world.down()


def resident(pid):
    """Bytes of memory that the process has for itself."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return (int(fields[1]) - int(fields[2])) * PAGE


class Load:
    """Shares as fast as one Python thread can, IN_FLIGHT at a time, delivered to one app that acknowledges in batches."""

    def __init__(self, world):
        self.world = world
        self.recipient = world.recipient()
        self.numbers = itertools.count()
        self.credit = threading.Semaphore(IN_FLIGHT)
        self.failures = []
        self.received = 0

    def run(self, upto):
        while (number := next(self.numbers)) < upto:
            client = 1 + number % 400
            request = self.world.share_request(Someone(client), self.recipient)
            self.credit.acquire()
            self.world.booking.sharing.Share.future(request, timeout=60).add_done_callback(self._done)
        for _ in range(IN_FLIGHT):
            self.credit.acquire()
        for _ in range(IN_FLIGHT):
            self.credit.release()
        assert not self.failures, self.failures[:3]

    def _done(self, call):
        if call.exception() is not None:
            self.failures.append(call.exception())
        self.credit.release()

    def receive(self, stop):
        """Takes and drops: the harness must not keep 200,000 deliveries."""
        call = self.recipient.client.delivery.Receive(protos.delivery.ReceiveRequest(max_unacknowledged=1024))
        threading.Thread(target=lambda: (stop.wait(), call.cancel()), daemon=True).start()
        batch = []
        try:
            for event in call:
                if event.HasField("delivery"):
                    batch.append(event.delivery)
                    self.received += 1
                if len(batch) >= 200 or self.received % 1000 == 0:
                    acknowledge(self.recipient.client, *batch)
                    batch = []
        except Exception:
            if not stop.is_set():
                raise


class Someone:
    """One of the company's own first clients."""

    def __init__(self, number):
        self.subject_id, self.booking_id = f"C{number:06d}", f"B{number:06d}"


def test_memory_stays_where_it_was(release_world):
    world = release_world
    (pid,) = world.sandbox.workers()
    load, stop = Load(world), threading.Event()
    reader = threading.Thread(target=load.receive, args=(stop,), daemon=True)
    reader.start()
    load.run(WARM)
    until(lambda: load.received >= WARM - 200, 60, "the first deliveries")
    before = resident(pid)
    load.run(END + 1)
    until(lambda: load.received >= END - 200, 120, "the deliveries")
    after = resident(pid)
    stop.set()
    reader.join(10)
    grown = after - before
    assert grown < 2 * 1024 * 1024, f"{grown} bytes more after {END} than after {WARM} ({before} -> {after})"
    assert len(ledger.of_kind(ledger.entries(world.sandbox), "SHARED")) >= END
