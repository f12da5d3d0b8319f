"""RevokeDevice: a lost phone gets nothing more and is ordered to delete, and the recipient's other devices go on."""

import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.client import unique
from needtoknow_testing.refusal import refused
from needtoknow_testing.waiting import until
from test_suspend import share_many

registry = protos.registry


def revoke(world, recipient, device, timeout=60):
    request = registry.RevokeDeviceRequest(recipient_id=getattr(recipient, "recipient_id", recipient), device=device)
    return world.admin.registry.RevokeDevice(request, timeout=timeout)


def devices(world, recipient):
    answer = world.admin.registry.GetRecipient(registry.GetRecipientRequest(recipient_id=recipient.recipient_id), timeout=10)
    return {device.device: device for device in answer.devices}


def state(world, disclosure):
    request = protos.sharing.GetDisclosureRequest(disclosure_id=disclosure.disclosure_id)
    return protos.common.DisclosureState.Name(world.booking.sharing.GetDisclosure(request, timeout=10).disclosure.state)


def withdrawn(world, disclosure):
    """[(device, reason)] of its WITHDRAWN entries"""
    found = ledger.of_disclosure(ledger.entries(world.sandbox), disclosure.disclosure_id, "WITHDRAWN")
    return sorted((entry.device, ledger.reason_name(entry)) for _, entry in found)


def test_p4_what_a_lost_phone_has_is_to_be_deleted_and_the_disclosure_goes_on(world):
    recipient = world.recipient()
    phone, tablet = recipient.device("phone"), recipient.device("tablet")
    shared = world.share(world.person(), recipient)
    with phone.receive() as stream:
        stream.acknowledge(stream.delivery(shared.disclosure_id))
        answer = revoke(world, recipient, "phone")
        until(lambda: stream.ended, what="the stream's end")
    assert len(answer.receipts) == 1
    found = ledger.entries(world.sandbox)
    changed = dict(found)[answer.receipts[0].ledger_index]
    assert (ledger.kind_name(changed), changed.device, ledger.reason_name(changed)) == ("RECIPIENT_CHANGED", "phone", "DEVICE_REVOKED")
    assert withdrawn(world, shared) == [("phone", "DEVICE_REVOKED")]
    assert state(world, shared) == "DISCLOSURE_STATE_ACTIVE"
    with phone.receive() as stream:
        withdrawal = stream.withdrawal(shared.disclosure_id)
        assert withdrawal.cause == protos.delivery.WITHDRAWAL_CAUSE_REVOKED
        assert not stream.deliveries()
    item = protos.delivery.DeletionItem(disclosure_id=shared.disclosure_id, outcome=protos.delivery.DELETION_OUTCOME_DELETED)
    assert phone.client.delivery.ConfirmDeletion(protos.delivery.ConfirmDeletionRequest(items=[item]), timeout=10).confirmed == 1
    with refused("PERMISSION_DENIED", "DEVICE_REVOKED"):
        phone.fetch(shared.disclosure_id)
    assert len(tablet.fetch(shared.disclosure_id)) == 1


def test_p6_what_a_lost_phone_had_not_acknowledged_goes_to_another(world):
    recipient = world.recipient()
    phone, tablet = recipient.device("phone"), recipient.device("tablet")
    shared = world.share(world.person(), recipient)
    with phone.receive() as lost:
        first = lost.delivery(shared.disclosure_id)
        revoke(world, recipient, "phone")
        with tablet.receive() as stream:
            again = stream.delivery(shared.disclosure_id)
            assert again.cause == protos.delivery.DELIVERY_CAUSE_REPEATED and again.delivery_id == first.delivery_id
            assert stream.acknowledge(again) == 1


def test_p4_whoever_was_told_already_is_not_told_again_when_it_ends(world):
    recipient = world.recipient()
    phone, tablet = recipient.device("phone"), recipient.device("tablet")
    shared = world.share(world.person(), recipient, starts_in=0, lasts=5)
    phone.acknowledge(*phone.drain())
    tablet.fetch(shared.disclosure_id)
    revoke(world, recipient, "phone")
    until(lambda: state(world, shared) == "DISCLOSURE_STATE_EXPIRED" and len(withdrawn(world, shared)) == 2, 20, "the end")
    assert withdrawn(world, shared) == [("phone", "DEVICE_REVOKED"), ("tablet", "EXPIRED")]
    open_rows = world.sandbox.query("SELECT count(*) FROM needtoknow.sent WHERE open AND disclosure_id = %s", shared.disclosure_id)
    assert open_rows == [(0,)]


def test_p7_a_phone_that_was_never_used_may_be_revoked(world):
    recipient = world.recipient()
    revoke(world, recipient, "stolen")
    world.share(world.person(), recipient)
    stolen = recipient.device("stolen")
    with stolen.receive(until_empty=True) as stream:
        assert stream.wait_end() is None
        assert stream.events == []
    assert devices(world, recipient)["stolen"].HasField("revoked_at")
    assert len(recipient.drain()) == 1


