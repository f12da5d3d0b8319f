"""P4 The end holds: nothing of a disclosure is delivered after its end."""

import time

import pytest

from needtoknow_testing import company, ledger, protos
from needtoknow_testing.receiver import values
from needtoknow_testing.refusal import refused
from needtoknow_testing.waiting import until
from needtoknow_testing.wire import WireClient

EXPIRED = protos.common.DISCLOSURE_STATE_EXPIRED


def get(world, disclosure_id):
    return world.booking.sharing.GetDisclosure(
        protos.sharing.GetDisclosureRequest(disclosure_id=disclosure_id), timeout=10).disclosure


def test_p4_expiry_withdraws_what_was_delivered(world):
    person, recipient = world.person(), world.recipient()
    with recipient.receive() as stream:
        shared = world.share(person, recipient, "at-once", starts_in=0, lasts=2.5)
        stream.acknowledge(stream.delivery(shared.disclosure_id))
        withdrawal = stream.withdrawal(shared.disclosure_id, timeout=15)
    assert withdrawal.booking_id == person.booking_id
    assert withdrawal.cause == protos.delivery.WITHDRAWAL_CAUSE_EXPIRED
    recorded = protos.seconds(withdrawal.receipt.recorded_at)
    assert 0 <= recorded - protos.seconds(shared.expires_at) < 3
    assert protos.seconds(withdrawal.delete_by) == pytest.approx(recorded + 24 * 3600, abs=5)
    assert get(world, shared.disclosure_id).state == EXPIRED
    kinds = [ledger.kind_name(entry) for _, entry in ledger.of_disclosure(ledger.entries(world.sandbox), shared.disclosure_id)]
    assert kinds[:3] == ["SHARED", "DELIVERED", "ACKNOWLEDGED"] and "EXPIRED" in kinds


def test_p4_a_withdrawal_waits_for_a_device_that_is_away(world):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient, "at-once", starts_in=0, lasts=1.5)
    recipient.acknowledge(*recipient.drain())
    until(lambda: get(world, shared.disclosure_id).state == EXPIRED, 15, "EXPIRED")
    for _ in range(2):  # unconfirmed, it comes once to each new stream
        with recipient.receive() as stream:
            stream.withdrawal(shared.disclosure_id)
            after = world.share(world.person(), recipient)
            stream.acknowledge(stream.delivery(after.disclosure_id))
            withdrawals = [event for event in stream.events if event.HasField("withdrawal")]
            assert len(withdrawals) == 1, "once to each stream"


def test_p4_who_was_sent_nothing_is_told_nothing(world):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient, "strict", starts_in=1, lasts=0.5)
    # Never delivered: no stream was open.
    until(lambda: get(world, shared.disclosure_id).state == EXPIRED, 15, "EXPIRED")
    with recipient.receive(until_empty=True) as stream:
        assert stream.wait_end() is None
        assert stream.events == []


def test_p4_what_expired_is_not_delivered_or_fetched(world):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient, "at-once", starts_in=0, lasts=1)
    world.sandbox.wait_until(protos.seconds(shared.expires_at))
    assert recipient.drain() == []
    with refused("FAILED_PRECONDITION", "EXPIRED"):
        recipient.fetch(shared.disclosure_id)
    assert not ledger.of_disclosure(ledger.entries(world.sandbox), shared.disclosure_id, "DELIVERED")


def test_p4_a_delivery_is_claimed_only_well_before_expiry(world):
    """Streams that open all around the expiry: whatever they get was recorded over a second before it."""
    recipient = world.recipient()
    expires = time.time() + 3
    shared = [world.share(world.person(), recipient, "at-once", starts_in=0, lasts=expires - time.time()) for _ in range(10)]
    got = 0
    while world.sandbox.database_now() < expires + 0.5:
        got += len(recipient.drain())
    assert got, "before the expiry they came"
    for disclosure in shared:
        for _, entry in ledger.of_disclosure(ledger.entries(world.sandbox), disclosure.disclosure_id, "DELIVERED"):
            left = protos.seconds(disclosure.expires_at) - protos.seconds(entry.recorded_at)
            assert left > 1.0, f"claimed {left} s before the expiry"


