"""Two workers share nothing but PostgreSQL, and do the same as one."""

import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World


@pytest.fixture(scope="module")
def pair():
    world = World.up(workers=2)
    yield world
    world.down()


def test_there_are_two_processes(pair):
    assert len(pair.sandbox.workers()) == 2


def test_what_is_shared_at_any_worker_is_pushed_by_any(pair):
    """Streams and callers on connections of their own land on both; each delivery comes once, promptly."""
    recipients = [pair.recipient() for _ in range(8)]
    streams = [recipient.receive() for recipient in recipients]
    callers = [pair.sandbox.new_client("booking") for _ in range(4)]
    person = pair.person()
    shared = {}
    for number in range(80):
        recipient = recipients[number % 8]
        answer = callers[number % 4].sharing.Share(pair.share_request(person, recipient), timeout=10)
        shared[answer.disclosure.disclosure_id] = number % 8
    for disclosure_id, place in shared.items():
        delivery = streams[place].delivery(disclosure_id)
        assert protos.seconds(delivery.receipt.recorded_at) >= 0
    for stream in streams:
        got = [delivery.disclosure_id for delivery in stream.deliveries()]
        assert len(got) == len(set(got)) == 10
        stream.acknowledge(*stream.deliveries())
    for client in callers:
        client.close()
    delivered = [entry.disclosure_id for _, entry in ledger.of_kind(ledger.entries(pair.sandbox), "DELIVERED")]
    assert sorted(each for each in delivered if each in shared) == sorted(shared)


def test_a_push_through_the_other_worker_is_prompt(pair):
    """One NOTIFY a train wakes the others: no polling interval passes by."""
    late = []
    for _ in range(6):
        recipient = pair.recipient()
        with recipient.receive() as stream:
            caller = pair.sandbox.new_client("booking")
            shared = caller.sharing.Share(pair.share_request(pair.person(), recipient), timeout=10)
            delivery = stream.delivery(shared.disclosure.disclosure_id)
            late.append(protos.seconds(delivery.receipt.recorded_at) - protos.seconds(shared.receipt.recorded_at))
            stream.acknowledge(delivery)
            caller.close()
    assert max(late) < 0.5, late


def test_two_streams_on_different_workers_never_get_the_same(pair):
    recipient = pair.recipient()
    devices = [recipient] + [recipient.device(f"phone-{number}") for number in range(5)]
    streams = [device.receive() for device in devices]
    person = pair.person()
    shared = {pair.share(person, recipient).disclosure_id for _ in range(60)}
    until(lambda: sum(len(stream.deliveries()) for stream in streams) >= 60, what="60 deliveries")
    got = [delivery.disclosure_id for stream in streams for delivery in stream.deliveries()]
    assert sorted(got) == sorted(shared)
    streams[0].acknowledge(*[delivery for stream in streams for delivery in stream.deliveries()])


def test_one_request_at_both_workers_is_one_disclosure(pair):
    recipient = pair.recipient()
    request = pair.share_request(pair.person(), recipient)
    callers = [pair.sandbox.new_client("booking") for _ in range(6)]
    calls = [callers[number % 6].sharing.Share.future(request, timeout=20) for number in range(120)]
    assert len({call.result(20).disclosure.disclosure_id for call in calls}) == 1
    for client in callers:
        client.close()
    assert len(recipient.drain()) == 1


def test_expiry_is_swept_once(pair):
    recipient = pair.recipient()
    with recipient.receive() as stream:
        shared = [pair.share(pair.person(), recipient, "at-once", starts_in=0, lasts=2.5) for _ in range(5)]
        for disclosure in shared:
            stream.acknowledge(stream.delivery(disclosure.disclosure_id))
        for disclosure in shared:
            stream.withdrawal(disclosure.disclosure_id, timeout=15)
    for disclosure in shared:
        assert len(ledger.of_disclosure(ledger.entries(pair.sandbox), disclosure.disclosure_id, "EXPIRED")) == 1
