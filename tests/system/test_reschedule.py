"""Reschedule: what is still to be sent moves, what was sent stays sent, and the app learns the new times."""

import time

import pytest

from needtoknow_testing import changes, company, ledger, protos
from needtoknow_testing.refusal import refused
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World

NEW, REPEATED = protos.delivery.DELIVERY_CAUSE_NEW, protos.delivery.DELIVERY_CAUSE_REPEATED
HOUR = 3600


@pytest.fixture(scope="module")
def pair():
    world = World.up(workers=2)
    yield world
    world.down()


def due(disclosure):
    """{release: seconds after the start at which it is due}"""
    start = protos.seconds(disclosure.starts_at)
    return {release.name: round(protos.seconds(release.due_at) - start) for release in disclosure.releases}


def test_a_release_that_is_no_longer_due_waits_again(world):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient, "home-cleaning", starts_in=HOUR / 2)
    assert changes.states(shared) == {"planning": "DUE", "visit": "DUE", "entry": "DUE"}
    moved = changes.reschedule(world, shared.disclosure_id, 48 * HOUR).disclosure
    assert changes.states(moved) == {"planning": "DUE", "visit": "WAITING", "entry": "WAITING"}
    assert changes.get(world, shared.disclosure_id) == moved
    assert due(moved)["visit"] == -24 * HOUR and due(moved)["entry"] == -HOUR
    assert protos.seconds(moved.expires_at) == pytest.approx(protos.seconds(moved.ends_at) + 2 * HOUR)
    assert [delivery.release for delivery in recipient.drain()] == ["planning"]


def test_a_release_that_becomes_due_is_sent(world):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient, "home-cleaning", starts_in=48 * HOUR)
    with recipient.receive() as stream:
        stream.acknowledge(stream.delivery(shared.disclosure_id, "planning"))
        moved = changes.reschedule(world, shared.disclosure_id, 2 * HOUR).disclosure
        visit = stream.delivery(shared.disclosure_id, "visit")
        assert visit.cause == NEW and visit.starts_at == moved.starts_at and visit.expires_at == moved.expires_at
        stream.acknowledge(visit)
    assert changes.states(changes.get(world, shared.disclosure_id))["entry"] == "WAITING"


@pytest.mark.parametrize("acknowledged", [True, False])
def test_what_was_sent_stays_sent_and_brings_the_new_times(world, acknowledged):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient)
    with recipient.receive() as stream:
        first = stream.delivery(shared.disclosure_id)
        if acknowledged:
            stream.acknowledge(first)
        moved = changes.reschedule(world, shared.disclosure_id, 5 * HOUR, HOUR).disclosure
        assert changes.states(moved) == {"all": "ACKNOWLEDGED" if acknowledged else "DELIVERED"}
        again = stream.delivery(shared.disclosure_id, skip=1)
        assert again.cause == REPEATED and again.delivery_id == first.delivery_id
        assert list(again.fields) == list(first.fields)
        assert (again.starts_at, again.ends_at, again.expires_at) == (moved.starts_at, moved.ends_at, moved.expires_at)
        assert protos.seconds(again.delete_by) == pytest.approx(protos.seconds(moved.expires_at) + 24 * HOUR, abs=1)
        stream.acknowledge(again)
        assert changes.states(changes.get(world, shared.disclosure_id)) == {"all": "ACKNOWLEDGED"}
    assert recipient.drain() == [], "once is enough"


def test_p6_an_acknowledgement_of_what_came_before_does_not_cover_the_new_times(world):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient)
    (first,) = recipient.drain()
    # Nobody listens: the acknowledgement of the first comes after the move, before the new times have left.
    moved = changes.reschedule(world, shared.disclosure_id, 5 * HOUR).disclosure
    recipient.acknowledge(first)
    (again,) = recipient.drain()
    assert again.cause == REPEATED and again.starts_at == moved.starts_at
    recipient.acknowledge(again)
    assert recipient.drain() == []


def test_p4_it_expires_at_its_new_time(world):
    """Brought forward it ends earlier, and never later than it was said last."""
    recipient = world.recipient()
    shared = world.share(world.person(), recipient)
    later = world.share(world.person(), recipient, starts_in=0, lasts=3)
    with recipient.receive() as stream:
        stream.acknowledge(stream.delivery(shared.disclosure_id), stream.delivery(later.disclosure_id))
        stays = changes.reschedule(world, later.disclosure_id, HOUR).disclosure
        moved = changes.reschedule(world, shared.disclosure_id, 0, 3).disclosure
        withdrawal = stream.withdrawal(shared.disclosure_id, timeout=20)
        recorded = protos.seconds(withdrawal.receipt.recorded_at)
        assert 0 <= recorded - protos.seconds(moved.expires_at) < 3
        world.sandbox.wait_until(protos.seconds(later.expires_at) + 1.5)
        assert changes.get(world, later.disclosure_id).state == protos.common.DISCLOSURE_STATE_ACTIVE
        assert changes.get(world, later.disclosure_id).expires_at == stays.expires_at
    assert "EXPIRED" not in changes.kinds(world, later.disclosure_id)