def test_p4_an_acknowledgement_after_the_end_is_counted_and_changes_nothing(world):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient, "at-once", starts_in=0, lasts=1.5)
    (got,) = recipient.drain()
    until(lambda: get(world, shared.disclosure_id).state == EXPIRED, 15, "EXPIRED")
    before = get(world, shared.disclosure_id)
    assert recipient.acknowledge(got) == 1
    after = get(world, shared.disclosure_id)
    state = protos.common.ReleaseState.Name
    assert state(after.releases[0].state) == state(before.releases[0].state)
    assert after == before
    assert ledger.of_disclosure(ledger.entries(world.sandbox), shared.disclosure_id, "ACKNOWLEDGED")


def test_p4_a_stalled_readers_values_die(world):
    """
    A client whose socket stays full: what it had not taken by the expiry never reaches it, though it reads again afterwards.
    Its windows are wide open, so that deliveries are claimed; only TCP holds them up.
    """
    recipient = world.recipient()
    people = [world.person(tasks="x" * 60_000) for _ in range(60)]
    shared = [world.share(person, recipient, "at-once", starts_in=0, lasts=6) for person in people]
    certificate, key = world.authority.issue(f"spiffe://maison-claire.example/recipient/{recipient.recipient_id}")
    with WireClient(world.sandbox, certificate, key, receive_buffer=4096, window=2**31 - 1) as wire:
        stream = wire.request("/needtoknow.v1.DeliveryService/Receive",
                              protos.delivery.ReceiveRequest(max_unacknowledged=1000).SerializeToString())
        disclosures = {disclosure.disclosure_id for disclosure in shared}
        until(lambda: [entry for _, entry in ledger.of_kind(ledger.entries(world.sandbox), "DELIVERED")
                       if entry.disclosure_id in disclosures], 10, "a first delivery, which fills the socket")
        world.sandbox.wait_until(max(protos.seconds(disclosure.expires_at) for disclosure in shared) + 2.5)
        answer = wire.read_all(stream, timeout=10)
        events = [protos.delivery.ReceiveResponse.FromString(message) for message in answer.messages]
    got = [event.delivery for event in events if event.HasField("delivery")]
    world.received.extend(got)
    assert len(got) < len(shared), "a full socket does not take 3.6 MB"


def test_p4_no_credit_no_claim(world):
    """A stream whose flow-control window is closed gets no delivery, and none is recorded for it."""
    recipient = world.recipient()
    shared = world.share(world.person(), recipient)
    certificate, key = world.authority.issue(f"spiffe://maison-claire.example/recipient/{recipient.recipient_id}")
    with WireClient(world.sandbox, certificate, key, window=0) as wire:
        stream = wire.request("/needtoknow.v1.DeliveryService/Receive", b"")
        passing = world.recipient()
        beside = world.share(world.person(), passing)
        with passing.receive() as other:
            other.delivery(beside.disclosure_id)
        assert not ledger.of_disclosure(ledger.entries(world.sandbox), shared.disclosure_id, "DELIVERED")
        wire.open_window(stream, 100_000)
        answer = wire.read_until(stream, lambda found: found.messages, timeout=10)
        event = protos.delivery.ReceiveResponse.FromString(answer.messages[0])
        assert event.delivery.disclosure_id == shared.disclosure_id
        world.received.append(event.delivery)


def test_p4_a_right_exercised_between_two_releases_holds_back_the_second(world):
    person, recipient = world.person(), world.recipient()
    with recipient.receive() as stream:
        shared = world.share(person, recipient, "staged", starts_in=4, lasts=600)
        stream.acknowledge(stream.delivery(shared.disclosure_id, "planning"))
        company.exercise(world.sandbox, person.subject_id, "restricted")
        world.sandbox.wait_until(protos.seconds(shared.releases[2].due_at) + 1)
        after = world.share(world.person(), recipient)
        stream.delivery(after.disclosure_id)
        assert [delivery.release for delivery in stream.deliveries(shared.disclosure_id)] == ["planning"]
        assert "client.door_code" not in [name for delivery in stream.deliveries(shared.disclosure_id) for name in values(delivery)]
