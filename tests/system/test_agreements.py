"""Agreements (GDPR art. 28) begin and end: outside them nothing is shared or delivered, and at their end all is withdrawn (28(3)(g))."""

import time

import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.refusal import refused
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World


def state(world, disclosure):
    request = protos.sharing.GetDisclosureRequest(disclosure_id=disclosure.disclosure_id)
    return protos.common.DisclosureState.Name(world.booking.sharing.GetDisclosure(request, timeout=10).disclosure.state)


def ends(world, disclosure):
    """[(kind, reason)] of the entries that ended it"""
    found = ledger.of_disclosure(ledger.entries(world.sandbox), disclosure.disclosure_id, "EXPIRED", "REVOKED", "WITHDRAWN")
    return [(ledger.kind_name(entry), ledger.reason_name(entry)) for _, entry in found]


def ended(world, disclosure):
    return until(lambda: state(world, disclosure) != "DISCLOSURE_STATE_ACTIVE" and ends(world, disclosure), 20, "the end")


def test_p4_nothing_is_shared_before_an_agreement_begins(world):
    recipient = world.recipient(agreement_from=time.time() + 3600)
    with refused("PERMISSION_DENIED", "AGREEMENT_NOT_IN_FORCE"):
        world.share(world.person(), recipient)


def test_p4_nothing_is_shared_after_an_agreement_has_ended(world):
    recipient = world.recipient(agreement_from=time.time() - 3600, agreement_until=time.time() - 1)
    with refused("PERMISSION_DENIED", "AGREEMENT_NOT_IN_FORCE"):
        world.share(world.person(), recipient)


def test_p4_the_end_of_an_agreement_withdraws_what_is_live(world):
    until_when = time.time() + 4
    recipient = world.recipient(agreement_until=until_when)
    with recipient.receive() as stream:
        held = world.share(world.person(), recipient)
        stream.acknowledge(stream.delivery(held.disclosure_id))
        later = world.share(world.person(), recipient, "strict")
        withdrawal = stream.withdrawal(held.disclosure_id, timeout=20)
    assert withdrawal.cause == protos.delivery.WITHDRAWAL_CAUSE_EXPIRED
    recorded = protos.seconds(withdrawal.receipt.recorded_at)
    assert 0 <= recorded - until_when < 3
    assert ended(world, held) == [("EXPIRED", "AGREEMENT_NOT_IN_FORCE"), ("WITHDRAWN", "AGREEMENT_NOT_IN_FORCE")]
    assert ended(world, later) == [("EXPIRED", "AGREEMENT_NOT_IN_FORCE")]
    assert state(world, later) == "DISCLOSURE_STATE_EXPIRED"


def test_p4_an_agreement_that_is_ended_at_once_ends_what_is_live(world):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient)
    world.put_recipient(recipient.recipient_id, agreement_from=time.time() - 7200, agreement_until=time.time() - 1)
    assert ("EXPIRED", "AGREEMENT_NOT_IN_FORCE") in ended(world, shared)
    assert recipient.drain() == []


def test_p4_an_agreement_that_was_prolonged_in_time_ends_nothing(world):
    until_when = time.time() + 3
    recipient = world.recipient(agreement_until=until_when)
    shared = world.share(world.person(), recipient)
    world.put_recipient(recipient.recipient_id, agreement_until=time.time() + 86400)
    world.sandbox.wait_until(until_when + 1.5)
    assert state(world, shared) == "DISCLOSURE_STATE_ACTIVE"
    assert [delivery.disclosure_id for delivery in recipient.drain()] == [shared.disclosure_id]


def test_p4_many_agreements_that_end_at_one_moment_are_all_ended(world):
    until_when = time.time() + 6
    recipients = [world.recipient(agreement_until=until_when) for _ in range(12)]
    shared = [world.share(world.person(), recipient) for recipient in recipients for _ in range(3)]
    world.sandbox.wait_until(until_when)
    for disclosure in shared:
        assert ("EXPIRED", "AGREEMENT_NOT_IN_FORCE") in ended(world, disclosure)


@pytest.fixture(scope="module")
def pair():
    world = World.up(workers=2)
    yield world
    world.down()


def test_p4_with_two_workers_an_agreement_ends_once(pair):
    until_when = time.time() + 3
    recipients = [pair.recipient(agreement_until=until_when) for _ in range(4)]
    shared = [pair.share(pair.person(), recipient) for recipient in recipients]
    for disclosure in shared:
        assert ended(pair, disclosure) == [("EXPIRED", "AGREEMENT_NOT_IN_FORCE")]
