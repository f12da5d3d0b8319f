"""StreamEntries: everything in index order, what is recorded later too, and never more on its way than its reader takes."""

import os
import signal
import threading
import time

import grpc
import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.client import unique
from needtoknow_testing.merkle import leaf_hash
from needtoknow_testing.refusal import refused
from needtoknow_testing.story import Naive, Story, kind, own_world, story  # noqa: F401
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World

audit_pb2 = protos.audit


def stream(client, from_index=0, follow=False, bodies_only=False, timeout=20, **filters):
    return client.audit.StreamEntries(audit_pb2.StreamEntriesRequest(
        filter=audit_pb2.EntryFilter(**filters), from_index=from_index, follow=follow, bodies_only=bodies_only), timeout=timeout)


def streamed(client, **arguments):
    return [entry for message in stream(client, **arguments) for entry in message.entries]


def indices(entries):
    return [entry.index for entry in entries]


class Follower:
    """A stream that a thread reads, one message after the other."""

    def __init__(self, client, **arguments):
        self.entries, self.error = [], None
        self.call = stream(client, follow=True, timeout=60, **arguments)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        try:
            for message in self.call:
                self.entries += message.entries
        except grpc.RpcError as error:
            self.error = error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.call.cancel()
        self.thread.join(10)

    def wait_for(self, index, timeout=10):
        until(lambda: any(entry.index == index for entry in list(self.entries)), timeout, f"entry {index}")


def test_all_entries_come_in_order_as_they_are(own_world, story):
    size = ledger.size(own_world.sandbox)
    found = streamed(own_world.auditor)
    assert indices(found) == list(range(len(found))) and len(found) > size
    by_index = dict(ledger.entries(own_world.sandbox))
    for entry in found:
        assert entry.leaf_hash == leaf_hash(entry.body)
        assert entry.entry == by_index[entry.index]


def test_bodies_alone_are_the_same_bodies(own_world, story):
    size = ledger.size(own_world.sandbox)
    whole, bodies = streamed(own_world.auditor), streamed(own_world.auditor, bodies_only=True)
    assert [(entry.index, entry.leaf_hash, entry.body) for entry in bodies[:size]] == [
        (entry.index, entry.leaf_hash, entry.body) for entry in whole[:size]]
    assert not any(entry.HasField("entry") for entry in bodies)


def test_that_it_was_asked_is_an_entry_before_anything_is_read(own_world, story):
    uri = f"spiffe://maison-claire.example/auditor/{unique('a')}"
    found = streamed(own_world.client_of(uri), subject_id=story.people[1].subject_id)
    mine = [(index, entry) for index, entry in ledger.entries(own_world.sandbox) if entry.actor == uri]
    ((index, entry),) = mine
    assert ledger.kind_name(entry) == "AUDITED" and list(entry.fields) == ["StreamEntries", "subject_id"]
    assert found[-1].index == index, "what is recorded before it is read is read, too"


