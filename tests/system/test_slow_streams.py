"""Streams that are slow, stalled or away: they hold back nobody, cost the worker little, and lose nothing."""

import contextlib
import os
import threading
from pathlib import Path

import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.changes import revoke
from needtoknow_testing.receiver import acknowledge
from needtoknow_testing.waiting import until
from needtoknow_testing.wire import WireClient
from needtoknow_testing.world import TRUST_DOMAIN, World

RECEIVE = "/needtoknow.v1.DeliveryService/Receive"
REPEATED = protos.delivery.DELIVERY_CAUSE_REPEATED
IN_FLIGHT = 200
WAITING = int(os.environ.get("NEEDTOKNOW_WAITING", "10000"))
LARGE = 60_000
STALLED = 10
EACH = 120


@pytest.fixture(scope="module")
def release_world():
    """A sanitizer's heap keeps what was freed."""
    world = World.up(preset="release")
    yield world
    world.down()


@pytest.fixture(scope="module")
def pair():
    world = World.up(workers=2)
    yield world
    world.down()


def resident(pid):
    """Bytes of memory that the process has for itself."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGESIZE")


def metric(sandbox, name):
    """The sum of all workers'."""
    lines = [line for line in sandbox.metrics().splitlines() if line.split("{")[0].split(" ")[0] == name]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def share_many(world, people, recipient, amount):
    """Disclosure ids in no particular order, IN_FLIGHT Shares at a time."""
    credit, found, failures = threading.Semaphore(IN_FLIGHT), [], []

    def done(call):
        if call.exception() is not None:
            failures.append(call.exception())
        else:
            found.append(call.result().disclosure.disclosure_id)
        credit.release()
    for number in range(amount):
        credit.acquire()
        request = world.share_request(people[number % len(people)], recipient)
        world.booking.sharing.Share.future(request, timeout=60).add_done_callback(done)
    for _ in range(IN_FLIGHT):
        credit.acquire()
    assert not failures, failures[:3]
    return found


def wire_of(world, recipient, **keywords):
    certificate, key = world.authority.issue(f"spiffe://{TRUST_DOMAIN}/recipient/{recipient.recipient_id}")
    return WireClient(world.sandbox, certificate, key, **keywords)


def stalled_stream(world, recipient):
    """Its windows are wide open: deliveries are claimed for it, and TCP alone holds them up."""
    wire = wire_of(world, recipient, receive_buffer=4096, window=2**31 - 1)
    return wire, wire.request(RECEIVE, protos.delivery.ReceiveRequest(max_unacknowledged=1000).SerializeToString())


def events_of(answer):
    return [protos.delivery.ReceiveResponse.FromString(message) for message in answer.messages]


def delivered(world, disclosures):
    return {entry.disclosure_id for _, entry in ledger.of_kind(ledger.entries(world.sandbox), "DELIVERED")} & set(disclosures)


def test_p6_a_recipient_that_was_away_is_served_all_in_order_and_cost_nothing(release_world):
    """10,000 deliveries wait; the worker knows nothing of them until the app comes."""
    world, recipient = release_world, release_world.recipient()
    (pid,) = world.sandbox.workers()
    people = [world.person() for _ in range(20)]
    share_many(world, people, world.recipient(), WAITING)  # its memory has seen what sharing takes
    before = resident(pid)
    shared = share_many(world, people, recipient, WAITING)
    assert len(set(shared)) == WAITING
    grown = resident(pid) - before
    assert grown < 2 << 20, f"{grown} bytes for a recipient that is away"
    assert metric(world.sandbox, "needtoknow_recipients_connected") == 0
    got = []
    with recipient.receive(max_unacknowledged=1024) as stream:
        while len(got) < WAITING:
            until(lambda: len(stream.deliveries()) > len(got), 30, f"more than {len(got)} deliveries")
            fresh = stream.deliveries()[len(got):]
            for at in range(0, len(fresh), 500):
                stream.acknowledge(*fresh[at:at + 500])
            got += fresh
            assert resident(pid) - before < 32 << 20, "served a page at a time"
    until(lambda: metric(world.sandbox, "needtoknow_recipients_connected") == 0, 10, "that it is forgotten")
    assert len(got) == len({delivery.delivery_id for delivery in got}) == WAITING, "each once"
    in_order = [row[0] for row in world.sandbox.query(
        "SELECT disclosure_id::text FROM needtoknow.disclosure WHERE recipient_id = %s ORDER BY created_at, disclosure_id",
        recipient.recipient_id)]
    assert [delivery.disclosure_id for delivery in got] == in_order, "by due time, and disclosures of one train by their id"
    assert recipient.drain() == []