def test_devices_are_shown_by_name_with_their_times(world):
    recipient = world.recipient()
    for name in ("b-phone", "a-phone"):
        assert recipient.device(name).drain() == []
    found = until(lambda: len(devices(world, recipient)) == 2 and devices(world, recipient), what="both devices")
    assert list(found) == ["a-phone", "b-phone"]
    assert all(each.HasField("first_seen_at") and not each.HasField("revoked_at") for each in found.values())
    revoke(world, recipient, "a-phone")
    assert {name: each.HasField("revoked_at") for name, each in devices(world, recipient).items()} == {"a-phone": True, "b-phone": False}


def test_once_revoked_is_ok_and_no_entry(world):
    recipient = world.recipient()
    assert len(revoke(world, recipient, "phone").receipts) == 1
    assert not revoke(world, recipient, "phone").receipts


@pytest.mark.parametrize("device", ["", "a/b", "x" * 129, "é"])
def test_a_device_that_no_certificate_can_name_is_refused(world, device):
    with refused("INVALID_ARGUMENT", "BAD_IDENTIFIER"):
        revoke(world, world.recipient(), device)


def test_an_unknown_recipient_is_not_found(world):
    with refused("NOT_FOUND", "UNKNOWN_RECIPIENT"):
        revoke(world, unique("r"), "phone")


def test_p4_hundreds_that_a_lost_phone_has_are_all_withdrawn_before_the_answer(world):
    recipient = world.recipient()
    phone, tablet = recipient.device("phone"), recipient.device("tablet")
    share_many(world, recipient, 600)
    with phone.receive(max_unacknowledged=1024) as stream:
        until(lambda: len(stream.deliveries()) >= 600, 60, "600 deliveries")
        stream.acknowledge(*stream.deliveries()[:300])
        index = revoke(world, recipient, "phone").receipts[0].ledger_index
    orders = [entry for _, entry in ledger.of_kind(ledger.entries(world.sandbox, index), "WITHDRAWN")
              if entry.recipient_id == recipient.recipient_id]
    assert len(orders) == len({entry.disclosure_id for entry in orders}) == 600
    cleared = "SELECT cleared_at IS NOT NULL FROM needtoknow.device WHERE recipient_id = %s AND device = 'phone'"
    until(lambda: world.sandbox.query(cleared, recipient.recipient_id) == [(True,)], what="nothing left to look for")
    with tablet.receive(max_unacknowledged=1024) as stream:
        until(lambda: len(stream.deliveries()) >= 300, 60, "what was not acknowledged")
        got = stream.deliveries()
        assert len({delivery.delivery_id for delivery in got}) == 300
        stream.acknowledge(*got)


def test_p4_where_every_device_gets_all_the_lost_one_is_waited_for_no_more(world):
    """What waited for it goes, what it had is withdrawn; the other is sent everything as before."""
    recipient = world.recipient(deliver_to=registry.DELIVER_TO_EVERY_DEVICE)
    phone, tablet = recipient.device("phone"), recipient.device("tablet")
    assert phone.drain() == [] and tablet.drain() == []
    first = world.share(world.person(), recipient)
    with phone.receive() as lost:
        lost.delivery(first.disclosure_id)
        second = world.share(world.person(), recipient, "strict")
        revoke(world, recipient, "phone")
    assert withdrawn(world, first) == [("phone", "DEVICE_REVOKED")]
    assert world.sandbox.query("SELECT count(*) FROM needtoknow.due WHERE recipient_id = %s AND device = 'phone'",
                               recipient.recipient_id) == [(0,)]
    assert world.sandbox.query("SELECT count(*) FROM needtoknow.sent WHERE recipient_id = %s AND device = 'phone' AND open",
                               recipient.recipient_id) == [(0,)]
    with tablet.receive() as stream:
        stream.acknowledge(stream.delivery(first.disclosure_id))
        third = world.share(world.person(), recipient)
        stream.acknowledge(stream.delivery(third.disclosure_id))
    request = protos.sharing.GetDisclosureRequest(disclosure_id=third.disclosure_id)
    (release,) = world.booking.sharing.GetDisclosure(request, timeout=10).disclosure.releases
    assert protos.common.ReleaseState.Name(release.state) == "RELEASE_STATE_ACKNOWLEDGED"
    assert state(world, second) == "DISCLOSURE_STATE_ACTIVE"


def test_p2_what_a_lost_phone_was_sent_is_not_corrected(world):
    """It can be sent nothing any more: the values are not read for it again. The other gets them."""
    person, recipient = world.person(), world.recipient(deliver_to=registry.DELIVER_TO_EVERY_DEVICE)
    phone, tablet = recipient.device("phone"), recipient.device("tablet")
    shared = world.share(person, recipient)
    for device in (phone, tablet):
        device.acknowledge(*device.drain())
    revoke(world, recipient, "phone")
    with tablet.receive() as stream:
        world.sandbox.query("UPDATE company.client SET door_code = 'after the theft' WHERE subject_id = %s", person.subject_id)
        again = stream.delivery(shared.disclosure_id, timeout=20)
        assert again.cause == protos.delivery.DELIVERY_CAUSE_CORRECTED
        stream.acknowledge(again)
    left = "SELECT change_id FROM share.change_queue WHERE subject_id = %s"
    until(lambda: not world.sandbox.query(left, person.subject_id), 60, "the last look")
    assert world.sandbox.query("SELECT serial FROM needtoknow.sent WHERE recipient_id = %s AND device = 'phone' AND (open OR reopened)",
                               recipient.recipient_id) == []