@pytest.mark.parametrize("name", ["nothing", "subject", "booking", "recipient", "disclosure", "kind", "rare", "service", "from"])
def test_a_filter_and_an_index_hold(own_world, story, name):
    filters = {
        "nothing": {}, "subject": {"subject_id": story.people[1].subject_id}, "booking": {"booking_id": story.people[1].booking_id},
        "recipient": {"recipient_id": story.recipients[0].recipient_id}, "disclosure": {"disclosure_id": story.shared[0].disclosure_id},
        "kind": {"kinds": [kind("DELIVERED")]}, "rare": {"kinds": [kind("REFUSED")]}, "service": {"service": "staged"},
        "from": {"recorded_from": story.shared[100].created_at}}[name]
    naive = Naive(own_world.sandbox)
    everything = naive.find(**filters)
    for from_index in (0, everything[len(everything) // 2], everything[-1] + 1):
        found = indices(streamed(own_world.auditor, from_index=from_index, **filters))
        size = len(naive.entries)
        assert [index for index in found if index < size] == [index for index in everything if index >= from_index]
    assert streamed(own_world.auditor, from_index=2**64 - 1, **filters) == []


def test_a_follower_sees_within_two_seconds_what_is_recorded(own_world, story):
    waited = []
    with Follower(own_world.auditor) as follower:
        for _ in range(3):
            story.share_many(1)
            began = time.monotonic()
            follower.wait_for(ledger.size(own_world.sandbox) - 1)
            waited.append(time.monotonic() - began)
        assert sorted(waited)[1] < 2, waited  # one of the three may meet a busy machine
        assert indices(follower.entries) == list(range(len(follower.entries)))


@pytest.mark.parametrize("filters", [{"kinds": [kind("RECIPIENT_CHANGED")]}, {"service": "contact"}, {"actor": "nobody"}], ids=str)
def test_a_follower_with_a_filter_sees_what_is_recorded_later_and_nothing_else(own_world, story, filters):
    sandbox = own_world.sandbox
    with Follower(own_world.auditor, **filters) as follower:
        story.share_many(30)
        own_world.put_recipient(unique("r"))
        (shared,) = story.share_many(1, "contact")
        expected = Naive(sandbox).find(**filters)
        until(lambda: indices(list(follower.entries)) == expected, 10, f"{expected}")


def test_a_follower_of_a_subject_sees_their_new_entries(own_world, story):
    person = own_world.person()
    recipient = story.recipients[0]
    own_world.share(person, recipient)
    with Follower(own_world.auditor, subject_id=person.subject_id) as follower:
        until(lambda: follower.entries, 5, "the first")
        disclosure = own_world.share(person, recipient)
        until(lambda: any(entry.entry.disclosure_id == disclosure.disclosure_id for entry in list(follower.entries)), 10, "the second")


@pytest.mark.parametrize("role", ["booking", "admin", "rights"])
def test_it_is_for_auditors_alone(own_world, story, role):
    with refused("PERMISSION_DENIED"):
        streamed(own_world.sandbox.client(role))


def test_a_bad_filter_is_refused(own_world, story):
    with refused("INVALID_ARGUMENT", "BAD_IDENTIFIER"):
        streamed(own_world.auditor, subject_id="\n")


def test_many_streams_share_a_connection(own_world, story):
    size = ledger.size(own_world.sandbox)
    calls = [stream(own_world.auditor, bodies_only=bool(number % 2)) for number in range(12)]
    for call in calls:
        found = [entry.index for message in call for entry in message.entries]
        assert found == list(range(len(found))) and len(found) >= size


def test_one_that_leaves_leaves_nothing_behind(own_world, story):
    """Cancelled in mid-stream, many times: the checker sees no sanitizer's complaint, and the worker answers."""
    for number in range(20):
        call = stream(own_world.auditor, follow=bool(number % 2))
        next(call)
        call.cancel()
    assert streamed(own_world.auditor, kinds=[kind("KEY_ROTATED"), kind("POLICY_ACTIVATED")])


def test_a_drain_ends_it_and_its_reader_goes_on_with_the_next_process(own_world, story):
    sandbox = own_world.sandbox
    with Follower(own_world.auditor) as follower:
        story.share_many(3)
        follower.wait_for(ledger.size(sandbox) - 1)
        began = time.monotonic()
        os.kill(sandbox.pid, signal.SIGTERM)
        until(lambda: follower.error is not None, 10, "the stream's end")
        assert follower.error.code().name == "UNAVAILABLE" and time.monotonic() - began < 8, "not only when the drain's time is over"
    seen = len(follower.entries)
    sandbox.wait_gone()
    sandbox.start()
    found = indices(streamed(own_world.auditor, from_index=seen))
    assert found == list(range(seen, seen + len(found))) and found


# ---- a reader that stalls, of a ledger of 30 MB ----

ROWS, ROW = 80, 1000


@pytest.fixture(scope="module")
def large_world():
    """Rows that no train wrote are in its ledger: nothing but reading is tried here, and the checker does not look. A release build,
    since a sanitizer's heap keeps what was freed."""
    world = World.up(preset="release")
    World.running.remove(world)
    body = ledger.entries(world.sandbox)[0][1].SerializeToString() + b"\xfa\x3f\xac\x02" + bytes(300)
    row = (len(body).to_bytes(2, "big") + body) * ROW
    marks = list(range(0, len(row), 4 * (2 + len(body))))
    with world.sandbox.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("SELECT size FROM needtoknow.head")
        (size,) = cursor.fetchone()
        cursor.execute("INSERT INTO needtoknow.ledger SELECT %s + n * %s, %s, h.recorded_at, 2, h.train_id, %s, %s"
                       " FROM needtoknow.head AS h, generate_series(0, %s - 1) AS n", (size, ROW, ROW, row, marks, ROWS))
        # The train goes on behind them. Roots that are none: the signer says so, and stops.
        cursor.execute("UPDATE needtoknow.head SET size = %s, frontier = %s",
                       (size + ROWS * ROW, bytes(32 * bin(size + ROWS * ROW).count("1"))))
    connection.close()
    yield world
    World.running.append(world)
    world.down()


def resident(pid):
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * 4096


def raw_stream(client):
    """Messages as bytes: Python would take longer to decode them than the daemon to send them."""
    method = client.channel.unary_stream("/needtoknow.v1.AuditService/StreamEntries", lambda request: request.SerializeToString(),
                                         lambda message: message)
    return method(audit_pb2.StreamEntriesRequest(bodies_only=True), timeout=120)


def test_a_reader_that_stalls_is_waited_for_and_costs_the_worker_little(large_world):
    sandbox = large_world.sandbox
    (pid,) = sandbox.workers()
    messages = [message for message in raw_stream(large_world.auditor)]  # the allocator has seen what a stream takes
    total = sum(map(len, messages))
    assert total > ROWS * ROW * 300 and max(map(len, messages)) < 1 << 20 and len(messages) < total // (32 << 10)
    before = resident(pid)
    clients = [sandbox.new_client("auditor") for _ in range(8)]
    try:
        stalled = [raw_stream(client) for client in clients]
        for call in stalled:
            next(call)
        # While another reads all of it, they had the time to fill what would take it.
        assert sum(len(message) for message in raw_stream(large_world.auditor)) >= total
        grown = resident(pid) - before
        assert grown < len(stalled) << 20, f"{grown} bytes for {len(stalled)} readers of {total} bytes that stall"
        assert sum(len(message) for message in stalled[0]) > total - (2 << 20), "it reads on, to the end"
    finally:
        for client in clients:
            client.close()


def test_a_stalled_reader_does_not_keep_a_drain(large_world):
    sandbox = large_world.sandbox
    client = sandbox.new_client("auditor")
    call = raw_stream(client)
    next(call)
    os.kill(sandbox.pid, signal.SIGTERM)
    with refused("UNAVAILABLE"):
        for _ in call:
            pass
    client.close()
    sandbox.wait_gone()
    sandbox.start()