def test_p6_stalled_streams_hold_back_nobody_cost_little_and_lose_nothing(release_world):
    """
    Ten apps that read nothing, and 7 MB for each. Others are served meanwhile as ever, no more is in memory than a
    connection may have queued, and what had not reached an app reaches it when it comes again.
    """
    world, sandbox = release_world, release_world.sandbox
    (pid,) = sandbox.workers()
    person = world.person(tasks="x" * LARGE)
    recipients = [world.recipient() for _ in range(STALLED)]
    shared = {recipient.recipient_id: share_many(world, [person], recipient, EACH) for recipient in recipients}
    other = world.recipient()
    before, most, wires = resident(pid), 0, []
    try:
        for recipient in recipients:
            wires.append(stalled_stream(world, recipient))
        for recipient in recipients:
            until(lambda: delivered(world, shared[recipient.recipient_id]), 20, "deliveries that fill its socket")
        with other.receive() as stream:
            for _ in range(30):
                passing = world.share(world.person(), other)
                got = stream.delivery(passing.disclosure_id, timeout=5)
                late = protos.seconds(got.receipt.recorded_at) - protos.seconds(passing.created_at)
                assert late < 2, f"it waited {late} s behind those that stall"
                stream.acknowledge(got)
                most = max(most, resident(pid) - before)
        assert most < STALLED * (3 << 20) + (16 << 20), f"{most} bytes for {STALLED} streams that stall"
        for recipient in recipients:
            assert len(delivered(world, shared[recipient.recipient_id])) < EACH, "no more is claimed than may be queued"
    finally:
        for wire, _ in wires:
            wire.__exit__()
    for recipient in recipients:
        found = {}
        with recipient.receive(max_unacknowledged=64) as stream:
            while len(found) < EACH:
                until(lambda: len(stream.deliveries()) > len(found), 40, f"more than {len(found)}")
                for delivery in stream.deliveries()[len(found):]:
                    found[delivery.disclosure_id] = delivery
                    acknowledge(recipient.client, delivery)
        assert set(found) == set(shared[recipient.recipient_id])
        assert any(delivery.cause == REPEATED for delivery in found.values()), "what was on its way is repeated"


def test_p6_a_slow_reader_is_sent_as_much_as_it_reads(world):
    """A flow-control window of 200 kB that the app widens as it reads: no more than that is claimed for it at a time."""
    recipient, person = world.recipient(), world.person(tasks="y" * LARGE)
    shared = share_many(world, [person], recipient, 12)
    with wire_of(world, recipient, window=200_000) as wire:
        stream = wire.request(RECEIVE, protos.delivery.ReceiveRequest(max_unacknowledged=100).SerializeToString())
        got = 0
        while got < len(shared):
            answer = wire.read_until(stream, lambda found: len(found.messages) > got, timeout=15)
            assert len(answer.messages) > got, f"no more than {got} came"
            assert len(delivered(world, shared)) <= len(answer.messages) + 4, "claimed ahead of the reader"
            wire.open_window(stream, sum(map(len, answer.messages[got:])) + 5 * (len(answer.messages) - got))
            got = len(answer.messages)
        deliveries = [event.delivery for event in events_of(answer)]
    world.received.extend(deliveries)
    assert sorted(delivery.disclosure_id for delivery in deliveries) == sorted(shared)
    recipient.acknowledge(*deliveries)


def test_p6_what_waited_for_room_on_a_stream_goes_to_another_when_that_ends(world):
    """Two large deliveries on their way to a narrow stream: one fills it, the other waits for room that never comes."""
    recipient, person = world.recipient(), world.person(tasks="w" * LARGE)
    with recipient.device("other").receive(max_unacknowledged=1) as other:
        first = world.share(world.person(), recipient)
        taken = other.delivery(first.disclosure_id)  # it takes no more until this is acknowledged
        shared = share_many(world, [person], recipient, 2)
        held = metric(world.sandbox, "needtoknow_deliveries_held_total")
        with wire_of(world, recipient, window=16_384) as wire:
            wire.request(RECEIVE, protos.delivery.ReceiveRequest().SerializeToString())
            until(lambda: delivered(world, shared), 10, "the first of them")
            until(lambda: metric(world.sandbox, "needtoknow_deliveries_held_total") > held, 10, "that the other waits")
            (sent,) = delivered(world, shared)
            (waits,) = set(shared) - {sent}
            revoke(world, sent)  # its values die in the stream, which is reset, and nothing is given back
            until(lambda: metric(world.sandbox, "needtoknow_subscriptions_open") < 2, 10, "its end")
            other.acknowledge(taken)
            assert other.delivery(waits, timeout=10).release


def test_p4_what_is_revoked_at_one_worker_dies_in_the_other(pair):
    """A stalled app at one worker, a Revoke at either: what had not left by then never comes, though its 2 s are not over."""
    sent = lambda: metric(pair.sandbox, "needtoknow_withdrawals_sent_total")
    for _ in range(4):  # streams and callers land on either worker
        recipient, person = pair.recipient(), pair.person(tasks="z" * LARGE)
        shared = share_many(pair, [person], recipient, 80)
        caller, before = pair.sandbox.new_client("booking"), sent()
        wire, stream = stalled_stream(pair, recipient)
        with wire:
            until(lambda: len(delivered(pair, shared)) >= 10, 10, "deliveries that fill the socket")
            revoke(pair, booking_id=person.booking_id, client=caller)
            claimed = len(delivered(pair, shared))
            # On a slow machine the stream is over by now: its values died of their age, and nothing is left to be told.
            with contextlib.suppress(AssertionError):
                until(lambda: sent() > before, 3, "that the worker has read of it")
            answer = wire.read_all(stream, timeout=4)
        caller.close()
        came = [event.delivery for event in events_of(answer) if event.HasField("delivery")]
        pair.received.extend(came)
        assert len(came) < claimed, f"all {claimed} came, though a socket does not take so much"
        with recipient.receive(until_empty=True) as again:
            assert again.wait_end() is None
            assert not again.deliveries()
            assert {event.withdrawal.disclosure_id for event in again.events} == delivered(pair, shared)