def test_p9_it_is_an_entry_that_is_found_by_the_disclosure(world):
    person, recipient = world.person(), world.recipient()
    shared = world.share(person, recipient, "home-cleaning", starts_in=48 * HOUR)
    answer = changes.reschedule(world, shared.disclosure_id, 72 * HOUR)
    request = protos.audit.ListEntriesRequest(filter=protos.audit.EntryFilter(disclosure_id=shared.disclosure_id))
    found = world.auditor.audit.ListEntries(request, timeout=10).entries
    assert [ledger.kind_name(entry.entry) for entry in found] == ["SHARED", "RESCHEDULED"]
    entry = found[1]
    assert (entry.index, entry.leaf_hash) == (answer.receipt.ledger_index, answer.receipt.leaf_hash)
    assert entry.entry.expires_at == answer.disclosure.expires_at
    assert entry.entry.booking_ref == found[0].entry.booking_ref and entry.entry.recipient_id == recipient.recipient_id
    by_booking = protos.audit.ListEntriesRequest(filter=protos.audit.EntryFilter(booking_id=person.booking_id))
    assert entry.index in [each.index for each in world.auditor.audit.ListEntries(by_booking, timeout=10).entries]


def test_p6_a_repeat_gets_the_same_answer_and_moves_nothing(world):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient)
    recipient.acknowledge(*recipient.drain())
    request = changes.reschedule_request(shared.disclosure_id, 5 * HOUR)
    first = world.booking.sharing.Reschedule(request, timeout=10)
    recipient.acknowledge(*recipient.drain())
    again = world.booking.sharing.Reschedule(request, timeout=10)
    assert again == first
    assert recipient.drain() == []
    # Moved again meanwhile: the answer names the same receipt, and what is now.
    last = changes.reschedule(world, shared.disclosure_id, 9 * HOUR).disclosure
    late = world.booking.sharing.Reschedule(request, timeout=10)
    assert late.receipt == first.receipt and late.disclosure.starts_at == last.starts_at
    assert changes.kinds(world, shared.disclosure_id).count("RESCHEDULED") == 2
    request.ends_at.seconds += 60
    with refused("ALREADY_EXISTS", "REQUEST_ID_REUSED"):
        world.booking.sharing.Reschedule(request, timeout=10)


def test_it_is_decided_as_a_share_is(world):
    person, recipient = world.person(), world.recipient()
    shared = world.share(person, recipient)

    def refuses(code, reason, *arguments):
        size = ledger.size(world.sandbox)
        with refused(code, reason) as why:
            changes.reschedule(world, shared.disclosure_id, *arguments)
        ((index, entry),) = [each for each in ledger.entries(world.sandbox, size) if ledger.kind_name(each[1]) == "REFUSED"]
        assert why.metadata["ledger_index"] == str(index) and ledger.reason_name(entry) == reason
        assert entry.disclosure_id == shared.disclosure_id

    refuses("INVALID_ARGUMENT", "BAD_WINDOW", HOUR, 31 * 24 * HOUR)
    refuses("INVALID_ARGUMENT", "BAD_WINDOW", -2 * HOUR, HOUR)
    refuses("INVALID_ARGUMENT", "BAD_WINDOW", 2 * HOUR, -HOUR)
    world.put_recipient(recipient.recipient_id, services=["gardening"])
    refuses("PERMISSION_DENIED", "SERVICE_NOT_AUTHORISED")
    world.put_recipient(recipient.recipient_id, agreement_until=time.time() - 1)
    refuses("PERMISSION_DENIED", "AGREEMENT_NOT_IN_FORCE")
    world.put_recipient(recipient.recipient_id)
    company.exercise(world.sandbox, person.subject_id, "restricted")
    refuses("FAILED_PRECONDITION", "RESTRICTED")
    shared.state = protos.common.DISCLOSURE_STATE_RESTRICTED
    assert changes.get(world, shared.disclosure_id) == shared, "nothing has moved"


def test_p4_what_has_ended_does_not_move(world):
    recipient = world.recipient()
    over = world.share(world.person(), recipient, starts_in=0, lasts=1)
    revoked = world.share(world.person(), recipient)
    changes.revoke(world, revoked.disclosure_id)
    world.sandbox.wait_until(protos.seconds(over.expires_at))
    with refused("FAILED_PRECONDITION", "EXPIRED"):
        changes.reschedule(world, over.disclosure_id)
    with refused("FAILED_PRECONDITION", "REVOKED"):
        changes.reschedule(world, revoked.disclosure_id)
    with refused("NOT_FOUND", "UNKNOWN_DISCLOSURE"):
        changes.reschedule(world, "0a44cf42-4f0e-8d0c-9a15-5a3d6a1c6c59")


def test_every_device_learns_the_new_times(world):
    recipient = world.recipient(deliver_to=protos.registry.DELIVER_TO_EVERY_DEVICE)
    devices = [recipient, recipient.device("phone-2")]
    streams = [device.receive() for device in devices]
    shared = world.share(world.person(), recipient, "home-cleaning", starts_in=HOUR * 12)
    for stream in streams:
        for release in ("planning", "visit"):
            stream.acknowledge(stream.delivery(shared.disclosure_id, release))
    moved = changes.reschedule(world, shared.disclosure_id, HOUR / 2).disclosure
    for stream in streams:
        again = [stream.delivery(shared.disclosure_id, release, skip=1) for release in ("planning", "visit")]
        entry = stream.delivery(shared.disclosure_id, "entry")
        assert [delivery.cause for delivery in again] == [REPEATED, REPEATED] and entry.cause == NEW
        assert {delivery.starts_at.seconds for delivery in [*again, entry]} == {moved.starts_at.seconds}
        stream.acknowledge(*again, entry)
    for stream in streams:
        stream.close()
    assert set(changes.states(changes.get(world, shared.disclosure_id)).values()) == {"ACKNOWLEDGED"}


def test_p4_what_a_lost_phone_was_sent_is_not_due_to_it_again(world):
    """It has been ordered to delete it; the other learns the new times."""
    recipient = world.recipient(deliver_to=protos.registry.DELIVER_TO_EVERY_DEVICE)
    phone, tablet = recipient.device("phone"), recipient.device("tablet")
    shared = world.share(world.person(), recipient)
    for device in (phone, tablet):
        device.acknowledge(*device.drain())
    world.admin.registry.RevokeDevice(
        protos.registry.RevokeDeviceRequest(recipient_id=recipient.recipient_id, device="phone"), timeout=30)
    changes.reschedule(world, shared.disclosure_id, HOUR * 5)
    assert world.sandbox.query("SELECT device FROM needtoknow.sent WHERE disclosure_id = %s AND open", shared.disclosure_id) == [("tablet",)]
    (again,) = tablet.drain()
    assert again.cause == REPEATED
    tablet.acknowledge(again)


def test_what_was_fetched_too_waits_until_its_release_is_due_again(world):
    """Whichever of its sendings nobody has acknowledged."""
    recipient = world.recipient()
    shared = world.share(world.person(), recipient, "home-cleaning", starts_in=HOUR / 2)
    assert {delivery.release for delivery in recipient.drain()} == {delivery.release for delivery in recipient.fetch(shared.disclosure_id)}
    moved = changes.reschedule(world, shared.disclosure_id, HOUR * 12).disclosure
    (entry,) = [number for number, release in enumerate(moved.releases) if release.name == "entry"]
    due_at = protos.seconds(moved.releases[entry].due_at)
    assert world.sandbox.query("SELECT count(*), min(free_at) >= to_timestamp(%s) - interval '1 second' FROM needtoknow.sent"
                               " WHERE disclosure_id = %s AND release = %s AND open", due_at, shared.disclosure_id, entry) == [(1, True)]


def test_p6_moves_at_both_workers_while_it_is_delivered(pair):
    """Each release comes as often as the times changed and no oftener without them; the last delivery has the last times."""
    recipient = pair.recipient()
    callers = [pair.sandbox.new_client("booking") for _ in range(6)]
    with recipient.receive(max_unacknowledged=1024) as stream:
        shared = [pair.share(pair.person(), recipient, starts_in=HOUR).disclosure_id for _ in range(10)]
        for step in range(6):
            calls = [callers[(step + number) % 6].sharing.Reschedule.future(
                changes.reschedule_request(disclosure_id, (step + 2) * HOUR), timeout=30) for number, disclosure_id in enumerate(shared)]
            for call in calls:
                call.result(30)
        last = {disclosure_id: changes.get(pair, disclosure_id) for disclosure_id in shared}

        def latest(disclosure_id):
            deliveries = stream.deliveries(disclosure_id)
            return deliveries and deliveries[-1].starts_at == last[disclosure_id].starts_at
        until(lambda: all(map(latest, shared)), 20, "the last times of all")
        for disclosure_id in shared:
            stream.acknowledge(stream.deliveries(disclosure_id)[-1])
    for client in callers:
        client.close()
    assert recipient.drain() == []
    for disclosure_id in shared:
        assert 2 <= changes.kinds(pair, disclosure_id).count("DELIVERED") <= 7
